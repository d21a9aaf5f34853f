"""A rig as one sequence of integers: TokenRig's vocabulary, `tokenise` and `detokenise`.

```
bos class | x y z | x y z | branch px py pz x y z | ... | eos_skeleton | T codes of joint 0 | ... | eos_final
```
A joint whose parent is the joint before it is three bins; any other is `branch`, its parent's three bins and its own
three. Positions are in the frame [-1, 1]^3. Joints stand in an order of `guerdon_rigging.orders`.

Source: TokenRig (arXiv 2602.04805) and its released code. The released rounding of coordinates and the released
sampler's early end are kept under the name `released`; the defaults mend them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from guerdon.fields import one_of, whole_number
from guerdon_rigging.orders import Kind, Order, part_starts, permutation
from guerdon_rigging.rigs import Floats, Ints, Skeleton

Rounding = Literal["floor", "released"]
Ending = Literal["exact", "released"]
"""`released`: the sampler counted `eos_skeleton` as a code, so that the last code is missing, and `eos_final` in its
place was read as code C, which wraps to 0."""

PARTS = ("spring", "body", "hand")
"""In the order of their ids; `spring` is the part of all other bones."""
CLASSES: tuple[Kind, ...] = ("none", "rignet", "vroid", "articulation")
"""Kinds that have an id, in the order of their ids; `mixamo` is written as `none`."""
_SPECIAL = 4 + len(PARTS) + len(CLASSES)


class TokenError(ValueError):
    """Not a rig's tokens.

    Args:
        index: of the first token that is wrong, counted from 0; the number of tokens where the sequence breaks off.
        expected: what could stand there.
        found: what stands there.
    """

    def __init__(self, index: int, expected: str, found: str) -> None:
        super().__init__(f"token {index} is {found}; {expected} is expected there")
        self.index, self.expected, self.found = index, expected, found


@dataclass(frozen=True)
class Vocabulary:
    """What each id says. `bins` coordinates come first, then eleven others, then the codes of skins, then the end.

    Raises:
        ConfigError: fewer than 2 bins, or codes without a length or the other way round.
    """

    bins: int = 256
    """Of one coordinate."""
    codes: int = 32768
    """C of the skin codec: 32768 as released, 64000 in the paper; 0 for sequences that are skeletons only."""
    length: int = 4
    """T of the skin codec, codes of one joint; 0 for sequences that are skeletons only."""
    rounding: Rounding = "floor"
    """How a coordinate becomes a bin; see `bin_of`."""

    def __post_init__(self) -> None:
        whole_number("bins", self.bins, 2, 1 << 20)
        whole_number("codes", self.codes, min(self.length, 1), 1 << 30)
        whole_number("length", self.length, min(self.codes, 1), 1 << 10)
        one_of("rounding", self.rounding, get_args(Rounding))

    @property
    def branch(self) -> int:
        """Before a joint whose parent is not the joint before it."""
        return self.bins

    @property
    def bos(self) -> int:
        """The first token."""
        return self.bins + 1

    @property
    def eos_skeleton(self) -> int:
        """After the last joint."""
        return self.bins + 2

    @property
    def pad(self) -> int:
        """After the end, in batches."""
        return self.bins + 3

    @property
    def first_part(self) -> int:
        """The id of `PARTS[0]`."""
        return self.bins + 4

    @property
    def first_class(self) -> int:
        """The id of `CLASSES[0]`."""
        return self.first_part + len(PARTS)

    @property
    def first_code(self) -> int:
        """The id of code 0."""
        return self.bins + _SPECIAL

    @property
    def eos_final(self) -> int:
        """The last token."""
        return self.first_code + self.codes

    @property
    def size(self) -> int:
        """Number of ids."""
        return self.eos_final + 1

    def part(self, name: str) -> int:
        """The id of a part of `PARTS`."""
        return self.first_part + PARTS.index(name)

    def kind(self, name: Kind) -> int:
        """The id of a class; kinds without one are `none`."""
        return self.first_class + (CLASSES.index(name) if name in CLASSES else 0)

    def says(self, token: int) -> str:
        """An id in words, for messages."""
        named = {
            self.branch: "branch",
            self.bos: "bos",
            self.eos_skeleton: "eos_skeleton",
            self.pad: "pad",
            self.eos_final: "eos_final",
        }
        if token in named:
            what = named[token]
        elif 0 <= token < self.bins:
            what = "a coordinate"
        elif self.first_part <= token < self.first_class:
            what = f"the part {PARTS[token - self.first_part]}"
        elif self.first_class <= token < self.first_code:
            what = f"the class {CLASSES[token - self.first_class]}"
        elif self.first_code <= token < self.eos_final:
            what = f"the code {token - self.first_code}"
        else:
            what = f"no id of the {self.size} there are"
        return f"{token} ({what})"


def bin_of(vocabulary: Vocabulary, coordinates: Floats) -> Ints:
    """The bins of coordinates of any shape; those outside [-1, 1] fall into the outermost bins.

    `floor` takes the bin that the coordinate lies in, so that `coordinate_of` is at most 1/bins off, on average by 0.
    `released` rounds (x + 1) bins/2 half to even, so that what comes back lies 0 to 2/bins above x.

    Raises:
        ValueError: a coordinate that is not finite.

    >>> bin_of(Vocabulary(), np.array([-1, -0.999, 0, 0.5, 0.999, 1, 1.5, -2])).tolist()
    [0, 0, 128, 192, 255, 255, 255, 0]
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    if not np.isfinite(coordinates).all():
        raise ValueError("a coordinate is not finite, and has no bin")
    # Cut first: what is far outside would overflow as an integer.
    scaled = (coordinates.clip(-2, 2) + 1) * (vocabulary.bins / 2)
    rounded = np.floor(scaled) if vocabulary.rounding == "floor" else np.rint(scaled)
    return rounded.clip(0, vocabulary.bins - 1).astype(np.int64)


