"""Rigs that want to be paid without being rigs, as attacks for `guerdon audit`.

All but the star and the spread tree, which are text rigs, write tokens, in the vocabulary that other examples' answers
show, and nothing where those are no rigs. Source: TokenRig's sheet: binding everything to one bone, and scattering
joints, raise its printed rewards on every rig.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self, get_args

from guerdon.audit import Attack, Category, Knows, Target

if TYPE_CHECKING:
    from guerdon_rigging.rigs import Floats
    from guerdon_rigging.tokens import Decoded, Vocabulary

_SPECIAL = 11
"""Ids between coordinates and codes."""
Cut = Literal["half", "last", "skin"]
Soup = Literal["ids", "coordinates", "words", "huge", "nested"]
StarSkin = Literal["tokens", "distances"]


class Seen(NamedTuple):
    """What an attacker knows of the language from one honest answer."""

    vocabulary: Vocabulary
    rig: Decoded
    tokens: tuple[int, ...]


@lru_cache(maxsize=256)  # each attack asks of the same honest answers
def seen(text: str) -> Seen | None:
    """The vocabulary read off an answer: `bos` comes first and `eos_final` last, and codes are as many as there are.

    None where it is no rig.
    """
    from guerdon_rigging.tokens import TokenError, Vocabulary, detokenise

    words = text.split()
    if len(words) < 6 or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        return None
    tokens = tuple(map(int, words))
    bins = tokens[0] - 1
    codes = tokens[-1] - bins - _SPECIAL
    skin = sum(bins + _SPECIAL <= token < tokens[-1] for token in tokens)
    if bins < 2 or codes < 0:
        return None
    skeleton = Vocabulary(bins, 0, 0)
    try:
        alone = detokenise(skeleton, [*tokens[: len(tokens) - skin - 1], skeleton.eos_final])
        vocabulary = Vocabulary(bins, codes, skin // len(alone.skeleton)) if skin else skeleton
        return Seen(vocabulary, detokenise(vocabulary, tokens), tokens)
    except (TokenError, ValueError):
        return None


def _others(target: Target) -> list[Seen]:
    found = (seen(text) for text in (target.examples or (target.layout.template,)))
    return [one for one in found if one is not None]


def _rig(of: Seen, joints: Sequence[Sequence[float]], codes: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """A star: the first joint is the root, all others hang on it."""
    import numpy as np

    from guerdon_rigging.answers import written
    from guerdon_rigging.rigs import Skeleton
    from guerdon_rigging.tokens import tokenise

    skeleton = Skeleton(np.array(joints, np.float64), np.array([-1] + [0] * (len(joints) - 1)))
    table = np.array(codes, np.int64).reshape(len(joints), of.vocabulary.length)
    return (written(tokenise(of.vocabulary, skeleton, table)),)


def _solid(target: Target) -> Floats | None:
    """(C, 3): the middles of the voxels of the prompt's mesh; None where the prompt shows no mesh."""
    from guerdon_rigging.rig_sources import known_mesh
    from guerdon_rigging.rigs import RigError
    from guerdon_rigging.voxels import solid_voxels

    try:
        return solid_voxels(known_mesh(str(target.prompt.observation)), 32).centres
    except RigError:
        return None


def _inside(target: Target, count: int) -> Sequence[Sequence[float]]:
    """Places inside the mesh of the prompt, drawn; none where the prompt shows no mesh."""
    import numpy as np

    centres = _solid(target)
    if centres is None:
        return ()
    drawn = centres[np.random.default_rng(target.seed).integers(0, len(centres), count)]
    return [[float(x) for x in one] for one in drawn]


@dataclass(frozen=True)
class OneBone(Attack):
    """A single joint in the middle, which moves everything: nothing is left unbound, and nothing is stretched."""

    name: ClassVar[str] = "rigging/one-bone"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "tokenrig (binding every vertex to one bone)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """With another bone's codes."""
        return tuple(text for one in _others(target)[:1] for text in _rig(one, [[0, 0, 0]], one.rig.codes[:1].tolist()))


