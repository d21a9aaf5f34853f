"""Plugins: how a distribution offers rewards, tasks and the rest by name, imported only when one is asked for.

A distribution names one module under the entry-point group `guerdon`; that module marks hooks with `hookimpl`:

```python
from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register

@hookimpl
def guerdon_rewards(register: Register) -> None:
    register("sql/execution-v1", "guerdon_sql.rewards:Execution", summary="same rows as the gold query, 0 or 1")
```

Core's own names come in by the same door (`guerdon.plugin`). `hooks` lists the hooks, `catalog` is what they fill.
"""

from __future__ import annotations

import pluggy

PROJECT = "guerdon"
"""pluggy's project name, the entry-point group, and the prefix of every hook."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

__all__ = ["PROJECT", "hookimpl", "hookspec"]
