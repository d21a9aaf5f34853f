"""A task's examples as rows for other trainers: prompts, references, and the name under which each is scored again.

```
Source(task, split) ──▶ Format.rows: one row per example ──▶ Format.write: a file, whole or not at all
```

A format is an entry of `FORMATS`. Every row of a format has the same fields. The row `jsonl` writes:

| field | what it is |
|---|---|
| `example` | the example's id, as `Grader` and `guerdon score --rollouts` want it |
| `prompt` | the prompt's messages, `{"role", "content"}` |
| `forced` | what the completion begins with whoever writes it; "" where nothing |
| `images` | the files of the images that the prompt shows; only where it shows any |
| `reference` | a completion that earns the top, the forced prefix included; null where none is known |
| `task` | the task, as `Grader.of(task=...)` and `--task` read it |

Not covered: what an environment says (a task in turns is more than its prompts; the adapters play those), of which is
warned, and prompts that are no messages, which are refused.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from guerdon.adapters.verl.data import refuse_prefix, write
from guerdon.errors import ConfigError, UnknownName
from guerdon.progress import progress
from guerdon.protocols import Split, Task
from guerdon.runs.durable import encode, replacing_file
from guerdon.trainer.records import messages_of, text_messages_of
from guerdon.types import Example, Prompt

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """What is exported."""

    task: Task
    split: Split
    name: str
    """The task as `NAME[k=v,...]`."""
    limit: int | None = None
    """The first so many examples only."""

    def __len__(self) -> int:
        examples = self.task.examples(self.split)
        return len(examples) if self.limit is None else min(self.limit, len(examples))

    def prompts(self) -> Iterator[tuple[Example, Prompt]]:
        """The examples, each with its prompt: what every format is made of.

        Raises:
            ConfigError: a prompt is no chat messages.

        Warns:
            RuntimeWarning: once, where an example has an environment.
        """
        warned = False
        for example in islice(self.task.examples(self.split), self.limit):
            prompt = self.task.prompt(example)
            if not warned and self.task.environment(example) is not None:
                warned = True
                warnings.warn(
                    f"{self.name} has an environment, and a file of prompts has none of what it says: who reads the "
                    f"file plays the first turn alone",
                    RuntimeWarning,
                    stacklevel=2,
                )
            if not prompt.messages:
                raise ConfigError(
                    f"example {example.id!r} of {self.name} has a prompt that is no messages; only those are exported"
                )
            yield example, prompt


@dataclass(frozen=True)
class Format:
    """How a task is written down for one reader."""

    rows: Callable[[Source], Iterable[Record]]
    write: Callable[[Iterable[Record], Path], None] | None = None
    """Writes a file of another kind (parquet); None means JSON lines."""


def plain_rows(source: Source) -> Iterator[Record]:
    """The fields in the module's table."""
    for example, prompt in source.prompts():
        yield {
            "example": example.id,
            "prompt": messages_of(prompt),
            "forced": prompt.forced,
            **({"images": [image.path for image in prompt.images]} if prompt.images else {}),
            "reference": source.task.reference(example),
            "task": source.name,
        }


def openrlhf_rows(source: Source) -> Iterator[Record]:
    """OpenRLHF's two columns, for `--data.apply_chat_template`. (As texts: `guerdon.adapters.openrlhf.dataset_rows`.)

    Raises:
        ConfigError: the task begins the completion itself, which messages cannot hold.
    """
    for example, prompt in source.prompts():
        if prompt.forced:
            raise ConfigError(
                f"{source.name} begins the completion with {prompt.forced!r}, which messages cannot hold. Either name "
                f"the task without it, for data and reward alike, as in 'code/generated[prefill=false]'; or write "
                f"texts in Python, with guerdon.adapters.openrlhf.dataset_rows(task, render=...), whose render is the "
                f"tokenizer's chat template, and leave out --data.apply_chat_template"
            )
        yield {"prompt": text_messages_of(prompt, "OpenRLHF"), "label": example.id}


def verl_rows(source: Source) -> Iterator[Record]:
    """Verl's columns.

    | column | what it is |
    |---|---|
    | `data_source` | the task's name |
    | `prompt` | chat messages |
    | `ability` | the task's domain |
    | `reward_model` | `style`: "rule"; `ground_truth`: the task's reference answer, or "" where it has none |
    | `extra_info` | `index` in the split, `split`, and `example`: the id by which the reward finds the example |

    Raises:
        ConfigError: the task begins the completion itself, which verl's agent loops do not do.
    """
    for index, (example, prompt) in enumerate(source.prompts()):
        refuse_prefix(source.task, example, prompt)
        yield {
            "data_source": source.task.name,
            "prompt": text_messages_of(prompt, "verl"),
            "ability": source.task.name.partition("/")[0],
            "reward_model": {"style": "rule", "ground_truth": source.task.reference(example) or ""},
            "extra_info": {"index": index, "split": source.split, "example": example.id},
        }


FORMATS: dict[str, Format] = {
    "jsonl": Format(plain_rows),
    "openrlhf": Format(openrlhf_rows),
    "verl": Format(verl_rows, write),
}
"""By name. One that needs a library imports it inside its functions."""

_IN_PYTHON = {
    "trl": 'guerdon.adapters.trl.dataset("sql"), or of what reward_funcs gave',
    "verifiers": 'guerdon.adapters.verifiers.taskset("sql")',
}
"""Those for whom an adapter makes the data, without a file."""


def export(source: Source, out: Path | None, format_: str = "jsonl") -> int:
    """Write a source down, row by row; the file appears when it is whole, and an old one stays until then.

    Args:
        source: what to export.
        out: the file; None writes JSON lines to standard output.
        format_: one of `FORMATS`.

    Returns:
        How many rows.

    Raises:
        UnknownName: there is no such format.
        ConfigError: the format cannot hold the task, the split has no examples, or `out` is no place for a file.
        RunError: the disk is full or cannot be written.
    """
    if format_ not in FORMATS:
        if format_ in _IN_PYTHON:
            raise ConfigError(
                f"{format_} reads no file that could be exported: make its data set in Python, with "
                f"{_IN_PYTHON[format_]}"
            )
        raise UnknownName("export format", format_, FORMATS, "that are written")
    format = FORMATS[format_]
    if out is None and format.write is not None:
        raise ConfigError(f"the format {format_!r} is no text: name a file with --out")
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ConfigError(f"--out is {str(out)!r}; a file in a folder that exists is needed")
    total = len(source)
    if total == 0:
        raise ConfigError(f"{source.name} has no {source.split} examples")
    with progress(f"export {source.name}", total) as bar:
        rows = _counted(format.rows(source), bar.advance)
        if format.write is not None:
            assert out is not None  # said above
            with replacing_file(out) as partial:
                format.write(rows, partial)
        else:
            with _lines(out) as stream:
                for row in rows:
                    stream.write(encode(row))
    return total


def _counted(rows: Iterable[Record], advance: Callable[[], None]) -> Iterator[Record]:
    for row in rows:
        yield row
        advance()


@contextmanager
def _lines(out: Path | None) -> Iterator[BinaryIO]:
    """Where lines go: standard output, or a file that appears when it is whole."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing_file(out) as partial, open(partial, "wb") as stream:
        yield stream
