"""The four questions every reward answers, as checks that a third party's tests call.

1. Does the reference answer earn the top?
2. Do known cheats earn nothing?
3. Do scores stay in bounds on whatever text a policy may write, without a raise?
4. Is the same input the same score: again, in other company, and in another process's copy?

And beside them: is the reward a value (it compares, hashes, pickles, and its repr rebuilds it)? Each check raises an
`AssertionError` with a sentence that names the example and what was found.

```python
def test_polite_keeps_its_promises():
    check_reward(Polite(), Letters(), cheats=["", "please " * 100])
```
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from guerdon.environments import played
from guerdon.errors import GuerdonError
from guerdon.protocols import Split, Task
from guerdon.rewards import FunctionReward, Reward, walk
from guerdon.scoring import Runner
from guerdon.types import Example, Group, Score

if TYPE_CHECKING:
    from guerdon.audit import Attack

Cheat = str | Callable[[Example], str]
"""A text, or a function that makes one from the example."""
CLOSE = 1e-9


def hostile_texts() -> Iterator[str]:
    """Texts that break careless rewards: empty, huge, cut off, nested, half encoded, or shaped like markers."""
    yield from ("", " ", "\n" * 50, "\x00", "a\x00b", "\ud800", "\ufeff", "\u202egnp.exe", "🏁" * 100, "\r\r\n")
    yield from (
        "<answer>",
        "</answer><answer>",
        "<think><think>",
        "```",
        "```sql\n",
        "--",
        "/*",
        "'",
        '"',
        "\\",
        "%s {} $1",
    )
    yield from ("NaN", "inf", "-1e999", "null", "{}", "[]", '{"a":', "0", "None", "True")
    yield from (
        "DROP TABLE t; --",
        "ATTACH 'x' AS y",
        "PRAGMA a=1",
        "__import__('os')",
        "../../etc/passwd",
        "http://[::1",
    )
    yield from ("(" * 5000, "[" * 5000 + "]" * 5000, "<a>" * 5000, "a" * 1_000_000, "a " * 100_000, "\u0301" * 10_000)


def check_reward(
    reward: Reward,
    task: Task,
    *,
    cheats: Sequence[Cheat] = (),
    top: float | None = None,
    nothing: float = 0.0,
    split: Split = "train",
    count: int = 4,
    hostile: Sequence[str] = (),
    deadline_s: float = 30.0,
) -> None:
    """Put all questions to a reward.

    Args:
        reward: what is checked.
        task: gives the examples and their reference answers.
        cheats: texts that must earn at most `nothing`.
        top: what a reference answer must earn; None means the upper bound.
        nothing: the most that a cheat may earn.
        split: whose examples.
        count: how many of them, from the first on.
        hostile: texts beside `hostile_texts()`.
        deadline_s: limit of one rollout, where the reward runs in threads or processes.

    Raises:
        AssertionError: an answer is no.
    """
    check_is_a_value(reward)
    examples = task.examples(split)[:count]
    assert examples, f"{task.name} has no {split} examples to check {reward.name} with"
    with Runner(workers=1, deadline_s=deadline_s) as runner:
        _check_gold(runner, reward, task, examples, top)
        _check_cheats(runner, reward, task, examples, cheats, nothing)
        _check_hostile(runner, reward, task, examples[0], [*hostile_texts(), *hostile])
        texts = [task.reference(examples[0]) or "", "", *(_made(cheat, examples[0]) for cheat in cheats)]
        _check_repeats(runner, reward, task, examples[0], texts)


def check_task(task: Task, reward: Reward | None = None, *, count: int = 16, top: float | None = None) -> None:
    """Check that a task's splits are there, apart and fixed, that prompts show something, and references earn the top.

    Args:
        task: what is checked.
        reward: scores the references; None leaves that question out.
        count: how many examples of each split are prompted and scored.
        top: as for `check_reward`.

    Raises:
        AssertionError: something does not hold.
    """
    ids: dict[str, set[str]] = {}
    for split in ("train", "eval"):
        examples = task.examples(split)
        assert examples, f"{task.name} has no {split} examples"
        names = [example.id for example in examples]
        ids[split] = set(names)
        twice = next((name for name in names if names.count(name) > 1), None) if len(ids[split]) < len(names) else None
        assert twice is None, f"{task.name}: two {split} examples have the id {twice!r}"
        again = [example.id for example in task.examples(split)]
        assert names == again, f"{task.name} gives its {split} examples in another order when asked again"
        for example in examples[:count]:
            prompt = task.prompt(example)
            shown = bool(prompt.messages) or prompt.observation is not None
            assert shown, f"{task.name}: the prompt of example {example.id!r} has neither messages nor an observation"
            assert prompt == task.prompt(example), f"{task.name}: the prompt of {example.id!r} changes when asked again"
        if reward is not None:
            with Runner(workers=1) as runner:
                _check_gold(runner, reward, task, examples[:count], top)
    units = {split: [task.unit(example) for example in task.examples(split)] for split in ("train", "eval")}
    runs = [name for name, _ in groupby(units["train"])]
    apart = next((name for name in runs if runs.count(name) > 1), None) if len(set(runs)) < len(runs) else None
    assert apart is None, f"{task.name}: the training examples of unit {apart!r} do not stand side by side"
    both = ids["train"] & ids["eval"]
    assert not both, f"{task.name}: example {min(both)!r} is in both splits"
    parted = set(units["train"]) & set(units["eval"])
    assert not parted, f"{task.name}: unit {min(parted)!r} has examples in both splits"


def check_attack(made: type[Attack]) -> None:
    """Check that each variant of an attack compares, hashes and pickles, that reports call it by its name, and that it
    writes texts, or nothing, the same ones twice, also where nothing is known of its target.

    Args:
        made: the class, as it is registered.

    Raises:
        AssertionError: something does not hold.
    """
    from guerdon.audit.attack import LEVELS, Target

    variants = list(made.variants())
    assert variants, f"{made.name} has no variants: there is nothing to audit with"
    assert len(set(map(repr, variants))) == len(variants), f"two variants of {made.name} are the same"
    assert made.source, f"{made.name} does not say where it comes from"
    for variant in variants:
        assert made.name in variant.label, (
            f"reports would call {variant!r} {variant.label!r}, which no --attack knows: no field may be named 'label'"
        )
        assert variant.knows in LEVELS, f"{variant!r} knows {variant.knows!r}; accepted are {', '.join(LEVELS)}"
        try:
            hash(variant)
            copied = pickle.loads(pickle.dumps(variant))
        except Exception as error:
            raise AssertionError(
                f"{variant!r} does not hash or pickle ({error}): make it a frozen dataclass"
            ) from error
        assert copied == variant, f"{variant!r} is not equal to its own pickled copy"
        try:
            written = [one.attempt(Target()) for one in (variant, copied)]
        except Exception as error:
            raise AssertionError(f"{variant!r} raises on a target of which nothing is known: {error}") from error
        are_texts = isinstance(written[0], tuple) and all(isinstance(text, str) for text in written[0])
        assert are_texts, f"{variant!r} wrote {written[0]!r}, not a tuple of texts"
        assert written[0] == written[1], f"{variant!r} writes another text when asked again: draw by Target.seed"


def check_is_a_value(reward: Reward) -> None:
    """Check that a reward compares, hashes, pickles, and that its repr rebuilds it.

    Raises:
        AssertionError: one of them fails.
    """
    try:
        hash(reward)
    except TypeError as error:
        raise AssertionError(
            f"{reward.name} cannot be hashed ({error}): make it a frozen dataclass of values"
        ) from error
    try:
        copied = pickle.loads(pickle.dumps(reward))
    except Exception as error:  # pickle raises whatever it likes
        raise AssertionError(f"{reward.name} does not pickle ({error}), so it can't go to a worker process") from error
    assert copied == reward, f"{reward.name} is not equal to its own pickled copy"
    assert "<locals>" not in repr(reward), f"{reward!r} stands within a function; define it in a module"
    try:
        rebuilt = eval(repr(reward), _names(reward))
    except Exception as error:  # a repr may be any text
        raise AssertionError(f"the repr of {reward.name} does not rebuild it ({error}): {reward!r}") from error
    assert rebuilt == reward, f"the repr of {reward.name} rebuilds another reward: {reward!r} became {rebuilt!r}"


def _names(reward: Reward) -> dict[str, object]:
    """What the reprs of a tree's nodes may refer to."""
    names: dict[str, object] = {}
    for values in ("guerdon.transforms", "guerdon.rewards.shapes"):
        names.update(vars(importlib.import_module(values)))
    for node in walk(reward):
        for home in [node.function.__module__] if isinstance(node, FunctionReward) else _homes(node):
            names.update(vars(importlib.import_module(home)))
            root = home.partition(".")[0]
            names[root] = importlib.import_module(root)
    return names


