"""TensorBoard logs: a view of metrics.jsonl for those who watch with TensorBoard. Never needed, never fatal."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class Board:
    """One event stream per phase, each on its own step axis, so that a purge on resume never reaches another phase.

    Args:
        folder: where event files go, one subfolder per phase.
        enabled: False writes nothing. Without tensorboard (or torch) installed nothing is written either.
    """

    def __init__(self, folder: Path, *, enabled: bool = True) -> None:
        self.folder = folder
        self._enabled = enabled
        self._writers: dict[str, Any] = {}
        self._purge: dict[str, int] = {}

    def purge(self, last_steps: Mapping[str, int]) -> None:
        """Have TensorBoard forget, from each phase, what was written after the given step (0 or absent: all of it)."""
        self.close()
        known = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        self._purge = {phase: last_steps.get(phase, -1) + 1 for phase in known | set(last_steps)}

    def add(self, phase: str, step: int, values: Mapping[str, Any]) -> None:
        """Write the finite numbers among `values`."""
        if not self._enabled:
            return
        try:
            writer = self._writers.get(phase) or self._open(phase)
            for name, value in values.items():
                if isinstance(value, int | float) and math.isfinite(value):
                    writer.add_scalar(name, value, step)
        except (ImportError, OSError) as error:
            logger.info("no TensorBoard logs from here on: %s", error)
            self._enabled = False

    def _open(self, phase: str) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        self._writers[phase] = SummaryWriter(str(self.folder / phase), purge_step=self._purge.get(phase))
        return self._writers[phase]

    def close(self) -> None:
        """Flush and close; a later `add` opens again."""
        for writer in self._writers.values():
            try:
                writer.close()
            except OSError as error:
                logger.info("TensorBoard logs were not flushed: %s", error)
        self._writers = {}
