"""What may come next in a rig's tokens: for one prefix, and for a batch of sequences that grow together.

A sequence's state is three integers (phase, joints written, codes left), and moves by two table look-ups, so that a
batch of them costs the same few array operations at each step, on whatever library the tables were put: numpy, torch on
any device, jax. What a phase allows is a row of a table made once.

Every finished sequence has exactly J x T codes and is one that `detokenise` reads.

Source: TokenRig's released grammar (sheet, step 4) with its faults mended: it left pad, part and class ids open among
the codes, and ended one code early. `ending="released"` has both faults, for parity. Two readings of ours: a part may
be followed by a branch, as what `parts` orders write needs it, and the first joint cannot be left out unless `fewest`
is 0 (released: `eos_skeleton` right after a class, which no skeleton is).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon_rigging.tokens import Ending, Vocabulary

Bools = npt.NDArray[np.bool_]


class Phase(IntEnum):
    """What has just been written, as far as it decides what may follow."""

    START = 0
    HEAD = 1
    """`bos`."""
    CLASS = 2
    FIRST_PART = 3
    """A part, before any joint."""
    FIRST = 4
    """All of a branch's parent: the joint's first coordinate follows."""
    SECOND = 5
    """One coordinate of a joint."""
    THIRD = 6
    """Two of them."""
    JOINT = 7
    """A joint, and as many as are asked for."""
    FEW = 8
    """A joint, and fewer than that."""
    FULL = 9
    """The last joint that may be written."""
    PART = 10
    PARENT_X = 11
    """`branch`: its parent's first coordinate follows."""
    PARENT_Y = 12
    PARENT_Z = 13
    SKIN = 14
    """`eos_skeleton` or a code, and codes are left."""
    END = 15
    """The last code: `eos_final` follows."""
    DONE = 16
    """`eos_final`, and padding."""
    BROKEN = 17
    """After what was not allowed; only padding follows."""


class Kinds(IntEnum):
    """Ids that the grammar does not tell apart."""

    COORDINATE = 0
    BRANCH = 1
    BOS = 2
    EOS_SKELETON = 3
    PAD = 4
    PART = 5
    CLASS = 6
    CODE = 7
    EOS_FINAL = 8


class States(NamedTuple):
    """Those of B sequences: three integer arrays (B,) of one library."""

    phase: Any
    """See `Phase`."""
    joints: Any
    """Complete ones."""
    left: Any
    """Codes still to come; 0 before `eos_skeleton`."""

    @property
    def done(self) -> Any:
        """(B,), true where `eos_final` is out, or nothing can follow."""
        return self.phase >= Phase.DONE


@dataclass(frozen=True)
class Tables:
    """What `advance` and masks are looked up in, all of one array library and on one device."""

    kind: Any
    """(size,): of each id, of `Kinds`."""
    following: Any
    """(phases x kinds,): the next phase."""
    allowed: Any
    """(phases, size) of true and false."""
    penalty: Any
    """(phases, size), float32: 0 where allowed, else -inf; to add to logits."""


