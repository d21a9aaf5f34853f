"""What `guerdon doctor` says of one thing it looked at; also what a plugin's own checks return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    subject: str
    found: str
    status: Literal["ok", "absent", "problem"] = "ok"
    """`absent`: something optional is not there. `problem`: work is stopped by it, or not safe."""
    advice: str = ""
