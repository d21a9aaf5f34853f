"""Untrusted Python, run where it can do no harm, with nothing it could want: `Sandbox`.

```
job (code, cases) ──▶ server ──fork──▶ confined child ──▶ values, outputs ──▶ compared here, with what was expected
```

Rule one: the verdict is computed outside the process that runs the answer, which never sees an expected value.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guerdon.sandbox.equality import Equality
    from guerdon.sandbox.jobs import Call, Calls, Job, Programs
    from guerdon.sandbox.limits import Limits, Outcome
    from guerdon.sandbox.pool import Sandbox, default_sandbox
    from guerdon.sandbox.servers import Layers

_HOMES = {
    "Equality": "equality",
    **dict.fromkeys(("Call", "Calls", "Job", "Programs"), "jobs"),
    **dict.fromkeys(("Limits", "Outcome"), "limits"),
    **dict.fromkeys(("Sandbox", "default_sandbox"), "pool"),
    "Layers": "servers",
}

__all__ = ["Call", "Calls", "Equality", "Job", "Layers", "Limits", "Outcome", "Programs", "Sandbox", "default_sandbox"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
