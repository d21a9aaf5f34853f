"""Every limit of the server, with its unit. All have a value: none is "no limit"."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

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
    openrlhf_fill: float | None = None
    """The number that OpenRLHF is told of a sample without a score; None: such a request fails."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.name == "inline_examples":
                continue
            if each.name == "openrlhf_fill":
                if value is not None and not math.isfinite(value):
                    raise ConfigError(f"openrlhf_fill is {value!r}; a finite number is needed, or none at all")
                continue
            if not (math.isfinite(value) and value > 0) or (each.type == "int" and value != int(value)):
                kind = "whole number" if each.type == "int" else "number"
                raise ConfigError(f"{each.name} is {value!r}; a {kind} above 0 is needed")

    @property
    def max_body_bytes(self) -> int:
        """Of one request."""
        return int(self.max_body_mb * 2**20)

    @property
    def max_pending_bytes(self) -> int:
        """Of all accepted requests."""
        return int(self.max_pending_mb * 2**20)
