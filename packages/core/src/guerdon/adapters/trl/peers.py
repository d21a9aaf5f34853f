"""Several processes: a group that straddles them is scored whole, by one of them.

TRL deals a batch out in order, so the rows of all processes laid end to end are its batch, and a group may begin on one
process and end on the next. Rows travel to everyone (`torch.distributed`); each group is scored where its first row
stands, a reward that looks at the whole batch or that learns on process 0; the scores travel back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guerdon.adapters.trl.grouping import Row, group_numbers, in_group, key_of
from guerdon.errors import RewardError
from guerdon.grading import Grader
from guerdon.rewards import Context
from guerdon.types import Score


def count() -> int:
    """How many processes train together; 1 where nothing is distributed."""
    import torch.distributed as processes

    return processes.get_world_size() if processes.is_available() and processes.is_initialized() else 1


def grade_together(
    grader: Grader, rows: Sequence[Row], size: int | None, context: Context, *, learn: bool
) -> list[Score]:
    """One score for each of this process's rows; every process has to call it, with its own.

    Args:
        grader: the same on every process.
        rows: this process's part of the batch, in order.
        size: attempts per prompt; None where it has to be read from the examples' ids.
        context: how far the run is.
        learn: let rewards that learn see the batch, on process 0.

    Raises:
        RewardError: grading failed, here or on another process.
    """
    import torch.distributed as processes

    everyone: list[list[Row]] = _gathered(list(rows))
    laid_out = [row for part in everyone for row in part]
    homes = [rank for rank, part in enumerate(everyone) for _ in part]
    keys = [key_of(row) for row in laid_out]
    numbers = group_numbers(keys, size)
    first: dict[tuple[str, int], int] = {}
    whole_batch = grader.reward.sees == "batch" or bool(grader.learning)
    for key, number, home in zip(keys, numbers, homes, strict=True):
        first.setdefault((key, number), 0 if whole_batch else home)
    own = processes.get_rank()
    mine = [i for i, key in enumerate(keys) if first[key, numbers[i]] == own]
    answer: dict[int, Score] | str
    failure: Exception | None = None
    try:
        found = grader.grade([in_group(laid_out[i], numbers[i]) for i in mine], context, learn=learn) if mine else []
        answer = dict(zip(mine, found, strict=True))
    except Exception as error:  # noqa: BLE001 - raised below; the others wait, and have to hear of it
        answer, failure = f"{type(error).__name__}: {error}", error
    answers: list[dict[int, Score] | str] = _gathered(answer)
    if failure is not None:
        raise failure
    scores: dict[int, Score] = {}
    for rank, part in enumerate(answers):
        if isinstance(part, str):
            raise RewardError(f"grading failed on process {rank} of {len(answers)}: {part}")
        scores.update(part)
    return [scores[i] for i, home in enumerate(homes) if home == own]


def _gathered(mine: Any) -> list[Any]:
    """Everyone's, by rank."""
    import torch.distributed as processes

    found: list[Any] = [None] * processes.get_world_size()
    processes.all_gather_object(found, mine)
    return found
