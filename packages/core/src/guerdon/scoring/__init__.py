"""Scoring: who runs a reward where, for how long, and what happens when it does not come back."""

from guerdon.scoring.runner import Runner

__all__ = ["Runner"]
