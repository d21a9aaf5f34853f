"""Worker processes: hangs, crashes, lost workers, and that no score is ever lost or doubled."""

import os
import signal
import subprocess
import sys
import time

import pytest

from guerdon.errors import ConfigError, RewardError, SandboxError
from guerdon.rewards import Context, reward
from guerdon.scoring import Runner
from guerdon.types import Example, Group, Rollout

MODULE = """
import os, re, sys, time
from dataclasses import dataclass
from guerdon.rewards import Reward, reward
from guerdon.types import Example, Score

class Sum(Example):
    a: int

def obey(text, directory=""):
    if text == "hang":
        time.sleep(60)
    if text.startswith("say pid "):
        with open(text.removeprefix("say pid "), "w") as file:
            file.write(str(os.getpid()))
        text = "regex"
    if text == "regex":  # holds the interpreter's lock until it is killed
        re.match(r"(a+)+$", "a" * 60 + "b")
    if text == "die":
        os._exit(3)
    if text.startswith("die once "):
        path = text.removeprefix("die once ")
        if not os.path.exists(path):
            open(path, "w").close()
            os._exit(3)
    if text == "raise":
        raise KeyError("boom")
    if text == "exit":
        sys.exit(1)
    if text == "print":
        print("noise on standard output")

@dataclass(frozen=True)
class Obedient(Reward, name="t/obedient-v1", bounds=(0.0, 999.0), runs_in="processes"):
    def score(self, rollout):
        obey(rollout.completion)
        return Score(float(len(rollout.completion)), why=str(os.getpid()))

@dataclass(frozen=True)
class Negative(Reward, bounds=(-2.0, -1.0), runs_in="processes"):
    def score(self, rollout):
        obey(rollout.completion)
        return Score(-1.5)

@dataclass(frozen=True)
class Rank(Reward, bounds=(0.0, 1.0), runs_in="processes"):
    def score_group(self, group):
        for rollout in group.rollouts:
            obey(rollout.completion)
        longest = max(len(rollout.completion) for rollout in group.rollouts)
        return [Score(len(rollout.completion) / longest) for rollout in group.rollouts]

@dataclass(frozen=True)
class Whole(Reward, bounds=(0.0, 1e6), runs_in="processes"):
    def score_batch(self, groups, context):
        return [[Score(float(sum(map(len, groups)) + context.step))] * len(group) for group in groups]

@reward(bounds=(0.0, 1.0), runs_in="processes")
def short(rollout):
    return float(len(rollout.completion) < 3)

@reward(bounds=(0.0, 1.0), runs_in="processes")
def adds(rollout):
    return float(rollout.answer == str(rollout.example_as(Sum).a))

class Unloadable(Reward, bounds=(0.0, 1.0), runs_in="processes"):
    def __reduce__(self):
        return int, ("not a number",)
"""


