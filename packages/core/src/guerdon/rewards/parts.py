"""Which parts a reward's scores have, as far as the tree can tell before anything is scored."""

from __future__ import annotations

from collections.abc import Iterator

from guerdon.rewards.algebra import Gate, Named, Sum, Then, Weighted
from guerdon.rewards.base import Reward
from guerdon.rewards.ensembles import Ensemble
from guerdon.rewards.references import Against


def may_have(reward: Reward, path: str) -> bool:
    """Whether a score of `reward` may have a part or a stream at that path, as estimators name them ("right/tests").

    False is certain: the algebra and ensembles know their parts. What any other reward puts into a score is its own.
    """
    if type(reward) is Named:
        return may_have(reward.reward, path)
    known = dict(_named(reward))
    for name, child in known.items():
        if path == name or (path.startswith(f"{name}/") and (child is None or may_have(child, path[len(name) + 1 :]))):
            return True
    if type(reward) in (Sum, Ensemble):
        return False
    if type(reward) in (Weighted, Gate, Then, Against):  # they pass on what their child's scores have
        return may_have(reward.children[0], path)
    return True


def known_parts(reward: Reward) -> list[str]:
    """The parts that the tree knows of, for messages: a sum's terms, also below what passes them on."""
    if type(reward) is Named:
        return known_parts(reward.reward)
    names = [name for name, _ in _named(reward)]
    passed = known_parts(reward.children[0]) if type(reward) in (Gate, Then, Against) else []
    return list(dict.fromkeys(names + passed))


def _named(reward: Reward) -> Iterator[tuple[str, Reward | None]]:
    """The parts that a node itself puts into its scores, with the reward that each is a score of, if it is one's."""
    if isinstance(reward, Weighted | Then | Against):
        yield reward.label, reward.reward
    elif isinstance(reward, Gate):
        yield reward.by.label, reward.by
        if not known_parts(reward.reward):
            yield reward.reward.label, reward.reward
    elif isinstance(reward, Sum | Ensemble):
        yield from ((child.label, child) for child in reward.children)
    labels = {child.label for child in reward.children}
    yield from ((name, None) for name in reward.part_names if name not in labels)
