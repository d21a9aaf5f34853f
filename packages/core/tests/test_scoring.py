"""The runner in the caller and in threads; worker processes are in test_scoring_processes.py."""

import threading
import time
from dataclasses import dataclass, replace

import pytest

from guerdon.errors import BoundsError, ConfigError, RewardError
from guerdon.protocols import Turn
from guerdon.rewards import Context, Reward, reward
from guerdon.scoring import Runner
from guerdon.scoring.threads import Late, in_threads
from guerdon.transforms import center
from guerdon.types import Example, Group, Rollout, Score


def groups(*texts: list[str]) -> list[Group]:
    return [
        Group.of([Rollout.of(Example(id=f"e{i}"), text, index=j) for j, text in enumerate(row)])
        for i, row in enumerate(texts)
    ]


def values(rows):
    return [[score.value for score in row] for row in rows]


@reward(bounds=(0.0, 9.0))
def length(rollout):
    return float(len(rollout.completion))


@reward(bounds=(0.0, 1.0))
def picky(rollout):
    if rollout.completion == "bad":
        raise KeyError("no such thing")
    return 1.0


@dataclass(frozen=True)
class Slow(Reward, bounds=(0.0, 1.0), runs_in="threads"):
    """Waits as many seconds as the text says."""

    def score(self, rollout):
        time.sleep(float(rollout.completion))
        return Score(1.0, why=threading.current_thread().name)


@dataclass(frozen=True)
class SlowRank(Reward, bounds=(0.0, 1.0), runs_in="threads"):
    def score_group(self, group):
        longest = max(len(rollout.completion) for rollout in group.rollouts)
        return [Score(len(rollout.completion) / longest) for rollout in group.rollouts]


@dataclass(frozen=True)
class Step(Reward, name="step"):
    def score_batch(self, groups, context):
        return [[Score(context.step / context.total_steps + context.seed)] * len(group) for group in groups]


def test_scores_come_back_in_the_groups_order():
    assert values(Runner().score(length, groups(["a", "bbb"], ["cc"]))) == [[1.0, 3.0], [2.0]]


def test_a_composite_asks_the_runner_for_its_parts():
    found = Runner().score(0.5 * length + 2.0 * picky, groups(["a", "bb"]))
    assert values(found) == [[2.5, 3.0]]
    assert found[0][1].parts["length"].value == 2.0


def test_a_batch_reward_reads_the_context():
    assert values(Runner().score(Step(), groups(["a"]), Context(step=1, total_steps=4, seed=2))) == [[2.25]]


def test_nothing_to_score_is_no_scores():
    assert Runner().score(length, []) == []


def test_threads_wait_side_by_side_and_keep_the_order():
    started = time.monotonic()
    found = Runner().score(Slow(), groups(["1"] * 8, ["0"]))
    assert time.monotonic() - started < 8.0  # one after another
    assert values(found) == [[1.0] * 8, [1.0]]
    assert {score.why for row in found for score in row} == {"guerdon-scoring"}


def test_a_group_stays_whole_in_threads():
    assert values(Runner().score(SlowRank(), groups(["aa", "a"], ["a", "aaaa"]))) == [[1.0, 0.5], [0.25, 1.0]]


def test_a_thread_that_misses_its_deadline_is_our_fault_and_holds_nobody_up():
    runner = Runner(deadline_s=0.2)
    started = time.monotonic()
    found = runner.score(Slow(), groups(["0", "3"], ["0"]))
    assert time.monotonic() - started < 3.0
    assert [[score.status for score in row] for row in found] == [["ok", "infra"], ["ok"]]
    assert "0.2 s" in found[0][1].why
    assert runner.stats["timeouts"] == 1


def test_more_pieces_than_threads_survive_late_ones():
    def work(wait_s):
        time.sleep(wait_s)
        return wait_s

    found = in_threads(work, [0.0, 5.0, 0.0, 5.0, 0.0, 0.0], threads=2, deadline_s=0.15)
    assert [0.0 if piece == 0.0 else type(piece) for piece in found] == [0.0, Late, 0.0, Late, 0.0, 0.0]


def test_a_bug_in_a_reward_stops_the_run_and_names_the_sample():
    with pytest.raises(RewardError, match=r"picky raised KeyError: 'no such thing' on rollout 1 of example 'e1'"):
        Runner().score(length + picky, groups(["a"], ["ok", "bad"]))


@pytest.mark.parametrize("broken", [picky, picky.named("other"), 0.5 * length + picky])
def test_a_long_run_may_choose_to_leave_the_sample_unscored(broken):
    runner = Runner(on_error="unscored")
    found = runner.score(broken, groups(["a", "bad"], ["c"]))
    assert [[score.status for score in row] for row in found] == [["ok", "infra"], ["ok"]]
    assert "no such thing" in found[0][1].why
    assert runner.stats["errors"] == 1


def test_threads_report_bugs_the_same_way():
    with pytest.raises(RewardError, match="slow raised ValueError"):
        Runner().score(Slow(), groups(["not a number"]))
    runner = Runner(on_error="unscored")
    assert runner.score(Slow(), groups(["not a number", "0"]))[0][0].status == "infra"
    assert runner.stats["errors"] == 1


def test_a_lie_about_bounds_is_a_bug_too():
    with pytest.raises(BoundsError, match=r"length gave 10\.0 to rollout 0 of example 'e0'"):
        Runner().score(length, groups(["0123456789"]))
    runner = Runner(on_error="unscored")
    assert [score.status for score in runner.score(length, groups(["0123456789", "0"]))[0]] == ["infra", "ok"]


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"deadline_s": 0.0}, {"on_error": "ignore"}])
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(ConfigError, match=f"Runner.{next(iter(wrong))}"):
        Runner(**wrong)


def broken_off(group, place):
    rollouts = [replace(one, stop="error") if k == place else one for k, one in enumerate(group.rollouts)]
    return replace(group, rollouts=tuple(rollouts))


@pytest.mark.parametrize("score", [lambda *asked: Context().scores(*asked), lambda *asked: Runner().score(*asked)])
def test_an_attempt_that_our_machinery_broke_off_is_unscored_and_changes_no_other(score):
    """The longest of the three that are left is "ccc"; the broken one would have been 4 long. A group of broken ones
    alone is not shown at all.
    """
    first, second = groups(["a", "bbbb", "ccc", "dd"], ["e"])
    rows = score(SlowRank() + length, [broken_off(first, 1), broken_off(second, 0)])
    assert values(rows)[0][0] == pytest.approx(1 / 3 + 1)
    assert values(rows)[0][2:] == pytest.approx([4.0, 2 / 3 + 2])
    assert [one.status for row in rows for one in row] == ["ok", "infra", "ok", "ok", "infra"]


def test_a_reward_that_learns_learns_from_a_batch_with_a_broken_attempt():
    """What it is told of is the batch as it came; what it scored was one attempt shorter."""
    (group,) = groups(["a", "bbbb", "ccc"])
    batch, shaped = [broken_off(group, 1)], length.then(center(decay=0.5))
    context = Context()
    shaped.update(batch, context.scores(shaped, batch), context)
    assert shaped.version == 1


def test_a_step_that_says_it_failed_is_an_error_whatever_else_it_says():
    assert Turn("x", terminated=True, info={"failed": True}).stop == "error"
    assert [Turn("").stop, Turn("", terminated=True).stop, Turn("", truncated=True).stop] == [
        None,
        "environment",
        "length",
    ]
