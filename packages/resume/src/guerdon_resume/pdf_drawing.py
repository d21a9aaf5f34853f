"""Which operations of a PDF's page would draw text that nobody sees.

Text is unseen where what paints it, filling or stroke, is white, transparent, of a colour that cannot be told
(`pdf_colours`), or blended so that a white page swallows it; where its letters are smaller than two points in either
direction; where it begins or, at a quarter of its size a letter, surely ends outside the clip; and in a layer that is
off. A form within a page hides its text where some of it is unseen.

Not covered: clips of another shape than their box, or of letters; letters drawn upon each other by their spacing; and
what `pdf_text` names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guerdon_resume.pdf_colours import first_amounts, lightness
from guerdon_resume.pdf_matrices import (
    EVERYWHERE,
    SAME,
    Box,
    Matrix,
    Point,
    around,
    common,
    holds,
    narrowest,
    put,
    then,
)
from guerdon_resume.pdf_objects import held, listed
from guerdon_resume.reading_limits import TINY, WHITE

SHOWS = (b"Tj", b"TJ", b"'", b'"')
_DEVICE = {b"g": "/DeviceGray", b"rg": "/DeviceRGB", b"k": "/DeviceCMYK"}
_BLENDED = ("/Normal", "/Compatible", "/Multiply", "/Darken", "/HardLight", "/Luminosity")
"""Ways of blending that leave dark letters dark on a white page."""
_LETTER = 0.25
"""Of the size: how wide letters are at least, in the mean of some."""
_INSIDE = 1.0
"""Points by which a letter's middle may lie outside the clip."""
_NO_NUMBER = -1
_DEEPEST = 5
"""Forms within forms; deeper ones count as hidden."""


@dataclass(frozen=True)
class Paint:
    """What fills letters, or draws their outlines."""

    space: Any = "/DeviceGray"
    unseen: bool = False
    clear: bool = False


@dataclass(frozen=True)
class Drawing:
    """How text is drawn at some place: what `q` keeps and `Q` brings back."""

    fill: Paint = Paint()
    stroke: Paint = Paint()
    swallowed: bool = False
    """By a mask, or by a way of blending."""
    mode: int = 0
    size: float = 12.0
    bytes_a_letter: int = 1
    stretch: float = 1.0
    """Of letters, across."""
    leading: float = 0.0
    matrix: Matrix = SAME
    clip: Box = EVERYWHERE
    off: bool = False
    """In a layer that is off."""
    depth: int = 0
    """In so many forms."""


class Resources:
    """What a page's or a form's operations name."""

    def __init__(self, holder: Any, reader: Any, off: Collection[int] = ()) -> None:
        self.reader = reader
        self.off = off
        """The numbers of layers that are off."""
        self._found: Mapping[str, Any] = held(holder, "/Resources", {})

    def named(self, kind: str, operands: Sequence[Any]) -> Any:
        """The object of a kind by its name, or None."""
        return held(held(self._found, kind), operands[0]) if operands and isinstance(operands[0], str) else None

    def space(self, operands: Sequence[Any]) -> Any:
        """A colour space by its name: one of the page's own, or a device's."""
        own = self.named("/ColorSpace", operands)
        return own if own is not None else (operands[0] if operands else None)

    def is_off(self, layer: Any) -> bool:
        """Whether a layer, or what rests on some, is not shown, or not surely."""
        if held(layer, "/Type") != "/OCMD":
            return _number_of(layer) in self.off
        odd = held(layer, "/VE") is not None or held(layer, "/P") in ("/AllOff", "/AnyOff")
        return odd or any(_number_of(each) in self.off for each in listed(layer, "/OCGs"))


def layers_off(reader: Any) -> frozenset[int]:
    """The numbers of a file's layers that are not shown when it is opened."""
    said = held(reader.trailer["/Root"], "/OCProperties")
    begin, layers = held(said, "/D"), listed(said, "/OCGs")
    found = {_number_of(each) for each in listed(begin, "/OFF")}
    if held(begin, "/BaseState") == "/OFF":
        found |= {_number_of(each) for each in layers} - {_number_of(each) for each in listed(begin, "/ON")}
    found |= {_number_of(each) for each in layers if held(held(held(each, "/Usage"), "/View"), "/ViewState") == "/OFF"}
    return frozenset(found - {_NO_NUMBER})


def _number_of(layer: Any) -> int:
    reference = getattr(layer, "indirect_reference", None)
    return int(reference.idnum) if reference is not None else _NO_NUMBER


