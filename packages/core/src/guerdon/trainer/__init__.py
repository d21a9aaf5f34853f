"""The trainer: sample, score, shape, credit, update. It trains any `Policy` and never asks which."""

from guerdon.trainer.config import EvalConfig, LossConfig, OptimizerConfig, SamplingConfig, SftConfig, TrainConfig
from guerdon.trainer.loop import EvalResult, Trainer

__all__ = ["EvalConfig", "EvalResult", "LossConfig", "OptimizerConfig", "SamplingConfig", "SftConfig", "TrainConfig", "Trainer"]
