"""The size of a policy that writes rigs, without torch: TokenRig's, the fact sheet's toy, and the one shipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon_rigging.tokens import Vocabulary


@dataclass(frozen=True)
class RigShape:
    """All that is needed to build a policy before its weights are loaded. The defaults are those shipped [choice].

    Raises:
        ConfigError: sizes that do not go together.
    """

    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary(bins=128, codes=3125))
    """Codes and their number a joint are those of the skin codec that reads what the policy writes."""
    width: int = 192
    layers: int = 5
    heads: int = 6
    key_value_heads: int = 6
    head_width: int = 32
    mlp_width: int = 512
    rope_theta: float = 1e6
    latents: int = 48
    """Of the mesh, before the first token."""
    encoder_width: int = 128
    encoder_layers: int = 2
    encoder_heads: int = 4
    oversampling: int = 4
    """The mesh encoder's queries are the farthest of this many times as many points."""
    frequencies: int = 8
    points: int = 768
    """Of the surface, uniform by area, seen by the mesh encoder."""
    fewest_joints: int = 1
    most_joints: int = 64
    """The grammar ends a skeleton there. Known hacks of the rewards grow it; see the fact sheet's pitfalls."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.type == "int":
                whole_number(f"RigShape.{one.name}", getattr(self, one.name), 0 if one.name == "encoder_layers" else 1)
        if self.heads % self.key_value_heads:
            raise ConfigError(
                f"RigShape.heads is {self.heads}, which {self.key_value_heads} key and value heads cannot serve"
            )
        if self.encoder_width % self.encoder_heads:
            raise ConfigError(
                f"RigShape.encoder_width is {self.encoder_width}, which {self.encoder_heads} heads cannot share"
            )
        if self.points < self.latents * self.oversampling:
            raise ConfigError(
                f"RigShape.points is {self.points}; the queries are drawn from {self.oversampling} x {self.latents}"
            )

    def plain(self) -> dict[str, Any]:
        """For JSON; `of` reads it back."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> RigShape:
        """The opposite of `plain`."""
        try:
            return cls(**{**plain, "vocabulary": Vocabulary(**plain["vocabulary"])})
        except (KeyError, TypeError) as error:
            raise ConfigError(f"no shape of a rigging policy: {error}; it was saved by another version") from error


RELEASED = RigShape(
    vocabulary=Vocabulary(),
    width=896,
    layers=28,
    heads=16,
    key_value_heads=8,
    head_width=128,
    mlp_width=3072,
    latents=512,
    encoder_width=512,
    encoder_layers=8,
    encoder_heads=8,
    points=54_000,
    most_joints=256,
)
"""Qwen3-0.6B's shape at hidden size 896 behind 512 latents of a mesh encoder. Its weights are not loaded here: their
names are not known; that the encoder draws its queries from four times as many points is the skin codec's [choice]."""

TOY = RigShape(
    vocabulary=Vocabulary(bins=32, codes=3125, length=2),
    width=128,
    layers=4,
    heads=4,
    key_value_heads=4,
    mlp_width=384,
    latents=32,
    encoder_width=96,
    points=512,
    most_joints=16,
)
"""The fact sheet's [choice] for tests: width 128, 4 layers, 32 bins, at most 16 joints, 2 codes a joint."""

SMALL = RigShape()
"""What is trained on a CPU and shipped [choice]."""

SKELETONS = RigShape(
    vocabulary=Vocabulary(bins=64, codes=0, length=0),
    width=128,
    layers=3,
    heads=4,
    key_value_heads=4,
    mlp_width=256,
    latents=24,
    encoder_width=96,
    encoder_layers=1,
    points=256,
    most_joints=48,
)
"""Skeletons alone, small enough to be trained in minutes on one core [choice]."""

SHAPES = {"released": RELEASED, "toy": TOY, "small": SMALL, "skeletons": SKELETONS}
