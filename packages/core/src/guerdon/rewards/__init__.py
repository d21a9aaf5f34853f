"""Rewards: the base class, the decorator, and the algebra that combines them."""

from guerdon.rewards.algebra import Gate, Named, Sum, Then, Weighted, walk
from guerdon.rewards.base import Context, FunctionReward, Reward, Scores, reward
from guerdon.rewards.ensembles import Ensemble, ensemble
from guerdon.rewards.penalties import Repetition, SoftOverlong
from guerdon.rewards.process import ProcessReward, StepScores
from guerdon.rewards.uncertainty import UncertaintyWeighted

__all__ = [
    "Context",
    "Ensemble",
    "FunctionReward",
    "Gate",
    "Named",
    "ProcessReward",
    "Repetition",
    "Reward",
    "Scores",
    "SoftOverlong",
    "StepScores",
    "Sum",
    "Then",
    "UncertaintyWeighted",
    "Weighted",
    "ensemble",
    "reward",
    "walk",
]
