"""Meshes to rig: `rigging/made-v1`, creatures from a seed, and `rigging/folder-v1`, rigged files of a folder.

A prompt is an observation: the mesh's key (`guerdon_rigging.rig_sources.known_mesh`). An answer is the rig's tokens, as
whole numbers between blanks, or a RigNet text rig; the reference is the true rig through tokens and the task's codec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.protocols import Split
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_rigging.answers import read_answer, with_skins, written
from guerdon_rigging.examples import RigExample, rig_example
from guerdon_rigging.orders import Kind, Order
from guerdon_rigging.rig_sources import codec_of, condition_of, known_mesh, known_rig
from guerdon_rigging.rigs import Rig, RigError
from guerdon_rigging.tokens import Rounding, tokenise


@dataclass(frozen=True, kw_only=True)
class RigTask(LoadedTask[RigExample]):
    """The base: the language of the answers, prompts and references."""

    skin: bool = True
    """Whether skins are asked for, or skeletons alone."""
    codec: str = "balls"
    """Of skins (`rig_sources.codec_of`): `balls`, which needs no torch and is coarse; `skintokens`, which comes with
    the package; the path of a .safetensors file; or `module:attribute` of what makes a `SkinCodec`."""
    bins: int = 256
    """Of a coordinate; small models take 32, 64 or 128."""
    rounding: Rounding = "floor"
    kind: Kind = "articulation"
    """The class that references name."""
    order: Order = "depth-first"
    """Of their joints."""
    most: int = 512
    """Joints that an answer may have."""
    variants: int = 0
    """Further rigs made of each training rig (`rig_sources.varied`), each an example of its own."""

    def __post_init__(self) -> None:
        one_of("kind", self.kind, get_args(Kind))
        one_of("order", self.order, get_args(Order))
        one_of("rounding", self.rounding, get_args(Rounding))
        whole_number("bins", self.bins, 2, 1 << 20)
        whole_number("most", self.most, 1)
        whole_number("variants", self.variants, 0, 10_000)

    def example_of(self, id: str, mesh: str, category: str = "", known: bool = True) -> RigExample:
        """An example in the task's language.

        Raises:
            ConfigError: there is no such codec.
        """
        codec = codec_of(self.codec) if self.skin else None
        return RigExample(
            id=id,
            mesh=mesh,
            known=known,
            category=category,
            bins=self.bins,
            rounding=self.rounding,
            kind=self.kind,
            order=self.order,
            codec=self.codec if codec else "",
            codes=codec.codes if codec else 0,
            length=codec.length if codec else 0,
            most=self.most,
        )

    def prompt(self, example: Example) -> Prompt:
        """The mesh's key."""
        return Prompt(observation=rig_example(example).mesh)

    def reference(self, example: Example) -> str | None:
        """The true rig's tokens; None where none is known, it cannot be read, or it has more than `most` joints."""
        asked = rig_example(example)
        try:
            return _reference(asked) if asked.known else None
        except RigError:
            return None  # every reward says why: the example is invalid

    def picture(self, example: Example, completion: str) -> bytes | None:
        """The answered rig drawn, weights as colours (PNG); None where it cannot be read. A skeleton alone is drawn
        with the skin of the closest bones.
        """
        from guerdon_rigging.baselines import ClosestBone
        from guerdon_rigging.drawing import picture

        asked = rig_example(example)
        try:
            mesh = known_mesh(asked.mesh)
        except RigError:
            return None
        answer = read_answer(completion, asked, mesh)
        if asked.length and not answer.why:
            (answer,) = with_skins([answer], codec_of(asked.codec), condition_of(asked.codec, asked.mesh))
        if answer.skeleton is None:
            return None
        weights = ClosestBone()(mesh, answer.skeleton) if answer.weights is None else answer.weights
        return picture(Rig(mesh, answer.skeleton, weights), size=320)

    def metrics(self) -> Mapping[str, Reward]:
        """Distances of skeletons, x 100 as tables have them, agreement of skins, and the rewards."""
        from guerdon_rigging.rewards import TokenRig
        from guerdon_rigging.rig_metrics import Readable, SkeletonDistance, SkinAgreement

        found: dict[str, Reward] = {"tokenrig": TokenRig(), "readable": Readable()}
        found |= {which: SkeletonDistance(which=which) for which in ("j2j", "j2b", "b2b")}
        if self.skin:
            found |= {
                f"skin_{which}": SkinAgreement(which=which)
                for which in ("l1_per_vertex", "l1_per_entry", "precision", "recall")
            }
        return found


