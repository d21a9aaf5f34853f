"""Claims: a system's central claim, shrunk to minutes on two cores, with the numbers that say whether it held.

`base` says what a claim is; each other module holds one of core's own, and loads when somebody asks for it.
"""

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, dumps, no_progress

__all__ = ["Claim", "ClaimResult", "Measurement", "Progress", "dumps", "no_progress"]
