"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations
