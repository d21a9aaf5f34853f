"""Rewards on a local Ray cluster: the same scores, whatever happens to the workers. Needs `guerdon[ray]`."""

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from guerdon import Example, Group, Reward, Rollout, Score, reward
from guerdon.adapters.ray import RayReward
from guerdon.errors import ConfigError, RewardError, SandboxError
from guerdon.grading import Grader
from guerdon.rewards import Context
from guerdon.scoring import Runner
from guerdon.scoring.runner import travels

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'guerdon[ray]'")

MODULE = '''
import os, time
from dataclasses import dataclass
from guerdon.rewards import Reward, reward
from guerdon.types import Score


def obey(text):
    """1.0 for texts with a "y"; some bring their worker down, always or once."""
    if text.startswith("say pid "):
        with open(text.removeprefix("say pid ") + f"/{os.getpid()}", "w"):
            pass
        time.sleep(0.3)
    if text == "die":
        os._exit(3)
    if text.startswith("die once "):
        path = text.removeprefix("die once ")
        if not os.path.exists(path):
            open(path, "w").close()
            os._exit(3)
    if text == "sleep":
        time.sleep(3600)
    if text == "raise":
        raise KeyError("boom")
    return float("y" in text)


@reward(bounds=(0.0, 1.0))
def obeys(rollout):
    return obey(rollout.answer)


@reward(bounds=(0.0, 1.0), runs_in="processes")
def obeys_apart(rollout):
    return obey(rollout.answer)


@reward(bounds=(0.0, 1.0))
def short(rollout):
    return float(len(rollout.answer) < 3)


@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    def score_group(self, group):
        least = min(len(rollout.answer) for rollout in group.rollouts)
        return [Score(float(len(rollout.answer) == least)) for rollout in group.rollouts]


@dataclass(frozen=True)
class Ranked(Reward, bounds=(0.0, 1e9)):
    """The rollout's place in the whole batch."""

    def score_batch(self, groups, context):
        places = iter(range(10**9))
        return [[Score(float(next(places) + context.step)) for _ in group.rollouts] for group in groups]
'''


@pytest.fixture(scope="module")
def obeying(tmp_path_factory):
    """The module above, importable here and, through the path that Ray's workers inherit, there."""
    folder = tmp_path_factory.mktemp("obeying")
    (folder / "obeying_rewards.py").write_text(MODULE)
    before = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), before])))
        import obeying_rewards

        yield obeying_rewards


@pytest.fixture(scope="module")
def cluster(obeying):
    """Two CPUs on the loopback address; ended with the module, whatever happens."""
    from guerdon.adapters.ray.cluster import connected

    ray = connected(2)
    yield ray
    ray.shutdown()


def groups(*texts, size=1):
    """Groups of `size` attempts each."""
    rows = [texts[at : at + size] for at in range(0, len(texts), size)]
    return [Group.of([Rollout.of(Example(id=f"e{n}"), text) for text in row]) for n, row in enumerate(rows)]


def values(scores):
    return [score.value for row in scores for score in row]


@dataclass(frozen=True, eq=False)
class Learning(Reward, name="learning"):
    stateful = True

    def score(self, rollout):
        return Score(0.0)


@reward
def plain(rollout):
    return 0.0


# -- without a cluster ------------------------------------------------------------------------------------------------


def test_a_reward_that_learns_is_refused_by_name_wherever_it_stands():
    with pytest.raises(ConfigError, match=r"the reward learns \(learning\), and .*RayReward the parts that keep none"):
        RayReward(plain + Learning().named("other"))


@pytest.mark.parametrize("option", [{"workers": 0}, {"rollouts_per_task": 0}, {"retries": -1}, {"deadline_s": 0.0}])
def test_an_option_that_cannot_be_is_named(option):
    with pytest.raises(ConfigError, match=f"RayReward.{next(iter(option))} is "):
        RayReward(plain, **option)


