"""The entry point of group `verl.plugins`: verl imports this module whenever verl itself is imported.

That is in every one of a job's processes, so it costs nothing: the manager is registered when verl's own registry of
managers is imported, which is where it is looked for, and not before.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

REGISTRY = "verl.experimental.reward_loop.reward_manager.registry"


class _Registering(Loader):
    """Verl's own loader of the registry, and one name more in it."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._theirs.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._theirs.exec_module(module)
        _add(module)


class _Finder(MetaPathFinder):
    """Stands in front until the registry is asked for, once."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


def _add(registry: Any) -> None:
    try:
        from guerdon.adapters.verl.manager import NAME, manager_class

        registry.register(NAME)(manager_class())
    except Exception:  # verl must start without us; the name is then unknown, and the log says why
        logging.getLogger("guerdon").exception("guerdon's reward manager could not be registered with verl")


def _install() -> None:
    if REGISTRY in sys.modules:
        _add(sys.modules[REGISTRY])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


_install()