@pytest.fixture(scope="module")
def t(tmp_path_factory):
    """A module that the workers can import, as a third party's would be."""
    folder = tmp_path_factory.mktemp("third_party")
    (folder / "obedient_rewards.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    import obedient_rewards

    yield obedient_rewards
    sys.path.remove(str(folder))
    del sys.modules["obedient_rewards"]


@pytest.fixture(scope="module")
def runner():
    with Runner(workers=2, deadline_s=1.0) as runner:
        yield runner


def groups(*texts: list[str]) -> list[Group]:
    return [
        Group.of([Rollout.of(Example(id=f"e{i}"), text, index=j) for j, text in enumerate(row)])
        for i, row in enumerate(texts)
    ]


def statuses(rows):
    return [[score.status for score in row] for row in rows]


def values(rows):
    return [[score.value for score in row] for row in rows]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_scores_come_from_other_processes_in_order_and_workers_are_reused(t, runner):
    texts = [["x" * (3 * i + j) for j in range(3)] for i in range(20)]
    found = runner.score(t.Obedient(), groups(*texts))
    assert values(found) == [[float(len(text)) for text in row] for row in texts]
    pids = {int(score.why) for row in found for score in row}
    assert os.getpid() not in pids
    again = runner.score(t.Obedient(), groups(*texts))
    pids |= {int(score.why) for row in again for score in row}
    assert len(pids) <= 2  # a busy machine may leave all of the first call to one of the two


def test_attempts_at_one_prompt_go_to_one_worker(t, runner):
    found = runner.score(t.Obedient(), groups(*[["a", "b", "c"]] * 12))
    assert all(len({score.why for score in row}) == 1 for row in found)


@pytest.mark.parametrize("hang", ["hang", "regex"])
def test_a_rollout_that_hangs_the_reward_is_its_own_fault_alone(t, runner, hang):
    before = runner.stats["timeouts"]
    found = runner.score(t.Obedient(), groups(["a", hang, "bb"], ["ccc"]))
    assert statuses(found) == [["ok", "timeout", "ok"], ["ok"]]
    assert values(found) == [[1.0, 0.0, 2.0], [3.0]]
    assert "no answer within 1 s" in found[0][1].why
    assert runner.stats["timeouts"] == before + 1


def test_a_timeout_is_the_worst_the_reward_gives(t, runner):
    """Bounds (-2, -1): 0 would be the best, and -1 the nearest to it."""
    assert values(runner.score(t.Negative(), groups(["hang", "a"]))) == [[-2.0, -1.5]]


def test_a_worker_that_dies_once_is_replaced_and_nothing_is_lost(t, tmp_path):
    text = f"die once {tmp_path / 'flag'}"
    with Runner(workers=1, deadline_s=5.0) as own:
        found = own.score(t.Obedient(), groups(["a", text, "bb"], ["ccc"]))
        assert values(found) == [[1.0, float(len(text)), 2.0], [3.0]]
        assert own.stats["worker_deaths"] == own.stats["retries"] == 1


def test_a_rollout_that_keeps_killing_its_worker_is_unscored(t, runner):
    found = runner.score(t.Obedient(), groups(["die", "a"], ["bb", "die"]))
    assert statuses(found) == [["infra", "ok"], ["ok", "infra"]]
    assert "exit status 3" in found[0][0].why


def test_a_killed_idle_worker_is_replaced_unnoticed(t, runner):
    pids = {int(score.why) for row in runner.score(t.Obedient(), groups(["a"], ["b"], ["c"])) for score in row}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert values(runner.score(t.Obedient(), groups(["a"], ["bb"]))) == [[1.0], [2.0]]


def test_group_and_batch_rewards_see_all_they_should(t, runner):
    assert values(runner.score(t.Rank(), groups(["aa", "a"], ["a", "aaaa"]))) == [[1.0, 0.5], [0.25, 1.0]]
    assert values(runner.score(t.Whole(), groups(["a", "b"], ["c"]), Context(step=10))) == [[13.0, 13.0], [13.0]]


def test_a_group_that_hangs_is_timed_out_together(t, runner):
    assert statuses(runner.score(t.Rank(), groups(["hang"], ["a", "b"]))) == [["timeout"], ["ok", "ok"]]


def test_a_tree_whose_leaves_run_in_processes_travels_whole(t, runner):
    tree = (0.5 * t.Obedient() + t.short).gated_by(t.short)
    found = runner.score(tree, groups(["a", "bbbb"]))
    assert values(found) == [[1.5, 0.0]]
    assert found[0][0].parts["obedient"].why != str(os.getpid())


def test_a_mixed_tree_scores_each_leaf_where_it_runs(t, runner):
    local = reward(lambda rollout: float(os.getpid()), name="local")
    found = runner.score(t.Obedient() + local, groups(["a"]))[0][0]
    assert found.parts["local"].value == os.getpid()
    assert found.parts["obedient"].why != str(os.getpid())


@pytest.mark.parametrize(("text", "named"), [("raise", "KeyError: 'boom'"), ("exit", "SystemExit: 1")])
def test_a_bug_stops_the_run_and_the_runner_can_go_on(t, runner, text, named):
    with pytest.raises(RewardError, match=named):
        runner.score(t.Obedient(), groups(["a", text]))
    assert values(runner.score(t.Obedient(), groups(["a", "print"]))) == [[1.0, 5.0]]


def test_a_reward_beside_the_wrong_task_stops_the_run_even_where_bugs_are_counted(t):
    said = "the reward adds scores Sum, and the task gives Example 'e0'"
    with Runner(workers=1, on_error="unscored") as counting, pytest.raises(ConfigError, match=said):
        counting.score(t.adds, groups(["1"]))


def test_a_bug_may_be_counted_instead(t):
    with Runner(workers=1, on_error="unscored") as own:
        assert statuses(own.score(t.Obedient(), groups(["raise", "a"]))) == [["infra", "ok"]]
        assert own.stats["errors"] == 1


def test_a_reward_that_cannot_be_unpickled_says_what_to_do(t, runner):
    with pytest.raises(SandboxError, match="importable module"):
        runner.score(t.Unloadable(), groups(["a"]))


def test_closing_leaves_no_process_and_neither_does_an_interrupt(t, monkeypatch):
    own = Runner(workers=2, deadline_s=30.0)
    pids = {int(score.why) for row in own.score(t.Obedient(), groups(["a"], ["b"])) for score in row}
    started = time.monotonic()
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    with pytest.raises(KeyboardInterrupt):
        own.score(t.Obedient(), groups(["hang"]))
    signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - started < 5.0
    assert not any(alive(pid) for pid in pids)
    last = int(own.score(t.Obedient(), groups(["a"]))[0][0].why)
    own.close()
    assert not alive(last)


ORPHANS = """
import sys
import obedient_rewards as t
from guerdon import Example, Group, Rollout
from guerdon.scoring import Runner

group = Group.of([Rollout.of(Example(id="1"), "say pid " + sys.argv[1])])
Runner(workers=1, deadline_s=1.0).score(t.Obedient(), [group])
"""


@pytest.mark.slow
def test_a_worker_whose_parent_was_killed_ends_itself_even_while_it_holds_the_interpreters_lock(t, tmp_path):
    """One second of deadline and five of margin after the kill."""
    pid_file = tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS, str(pid_file)], env=environment)
    while not pid_file.exists() or not pid_file.read_text():
        assert parent.poll() is None, "the parent ended before its worker began"
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    pid, until = int(pid_file.read_text()), time.monotonic() + 15.0
    while running(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(pid)


def running(pid: int) -> bool:
    """Alive and no zombie that nobody has reaped yet (in a container, init may not)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return sys.platform != "linux" and alive(pid)