def test_it_says_of_itself_what_the_reward_says_and_is_a_value():
    @dataclass(frozen=True)
    class Grouped(Reward, name="x/group-v1", bounds=(-1.0, 2.0)):
        def score_group(self, group):
            return []

    spread = RayReward(Grouped(), workers=3)
    assert (spread.name, spread.label, spread.bounds, spread.sees) == ("x/group-v1", "group", (-1.0, 2.0), "group")
    assert RayReward(plain, workers=3) == RayReward(plain, workers=3) != RayReward(plain, workers=2)
    assert repr(RayReward(plain)).endswith("plain, workers=2, deadline_s=30.0, retries=2, rollouts_per_task=32)")


def test_it_is_never_sent_to_a_worker_process_of_the_runner():
    @reward(runs_in="processes")
    def apart(rollout):
        return 0.0

    assert travels(2.0 * apart)
    assert not travels(RayReward(apart))
    assert not travels(2.0 * RayReward(apart))


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_it_says_what_to_install():
    with pytest.raises(ConfigError, match=r"pip install 'guerdon\[ray\]'"):
        RayReward(plain).score_batch(groups("a"), Context())


# -- on a cluster ------------------------------------------------------------------------------------------------------


@needs_ray
@pytest.mark.slow
def test_its_own_cluster_listens_on_the_loopback_address_alone(cluster):
    assert {node["NodeManagerAddress"] for node in cluster.nodes()} == {"127.0.0.1"}


@needs_ray
@pytest.mark.slow
def test_scores_parts_and_names_are_those_of_the_reward_itself(cluster, obeying):
    """Of eight texts in groups of four: half have a "y", those under 3 letters are short, and two are shortest."""
    tree = 0.5 * obeying.obeys + 2.0 * obeying.short + 1.0 * obeying.Shortest()
    batch = groups("y", "nnn", "yyyy", "nn", "nnnn", "yyy", "nnnnn", "yy", size=4)
    with Runner(workers=1) as runner, RayReward(tree, workers=2) as spread:
        alone, there = runner.score(tree, batch), runner.score(spread, batch)
        assert values(there) == [0.5 + 2 + 1, 0.0, 0.5, 2.0, 0.0, 0.5, 0.0, 0.5 + 2 + 1] == values(alone)
        assert [score.flat() for row in there for score in row] == [score.flat() for row in alone for score in row]
        assert Grader(spread).part_names == ("obeys", "short", "shortest")


@needs_ray
@pytest.mark.slow
def test_as_a_part_of_a_sum_it_keeps_its_name(cluster, obeying):
    with Runner(workers=1) as runner, RayReward(obeying.obeys, workers=1) as spread:
        [[score]] = runner.score(0.5 * spread + obeying.short, groups("yes"))
    assert (score.value, score.flat()) == (0.5, {"obeys": 1.0, "short": 0.0})


@needs_ray
@pytest.mark.slow
def test_a_reward_of_the_whole_batch_sees_the_whole_batch_and_the_step(cluster, obeying):
    with RayReward(obeying.Ranked(), workers=2) as spread:
        assert values(Context(step=10).scores(spread, groups(*"abcdef", size=2))) == [10, 11, 12, 13, 14, 15]


@needs_ray
@pytest.mark.slow
def test_a_worker_killed_in_mid_batch_changes_no_score(cluster, obeying, tmp_path):
    """Every text says which process scored it, and takes 0.3 s; one such process is killed while they are at it."""
    texts = [f"say pid {tmp_path}"] * 12
    killed = []

    def kill():
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for path in tmp_path.iterdir():
                os.kill(int(path.name), signal.SIGKILL)
                killed.append(int(path.name))
                return
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    with RayReward(obeying.obeys, workers=2) as spread:
        scores = values(Context().scores(spread, groups(*texts)))
        thread.join()
        assert scores == [1.0] * 12
        assert spread.stats["worker_deaths"] == 1
        assert spread.stats["lost"] == 0
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:
            Context().scores(spread, groups(*texts))  # on a busy machine the first batch may be done before it is there
    assert len(killed) == 1
    assert len(list(tmp_path.iterdir())) == 3, "two workers, and the one that took the place of the dead"


