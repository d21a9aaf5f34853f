"""The sizes of a skin codec's networks, without torch: the released ones, the class defaults, and the one shipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any, Literal

from guerdon.errors import ConfigError
from guerdon.fields import whole_number

_MAY_BE_NONE = ("encoder_layers", "decoder_layers", "dense_points")


@dataclass(frozen=True)
class CodecShape:
    """All that is needed to build a codec before its weights are loaded. The defaults are those of the release.

    Marks as in the fact sheet: what is not known of the paper or the released code is a choice, and says so.
    """

    levels: tuple[int, ...] = (8, 8, 8, 8, 8)
    """Of each dimension of the code; the paper prints (8, 8, 8, 5, 5, 5), the weights have these."""
    length: int = 4
    """T: codes kept of each bone."""
    max_length: int = 32
    """T_max: codes that the skin encoder makes; training cuts them to prefixes."""
    encoder_width: int = 768
    decoder_width: int = 768
    latent_width: int = 512
    """Of mesh latents, and of codes on both sides of the quantiser."""
    heads: int = 12
    encoder_layers: int = 2
    """Self-attention blocks after the cross-attention of either encoder."""
    decoder_layers: int = 10
    mesh_latents: int = 384
    oversampling: int = 4
    """The mesh encoder's queries are the farthest of this many times as many points."""
    frequencies: int = 8
    second_wave: bool = True
    """Whether the position encoding adds the released variant's second wave."""
    skin_queries: Literal["learned", "farthest", "pooled"] = "learned"
    """Of the skin encoder: slots of its own, or points of the surface; the released code has both. `pooled` [choice]
    adds the mean of what is known of points, weighted by their weights and projected anew for each slot, to its slots,
    which then tell bones apart from the first step on."""
    decoder: Literal["joint", "split"] = "joint"
    """`joint` is the paper's: each bone's codes and all mesh latents go through every block together. `split` [choice]
    does the mesh's part once per mesh, see `guerdon_rigging.skin_networks.SplitDecoder`."""
    code_positions: bool = False
    """Whether the decoder tells the first code from the second [choice]; the released one is not known to."""
    init_gain: float = 0.25
    """Weights of blocks start with a std of this over the root of their width."""
    weight_gain: float = 1.0
    """By how much a point's weight counts for more at the skin encoder's start [choice]. It is one number beside the 54
    of position and normal; at 1 a small encoder takes thousands of steps to notice it, at 8 tens."""
    code_gain: float = 1.0
    """By how much the linear layer before the quantiser starts larger [choice]: at 1 nearly all bones begin with the
    middle levels, and a small codec is slow to leave them."""
    points: int = 54_000
    """Of the surface, seen by the mesh encoder."""
    dense_points: int = 54_000
    """Beside those, seen by the skin encoder near its bone; the paper's number is not known."""

    def __post_init__(self) -> None:
        if not self.levels or min(self.levels) < 3:
            raise ConfigError(f"CodecShape.levels are {self.levels}; each of at least one is 3 or more")
        for one in fields(self):
            if one.type == "int":
                whole_number(f"CodecShape.{one.name}", getattr(self, one.name), int(one.name not in _MAY_BE_NONE))
        if not 1 <= self.length <= self.max_length:
            raise ConfigError(f"CodecShape.length is {self.length}; 1 to max_length, {self.max_length}, is possible")
        for name in ("encoder_width", "decoder_width"):
            if getattr(self, name) % self.heads:
                raise ConfigError(f"CodecShape.{name} is {getattr(self, name)}, which {self.heads} heads cannot share")
        if self.points < self.mesh_latents * self.oversampling:
            raise ConfigError(
                f"CodecShape.points is {self.points}; the mesh encoder draws its queries from "
                f"{self.oversampling} x {self.mesh_latents} of them"
            )

    @property
    def codes(self) -> int:
        """C."""
        return prod(self.levels)

    def plain(self) -> dict[str, Any]:
        """For JSON; `of` reads it back."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> CodecShape:
        """The opposite of `plain`."""
        try:
            return cls(**{**plain, "levels": tuple(plain["levels"])})
        except (KeyError, TypeError) as error:
            raise ConfigError(f"no shape of a skin codec: {error}; it was saved by another version") from error


RELEASED = CodecShape()
"""The released weights'. They are not loaded here: their names are not known."""

CLASS_DEFAULTS = CodecShape(
    latent_width=64, encoder_width=512, decoder_width=1024, heads=8, encoder_layers=8, decoder_layers=16
)
"""What the released classes build when nothing is said; which width and depth is whose is a reading [choice]."""

SMALL = CodecShape(
    levels=(5, 5, 5, 5, 5),
    length=4,
    max_length=4,
    encoder_width=96,
    decoder_width=96,
    latent_width=64,
    heads=4,
    encoder_layers=1,
    decoder_layers=2,
    mesh_latents=48,
    second_wave=False,
    skin_queries="pooled",
    decoder="split",
    code_positions=True,
    init_gain=0.5,
    weight_gain=8.0,
    code_gain=3.0,
    points=1024,
    dense_points=256,
)
"""The one that is trained on a CPU and shipped: 3125 codes, which a small transformer can learn [choice]."""
