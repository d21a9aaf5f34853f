"""Rewards that learn, on a server: what a training batch taught is kept, once, and an evaluation teaches nothing."""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")

from guerdon import Reward, Score, reward
from guerdon.errors import ConfigError, RunError
from guerdon.grading import Grader
from guerdon.rewards import Context
from guerdon.serve.answering import answer
from guerdon.serve.client import Client
from guerdon.serve.learning import Learnt
from guerdon.serve.service import Service
from guerdon.serve.settings import Settings

_spec = importlib.util.spec_from_file_location("served", Path(__file__).with_name("served.py"))
served = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(served)


@dataclass(frozen=True, eq=False)
class Counting(Reward):
    """How many rollouts it has learnt from."""

    stateful = True
    seen: list = field(default_factory=lambda: [0])

    def score(self, rollout):
        return Score(float(self.seen[0]))

    def update(self, groups, scores, context):
        self.seen[0] += sum(map(len, groups))

    def state_dict(self):
        return {"seen": self.seen[0]}

    def load_state_dict(self, state):
        self.seen[0] = state["seen"]


@dataclass(frozen=True, eq=False)
class CountingInATensor(Counting, name="counting"):
    """The same, kept as a tensor."""

    def state_dict(self):
        torch = pytest.importorskip("torch", reason="a tensor needs torch")
        return {"seen": torch.tensor(self.seen[0])}


@reward(bounds=(0.0, 1.0))
def plain(rollout):
    return 1.0


def asked(graders, learnt, texts, kind="score", **fields):
    rows = [{"example": {"id": "1"}, "completion": text} for text in texts]
    body = json.dumps({"rows": rows, **fields}).encode()
    last = list(answer(graders, kind, body, Settings(), learnt))[-1]
    return last.code, json.loads(last.body)


def values(answered):
    code, body = answered
    assert code == 200, body
    return [score["value"] for score in body["scores"]]


def test_a_training_batch_teaches_the_next_and_an_evaluation_teaches_nothing(tmp_path):
    graders = {"counting": Grader(Counting())}
    learnt = Learnt(tmp_path, graders)
    assert values(asked(graders, learnt, "ab", learn=True)) == [0.0, 0.0]
    assert values(asked(graders, learnt, "abc")) == [2.0, 2.0, 2.0]
    assert values(asked(graders, learnt, "d", learn=True)) == [2.0]
    assert values(asked(graders, learnt, "e")) == [3.0]


@pytest.mark.parametrize("kind", [Counting, CountingInATensor])
def test_the_next_process_takes_up_what_was_learnt(tmp_path, kind):
    before, after = {"counting": Grader(kind())}, {"counting": Grader(kind())}
    asked(before, Learnt(tmp_path, before), "ab", learn=True)
    assert values(asked(after, Learnt(tmp_path, after), "c")) == [2.0]


def test_a_state_that_becomes_tensors_is_taken_up_as_it_was_last(tmp_path):
    """Plain at first, tensors after: the plain file must not be what is read."""
    plain, tensors = {"counting": Grader(Counting())}, {"counting": Grader(CountingInATensor())}
    asked(plain, Learnt(tmp_path, plain), "ab", learn=True)
    asked(tensors, Learnt(tmp_path, tensors), "c", learn=True)
    fresh = {"counting": Grader(CountingInATensor())}
    assert values(asked(fresh, Learnt(tmp_path, fresh), "d")) == [3.0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".pt"]


@pytest.mark.parametrize(
    ("name", "content"), [("counting.json", b"{}"), ("counting.json", b"\xff"), ("counting.pt", b"x")]
)
def test_a_state_that_cannot_be_read_is_named(tmp_path, name, content):
    pytest.importorskip("torch", reason="one of the forms is torch's")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name}.*move the file away"):
        Learnt(tmp_path, {"counting": Grader(Counting())})


def test_a_batch_that_comes_again_to_a_fresh_process_teaches_once(tmp_path):
    """The lane died after it had learnt, before it answered. The same batch later on is another step's."""
    before, after = {"counting": Grader(Counting())}, {"counting": Grader(Counting())}
    asked(before, Learnt(tmp_path, before), "ab", learn=True)
    learnt = Learnt(tmp_path, after)
    assert values(asked(after, learnt, "ab", learn=True)) == [2.0, 2.0]
    assert values(asked(after, learnt, "ab", learn=True)) == [2.0, 2.0]
    assert values(asked(after, learnt, "c")) == [4.0]


def test_a_reward_that_does_not_learn_may_be_sent_training_batches(tmp_path):
    graders = {"counting": Grader(Counting()), "plain": Grader(plain)}
    assert values(asked(graders, Learnt(tmp_path, graders), "ab", reward="plain", learn=True)) == [1.0, 1.0]
    assert list(tmp_path.iterdir()) == []


def test_an_answer_says_whether_its_rows_taught_anything(tmp_path):
    graders = {"counting": Grader(Counting()), "plain": Grader(plain)}
    learnt = Learnt(tmp_path, graders)
    told = [
        asked(graders, learnt, "ab", reward=name, learn=learn)[1]["learnt"]
        for name in ("counting", "plain")
        for learn in (True, False)
    ]
    assert told == [True, False, False, False]


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("score", {"learn": 1}, "true or false"),
        ("stream", {"learn": True}, "from a whole batch"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(tmp_path, kind, fields, said):
    graders = {"counting": Grader(Counting())}
    code, body = asked(graders, Learnt(tmp_path, graders), "a", kind, **fields)
    assert code == 422
    assert said in body["error"]


@pytest.mark.parametrize("name", ["counting.json", "counting.pt"])
def test_an_empty_file_is_named(tmp_path, name):
    pytest.importorskip("torch", reason="a tensor needs torch")
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(RunError, match=rf"cannot be read from '.*{name}': move the file away"):
        Learnt(tmp_path, {"counting": Grader(Counting())})


def test_another_rewards_state_is_not_taken_up(tmp_path):
    (tmp_path / "counting.json").write_text('{"batch": "", "state": {"rewards": []}}')
    with pytest.raises(ConfigError, match="there is no state of `counting`"):
        Learnt(tmp_path, {"counting": Grader(Counting())})


@pytest.mark.parametrize("settings", [Settings(lanes=1), Settings(lanes=2, state=Path("kept"))])
def test_what_learns_is_served_by_one_lane_that_has_a_folder(settings):
    with pytest.raises(ConfigError, match=r"counting: the reward learns.*--state FOLDER --lanes 1"):
        Service({"counting": Grader(Counting())}, settings)


def test_over_http_a_lane_that_dies_has_forgotten_nothing(tmp_path):
    (tmp_path / "code").mkdir()
    server = served.Server(tmp_path / "code", state=str(tmp_path / "kept"), lanes=1)
    rows = [{"example": "train-1", "completion": text} for text in ("a", "b")]
    fatal = [{"example": "train-1", "completion": f"once {tmp_path / 'died'}"}]
    with Client(server.url) as client:
        assert client.rewards()[0]["learns"]
        assert [score.value for score in client.grade(rows, learn=True)] == [0.0, 0.0]
        assert [score.value for score in client.grade(fatal, learn=True)] == [2.0]  # by the second lane
        assert [score.value for score in client.grade(rows, context=Context(step=2))] == [3.0, 3.0]
    assert server.end() == 0
    again = served.Server(tmp_path / "code", state=str(tmp_path / "kept"), lanes=1)
    with Client(again.url) as client:
        assert [score.value for score in client.grade(rows)] == [3.0, 3.0]
    assert again.end() == 0