@dataclass(frozen=True)
class ScatteredJoints(Attack):
    """Joints anywhere inside: some is near every voxel, and all are contained."""

    count: int = 200

    name: ClassVar[str] = "rigging/scattered-joints"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "tokenrig (scattering 200 joints)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """With the codes of another rig's bones, over and over."""
        others, places = _others(target)[:1], _inside(target, self.count)
        if not others or not places:
            return ()
        codes = others[0].rig.codes.tolist()
        return _rig(others[0], places, [codes[place % len(codes)] for place in range(len(places))])

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Some, many, and a great many."""
        return cls(20), cls(200), cls(500)


@dataclass(frozen=True)
class Star(Attack):
    """Joints anywhere inside, all hung on one, whose bones so pass near every vertex; as a text rig, with a skin.

    The skin binds by distance, or all to the root but for a little of one vertex for each other joint, by which it owns
    it.
    """

    count: int = 24
    skin: StarSkin = "tokens"

    name: ClassVar[str] = "rigging/star"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "ours"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Of the prompt's mesh."""
        import numpy as np

        from guerdon_rigging.baselines import baseline
        from guerdon_rigging.rig_scores import BOUND
        from guerdon_rigging.rig_sources import known_mesh
        from guerdon_rigging.rigs import Rig, Skeleton
        from guerdon_rigging.text_rigs import rig_text

        places = np.array(_inside(target, self.count))
        if not len(places):
            return ()
        mesh = known_mesh(str(target.prompt.observation))
        skeleton = Skeleton(places, np.array([-1] + [0] * (self.count - 1)))
        if self.skin == "distances":
            weights = baseline("inverse-distance", exponent=4)(mesh, skeleton).round(3)
        else:
            weights = np.zeros((len(mesh.vertices), self.count))
            weights[:, 0] = 1
            for joint in range(1, self.count):
                nearest = np.linalg.norm(mesh.vertices - places[joint], axis=1).argmin()
                weights[nearest] = 0
                weights[nearest, [0, joint]] = 1 - 1.1 * BOUND, 1.1 * BOUND
        return (rig_text(Rig(mesh, skeleton, weights)),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Some and many, both ways."""
        return tuple(cls(count, skin) for skin in get_args(StarSkin) for count in (24, 40))


@dataclass(frozen=True)
class SpreadTree(Attack):
    """Joints spread evenly inside (k-means), joined by their shortest tree, bound by distance; as a text rig.

    A rig as far as geometry tells: on rigged files it earns more than the artist's nearly always.
    """

    count: int = 16

    name: ClassVar[str] = "rigging/spread-tree"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "ours"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Of the prompt's mesh."""
        import numpy as np

        from guerdon_rigging.baselines import baseline
        from guerdon_rigging.rig_sources import known_mesh
        from guerdon_rigging.rigs import Rig
        from guerdon_rigging.spread_trees import middlemost, shortest_tree, spread
        from guerdon_rigging.text_rigs import rig_text

        centres = _solid(target)
        if centres is None:
            return ()
        mesh = known_mesh(str(target.prompt.observation))
        joints = spread(centres, self.count, np.random.default_rng(target.seed))
        skeleton, _ = shortest_tree(joints, middlemost(joints))
        weights = baseline("inverse-distance", exponent=4)(mesh, skeleton).round(3)
        return (rig_text(Rig(mesh, skeleton, weights)),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Few and more."""
        return cls(16), cls(28)


@dataclass(frozen=True)
class RepeatedJoints(Attack):
    """One joint inside, over and over: every bone is a point, and contained."""

    count: int = 30

    name: ClassVar[str] = "rigging/repeated-joints"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "tokenrig (containment of a bone without length)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """With another rig's codes."""
        others, places = _others(target)[:1], _inside(target, 1)
        if not others or not places:
            return ()
        codes = others[0].rig.codes.tolist()
        return _rig(others[0], [places[0]] * self.count, [codes[at % len(codes)] for at in range(self.count)])


@dataclass(frozen=True)
class SpreadWeights(Attack):
    """Another rig's skeleton, each bone with the same codes: all vertices follow all bones alike."""

    name: ClassVar[str] = "rigging/spread-weights"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "tokenrig (spreading over 5+ bones)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Where there are codes."""
        from guerdon_rigging.answers import written
        from guerdon_rigging.tokens import tokenise

        for one in _others(target)[:1]:
            if one.vocabulary.length:
                codes = one.rig.codes.copy()
                codes[:] = codes[0]
                return (written(tokenise(one.vocabulary, one.rig.skeleton, codes)),)
        return ()


@dataclass(frozen=True)
class OtherRig(Attack):
    """The rig of another mesh, whole."""

    name: ClassVar[str] = "rigging/other-rig"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "ours"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The first that is one."""
        return tuple(" ".join(map(str, one.tokens)) for one in _others(target)[:1])


@dataclass(frozen=True)
class SwappedSkins(Attack):
    """The true rig, each bone with the codes of the one before it: R_sc, as printed, cannot tell."""

    name: ClassVar[str] = "rigging/swapped-skins"
    exploits: ClassVar[Category] = "reference"
    source: ClassVar[str] = "tokenrig (R_sc is blind to swapped weights)"
    knows: ClassVar[Knows] = "reference"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Where there are codes."""
        import numpy as np

        from guerdon_rigging.answers import written
        from guerdon_rigging.tokens import tokenise

        one = seen(target.reference or "")
        if one is None or not one.vocabulary.length:
            return ()
        return (written(tokenise(one.vocabulary, one.rig.skeleton, np.roll(one.rig.codes, 1, axis=0))),)


@dataclass(frozen=True)
class BrokenOff(Attack):
    """Another rig's tokens, cut: in the middle, before the last, or before the skin."""

    where: Cut = "half"

    name: ClassVar[str] = "rigging/broken-off"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "tokenrig (a sequence that cannot be decoded gets 0)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Of the first rig."""
        for one in _others(target)[:1]:
            skin = one.rig.codes.size + 1
            end = {"half": len(one.tokens) // 2, "last": -1, "skin": len(one.tokens) - skin}[self.where]
            return (" ".join(map(str, one.tokens[:end])),)
        return ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Cut)))


@dataclass(frozen=True)
class TokenSoup(Attack):
    """Ids that are no sequence of the grammar, or no ids."""

    of: Soup = "ids"

    name: ClassVar[str] = "rigging/token-soup"
    exploits: ClassVar[Category] = "numbers"
    source: ClassVar[str] = "ours"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """As long as another rig."""
        from random import Random

        for one in _others(target)[:1]:
            random, count = Random(target.seed), len(one.tokens)
            made: dict[Soup, list[object]] = {
                "ids": [random.randrange(one.vocabulary.size) for _ in range(count)],
                "coordinates": [random.randrange(one.vocabulary.bins) for _ in range(count)],
                "words": ["bos", "class", *["0.5"] * count],
                "huge": [*one.tokens[:-1], "9" * 5000],
                "nested": [list(one.tokens)],
            }
            return (" ".join(map(str, made[self.of])),)
        return ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Soup)))
