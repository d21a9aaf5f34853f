"""What of verl's data set is verl's: that the policy begins its answer, and a parquet file of the rows.

The rows are `guerdon.adapters.exporting.verl_rows`; `guerdon export --format verl` writes the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError
from guerdon.protocols import Task
from guerdon.types import Example, Prompt

ROWS_AT_ONCE = 1000


def refuse_prefix(task: Task, example: Example, prompt: Prompt) -> None:
    """See that the policy writes all of its answer, as in verl it does.

    Raises:
        ConfigError: the task puts the beginning into its mouth.
    """
    if prompt.forced:
        raise ConfigError(
            f"the answer to example {example.id!r} of {task.name} begins with {prompt.forced!r}, put there by the "
            f"task; verl lets the policy begin. Name the task without its prefix, for the data and for the reward, as "
            f"in task='code/generated[prefill=false]'."
        )


def write(written: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as parquet.

    Raises:
        ConfigError: pyarrow is not installed, or what the rows raise.
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