def varied(examples: Sequence[RigExample], variants: int) -> list[RigExample]:
    """The examples, then each of them varied, once, twice, ..."""
    made = [
        one.model_copy(update={"id": f"{one.id}~{number}", "mesh": f"varied:{number}:{one.mesh}"})
        for number in range(1, variants + 1)
        for one in examples
    ]
    return [*examples, *made]


@lru_cache(maxsize=1 << 16)
def _reference(example: RigExample) -> str | None:
    rig = known_rig(example.mesh)
    if len(rig.skeleton) > example.most:
        return None
    codes = codec_of(example.codec).encode(rig) if example.length else None
    return written(tokenise(example.vocabulary, rig.skeleton, codes, example.kind, example.order))


@dataclass(frozen=True, kw_only=True)
class Made(RigTask):
    """Creatures and props made from a seed, with exact rigs; the splits share none."""

    name: ClassVar[str] = "rigging/made-v1"

    seed: int = 0
    """Another seed, other creatures."""
    train_size: int = 400
    eval_size: int = 50
    kinds: tuple[str, ...] = ()
    """Of `guerdon_rigging.creatures.KINDS`, in turn; empty: all."""
    eval_kinds: tuple[str, ...] = ()
    """Those of the eval split; empty: the same."""
    folder: str = ""
    """Rigged files to learn from beside them: those of this folder that `rigging/folder-v1` would train on."""
    folder_variants: int = 0
    """Further rigs made of each of those, as `variants`."""
    without: tuple[str, ...] = ()
    """Names of its files that are passed over; the others stay on the side that they were on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        from guerdon_rigging.creatures import KINDS

        whole_number("seed", self.seed, 0, 2000)
        whole_number("folder_variants", self.folder_variants, 0, 10_000)
        for field in ("train_size", "eval_size"):
            whole_number(field, getattr(self, field), 0, 500_000)
        object.__setattr__(self, "without", tuple(self.without))  # recipes say [..]
        for field in ("kinds", "eval_kinds"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
            for place, kind in enumerate(getattr(self, field)):
                if kind not in KINDS:
                    raise ConfigError(f"{field}[{place}] is {kind!r}; accepted are {', '.join(map(repr, KINDS))}")

    def load(self, split: Split) -> Sequence[RigExample]:
        """Keys alone; a creature is made when it is asked for."""
        from guerdon_rigging.creatures import KINDS

        kinds = self.kinds or KINDS
        if split == "eval":
            kinds = self.eval_kinds or kinds
        first = 1_000_000 * self.seed + (500_000 if split == "eval" else 0)
        found = []
        for index in range(self.train_size if split == "train" else self.eval_size):
            kind, number = kinds[index % len(kinds)], first + index // len(kinds)
            found.append(self.example_of(f"{kind}-{number}", f"made:{kind}:{number}", kind))
        if split == "eval":
            return found
        found = varied(found, self.variants)
        if self.folder:
            from guerdon_rigging.rig_folders import RigFolder

            files = [path for path in RigFolder(Path(self.folder)).side("train") if path.name not in self.without]
            found += varied([self.example_of(path.name, f"file:{path}") for path in files], self.folder_variants)
        return found


@dataclass(frozen=True, kw_only=True)
class Folder(RigTask):
    """The rigged .glb and .gltf files of a folder; some are kept for the eval split (`rig_folders.RigFolder`).

    A file that cannot be read stays an example, whose every score is `invalid` and says why.
    """

    name: ClassVar[str] = "rigging/folder-v1"

    folder: str = ""
    """Where the files lie; it has to be named."""
    every: int = 5
    """Of the files in order, the first of as many is of the eval split, and every so many after it."""
    seed: int | None = None
    """Shuffles that order; None leaves it that of the names."""
    without: tuple[str, ...] = ()
    """Names of files that are passed over."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "without", tuple(self.without))
        if not self.folder:
            raise ConfigError(f"folder of {self.name} is empty; the path of a folder of .glb or .gltf files is needed")
        whole_number("every", self.every, 2)

    def load(self, split: Split) -> Sequence[RigExample]:
        """By name; no file is opened."""
        from guerdon_rigging.rig_folders import RigFolder

        folder = RigFolder(Path(self.folder), self.every, self.seed, self.without)
        side = folder.side("test" if split == "eval" else "train")
        found = [self.example_of(path.name, f"file:{path}") for path in side]
        return varied(found, self.variants) if split == "train" else found
