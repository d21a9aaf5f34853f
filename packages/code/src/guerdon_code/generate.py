"""Small programming problems, made up from a seed: a function of a list of numbers, in words, in code, and by tests.

| level | example |
|---|---|
| `map` | Return a list of all numbers, each plus 3. |
| `filter` | Return a list of the numbers that are even. |
| `total` | Return the sum of the numbers greater than 4. |
| `select` | Return a list of the numbers that are odd, each squared. |
| `chain` | Return the sum of the numbers divisible by 3, each times 2. |
| `branch` | Return a list of all numbers, those that are odd each negated and the others each plus 1. |
| `order` | Return a list of the 3 largest numbers, largest first. |

No two problems have the same reference, and those of the two splits are parted before any is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from guerdon.sandbox.wire import pack
from guerdon_code.problems import CodeProblem, ValueTest

NAME = "solve"
"""What every function is called."""
STARTER = f"def {NAME}(numbers):\n"
TESTS = 10
"""Of each problem: two short lists, two of one sign, and lists of three to eight numbers."""

_CONDITIONS = (
    ("that are even", "n % 2 == 0"),
    ("that are odd", "n % 2 == 1"),
    ("that are negative", "n < 0"),
    ("that are positive", "n > 0"),
    *((f"greater than {k}", f"n > {k}") for k in (-3, -2, -1, 1, 2, 3, 4, 5, 6)),
    *((f"less than {k}", f"n < {k}") for k in (-2, -1, 1, 2, 3, 4, 5, 6, 7)),
    *((f"divisible by {k}", f"n % {k} == 0") for k in (3, 4, 5)),
    *((f"not equal to {k}", f"n != {k}") for k in range(-2, 5)),
)
_CHANGES = (
    ("squared", "n * n"),
    ("negated", "-n"),
    ("made positive", "abs(n)"),
    *((f"plus {k}", f"n + {k}") for k in range(1, 10)),
    *((f"minus {k}", f"n - {k}") for k in range(1, 10)),
    *((f"times {k}", f"n * {k}") for k in range(2, 10)),
)
_TOTALS = (
    ("the sum of", "sum({})"),
    ("how many there are of", "len({})"),
    ("the largest of", "max({}, default=0)"),
    ("the smallest of", "min({}, default=0)"),
)


class Draft(NamedTuple):
    """A problem before it has tests."""

    words: str
    expression: str
    """The value, over `numbers`."""


def _map() -> Iterator[Draft]:
    for words, change in _CHANGES:
        yield Draft(f"a list of all numbers, each {words}", f"[{change} for n in numbers]")


def _filter() -> Iterator[Draft]:
    for words, condition in _CONDITIONS:
        yield Draft(f"a list of the numbers {words}", f"[n for n in numbers if {condition}]")


def _total() -> Iterator[Draft]:
    for (what, total), (words, condition) in itertools.product(_TOTALS, _CONDITIONS):
        yield Draft(f"{what} the numbers {words}", total.format(f"[n for n in numbers if {condition}]"))


def _select() -> Iterator[Draft]:
    for (words, condition), (changed, change) in itertools.product(_CONDITIONS, _CHANGES):
        yield Draft(f"a list of the numbers {words}, each {changed}", f"[{change} for n in numbers if {condition}]")


def _chain() -> Iterator[Draft]:
    for (what, total), (words, condition), (changed, change) in itertools.product(_TOTALS, _CONDITIONS, _CHANGES):
        if "len" not in total:
            inner = f"[{change} for n in numbers if {condition}]"
            yield Draft(f"{what} the numbers {words}, each {changed}", total.format(inner))


def _branch() -> Iterator[Draft]:
    for (words, condition), (one, change), (other, instead) in itertools.product(_CONDITIONS[:4], _CHANGES, _CHANGES):
        if change != instead:
            yield Draft(
                f"a list of all numbers, those {words} each {one} and the others each {other}",
                f"[{change} if {condition} else {instead} for n in numbers]",
            )


def _order() -> Iterator[Draft]:
    for k in range(1, 6):
        yield Draft(f"a list of the {k} largest numbers, largest first", f"sorted(numbers, reverse=True)[:{k}]")
        yield Draft(f"a list of the {k} smallest numbers, smallest first", f"sorted(numbers)[:{k}]")
    for words, condition in _CONDITIONS:
        yield Draft(f"a sorted list of the numbers {words}", f"sorted([n for n in numbers if {condition}])")
        yield Draft(f"a list of the numbers {words}, in reverse order", f"[n for n in numbers if {condition}][::-1]")


LEVELS: dict[str, Callable[[], Iterator[Draft]]] = {
    "map": _map,
    "filter": _filter,
    "total": _total,
    "select": _select,
    "chain": _chain,
    "branch": _branch,
    "order": _order,
}


def problems(levels: Sequence[str], train_size: int, eval_size: int, seed: int) -> dict[str, list[CodeProblem]]:
    """Both splits, every level equally often as far as it has problems.

    Args:
        levels: names in `LEVELS`.
        train_size: problems to learn from, at most.
        eval_size: problems to be measured by, at most.
        seed: of the draw, the order and the tests.

    Returns:
        `train` and `eval`; they share no reference.
    """
    random = Random(f"guerdon-code {seed}")
    pools = {}
    for level in levels:
        drafts = list(LEVELS[level]())
        random.shuffle(drafts)
        cut = max(1, len(drafts) * eval_size // max(1, train_size + eval_size))
        pools[level] = {"eval": drafts[:cut], "train": drafts[cut:]}
    made: dict[str, list[CodeProblem]] = {}
    for split, size in (("eval", eval_size), ("train", train_size)):
        rounds = itertools.zip_longest(*([(level, draft) for draft in pools[level][split]] for level in levels))
        chosen = [each for one_each in rounds for each in one_each if each is not None][:size]
        random.shuffle(chosen)
        made[split] = [_problem(f"{split}-{n}", level, draft, random) for n, (level, draft) in enumerate(chosen)]
    return made


def _problem(name: str, level: str, draft: Draft, random: Random) -> CodeProblem:
    compute: Callable[[list[int]], Any] = eval(f"lambda numbers: {draft.expression}")  # ours, from the tables above
    tests = [ValueTest(call=f"{NAME}({numbers})", expected=pack(compute(list(numbers)))) for numbers in _inputs(random)]
    return CodeProblem(
        id=f"generated-{name}",
        question=f"Return {draft.words}.",
        starter=STARTER,
        entry_point=NAME,
        tests=tuple(tests),
        reference=f"{STARTER}    return {draft.expression}\n",
        level=level,
        source="generated",
    )


def _inputs(random: Random) -> list[list[int]]:
    """Lists of numbers from -9 to 9; the first is empty, so that a wrong answer passes it as easily as a right one."""
    some = [[], [random.randint(-9, 9)]]
    some += [[sign * random.randint(1, 9) for _ in range(4)] for sign in (1, -1)]
    while len(some) < TESTS:
        numbers = [random.randint(-9, 9) for _ in range(random.randint(3, 8))]
        if numbers not in some:
            some.append(numbers)
    return some
