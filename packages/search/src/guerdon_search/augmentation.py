"""More blocks from labelled ones, as Search-Gen-V's data scripts make them: batches of every size and every mixture.

For batch sizes 1 to 10 and every number of nuggets per class that the block can give, that many are drawn and shuffled.
Exact duplicates go; where a batch has more than 5 nuggets of which more than half are `not_support`, a fifth of those
(rounded down) is taken out; a random tenth of what was made is added to the original.
Source: Search-Gen-V (arXiv 2510.14660) [code].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from guerdon_search.labels import LABELS, Label
from guerdon_search.nuggets import NuggetBlock

SIZES = range(1, 11)


def augmented(blocks: Sequence[NuggetBlock], random: Random, keep: float = 0.1) -> list[NuggetBlock]:
    """The blocks, and a random share `keep` of those made from them.

    Args:
        blocks: labelled ones.
        random: draws nuggets, order and share.
        keep: in [0, 1].

    Raises:
        ValueError: `keep` is no share.
    """
    if not 0.0 <= keep <= 1.0:
        raise ValueError(f"keep is {keep!r}; a share in [0, 1] is needed")
    made: dict[tuple[str, tuple[tuple[str, Label], ...]], NuggetBlock] = {}
    for block in blocks:
        for number, drawn in enumerate(_mixtures(block, random)):
            key = block.id, drawn
            if drawn and key not in made:
                nuggets, labels = zip(*drawn, strict=True)
                update = {"id": f"{block.id}+{number}", "nuggets": nuggets, "labels": labels}
                made[key] = block.model_copy(update=update)
    chosen = random.sample(list(made.values()), int(keep * len(made)))
    return [*blocks, *chosen]


def _mixtures(block: NuggetBlock, random: Random) -> Iterator[tuple[tuple[str, Label], ...]]:
    by_label = {
        label: [pair for pair in zip(block.nuggets, block.labels, strict=True) if pair[1] == label] for label in LABELS
    }
    some, partial, none = (len(by_label[label]) for label in LABELS)
    for size in SIZES:
        for first in range(min(size, some) + 1):
            for second in range(min(size - first, partial) + 1):
                third = size - first - second
                if third <= none:
                    counts = dict(zip(LABELS, (first, second, third), strict=True))
                    drawn = [pair for label in LABELS for pair in random.sample(by_label[label], counts[label])]
                    random.shuffle(drawn)
                    yield tuple(thinned(drawn))


def thinned(drawn: list[tuple[str, Label]]) -> list[tuple[str, Label]]:
    """A batch without a fifth of its `not_support`, where it has more than 5 nuggets and these are more than half."""
    weak = [place for place, (_, label) in enumerate(drawn) if label == "not_support"]
    if len(drawn) <= 5 or len(weak) * 2 <= len(drawn):
        return drawn
    gone = set(weak[: len(weak) // 5])  # the batch is shuffled, so that the first ones are as good as any
    return [pair for place, pair in enumerate(drawn) if place not in gone]