@dataclass(frozen=True)
class Grammar:
    """The language of rigs over a vocabulary.

    Raises:
        ConfigError: `fewest` below 0 or above `most`, `most` below 1, or no such ending.
    """

    vocabulary: Vocabulary
    fewest: int = 1
    """Joints there must be before `eos_skeleton`; 0 allows it right after a class, as released."""
    most: int | None = None
    """Joints there may be; None: no limit."""
    ending: Ending = "exact"
    """`released`: the two faults of the released sampler, see the module's head."""

    def __post_init__(self) -> None:
        whole_number("fewest", self.fewest, 0)
        if self.most is not None:
            whole_number("most", self.most, 1)
            if self.most < self.fewest:
                raise ConfigError(f"most is {self.most}; at least fewest, {self.fewest}, is needed")
        one_of("ending", self.ending, ("exact", "released"))

    @cached_property
    def slices(self) -> tuple[tuple[int, int], ...]:
        """First id of each of `Kinds` and the id after its last one."""
        words = self.vocabulary
        singles = [(token, token + 1) for token in (words.branch, words.bos, words.eos_skeleton, words.pad)]
        return (
            (0, words.bins),
            *singles,
            (words.first_part, words.first_class),
            (words.first_class, words.first_code),
            (words.first_code, words.eos_final),
            (words.eos_final, words.size),
        )

    @cached_property
    def moves(self) -> dict[Phase, dict[Kinds, Phase]]:
        """What may follow in each phase, and what it leads to. Counters decide between JOINT, FEW and FULL, and
        between SKIN and END; see `advance`.
        """
        joint = {Kinds.COORDINATE: Phase.SECOND}
        part, branch, eos = {Kinds.PART: Phase.PART}, {Kinds.BRANCH: Phase.PARENT_X}, {Kinds.EOS_SKELETON: Phase.SKIN}
        first_part = {Kinds.PART: Phase.FIRST_PART}
        skin = {Kinds.CODE: Phase.SKIN}
        if self.ending == "released":
            skin |= dict.fromkeys((Kinds.PAD, Kinds.PART, Kinds.CLASS), Phase.SKIN)
        over = {Kinds.PAD: Phase.DONE}
        return {
            Phase.START: {Kinds.BOS: Phase.HEAD},
            Phase.HEAD: {Kinds.CLASS: Phase.CLASS, **first_part, **joint},
            Phase.CLASS: {**first_part, **joint, **(eos if self.fewest == 0 else {})},
            Phase.FIRST_PART: joint,
            Phase.FIRST: joint,
            Phase.SECOND: {Kinds.COORDINATE: Phase.THIRD},
            Phase.THIRD: {Kinds.COORDINATE: Phase.JOINT},
            Phase.JOINT: {**joint, **part, **branch, **eos},
            Phase.FEW: {**joint, **part, **branch},
            Phase.FULL: eos,
            Phase.PART: {**joint, **branch},
            Phase.PARENT_X: {Kinds.COORDINATE: Phase.PARENT_Y},
            Phase.PARENT_Y: {Kinds.COORDINATE: Phase.PARENT_Z},
            Phase.PARENT_Z: {Kinds.COORDINATE: Phase.FIRST},
            Phase.SKIN: skin,
            Phase.END: {Kinds.EOS_FINAL: Phase.DONE},
            Phase.DONE: over,
            Phase.BROKEN: {Kinds.PAD: Phase.BROKEN},
        }

    @cached_property
    def tables(self) -> Tables:
        """For numpy."""
        kind = np.empty(self.vocabulary.size, np.int64)
        for place, (low, high) in enumerate(self.slices):
            kind[low:high] = place
        following = np.full((len(Phase), len(Kinds)), Phase.BROKEN, np.int64)
        for phase, moves in self.moves.items():
            for each, then in moves.items():
                following[phase, each] = then
        may = np.zeros((len(Phase), len(Kinds)), bool)
        for phase, moves in self.moves.items():
            may[phase, list(moves)] = True
        allowed = may[:, kind]
        penalty = np.where(allowed, np.float32(0), np.float32(-np.inf))
        return Tables(kind, following.reshape(-1), allowed, penalty)

    def put(self, convert: Callable[[npt.NDArray[Any]], Any]) -> Tables:
        """The tables of another library: `put(lambda array: torch.as_tensor(array, device=device))`."""
        made = self.tables
        return Tables(convert(made.kind), convert(made.following), convert(made.allowed), convert(made.penalty))

    def start(self, batch: int, convert: Callable[[npt.NDArray[Any]], Any] = np.asarray) -> States:
        """Those of `batch` empty sequences."""
        return States(*(convert(np.zeros(batch, np.int64)) for _ in range(3)))

    def advance(self, states: States, tokens: Any, tables: Tables | None = None) -> States:
        """The states after one more token each.

        Args:
            states: of B sequences.
            tokens: (B,) ids within the vocabulary. A token that is not allowed leads to `Phase.BROKEN`.
            tables: those of the arrays' library; None: numpy's.
        """
        tables = self.tables if tables is None else tables
        was = states.phase
        now = tables.following[was * len(Kinds) + tables.kind[tokens]]
        joints = states.joints + (now == Phase.JOINT)
        if self.fewest > 1:
            now = now + ((now == Phase.JOINT) & (joints < self.fewest)) * int(Phase.FEW - Phase.JOINT)
        if self.most is not None:
            now = now + ((now == Phase.JOINT) & (joints >= self.most)) * int(Phase.FULL - Phase.JOINT)
        length = self.vocabulary.length
        skin = now == Phase.SKIN
        begun = skin & (was != Phase.SKIN)
        # What is asked for, less one per code: the released sampler takes the `eos_skeleton` for one.
        early = int(self.ending == "released" and length > 0)
        left = states.left + begun * (joints * length - early) - (skin & (was == Phase.SKIN)) * 1
        now = now + (skin & (left <= 0)) * int(Phase.END - Phase.SKIN)
        return States(now, joints, left)

    def after(self, prefix: Sequence[int] | npt.NDArray[Any]) -> States:
        """The state (a batch of one) after a prefix. An id outside the vocabulary breaks it.

        Raises:
            ValueError: the prefix is no flat sequence of integers.
        """
        tokens = np.asarray(prefix)
        if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
            raise ValueError(f"a prefix of shape {tokens.shape} and type {tokens.dtype}; a flat list of ids is needed")
        states = self.start(1)
        for token in tokens.tolist():
            if not 0 <= token < self.vocabulary.size:
                return States(np.array([Phase.BROKEN]), states.joints, states.left)
            states = self.advance(states, np.array([token]))
        return states

    def next_ids(self, prefix: Sequence[int] | npt.NDArray[Any]) -> Bools:
        """(size,): which ids may follow a prefix; only `pad` after `eos_final` and after what was not allowed.

        Raises:
            ValueError: the prefix is no flat sequence of integers.

        >>> grammar = Grammar(Vocabulary(bins=4, codes=2, length=1))
        >>> np.flatnonzero(grammar.next_ids([5, 14, 0, 0, 0, 6])).tolist()
        [15, 16]
        """
        found: Bools = self.tables.allowed[int(self.after(prefix).phase[0])]
        return found

    def longest(self) -> int | None:
        """Tokens of the longest sequence, where joints are limited: four, 4 for the first joint and its part, 8 for
        each other one with a part and a branch, and the codes.
        """
        return None if self.most is None else self.most * (8 + self.vocabulary.length)