def unseen(operations: Sequence[tuple[Any, bytes]], resources: Resources, begin: Drawing) -> list[bool]:
    """For each operation whether it would draw text that is not seen."""
    pen = _Pen(begin, resources)
    return [pen.takes(operands, operator) for operands, operator in operations]


@dataclass
class _Pen:
    """Goes through operations in their order."""

    now: Drawing
    resources: Resources
    kept: list[Drawing] = field(default_factory=list)
    marked: list[bool] = field(default_factory=list)
    """Of each marked content that is open, whether text before it was in a layer that is off."""
    line: Matrix = SAME
    """Where the line of text begins."""
    along: float = 0.0
    """How far it has come, in units of the text, at least."""
    path: list[Point] = field(default_factory=list)
    clips: bool = False
    """Whether the path is to be a clip."""

    def takes(self, operands: Sequence[Any], operator: bytes) -> bool:
        numbers = [float(each) for each in operands if isinstance(each, int | float)] if operator != b"TJ" else []
        if operator in SHOWS:
            return self._shows(operands[-1] if operands else b"", operator)
        if operator == b"Do":
            return _form_unseen(self.resources.named("/XObject", operands), self.resources, self.now)
        if operator == b"q":
            self.kept.append(self.now)
        elif operator == b"Q" and self.kept:
            self.now = replace(self.kept.pop(), off=self.now.off)
        elif operator in (b"BDC", b"BMC", b"EMC"):
            self._marks(operands, operator)
        elif not (self._places(operator, numbers) or self._draws(operator, numbers)):
            self.now = _changed(self.now, operator, operands, numbers, self.resources)
        return False

    def _marks(self, operands: Sequence[Any], operator: bytes) -> None:
        if operator == b"EMC":
            self.now = replace(self.now, off=self.marked.pop() if self.marked else self.now.off)
            return
        self.marked.append(self.now.off)
        if operator == b"BDC" and operands[:1] == ["/OC"]:
            layer = self.resources.named("/Properties", operands[1:])
            self.now = replace(self.now, off=self.now.off or self.resources.is_off(layer))

    def _places(self, operator: bytes, numbers: Sequence[float]) -> bool:
        """Whether it moves what is written next."""
        if operator == b"BT":
            self.line = SAME
        elif operator == b"Tm" and len(numbers) == 6:
            self.line = then(numbers, SAME)
        elif operator in (b"Td", b"TD") and len(numbers) == 2:
            self.line = then((1.0, 0.0, 0.0, 1.0, *numbers), self.line)
            if operator == b"TD":
                self.now = replace(self.now, leading=-numbers[1])
        elif operator == b"T*":
            self._down()
        else:
            return False
        self.along = 0.0
        return True

    def _down(self) -> None:
        self.line = then((1.0, 0.0, 0.0, 1.0, 0.0, -self.now.leading), self.line)
        self.along = 0.0

    def _draws(self, operator: bytes, numbers: Sequence[float]) -> bool:
        """Whether it is about a path; one that is marked becomes a clip as it ends."""
        if operator in (b"m", b"l", b"c", b"v", b"y"):
            self.path += [put(self.now.matrix, *pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
        elif operator == b"re" and len(numbers) == 4:
            x, y, across, up = numbers
            corners = ((x, y), (x + across, y), (x, y + up), (x + across, y + up))
            self.path += [put(self.now.matrix, *corner) for corner in corners]
        elif operator in (b"W", b"W*"):
            self.clips = True
        elif operator in (b"n", b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"):
            if self.clips and self.path:
                self.now = replace(self.now, clip=common(self.now.clip, around(self.path)))
            self.path, self.clips = [], False
        else:
            return False
        return True

    def _shows(self, shown: Any, operator: bytes) -> bool:
        if operator in (b"'", b'"'):
            self._down()
        pieces = shown if isinstance(shown, list) else [shown]
        begin = self.along
        for each in pieces:
            if isinstance(each, int | float):
                self.along -= float(each) / 1000.0
            else:
                self.along += _LETTER * len(_bytes(each)) / self.now.bytes_a_letter
        if not any(_bytes(each).strip() for each in pieces if not isinstance(each, int | float)):
            return False  # blanks are seen nowhere, and keep words apart
        return _unpainted(self.now) or not self._inside(begin, self.along)

    def _inside(self, begin: float, end: float) -> bool:
        """Whether the letters are large enough, and the middles of the first and the last inside the clip."""
        now = self.now
        letter = then((now.size * now.stretch, 0.0, 0.0, now.size, 0.0, 0.0), then(self.line, now.matrix))
        if narrowest(letter) < TINY or min(now.clip[2] - now.clip[0], now.clip[3] - now.clip[1]) < TINY:
            return False
        middles = (begin + _LETTER / 2, max(begin, end - _LETTER) + _LETTER / 2)
        return all(holds(now.clip, put(letter, across, _LETTER), _INSIDE) for across in middles)


def _bytes(text: Any) -> bytes:
    raw = getattr(text, "original_bytes", text)
    return raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "replace")


def _unpainted(now: Drawing) -> bool:
    paints = {0: (now.fill,), 1: (now.stroke,), 2: (now.fill, now.stroke)}.get(now.mode % 4, ())
    return now.off or now.swallowed or all(paint.unseen or paint.clear for paint in paints)


def _changed(
    now: Drawing, operator: bytes, operands: Sequence[Any], numbers: Sequence[float], resources: Resources
) -> Drawing:
    """How text is drawn after an operation."""
    if operator in (b"g", b"rg", b"k", b"cs", b"sc", b"scn"):
        return replace(now, fill=_painted(now.fill, operator, operands, numbers, resources))
    if operator in (b"G", b"RG", b"K", b"CS", b"SC", b"SCN"):
        return replace(now, stroke=_painted(now.stroke, operator.lower(), operands, numbers, resources))
    if operator == b"gs":
        state = resources.named("/ExtGState", operands)
        return now if state is None else _set(now, state)
    if operator == b"cm" and len(numbers) == 6:
        return replace(now, matrix=then(numbers, now.matrix))
    if operator == b"Tr" and numbers:
        return replace(now, mode=int(numbers[0]))
    if operator == b"Tz" and numbers:
        return replace(now, stretch=numbers[0] / 100.0)
    if operator == b"TL" and numbers:
        return replace(now, leading=numbers[0])
    if operator == b"Tf" and numbers:
        return _in_font(now, resources.named("/Font", operands), numbers[-1])
    return now


def _painted(
    paint: Paint, operator: bytes, operands: Sequence[Any], numbers: Sequence[float], resources: Resources
) -> Paint:
    if operator == b"cs":
        space, amounts = resources.space(operands), None
    else:
        space, amounts = _DEVICE.get(operator, paint.space), numbers
    light = lightness(space, first_amounts(space) if amounts is None else amounts)
    return replace(paint, space=space, unseen=light is None or light >= WHITE)


def _set(now: Drawing, state: Any) -> Drawing:
    """How text is drawn after a graphics state of the page's resources."""
    if "/ca" in state:
        now = replace(now, fill=replace(now.fill, clear=float(held(state, "/ca", 1.0)) <= 1.0 - WHITE))
    if "/CA" in state:
        now = replace(now, stroke=replace(now.stroke, clear=float(held(state, "/CA", 1.0)) <= 1.0 - WHITE))
    if "/SMask" in state or "/BM" in state:
        masked = held(state, "/SMask", "/None") != "/None"
        now = replace(now, swallowed=masked or listed(state, "/BM")[:1] not in ([], *([each] for each in _BLENDED)))
    if len(font := listed(state, "/Font")) == 2:
        now = _in_font(now, font[0], float(font[1]))
    return now


def _in_font(now: Drawing, font: Any, size: float) -> Drawing:
    return replace(now, size=size, bytes_a_letter=2 if held(font, "/Subtype") == "/Type0" else 1)


def _form_unseen(form: Any, resources: Resources, now: Drawing) -> bool:
    """Whether any text of a form within a page is hidden; a picture has none."""
    from pypdf.generic import ContentStream

    if held(form, "/Subtype") != "/Form":
        return False
    if now.depth >= _DEEPEST:
        return True
    own, box = ([float(each) for each in listed(form, name)] for name in ("/Matrix", "/BBox"))
    matrix = then(own if len(own) == 6 else SAME, now.matrix)
    clip = now.clip
    if len(box) == 4:
        clip = common(clip, around([put(matrix, x, y) for x in box[::2] for y in box[1::2]]))
    off = now.off or resources.is_off(held(form, "/OC"))
    begin = replace(now, matrix=matrix, clip=clip, off=off, depth=now.depth + 1)
    names = Resources(form, resources.reader, resources.off) if "/Resources" in form else resources
    return any(unseen(ContentStream(form, resources.reader).operations, names, begin))
