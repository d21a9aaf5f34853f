"""Preferences: pairs mined from scored attempts, and files of them that other trainers and reward models learn from."""

from guerdon.preferences.mining import Pair, best_and_worst, mine, mined
from guerdon.preferences.rows import ROWS, PreferenceRow, read_preferences, rows_of, write_rows

__all__ = [
    "ROWS",
    "Pair",
    "PreferenceRow",
    "best_and_worst",
    "mine",
    "mined",
    "read_preferences",
    "rows_of",
    "write_rows",
]
