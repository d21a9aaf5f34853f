"""A rollout's text read as a rig: tokens as whole numbers between blanks, or a RigNet text rig.

Any text gives an `Answered`, and never an error: what cannot be read says why. What it covers: other characters,
numbers of any length, sequences that are no rig, more joints or characters than are taken. What it does not: whether
the rig is any good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from guerdon_rigging.codecs import SkinCodec
from guerdon_rigging.examples import RigExample
from guerdon_rigging.rig_scores import Skin
from guerdon_rigging.rigs import Floats, Ints, Mesh, RigError, Skeleton
from guerdon_rigging.tokens import TokenError, detokenise
from guerdon_rigging.weights import normalised

MOST_CHARS = 4_000_000
"""Of an answer; longer ones are not read."""
MOST_WEIGHTS = 50_000_000
"""Vertices times joints of one answer."""
FARTHEST = 100.0
"""Joints of a text rig stand no further out than this along any axis, in the frame [-1, 1]^3: where a number that is
finite is squared and is no longer, nothing can be measured. Tokens reach to 1."""
LEAST_WEIGHT = 1e-3
"""Weights below this are 0: what exporters drop."""
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_RIG_LINE = re.compile(r"(joints|root|hier|skin)[ \t]")


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer, read: a skeleton, with its skin where one is asked for; or why there is none."""

    skeleton: Skeleton | None = None
    codes: Ints | None = None
    """(J, T), of an answer in tokens."""
    weights: Floats | None = None
    """(N, J), rows that sum to 1, or to 0; None before codes are decoded, and where skeletons are all that is asked."""
    why: str = ""
    """Empty where it could be read."""

    @cached_property
    def skin(self) -> Skin | None:
        """The weights, with what is not 0 at hand."""
        return None if self.weights is None else Skin(self.weights)

    @cached_property
    def owns(self) -> npt.NDArray[np.bool_]:
        """(J,): which joints own vertices; all, where no skin is asked for."""
        if self.skeleton is None:
            return np.zeros(0, bool)
        return np.ones(len(self.skeleton), bool) if self.skin is None else self.skin.owning()


def read_answer(text: str, example: RigExample, mesh: Mesh | None = None) -> Answered:
    """Read one answer. Codes of tokens are not decoded yet; see `with_skins`.

    Args:
        text: whatever a policy wrote.
        example: says which language.
        mesh: the example's; needed for a text rig with a skin.
    """
    if len(text) > MOST_CHARS:
        return Answered(why=f"the answer has {len(text):,} characters; at most {MOST_CHARS:,} are read")
    found = _text_rig(text, example, mesh) if _RIG_LINE.match(text.lstrip()[:16]) else _tokens(text, example)
    if found.skeleton is None:
        return found
    why = _too_many(len(found.skeleton), example, mesh if example.length else None)
    return Answered(why=why) if why else found


def with_skins(answers: Sequence[Answered], codec: SkinCodec | None, condition: Any) -> list[Answered]:
    """The same answers, all that have codes decoded at once.

    Args:
        answers: to one mesh.
        codec: None where skeletons are all that is asked for.
        condition: the codec's, of that mesh.
    """
    found = list(answers)
    if codec is None:
        return found
    places = [place for place, one in enumerate(found) if one.codes is not None and one.weights is None]
    skins = codec.decode_all(condition, [codes for place in places if (codes := found[place].codes) is not None])
    for place, weights in zip(places, skins, strict=True):
        found[place] = replace(found[place], weights=skin_of(weights))
    return found


def skin_of(weights: Floats) -> Floats:
    """A skin of weights that were decoded one by one: normalised, without those below 0.001, normalised again."""
    shares = normalised(np.asarray(weights, np.float64))
    return normalised(np.where(shares < LEAST_WEIGHT, 0.0, shares))


def written(tokens: npt.NDArray[Any] | Sequence[int]) -> str:
    """Tokens as an answer.

    >>> written([257, 266])
    '257 266'
    """
    return " ".join(map(str, np.asarray(tokens).tolist()))


def _tokens(text: str, example: RigExample) -> Answered:
    words = text.split()
    if not words:
        return Answered(why="the answer is empty")
    for place, word in enumerate(words):
        if not _NUMBER.fullmatch(word):
            return Answered(why=f"word {place} is {word[:40]!r}; tokens are whole numbers")
    try:
        decoded = detokenise(example.vocabulary, list(map(int, words)), most=example.most)
    except TokenError as error:
        return Answered(why=str(error))
    return Answered(decoded.skeleton, decoded.codes if example.length else None)


def _text_rig(text: str, example: RigExample, mesh: Mesh | None) -> Answered:
    """The skeleton first, so that no table is made for joints that are too many."""
    from guerdon_rigging.text_rigs import rig_of_text, skeleton_of_text

    try:
        skeleton = skeleton_of_text(text)
        if why := _too_far(skeleton):
            return Answered(why=why)
        if not example.length:
            return Answered(skeleton)
        if mesh is None:
            return Answered(why="a text rig with a skin needs its mesh")
        if why := _too_many(len(skeleton), example, mesh):
            return Answered(why=why)
        rig = rig_of_text(text, mesh)
    except RigError as error:
        return Answered(why=str(error)[:500])
    with np.errstate(over="ignore"):
        if not np.isfinite(rig.weights.sum(axis=1)).all():
            return Answered(why="the weights of a vertex add up to more than a float holds")
    skin = skin_of(rig.weights)
    return Answered(rig.skeleton, weights=skin) if skin.any() else Answered(why="no vertex follows a joint")


def _too_far(skeleton: Skeleton) -> str:
    far = np.flatnonzero((np.abs(skeleton.joints) > FARTHEST).any(axis=1))
    if not far.size:
        return ""
    name, place = skeleton.names[far[0]], skeleton.joints[far[0]].tolist()
    return f"the joint {name[:40]!r} stands at {place}; at most {FARTHEST:g} along an axis is taken"


def _too_many(joints: int, example: RigExample, mesh: Mesh | None) -> str:
    if joints > example.most:
        return f"{joints} joints; at most {example.most} may be written"
    if mesh is not None and joints * len(mesh.vertices) > MOST_WEIGHTS:
        return f"{joints} joints of {len(mesh.vertices):,} vertices are too many weights"
    return ""
