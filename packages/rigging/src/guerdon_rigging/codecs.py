"""What a skin codec promises: a bone's column of weights as a few integers, given the mesh, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from guerdon_rigging.rigs import Floats, Ints, Mesh, Rig


class SkinCodec(Protocol):
    """A vocabulary for skins; SkinTokens' FSQ-CVAE is one."""

    @property
    def codes(self) -> int:
        """C: a code is an integer in [0, C)."""

    @property
    def length(self) -> int:
        """T: codes of one bone."""

    def condition(self, mesh: Mesh) -> Any:
        """What decoding needs to know of a mesh: made once, passed to every `decode` for it."""

    def encode(self, rig: Rig) -> Ints:
        """The codes of each bone, (J, T)."""

    def decode(self, condition: Any, codes: Ints) -> Floats:
        """For K bones, each by itself, (K, T): weights at the mesh's vertices, (N, K), each in [0, 1].

        Rows do not sum to 1: bones are decoded independently. `guerdon_rigging.weights.kept` makes a skin of them.

        Raises:
            ValueError: a code outside [0, C).
        """

    def decode_all(self, condition: Any, codes: Sequence[Ints]) -> list[Floats]:
        """As `decode`, for several candidate rigs of one mesh at once."""
