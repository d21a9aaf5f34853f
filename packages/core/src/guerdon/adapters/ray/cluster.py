"""Which Ray cluster work goes to: the one this process belongs to, one that is named, or a small one of our own."""

from __future__ import annotations

import os
from typing import Any

from guerdon.adapters.versions import check
from guerdon.errors import ConfigError

ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Of a cluster of our own; what is set already stays. The first is, on any system, Ray's switch for listening on the
loopback address alone; it is read when Ray is imported, so a program that imports Ray earlier sets it itself."""


def connected(workers: int) -> Any:
    """The module `ray`, connected.

    A process that Ray started, or that called `ray.init` itself, stays where it is. Else RAY_ADDRESS says which cluster
    to join. Else one starts on this machine, on the loopback address, and ends with this process.

    Args:
        workers: how many CPUs a cluster of our own must have.

    Raises:
        ConfigError: Ray is not installed.
    """
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        for name, value in ALONE.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"workers of Ray need Ray ({error}): pip install 'guerdon[ray]'") from error
    check("ray")
    if not ray.is_initialized():
        if address:
            ray.init(address=address)
        else:
            cpus = max(workers, os.cpu_count() or 1)
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False)
    return ray