def coordinate_of(vocabulary: Vocabulary, bins: npt.ArrayLike) -> Floats:
    """The middles of bins: 2 (t + 1/2) / bins - 1.

    >>> coordinate_of(Vocabulary(), [0, 127, 128, 255]).tolist()
    [-0.99609375, -0.00390625, 0.00390625, 0.99609375]
    """
    found: Floats = (np.asarray(bins, dtype=np.float64) + 0.5) * (2 / vocabulary.bins) - 1
    return found


def sequence_length(joints: int, branches: int, length: int) -> int:
    """Tokens of a rig with a class and without parts: 3 + 3 (J - b) + 7 b + T J + 1.

    >>> sequence_length(joints=20, branches=5, length=4)
    164
    """
    return 3 + 3 * (joints - branches) + 7 * branches + length * joints + 1


def skeleton_tokens(
    vocabulary: Vocabulary, skeleton: Skeleton, kind: Kind = "articulation", order: Order = "depth-first"
) -> Ints:
    """The tokens up to `eos_skeleton`, which is the last: what skins alone are generated from.

    Args:
        vocabulary: see there.
        skeleton: in the frame [-1, 1]^3; what is outside is moved to its surface.
        kind: the class that is written.
        order: of the joints; `parts` writes part tokens, and needs names where the kind has parts.

    Raises:
        ConfigError: no such kind or order.

    >>> chain = Skeleton(np.array([[0, 0, 0], [0, 0.5, 0], [0, 1, 0.0]]), np.array([-1, 0, 1]))
    >>> skeleton_tokens(Vocabulary(), chain).tolist()
    [257, 266, 128, 128, 128, 128, 192, 128, 128, 255, 128, 258]
    """
    path = permutation(skeleton, kind, order)
    starts = part_starts(skeleton, kind, order)
    bins = bin_of(vocabulary, skeleton.joints).tolist()
    parents = skeleton.parents.tolist()
    tokens = [vocabulary.bos, vocabulary.kind(kind)]
    before = None
    for place, joint in enumerate(path.tolist()):
        if place in starts:
            tokens.append(vocabulary.part(starts[place]))
        if place and parents[joint] != before:
            tokens += [vocabulary.branch, *bins[parents[joint]]]
        tokens += bins[joint]
        before = joint
    return np.array([*tokens, vocabulary.eos_skeleton], dtype=np.int64)


def tokenise(
    vocabulary: Vocabulary,
    skeleton: Skeleton,
    codes: Ints | None = None,
    kind: Kind = "articulation",
    order: Order = "depth-first",
) -> Ints:
    """A rig's tokens, `bos` to `eos_final`.

    Args:
        vocabulary: see there.
        skeleton: see `skeleton_tokens`.
        codes: (J, T), those of each of the skeleton's joints, in the skeleton's own order; None where T is 0.
        kind: the class that is written.
        order: that joints and codes are written in.

    Raises:
        ValueError: codes of another shape, or outside [0, C).
        ConfigError: no such kind or order.
    """
    given = np.zeros((len(skeleton), 0), np.int64) if codes is None else np.asarray(codes, dtype=np.int64)
    if given.shape != (len(skeleton), vocabulary.length):
        raise ValueError(f"codes have the shape {given.shape}; {(len(skeleton), vocabulary.length)} is needed")
    if given.size and not 0 <= given.min() <= given.max() < vocabulary.codes:
        raise ValueError(f"codes run from {given.min()} to {given.max()}; accepted are 0 to {vocabulary.codes - 1}")
    skin = given[permutation(skeleton, kind, order)].reshape(-1) + vocabulary.first_code
    return np.concatenate([skeleton_tokens(vocabulary, skeleton, kind, order), skin, [vocabulary.eos_final]])


@dataclass(frozen=True, eq=False)
class Decoded:
    """What tokens say."""

    skeleton: Skeleton
    """Joints in the order they were written, at the middles of their bins."""
    codes: Ints
    """(J, T)."""
    kind: Kind
    """`none` also where no class was written."""
    parts: tuple[tuple[int, str], ...] = ()
    """Part tokens, each with the joint it stands before."""


