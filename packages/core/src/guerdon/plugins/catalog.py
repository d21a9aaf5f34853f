"""`Catalog`: every name that the installed distributions offer, and who offers it.

Building one imports each distribution's tiny plugin module and nothing that the names point at. What is wrong with one
distribution (its module fails to import, a hook is misspelt, two of them claim one name) becomes a `Problem` that names
it; the others keep working.

Names carry a version, `sql/execution-v2`; asked for `sql/execution`, the newest is meant (`-v10` is newer than `-v9`).
"""

from __future__ import annotations

import difflib
import functools
import importlib
import re
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, get_args

import pluggy

from guerdon.errors import ConfigError, PluginError, UnknownName
from guerdon.plugins import PROJECT, hooks

Kind = Literal[
    "rewards",
    "transforms",
    "tasks",
    "policies",
    "engines",
    "judges",
    "scorers",
    "retrievers",
    "encoders",
    "shapes",
    "controllers",
    "tools",
    "recipes",
    "claims",
    "attacks",
    "commands",
    "checks",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

DISTRIBUTIONS = {
    domain: f"guerdon-{domain}" for domain in ("code", "driving", "medical", "page", "resume", "search", "sql")
}
"""Our own distributions, by what their names begin with: what to install where one is asked for and not there."""

_IMPORT_PATH = (
    "An import path stands on a command line (--reward, --task, ...); in a recipe a name is one that a plugin "
    "registers, or guerdon.plugins.catalog.register_local in this process."
)
LOCAL = "(this process)"
"""The distribution shown for names given to `register_local`."""

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_VERSION = re.compile(r"-v(\d+)$")


class Register(Protocol):
    """What a hook is given."""

    def __call__(self, name: str, target: str, summary: str = "") -> None:
        """Offer `target` ("module:attribute") as `name` ("domain/thing-v1"); `summary` is for `guerdon list`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One offered name."""

    kind: Kind
    name: str
    target: str
    """"module:attribute"; the repr of the object for one registered in this process."""
    summary: str
    distribution: str

    @property
    def family(self) -> str:
        """The name without its version."""
        return _VERSION.sub("", self.name)

    @property
    def version(self) -> int:
        """The number after `-v`; 0 where the name carries none."""
        found = _VERSION.search(self.name)
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a distribution's plugin. It takes nobody else's names down."""

    distribution: str
    what: str

    def __str__(self) -> str:
        return f"{self.distribution}: {self.what}"


def singular(kind: Kind) -> str:
    """The word for one of a kind: "reward", "policy"."""
    return kind[:-3] + "y" if kind.endswith("ies") else kind[:-1]


class Catalog:
    """The names of a set of entry points; `catalog()` gives that of everything installed."""

    def __init__(self, plugins: Iterable[EntryPoint]) -> None:
        self._claims: dict[tuple[Kind, str], list[Entry]] = {}
        self._objects: dict[tuple[Kind, str], Any] = {}
        self._problems: list[Problem] = []
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hooks)
        owned = [(_distribution(plugin), plugin) for plugin in plugins]  # once each: a name costs reading the metadata
        for distribution, plugin in sorted(owned, key=lambda pair: (pair[0], pair[1].name)):
            self._take(manager, plugin, distribution)

    def _take(self, manager: pluggy.PluginManager, plugin: EntryPoint, distribution: str) -> None:
        """Import one distribution's plugin module and let its hooks register."""
        try:
            module = plugin.load()
            manager.register(module, name=f"{distribution}:{plugin.name}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module: a boundary; recorded whole
            self._problems.append(Problem(distribution, f"its plugin {plugin.value!r} fails to load: {_told(error)}"))
            return
        callers = manager.get_hookcallers(module) or []
        for caller in callers:
            kind = _kind(caller.name)
            if kind is None:  # what pluggy's check_pending looks for, but one culprit does not hide the next
                self._misspelt(distribution, plugin, caller.name)
                continue
            register = self._register(kind, distribution)
            for hook in caller.get_hookimpls():
                if hook.plugin is module:
                    try:
                        hook.function(*(register for _ in hook.argnames))
                    except Exception as error:  # noqa: BLE001 - as above; the failure is recorded whole
                        self._problems.append(Problem(distribution, f"its hook {caller.name} fails: {_told(error)}"))
        marked = {caller.name for caller in callers}
        for name in dir(module):
            if name.startswith(f"{PROJECT}_") and name not in marked and callable(getattr(module, name, None)):
                what = f"{name} in {plugin.value!r} is not marked with @hookimpl, so nothing calls it"
                self._problems.append(Problem(distribution, what))

    def _misspelt(self, distribution: str, plugin: EntryPoint, name: str) -> None:
        known = [f"{PROJECT}_{kind}" for kind in KINDS]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        self._problems.append(Problem(distribution, f"{plugin.value!r} has a hook {name!r} and there is none; {hint}"))

    def _register(self, kind: Kind, distribution: str) -> Register:
        def register(name: str, target: str, summary: str = "") -> None:
            for what, given, form in (("name", name, _NAME), ("target", target, _TARGET)):
                if not isinstance(given, str) or not form.fullmatch(given):
                    accepted = "domain/thing-v1" if what == "name" else "module:attribute"
                    text = f"it offers a {singular(kind)} with the {what} {given!r}; {accepted!r} is the form accepted"
                    self._problems.append(Problem(distribution, text))
                    return
            self._claims.setdefault((kind, name), []).append(Entry(kind, name, target, summary, distribution))

        return register

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong with the installed plugins, conflicts between them last."""
        conflicts = [
            Problem(" and ".join(sorted({entry.distribution for entry in claims})), _conflict(claims))
            for claims in self._claims.values()
            if len(claims) > 1
        ]
        return [*self._problems, *conflicts]

    def entries(self, kind: Kind) -> list[Entry]:
        """The names of a kind that can be asked for, sorted, older versions first. What two claim is a problem instead.

        Raises:
            ConfigError: there is no such kind.
        """
        if kind not in KINDS:
            raise ConfigError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        found = [claims[0] for (of, _), claims in self._claims.items() if of == kind and len(claims) == 1]
        return sorted(found, key=lambda entry: (entry.family, entry.version))

    def find(self, kind: Kind, name: str) -> Entry:
        """The entry of that name, or the newest version where the name carries none.

        Raises:
            UnknownName: nobody offers it; the message has the nearest match.
            PluginError: more than one distribution offers it; the message names them.
        """
        if kind not in KINDS:
            raise ConfigError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        claims = self._claims.get((kind, name))
        if claims is None:
            versions = [found for (of, _), found in self._claims.items() if of == kind and found[0].family == name]
            claims = max(versions, key=lambda found: found[0].version, default=None)
        if claims is None:
            raise self.unknown((kind,), name)
        if len(claims) > 1:
            raise PluginError(_conflict(claims))
        return claims[0]

    def unknown(self, kinds: Sequence[Kind], name: str, more: Iterable[str] = ()) -> UnknownName:
        """The error for a name that is nobody's: with the nearest of those kinds, or with the distribution to install.

        Args:
            kinds: where it was looked for; all of them make it "a piece".
            name: what was asked for.
            more: names beside the catalog's that would have done.
        """
        word = "piece" if len(kinds) > 3 else " or ".join(singular(kind) for kind in kinds)
        known = {known for of, known in self._claims if of in kinds}
        families = {_VERSION.sub("", each) for each in known} if len(kinds) > 1 else set()
        hint = _IMPORT_PATH if _TARGET.fullmatch(name) else self._missing(name)
        error = UnknownName(word, name, known | families | set(more), hint=hint)
        for problem in self._problems:
            error.add_note(f"Perhaps it belongs to a plugin that is broken. {problem}")
        return error

    def _missing(self, name: str) -> str:
        """Which distribution would bring a name, by what stands before its slash, where it is not installed."""
        domain = name.partition("/")[0]
        distribution = DISTRIBUTIONS.get(domain)
        offered = any(known == domain or known.startswith(f"{domain}/") for _, known in self._claims)
        if distribution is None or offered or any(one.distribution == distribution for one in self._problems):
            return ""
        return f"{distribution!r} may have it, and is not installed: python -m pip install {distribution}"

    def load(self, kind: Kind, name: str) -> Any:
        """The object of that name, imported now.

        Raises:
            UnknownName: as `find`.
            PluginError: as `find`; or its module does not import, or has no such attribute.
        """
        entry = self.find(kind, name)
        if (kind, entry.name) in self._objects:
            return self._objects[kind, entry.name]
        module, _, path = entry.target.partition(":")
        try:
            return functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except Exception as error:
            raise PluginError(
                f"{entry.distribution}: the {singular(kind)} {entry.name!r} is registered as {entry.target!r}, "
                f"which fails to load: {_told(error)}"
            ) from error

    def admit(self, kind: Kind, path: str) -> None:
        """Import the object at "module:attribute", and know it by that path from now on, in this catalog only.

        For what somebody typed: a recipe file cannot name what was not admitted, so that reading one runs no code that
        its reader did not install or name.

        Raises:
            ConfigError: it is not such a path, its module does not import, or has no such attribute.
        """
        found = imported(path, singular(kind))
        summary = (getattr(found, "__doc__", None) or "").strip().partition("\n")[0]
        self._claims[kind, path] = [Entry(kind, path, path, summary, LOCAL)]
        self._objects[kind, path] = found

    def register_local(self, kind: Kind, name: str, target: Any, summary: str = "") -> None:
        """Offer an object, or a "module:attribute", in this catalog only. The same local name again replaces the first.

        Raises:
            PluginError: an installed distribution has that name.
            ConfigError: the kind, the name or the target is not one.
        """
        if kind not in KINDS:
            raise ConfigError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        if not _NAME.fullmatch(name):
            raise ConfigError(f"the {singular(kind)} name {name!r} is not like 'domain/thing-v1'")
        if isinstance(target, str) and not _TARGET.fullmatch(target):
            raise ConfigError(f"the target {target!r} of the {singular(kind)} {name!r} is not like 'module:attribute'")
        entry = Entry(kind, name, target if isinstance(target, str) else repr(target), summary, LOCAL)
        taken = [claim for claim in self._claims.get((kind, name), []) if claim.distribution != LOCAL]
        if taken:
            raise PluginError(_conflict([*taken, entry]))
        self._claims[kind, name] = [entry]
        self._objects.pop((kind, name), None)
        if not isinstance(target, str):
            self._objects[kind, name] = target


@functools.cache
def catalog() -> Catalog:
    """The catalog of everything installed, built on first use. `catalog.cache_clear()` forgets it."""
    return Catalog(entry_points(group=PROJECT))


def register_local(kind: Kind, name: str, target: Any, summary: str = "") -> None:
    """Offer an object by name in this process: for notebooks and tests. See `Catalog.register_local`."""
    catalog().register_local(kind, name, target, summary)


def imported(path: str, what: str = "object") -> Any:
    """What stands at "module:attribute".

    Raises:
        ConfigError: it is not such a path; its module is not there, or raised (the message says in which line); or it
            has no such attribute (the message has the nearest one).
    """
    if not _TARGET.fullmatch(path):
        raise ConfigError(f"{path!r} is no import path; the form is 'module:attribute'")
    name, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except Exception as error:
        raise ConfigError(f"the {what} {path!r} cannot be imported: {_told(error)}{_line_of(error)}") from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            near = difflib.get_close_matches(part, [one for one in dir(found) if not one.startswith("_")], n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"the {what} {path!r} cannot be imported: {_told(error)}{hint}") from error
    return found


def _line_of(error: BaseException) -> str:
    """Where a module raised while it was imported; "" where it was not found, or its own text says the line."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<frozen")]
    within = frames[1:] if frames and frames[0].filename == __file__ else frames
    within = [one for one in within if one.filename != importlib.__file__]
    return f" ({within[-1].filename}, line {within[-1].lineno})" if within else ""


def _distribution(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist is not None else f"(no distribution: {plugin.value})"


def _kind(hook: str) -> Kind | None:
    return next((kind for kind in KINDS if hook == f"{PROJECT}_{kind}"), None)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _conflict(claims: list[Entry]) -> str:
    owners = " and ".join(f"{claim.distribution} ({claim.target})" for claim in claims)
    return f"the {singular(claims[0].kind)} {claims[0].name!r} is claimed by {owners}; uninstall one or have it renamed"
