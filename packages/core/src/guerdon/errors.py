"""Every error guerdon raises on purpose.

```
GuerdonError
├── ConfigError      a recipe, an option or a name is wrong; raised at start, never in mid-run
│   └── UnknownName  no such reward, task, recipe ...; carries the nearest match
├── TaskError        the task itself is broken: a missing database, a gold query that does not run
├── RewardError      a reward broke its own promise (a bug in the reward)
│   └── BoundsError  a value outside the stated bounds
├── PolicyError      a policy or its weights cannot do what was asked
├── SandboxError     our own machinery failed: a worker died, a process could not be started
├── JudgeError       a judge's backend failed for good
├── RetrievalError   a retriever fails for good, whatever is asked of it
├── ServerError      a reward server cannot be reached, or failed for good
├── PluginError      a distribution's plugin is broken or two of them claim one name
├── UnscoredError    a completion has no number, and whoever asked can be told only by an error
└── RunError         a run folder cannot be written, read or resumed
```

What a policy wrote is never an error: it is a `Score` with a status.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def reason_of(error: BaseException) -> str:
    """What an error says, without the path that a system's error repeats: whoever tells it has named the file.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.json"))
    'No such file or directory'
    """
    return getattr(error, "strerror", None) or str(error)


class GuerdonError(Exception):
    """The root: catch it to catch everything guerdon raises on purpose."""


class ConfigError(GuerdonError, ValueError):
    """A setting is wrong. The message names the field's path, what was found and what is accepted."""


class UnknownName(ConfigError, LookupError):  # noqa: N818 - reads as what it is: `except UnknownName`
    """Nothing has that name, where names stand for something.

    Args:
        kind: of what: "reward".
        name: what was asked for.
        known: what there is.
        where: what those have in common, read after their number.
        hint: what to do, where that is known better than by a name that is near.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "installed", hint: str = "") -> None:
        names = sorted(known)
        message = f"no {kind} named {name!r} among the {len(names)} {where}."
        if hint:
            message += f" {hint}"
        elif near := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
            message += f" Did you mean {near[0]!r}?"
        elif names:
            message += f" There are: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
        super().__init__(message)
        self.kind, self.name = kind, name

    def at(self, field: str) -> UnknownName:
        """The same error, saying also which field of a recipe has the name."""
        self.args = (f"{self.args[0]} (field {field!r})",)
        return self


class TaskError(GuerdonError):
    """The task is broken, whoever answers it."""


class RewardError(GuerdonError):
    """A reward raised, or broke its own promise. That is a bug in the reward, never a zero."""


class BoundsError(RewardError):
    """A reward gave a value outside its stated bounds."""


class PolicyError(GuerdonError):
    """A policy, its weights or its engine cannot do what was asked."""


class SandboxError(GuerdonError):
    """Our own machinery failed: a worker died twice, a process could not be started."""


class JudgeError(GuerdonError):
    """A judge's backend failed for good (not: it answered something that does not parse)."""


class RetrievalError(GuerdonError):
    """A retriever fails for good: a broken index, vectors that are no numbers, a query that no record answers."""


class ServerError(GuerdonError):
    """A reward server cannot be reached, is overloaded for too long, or failed for good. Never a number."""


class PluginError(GuerdonError):
    """A distribution's plugin is broken, or two of them claim one name."""


class UnscoredError(GuerdonError):
    """A completion has no number (abstain, invalid, infra), and whoever asked for one can be told only by an error."""


class RunError(GuerdonError):
    """A run folder cannot be written, read or resumed."""