@needs_ray
@pytest.mark.slow
def test_a_rollout_that_no_worker_survives_is_unscored_and_the_others_are_not(cluster, obeying):
    with RayReward(obeying.obeys, workers=2, retries=1) as spread:
        [[first], [bad], [last]] = Context().scores(spread, groups("y", "die", "n"))
    assert (first.value, last.value) == (1.0, 0.0)
    assert (bad.status, bad.scored) == ("infra", False)
    assert "lost the worker 2 times" in bad.why


@needs_ray
@pytest.mark.slow
def test_what_kills_a_worker_once_is_scored_by_the_next(cluster, obeying, tmp_path):
    with RayReward(obeying.obeys, workers=1) as spread:
        assert values(Context().scores(spread, groups(f"die once {tmp_path / 'y'}"))) == [1.0]
        assert spread.stats["retries"] == 1


@needs_ray
@pytest.mark.slow
def test_a_worker_that_stays_silent_is_given_up_and_never_a_zero(cluster, obeying, monkeypatch):
    from guerdon.adapters.ray import pool as ray_pool

    monkeypatch.setattr(ray_pool, "MARGIN_S", 0.5)
    with RayReward(obeying.obeys, workers=2, deadline_s=0.5, retries=0) as spread:
        [[stuck], [fine]] = Context().scores(spread, groups("sleep", "y"))
        assert spread.stats["late"] == 1
    assert (stuck.status, fine.value) == ("infra", 1.0)
    assert "it was silent for 1 s" in stuck.why


@needs_ray
@pytest.mark.slow
def test_a_hang_in_a_reward_that_runs_in_processes_is_the_rollouts_time_out(cluster, obeying):
    """As with the runner: the text made it hang, so it is a number."""
    with RayReward(obeying.obeys_apart, workers=1, deadline_s=1.0) as spread:
        [[late], [fine]] = Context().scores(spread, groups("sleep", "y"))
    assert (late.status, late.value, fine.value) == ("timeout", 0.0, 1.0)


@needs_ray
@pytest.mark.slow
def test_a_bug_in_the_reward_stops_the_run_and_names_the_sample(cluster, obeying):
    with RayReward(obeying.obeys, workers=2) as spread:
        with pytest.raises(RewardError, match=r"obeys raised KeyError: 'boom' on rollout 0 of example 'e1'"):
            Context().scores(spread, groups("y", "raise", "n"))
        assert values(Context().scores(spread, groups("y"))) == [1.0], "and fresh workers serve the next batch"


@needs_ray
@pytest.mark.slow
def test_sent_to_another_process_it_makes_a_pool_of_its_own(cluster, obeying):
    with RayReward(obeying.short, workers=1) as spread:
        assert values(Context().scores(spread, groups("y"))) == [1.0]
        with pickle.loads(pickle.dumps(spread)) as copy:
            assert copy == spread
            assert copy.stats == {}


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(find_spec("guerdon_code") is None, reason="the page's example is guerdon-code's")
def test_the_documented_script_prints_what_it_says(tmp_path):
    """As written, in a process of its own, on the cluster that it starts and that ends with it."""
    page = (Path(__file__).parents[3] / "docs" / "adapters" / "ray.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^```py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"print\(.*\)  # (.+)", script)


@needs_ray
@pytest.mark.slow
def test_more_workers_than_the_cluster_has_room_for_are_not_waited_for(cluster, obeying):
    with RayReward(obeying.short, workers=64) as spread:
        assert values(Context().scores(spread, groups(*["y", "nnn"] * 64))) == [1.0, 0.0] * 64


@needs_ray
@pytest.mark.slow
def test_a_cluster_without_room_is_named(cluster, obeying, monkeypatch):
    from guerdon.adapters.ray import pool as ray_pool

    @cluster.remote(num_cpus=int(cluster.cluster_resources()["CPU"]))
    class Hog:
        def here(self):
            return True

    hog = Hog.remote()
    cluster.get(hog.here.remote())
    monkeypatch.setattr(ray_pool, "START_S", 0.2)
    try:
        with pytest.raises(SandboxError, match=r"no worker of RayReward could be started.* each needs 1 CPU, and 0 of"):
            Context().scores(RayReward(obeying.short, workers=1, retries=0), groups("y"))
    finally:
        cluster.kill(hog)
