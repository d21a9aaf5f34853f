"""Every limit of the server, with its unit. All but a lane's memory have a value: none is "no limit"."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from guerdon.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """What `guerdon serve` can be told. Everything is checked here, at start."""

    lanes: int = 2
    """Worker processes, each of which scores one batch at a time; all of them have all rewards."""
    queue: int = 256
    """Batches that may wait; one more is refused with 429 and a Retry-After."""
    max_rows: int = 10_000
    """Rows of one request."""
    max_body_mb: float = 32.0
    """Mebibytes of one request's body."""
    max_pending_mb: float = 256.0
    """Mebibytes of all accepted bodies together; one more is refused with 429."""
    read_timeout_s: float = 30.0
    """Seconds a client may take to send its headers, and again its body."""
    write_timeout_s: float = 60.0
    """Seconds a client may stop reading while its answer is sent."""
    wait_timeout_s: float = 120.0
    """Seconds a batch may wait in the queue; then 503 and a Retry-After."""
    score_timeout_s: float = 300.0
    """Seconds the scoring of one batch may take; then 504, and its process is killed."""
    grace_s: float = 300.0
    """Seconds that accepted batches have to finish when the server is told to end."""
    chunk_rows: int = 64
    """Rows, about, that are streamed at a time."""
    inline_examples: bool = False
    """Whether rows may bring an example's fields where there is a task. A field may name a file of this machine, whose
    first bytes can then show up in a score's evidence."""
    lane_memory_mb: float | None = None
    """Mebibytes of address space that a lane may have, and each process it starts; None: as much as there is. What a
    request takes there can be 30 times its body. Libraries reserve address space that they never use (torch several
    gibibytes), so the number is the rewards' to tell."""
    state: Path | None = None
    """A folder for what rewards learn; None: those that learn are not served."""
    openrlhf_fill: float | None = None
    """The number that OpenRLHF is told of a sample without a score; None: its route is not there."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value, usual = getattr(self, each.name), each.default
            if isinstance(usual, int | float) and not isinstance(usual, bool):
                _check(each.name, value, whole=isinstance(usual, int))
        if self.lane_memory_mb is not None:
            _check("lane_memory_mb", self.lane_memory_mb)
        if self.openrlhf_fill is not None and not math.isfinite(self.openrlhf_fill):
            raise ConfigError(f"openrlhf_fill is {self.openrlhf_fill!r}; a finite number is needed, or none at all")

    @property
    def max_body_bytes(self) -> int:
        """Of one request."""
        return int(self.max_body_mb * 2**20)

    @property
    def max_pending_bytes(self) -> int:
        """Of all accepted requests."""
        return int(self.max_pending_mb * 2**20)


def _check(name: str, value: float, *, whole: bool = False) -> None:
    if not (math.isfinite(value) and value > 0) or (whole and value != int(value)):
        raise ConfigError(f"{name} is {value!r}; a {'whole number' if whole else 'number'} above 0 is needed")
