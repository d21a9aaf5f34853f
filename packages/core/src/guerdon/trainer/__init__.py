"""The trainer: sample, score, shape, credit, update. It trains any `Policy` and never asks which.

The loop needs torch and loads on first use; describing a run does not (`guerdon score` reads recipes without it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guerdon.trainer.config import (
    CorrectionConfig,
    EvalConfig,
    LossConfig,
    OptimizerConfig,
    RefillConfig,
    SamplingConfig,
    SftConfig,
    TrainConfig,
)

if TYPE_CHECKING:
    from guerdon.trainer.evaluation import EvalResult
    from guerdon.trainer.loop import Trainer

__all__ = [
    "CorrectionConfig",
    "EvalConfig",
    "EvalResult",
    "LossConfig",
    "OptimizerConfig",
    "RefillConfig",
    "SamplingConfig",
    "SftConfig",
    "TrainConfig",
    "Trainer",
]


def __getattr__(name: str) -> Any:
    if name in ("EvalResult", "Trainer"):
        from guerdon.trainer import loop

        return getattr(loop, name)
    raise AttributeError(f"module 'guerdon.trainer' has no attribute {name!r}")
