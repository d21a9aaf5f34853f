"""The runner in the caller and in threads; worker processes are in test_scoring_processes.py."""

import threading
import time
from dataclasses import dataclass

import pytest

from guerdon.errors import BoundsError, ConfigError, RewardError
from guerdon.rewards import Context, Reward, reward
from guerdon.scoring import Runner
from guerdon.scoring.threads import Late, in_threads
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
