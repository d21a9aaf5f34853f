"""Whether the hub can be asked for a model, found out once and soon.

Without network transformers tries each file of a model five times, for three quarters of a minute, before it says so.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

PATIENCE_S = 2.0
"""Seconds the hub has to answer, unless its own variable `HF_HUB_ETAG_TIMEOUT` gives it another time."""


def patience_s() -> float:
    """How long the hub is waited for, in seconds."""
    from huggingface_hub import constants

    return float(constants.HF_HUB_ETAG_TIMEOUT) if "HF_HUB_ETAG_TIMEOUT" in os.environ else PATIENCE_S


def is_away(source: str) -> bool:
    """Whether `source` is no folder here and the hub does not answer, so that only the hub's cache is left to look in.

    Any answer counts, a refusal too. The hub's own client asks, through whatever proxies it is told of.
    """
    if Path(source).exists():
        return False
    from huggingface_hub import constants, get_session

    heard = threading.Event()

    def ask() -> None:
        with contextlib.suppress(Exception):  # whatever its HTTP library raises, offline mode included, is no answer
            get_session().head(constants.ENDPOINT, timeout=patience_s())
            heard.set()

    asking = threading.Thread(target=ask, daemon=True)  # a name server that keeps silent minds no timeout
    asking.start()
    asking.join(patience_s())
    return not heard.is_set()


def away_hint() -> str:
    """What an error says of a hub that is away."""
    from huggingface_hub import constants

    return (
        f"The hub ({constants.ENDPOINT}) did not answer within {patience_s():g} s, so only its cache on this machine "
        "was looked at; HF_HUB_ETAG_TIMEOUT gives it more seconds."
    )