def _homes(value: object) -> Iterator[str]:
    """The modules of a dataclass and of what its fields hold: a scorer, a judge's backend, a tuple of settings."""
    if dataclasses.is_dataclass(value):
        yield type(value).__module__
        for field in dataclasses.fields(value):
            yield from _homes(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _homes(one)


def _score(runner: Runner, reward: Reward, task: Task, example: Example, texts: Sequence[str]) -> list[Score]:
    # some rewards read the whole conversation, and some what an environment answered
    group = Group.of([played(task, example, text, index=index) for index, text in enumerate(texts)])
    try:
        return runner.score(reward, [group])[0]
    except GuerdonError as error:
        raise AssertionError(str(error)) from error


def _check_gold(runner: Runner, reward: Reward, task: Task, examples: Sequence[Example], top: float | None) -> None:
    wanted = reward.bounds[1] if top is None else top
    assert math.isfinite(wanted), f"{reward.name} states no upper bound; give it one, or say what gold earns with top="
    for example in examples:
        reference = task.reference(example)
        assert reference is not None, f"{task.name} knows no reference answer of example {example.id!r}"
        score = _score(runner, reward, task, example, [reference])[0]
        earned = f"{reward.name} gives the reference answer of example {example.id!r} {score}, not {wanted:g}"
        assert score.scored, earned
        assert abs(score.value - wanted) <= CLOSE, earned


def _check_cheats(
    runner: Runner, reward: Reward, task: Task, examples: Sequence[Example], cheats: Sequence[Cheat], nothing: float
) -> None:
    for example in examples:
        for cheat in cheats:
            text = _made(cheat, example)
            score = _score(runner, reward, task, example, [text])[0]
            earned = f"{reward.name} gives the cheat {text[:80]!r} on example {example.id!r} {score}"
            assert score.scored, f"{earned}; what a policy writes is never our fault"
            assert score.value <= nothing + CLOSE, f"{earned}, more than {nothing:g}"


def _check_hostile(runner: Runner, reward: Reward, task: Task, example: Example, texts: Sequence[str]) -> None:
    for text in texts:
        score = _score(runner, reward, task, example, [text])[0]
        assert score.status not in ("invalid", "infra"), (
            f"{reward.name} leaves {text[:40]!r} ({len(text)} characters) unscored as {score.status}: {score.why}"
        )


def _check_repeats(runner: Runner, reward: Reward, task: Task, example: Example, texts: Sequence[str]) -> None:
    first = _score(runner, reward, task, example, texts)
    copied = pickle.loads(pickle.dumps(reward))
    for what, again in (
        ("when asked again", _score(runner, reward, task, example, texts)),
        ("from its pickled copy", _score(runner, copied, task, example, texts)),
    ):
        for text, one, other in zip(texts, first, again, strict=True):
            assert _same(one, other), f"{reward.name} gives {text[:80]!r} {one}, and {what} {other}"
    if reward.sees == "rollout":
        for text, one in zip(texts, first, strict=True):
            alone = _score(runner, reward, task, example, [text])[0]
            assert _same(one, alone), (
                f"{reward.name} gives {text[:80]!r} {one}, and {alone} on its own: what does it see?"
            )


def _same(one: Score, other: Score) -> bool:
    if one.status != other.status or repr(dict(one.dense)) != repr(dict(other.dense)):  # NaN is not equal to itself
        return False
    return one.value == other.value or not one.scored


def _made(cheat: Cheat, example: Example) -> str:
    return cheat if isinstance(cheat, str) else cheat(example)