def detokenise(
    vocabulary: Vocabulary,
    tokens: Sequence[int] | npt.NDArray[Any],
    ending: Ending = "exact",
    most: int | None = None,
) -> Decoded:
    """Read `bos` to `eos_final`, and nothing after it but `pad`.

    A branch's parent is the earlier joint nearest to the position it names; of equally near ones the latest, as in the
    released code. Distances are between bins, hence exact.

    Args:
        vocabulary: see there.
        tokens: any integers.
        ending: `exact` takes exactly J x T codes. `released` takes one less, as the released sampler stopped early,
            and reads the `eos_final` there as code C, which wraps to 0.
        most: joints that are read; one more is an error. The time that branches take grows with the square of the
            number of joints, so what somebody else wrote is read with a limit. None: as many as there are.

    Raises:
        TokenError: anything else; it says which token, and what could stand there.
    """
    reading = _Reading(vocabulary, np.asarray(tokens).tolist())
    reading.take("bos", vocabulary.bos, vocabulary.bos + 1)
    kind: Kind = "none"
    if reading.at(vocabulary.first_class, vocabulary.first_code):
        kind = CLASSES[reading.take("a class") - vocabulary.first_class]
    joints: list[list[int]] = []
    parents: list[int] = []
    parts: list[tuple[int, str]] = []
    after_part = False
    while after_part or not joints or not reading.at(vocabulary.eos_skeleton):
        if most is not None and len(joints) >= most:
            wanted_there = f"eos_skeleton (at most {most} joints may be written)"
            reading.take(wanted_there, vocabulary.eos_skeleton, vocabulary.eos_skeleton + 1)
        if not after_part and reading.at(vocabulary.first_part, vocabulary.first_class):
            parts.append((len(joints), PARTS[reading.take("a part") - vocabulary.first_part]))
            after_part = True
            continue
        parent = len(joints) - 1
        if joints and reading.at(vocabulary.branch):
            reading.take("branch")
            parent = _nearest(joints, reading.position("the parent's"))
            joints.append(reading.position("the joint's"))
        else:
            expected = "a coordinate" if after_part else "a coordinate or a part"
            if joints:
                expected += " or branch" if after_part else ", branch or eos_skeleton"
            first = reading.take(expected, 0, vocabulary.bins)
            joints.append([first, *(reading.take("a coordinate", 0, vocabulary.bins) for _ in range(2))])
        parents.append(parent)
        after_part = False
    reading.take("eos_skeleton")
    wanted = len(joints) * vocabulary.length
    short = int(ending == "released" and wanted > 0)
    skin = [
        reading.take(f"code {place + 1} of {wanted}", vocabulary.first_code, vocabulary.eos_final)
        for place in range(wanted - short)
    ]
    reading.take("eos_final", vocabulary.eos_final, vocabulary.size)
    reading.only_padding()
    codes = np.array(skin + [vocabulary.first_code] * short, dtype=np.int64) - vocabulary.first_code
    return Decoded(
        Skeleton(coordinate_of(vocabulary, joints), np.array(parents, dtype=np.int64)),
        codes.reshape(len(joints), vocabulary.length),
        kind,
        tuple(parts),
    )


def _nearest(joints: list[list[int]], position: list[int]) -> int:
    """The latest of those nearest to it."""
    distances = ((np.array(joints[::-1], dtype=np.int64) - position) ** 2).sum(axis=1)
    return len(joints) - 1 - int(distances.argmin())


class _Reading:
    """Tokens, and how far they have been read."""

    def __init__(self, vocabulary: Vocabulary, tokens: Any) -> None:
        if not isinstance(tokens, list) or any(type(token) is not int for token in tokens):
            raise TokenError(0, "a flat list of integers", f"{tokens!r:.60}")
        self.vocabulary, self.tokens, self.place = vocabulary, tokens, 0

    def at(self, low: int, high: int | None = None) -> bool:
        """Whether the next token is in [low, high), or `low` alone."""
        if self.place >= len(self.tokens):
            return False
        return bool(low <= self.tokens[self.place] < (low + 1 if high is None else high))

    def take(self, expected: str, low: int = 0, high: int | None = None) -> int:
        """The next token, which is to be in [low, high)."""
        if not self.at(low, self.vocabulary.size if high is None else high):
            found = self.vocabulary.says(self.tokens[self.place]) if self.place < len(self.tokens) else "missing"
            raise TokenError(self.place, expected, found)
        self.place += 1
        return int(self.tokens[self.place - 1])

    def position(self, whose: str) -> list[int]:
        """Three bins."""
        return [self.take(f"{whose} coordinate {axis}", 0, self.vocabulary.bins) for axis in "xyz"]

    def only_padding(self) -> None:
        """Nothing is left but padding."""
        while self.place < len(self.tokens):
            self.take("pad or nothing", self.vocabulary.pad, self.vocabulary.pad + 1)
