"""Open Bandit's uniform policy, estimated from the log of the other one: the table of guerdon-page's README.

    GUERDON_DATA=... python benchmarks/off_policy.py    # a folder with page/open_bandit/{bts,random}/{men,women}

± is the half-width of a 95% interval. `random` is the click rate in the uniform policy's own log, which is the truth
but for its own sampling error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from guerdon_page.bandit_logs import read_open_bandit, target_of, uniform_policy
from guerdon_page.off_policy import snips


def main():
    if not os.environ.get("GUERDON_DATA"):
        sys.exit("set GUERDON_DATA to a folder with page/open_bandit")
    root = Path(os.environ["GUERDON_DATA"]) / "page" / "open_bandit"
    for campaign in ("men", "women"):
        log, own = (read_open_bandit(root / policy / campaign) for policy in ("bts", "random"))
        logged = log.click_N, log.propensity_N, target_of(log, uniform_policy(log))
        print(f"{campaign}: {len(log)} rows; random {own.click_N.mean():.2%}")
        for clip in (float("inf"), 20.0):
            found = snips(*logged, clip=clip)
            half = (found.high - found.low) / 2.0
            print(
                f"  weights up to {clip:g}: {found.value:.2%} ± {100 * half:.2f}, effective {found.effective_size:.1f}"
            )


if __name__ == "__main__":
    sys.exit(main())
