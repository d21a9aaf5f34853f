"""The tool-calling tasks: where dialogues come from, and how one becomes a prompt.

| name | dialogues |
|---|---|
| `code/tool-calls-v1` | a folder of the Berkeley Function Calling Leaderboard's files |
| `code/tool-calls-jsonl-v1` | a file of JSON lines, of our form or as the authors of ToolRL release theirs |
| `code/tool-calls-made-v1` | requests to a dozen household tools, made up from a seed |
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, proper_share, whole_number
from guerdon.protocols import Split, Task
from guerdon.rewards.base import Reward
from guerdon.types import Example, Prompt
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_loaders import bfcl_examples, jsonl_examples
from guerdon_code.tool_made import made_examples
from guerdon_code.tool_prompts import chat_prompt, completion
from guerdon_code.tool_splits import Apart, Parted, part

KINDS = ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance")


@dataclass(frozen=True, kw_only=True)
class _ToolTask(Task):
    """What the two share: the split, prompt, reference and metrics."""

    eval_share: float = 0.25
    """How many of the examples, of 1, the eval split gets at most."""
    apart: Apart = "tools"
    """What the splits do not share: any tool on offer (`tools`), or only the same question (`examples`)."""
    seed: int = 0
    """Another seed, another split."""
    limit: int | None = None
    """Take so many examples of each split, from the top; None for all."""

    def __post_init__(self) -> None:
        proper_share("eval_share", self.eval_share)
        one_of("apart", self.apart, get_args(Apart))
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    @abstractmethod
    def load(self) -> Parted:
        """Read the files and part their examples."""

    @cached_property
    def _loaded(self) -> Parted:
        return self.load()

    def examples(self, split: Split) -> Sequence[ToolExample]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the files are not there or not in order, or cannot be parted.
        """
        one_of("split", split, get_args(Split))
        return (self._loaded.train if split == "train" else self._loaded.eval)[: self.limit]

    def prompt(self, example: Example) -> Prompt:
        """Tools and layout as the system text; the record of the dialogue."""
        return chat_prompt(_turn(example))

    def reference(self, example: Example) -> str:
        """The gold turn in its layout, with one line of thought."""
        return completion(_turn(example))

    def metrics(self) -> Mapping[str, Reward]:
        """Share of turns with exactly the gold calls, and of those that keep the layout."""
        from guerdon_code.tool_rewards import ExactCalls, Format

        return {"exact": ExactCalls(), "format": Format()}

    def _part(self, examples: Sequence[ToolExample], source: Path) -> Parted:
        parted = part(examples, eval_share=self.eval_share, seed=self.seed, apart=self.apart)
        if not (parted.train and parted.eval):
            hint = ', or set apart="examples" so that splits may share tools' if self.apart == "tools" else ""
            raise TaskError(
                f"the {len(examples)} examples of {str(source)!r} cannot be parted into train and eval with "
                f"eval_share={self.eval_share!r} and apart={self.apart!r}: too many hang together. Set another "
                f"share{hint}"
            )
        return parted


@dataclass(frozen=True, kw_only=True)
class ToolCalls(_ToolTask):
    """BFCL's single-turn files as they are unpacked: `BFCL_v<n>_<kind>.json` and `possible_answer/` beside them.

    Gold is the first accepted value of each parameter; the others stay with the example, for `accept="any"`. Kinds of
    several turns are not read.
    """

    name: ClassVar[str] = "code/tool-calls-v1"

    root: str = ""
    """The folder that holds the files."""
    kinds: tuple[str, ...] = KINDS
    """Which of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kinds", tuple(self.kinds))  # recipes say [..]
        if not self.root:
            raise ConfigError(f"root of {self.name} is empty; the path of a folder is needed")
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ConfigError(f"kinds is {self.kinds!r}; one or more different ones are needed")

    def load(self) -> Parted:
        """Read the kinds, one after the other."""
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise TaskError(f"root of {self.name} is {self.root!r}, which is not a folder")
        examples = [example for kind in self.kinds for example in bfcl_examples(root, kind)]
        kinds: dict[str, str] = {}
        for example in examples:
            if kinds.setdefault(example.id, example.kind) != example.kind:
                both = f"{kinds[example.id]!r} and {example.kind!r}"
                raise TaskError(f"{self.root!r}: the kinds {both} share the id {example.id!r}; ids must differ")
        return self._part(examples, root)


@dataclass(frozen=True, kw_only=True)
class ToolCallLines(_ToolTask):
    """One JSON object a line: what is on offer, what was said, and what the right turn is; see `jsonl_examples`."""

    name: ClassVar[str] = "code/tool-calls-jsonl-v1"

    path: str = ""
    """The file."""
    eval_path: str = ""
    """Another file for the eval split; empty: it is parted off. Two files may share tools, whatever `apart` says, but
    no question."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of a file is needed")

    def load(self) -> Parted:
        """Read the file, or both.

        Raises:
            TaskError: both files ask the same, or have an id in common.
        """
        path = Path(self.path).expanduser()
        train = jsonl_examples(path)
        if not self.eval_path:
            return self._part(train, path)
        held_out = jsonl_examples(Path(self.eval_path).expanduser())
        for field in ("id", "user"):
            both = {getattr(each, field) for each in train} & {getattr(each, field) for each in held_out}
            if both:
                raise TaskError(
                    f"{self.path!r} and {self.eval_path!r} share {len(both)} examples by their {field!r}, as "
                    f"{min(both)[:80]!r}; what is held out must not be learned from"
                )
        return Parted(tuple(train), tuple(held_out))


@dataclass(frozen=True, kw_only=True)
class MadeToolCalls(_ToolTask):
    """Requests to a dozen tools, made up: for trying out rewards and audits without a file. Every request names all
    that its call needs, so a model of any use solves most of them.
    """

    name: ClassVar[str] = "code/tool-calls-made-v1"

    apart: Apart = "examples"
    """The tools are few, so splits share them."""
    size: int = 120
    """Requests in all, before equal ones are left out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("size", self.size, 2)

    def load(self) -> Parted:
        """Make them."""
        return self._part(made_examples(self.size, self.seed), Path(self.name))


def _turn(example: Example) -> ToolExample:
    if not isinstance(example, ToolExample):
        raise TypeError(f"this task's examples are ToolExample, not {type(example).__name__} ({example.id!r})")
    return example
