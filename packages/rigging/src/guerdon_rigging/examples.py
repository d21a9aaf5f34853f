"""`RigExample`: a mesh to rig, and the language that the rig is to be written in."""

from __future__ import annotations


from guerdon.types import Example, OtherExample
from guerdon_rigging.orders import Kind, Order
from guerdon_rigging.tokens import Rounding, Vocabulary


class RigExample(Example):
    """One mesh. Its true rig, if there is one, is known by the same key."""

    mesh: str
    """A key of `guerdon_rigging.rig_sources`."""
    known: bool = True
    """Whether the mesh's own rig is a reference and may be measured against."""
    category: str = ""
    """What it is of, where that is known: "quadruped"."""
    bins: int = 256
    rounding: Rounding = "floor"
    kind: Kind = "articulation"
    """The class that is written."""
    order: Order = "depth-first"
    """Of the joints of the reference."""
    codec: str = ""
    """The skin codec's name (`guerdon_rigging.rig_sources.codec_of`); empty: skeletons only."""
    codes: int = 0
    """The codec's C."""
    length: int = 0
    """The codec's T."""
    most: int = 256
    """Joints that an answer may have."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the tokens of answers."""
        return Vocabulary(self.bins, self.codes, self.length, self.rounding)


def rig_example(example: Example) -> RigExample:
    """The example, checked to be one.

    Raises:
        OtherExample: it is of another kind.
    """
    if not isinstance(example, RigExample):
        raise OtherExample(RigExample, example)
    return example
