"""A task's examples as the data set that verl reads: rows, and a parquet file of them.

| column | what it is |
|---|---|
| `data_source` | the task's name |
| `prompt` | chat messages |
| `ability` | the task's domain |
| `reward_model` | `style`: "rule"; `ground_truth`: the task's reference answer, or "" where it has none |
| `extra_info` | `index` in the split, `split`, and `example`: the id by which the reward finds the example |

`guerdon export --format verl` writes the file.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError
from guerdon.protocols import Split, Task
from guerdon.types import Example

ROWS_AT_ONCE = 1000


def rows(task: Task, split: Split = "train") -> Iterator[dict[str, Any]]:
    """One row per example, in the task's order.

    Raises:
        ConfigError: a prompt is none of chat messages, or ends in words that are put into the policy's mouth, which
            verl's agent loops do not do; the message names the example.
    """
    warned = False
    for index, example in enumerate(task.examples(split)):
        if not warned and task.environment(example) is not None:
            warned = True
            warnings.warn(
                f"{task.name} has an environment, which verl does not know: its agent loops play the first turn alone",
                RuntimeWarning,
                stacklevel=2,
            )
        yield {
            "data_source": task.name,
            "prompt": _messages(task, example),
            "ability": task.name.partition("/")[0],
            "reward_model": {"style": "rule", "ground_truth": task.reference(example) or ""},
            "extra_info": {"index": index, "split": split, "example": example.id},
        }


def _messages(task: Task, example: Example) -> list[dict[str, str]]:
    prompt = task.prompt(example)
    if not prompt.messages:
        raise ConfigError(
            f"the prompt of example {example.id!r} of {task.name} has no chat messages, and verl reads no other"
        )
    refuse_prefix(task, example)
    return [{"role": message.role, "content": message.content} for message in prompt.messages]


def refuse_prefix(task: Task, example: Example) -> None:
    """See that the policy writes all of its answer, as in verl it does.

    Raises:
        ConfigError: the task puts the beginning into its mouth.
    """
    if forced := task.prompt(example).forced:
        raise ConfigError(
            f"the answer to example {example.id!r} of {task.name} begins with {forced!r}, put there by the task; verl "
            f"lets the policy begin. Name the task without its prefix, for the data and for the reward, as in "
            f"task='code/generated[prefill=false]'."
        )


def write(written: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as parquet.

    Raises:
        ConfigError: pyarrow is not installed, or as `rows`.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(f"parquet files need pyarrow ({error}): pip install 'guerdon[verl]'") from error
    text, number = pyarrow.string(), pyarrow.int64()
    schema = pyarrow.schema(
        {
            "data_source": text,
            "prompt": pyarrow.list_(pyarrow.struct({"role": text, "content": text})),
            "ability": text,
            "reward_model": pyarrow.struct({"style": text, "ground_truth": text}),
            "extra_info": pyarrow.struct({"index": number, "split": text, "example": text}),
        }.items()
    )
    left = iter(written)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(itertools.islice(left, ROWS_AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
