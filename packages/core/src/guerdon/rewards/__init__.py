"""Rewards: the base class, the decorator, and the algebra that combines them."""

from guerdon.rewards.algebra import Gate, Named, Sum, Then, Weighted, walk
from guerdon.rewards.base import Context, FunctionReward, Reward, Scores, reward

__all__ = [
    "Context",
    "FunctionReward",
    "Gate",
    "Named",
    "Reward",
    "Scores",
    "Sum",
    "Then",
    "Weighted",
    "reward",
    "walk",
]
