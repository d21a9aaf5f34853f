r"""How a diagnostic agent writes: the names of its tags, and how an answer marks a diagnosis.

| action (paper) | released | what it does | answered in |
|---|---|---|---|
| reason | `think` | thinks | - |
| match | `match` | finds records of similar patients | `refer` |
| lookup | `search` | looks disease names up in guidelines | `result` |
| search | `literature` | searches passages (off in the released roll-out, whose code has no tag for it) | `passages` |
| diagnose | `answer` | names diagnoses, each as `\textbf{name}`, and ends | - |

Source: Deep-DxSearch (arXiv 2508.15746): the paper's five action names [readme], the released tags [code].
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from guerdon.environments import Tags
from guerdon.errors import ConfigError

_MARKED = re.compile(r"\\textbf\{([^{}]*)\}")


@dataclass(frozen=True)
class Layout:
    """The words that stand in angle brackets; no two alike."""

    think: str = "think"
    match: str = "match"
    records: str = "refer"
    lookup: str = "search"
    guidelines: str = "result"
    search: str = "literature"
    passages: str = "passages"
    answer: str = "answer"

    def __post_init__(self) -> None:
        names = [getattr(self, one.name) for one in fields(self)]
        if len(set(names)) < len(names):
            raise ConfigError(f"Layout: two of the tags {', '.join(names)} are alike")
        for name in names:
            Tags(name, f"{name}-")  # says what is wrong with one

    @property
    def own(self) -> tuple[str, str]:
        """Tags that are the policy's and call nothing."""
        return self.think, self.answer

    @property
    def inserted(self) -> tuple[str, str, str, str]:
        """Tags that only the environment writes."""
        return self.records, self.guidelines, self.passages, "error"

    def tags(self, action: str) -> Tags:
        """Of one of the tools: `match`, `lookup` or `search`."""
        answers = {"match": self.records, "lookup": self.guidelines, "search": self.passages}
        return Tags(getattr(self, action), answers[action])


RELEASED = Layout()
PAPER = Layout(think="reason", lookup="lookup", search="search", answer="diagnose")


def layout_of(named: str) -> Layout:
    """A layout by its name, `released` or `paper`; or by tags that differ from it, such as "think=reason,answer=final".

    Raises:
        ConfigError: no such name, tag or word.
    """
    if named in ("released", "paper"):
        return RELEASED if named == "released" else PAPER
    known = [one.name for one in fields(Layout)]
    given = dict(pair.strip().partition("=")[::2] for pair in named.split(","))
    for name, word in given.items():
        if name not in known or not word:
            raise ConfigError(
                f"layout {named!r} has {name!r}; accepted are 'released', 'paper', and pairs such as 'think=reason' of "
                f"{', '.join(known)}"
            )
    return Layout(**given)


def marked(text: str) -> tuple[str, ...]:
    r"""The names that `\textbf{...}` marks, in order, stripped; empty ones are left out.

    >>> marked(r"1. \textbf{Measles} 2. \textbf{ Rubella }")
    ('Measles', 'Rubella')
    """
    return tuple(name for found in _MARKED.findall(text) if (name := found.strip()))


def written(name: str) -> str:
    r"""A diagnosis as an answer marks it; braces, which would end the mark, become brackets."""
    return "\\textbf{" + name.replace("{", "(").replace("}", ")") + "}"
