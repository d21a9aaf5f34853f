"""The server's parts without a server: who may ask, limits, the command line, a lane's answers, and rows in pieces."""

import base64
import json
import os
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from guerdon import Example, Message, Prompt, Reward, Score, Segment, reward
from guerdon.cli import main
from guerdon.errors import ConfigError, RewardError
from guerdon.grading import Grader
from guerdon.protocols import Task, Turn
from guerdon.rewards import Context
from guerdon.serve import openrlhf
from guerdon.serve.admission import admits, check_bind, is_loopback
from guerdon.serve.answering import answer
from guerdon.serve.settings import Settings
from guerdon.trainer.records import rollout_of, row_of
from guerdon.types import Rollout

TOKEN = "0123456789abcdef"


def basic(text):
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(f"any:{TOKEN}"), basic(f":{TOKEN}")])
def test_the_token_admits(given):
    assert admits(TOKEN, given)


@pytest.mark.parametrize(
    "given",
    [None, "", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", basic(TOKEN), "Basic é", "Bearer é"],
)
def test_nothing_else_does(given):
    assert not admits(TOKEN, given)


def test_without_a_token_everybody_may_ask():
    assert admits(None, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_this_machine_alone_needs_no_token(host):
    assert is_loopback(host)
    check_bind(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org", "localhost.example.org"])
def test_an_address_that_others_reach_needs_a_token_or_a_word(host):
    with pytest.raises(ConfigError, match="GUERDON_SERVE_TOKEN"):
        check_bind(host, None)
    check_bind(host, TOKEN)
    check_bind(host, None, open_to_all=True)


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(ConfigError, match="at least 16"):
        check_bind("127.0.0.1", "short")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"lanes": 0}, "lanes is 0"),
        ({"lanes": 1.5}, "lanes is 1.5; a whole number"),
        ({"grace_s": float("inf")}, "grace_s is inf"),
        ({"openrlhf_fill": float("nan")}, "openrlhf_fill is nan"),
        ({"lane_memory_mb": 0.0}, "lane_memory_mb is 0.0"),
    ],
)
def test_a_limit_that_is_none_is_refused_at_start(limits, said):
    with pytest.raises(ConfigError, match=said):
        Settings(**limits)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to serve"),
        (["nope"], "no recipe named 'nope'"),
        (["--task", "sql/generated"], "need a --name"),
    ],
)
def test_the_command_says_what_it_lacks(monkeypatch, arguments, said):
    monkeypatch.setattr("guerdon.cli.serve.require", lambda *modules: None)
    done = CliRunner().invoke(main, ["serve", *arguments])
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_the_command_says_what_is_not_installed():
    from guerdon.cli.serve import require

    with pytest.raises(ConfigError, match=r"needs no_such_module.*guerdon\[serve\]"):
        require("json", "no_such_module")


def test_a_token_does_not_reach_what_the_rewards_start(monkeypatch):
    """The server has it; its environment, which the scoring processes inherit, has not."""
    served = {}

    def serve(graders, **options):
        served.update(options, seen=os.environ.get("GUERDON_SERVE_TOKEN"))

    monkeypatch.setattr("guerdon.cli.serve.require", lambda *modules: None)
    monkeypatch.setattr("guerdon.cli.serve._graders", lambda *_: {"length": Grader(length, Words())})
    monkeypatch.setattr("guerdon.serve.server.serve", serve)
    monkeypatch.setenv("GUERDON_SERVE_TOKEN", TOKEN)
    done = CliRunner().invoke(main, ["serve", "any"])
    assert (done.exit_code, served["token"], served["seen"]) == (0, TOKEN, None), done.output


@pytest.mark.parametrize("named", ["", "mine="])
def test_a_path_may_have_an_equals_sign(monkeypatch, tmp_path, named):
    """Whole, or after a name of its own."""
    monkeypatch.setattr("guerdon.cli.serve.require", lambda *modules: None)
    asked = []
    monkeypatch.setattr(Grader, "of", lambda source, **_: asked.append(source) or Grader(length, Words()))
    monkeypatch.setattr("guerdon.serve.server.serve", lambda graders, **_: asked.append(list(graders)))
    monkeypatch.chdir(tmp_path)
    for run in ("lr=0.1", str(tmp_path / "lr=0.1")):
        (tmp_path / "lr=0.1").mkdir(exist_ok=True)
        asked.clear()
        assert CliRunner().invoke(main, ["serve", f"{named}{run}"]).exit_code == 0
        assert asked == [run, ["mine" if named else run]]


# -- a lane's answers --------------------------------------------------------------------------------------------------


@reward(bounds=(0.0, 9.0))
def length(rollout):
    if rollout.completion == "bug":
        raise KeyError("boom")
    return float(len(rollout.completion))


@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    def score_group(self, group):
        least = min(len(rollout.completion) for rollout in group.rollouts)
        return [Score(float(len(rollout.completion) == least)) for rollout in group.rollouts]


@dataclass(frozen=True)
class Counted(Reward):
    def score_batch(self, groups, context):
        return [[Score(float(sum(map(len, groups))))] * len(group) for group in groups]


class Word(Example):
    word: str = ""


@dataclass(frozen=True)
class Words(Task):
    name = "test/words-v1"

    def examples(self, split):
        return [Word(id=f"{split}-{n}") for n in range(9)]

    def prompt(self, example):
        return Prompt((Message("user", "?"),))


def parts(kind, body, settings=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    graders = {"length": Grader(length, Words())}
    return list(answer(graders, kind, data, settings or Settings()))


def test_a_streams_pieces_are_whole_lines_and_the_last_says_done():
    rows = [{"example": f"train-{n}", "completion": "x" * n} for n in range(5)]
    found = parts("stream", {"rows": rows}, Settings(chunk_rows=2))
    assert [(part.code, part.last, part.body.count(b"\n")) for part in found] == [
        (200, False, 2),
        (200, False, 2),
        (200, False, 1),
        (200, True, 1),
    ]
    done = {"done": True, "reward": "length", "count": 5, "unscored": 0, "unread": []}
    assert json.loads(found[-1].body) == done


def test_whatever_is_raised_is_an_answer():
    row = {"example": "train-0", "completion": "bug"}
    [part] = parts("score", {"rows": [row]})
    assert (part.code, "boom" in json.loads(part.body)["error"]) == (500, True)


@pytest.mark.parametrize(
    "body",
    [
        {"reward": "x" * 10**6, "rows": []},
        {"x" * 10**6: 1, "rows": []},
        {"rows": [], "step": "x" * 10**6},
        {"rows": [{"example": "x" * 10**6, "completion": ""}]},
        {"rows": [{"example": "train-0", "completion": {"x": "x" * 10**6}}]},
        {"rows": [{"example": {"id": "1", **{f"x{n}": n for n in range(100_000)}}, "completion": ""}]},
    ],
    ids=["reward", "field", "step", "example", "completion", "fields"],
)
def test_a_refusal_is_short_however_long_the_request_was(body):
    [part] = parts("score", body, Settings(inline_examples=True))
    assert part.code in (404, 422)
    assert len(part.body) < 20_000


@pytest.mark.parametrize("step", [-1, 2**64, 10**400, True, 1.0], ids=["-1", "2^64", "10^400", "true", "1.0"])
def test_a_step_that_is_none_is_refused(step):
    [part] = parts("score", {"rows": [], "step": step})
    assert (part.code, len(part.body) < 200) == (422, True), part.body


@pytest.mark.parametrize("kind", ["score", "stream"])
def test_fields_of_rows_that_nobody_reads_are_told(kind):
    row = {"example": {"id": "1"}, "completion": "x"}
    rows = [row, {**row, "dificulty": 3, "prompt": "asked", "x" * 500: 1}]
    part = list(answer({"one": Grader(length)}, kind, json.dumps({"rows": rows}).encode(), Settings()))[-1]
    assert json.loads(part.body)["unread"] == ["dificulty", "x" * 100]


def test_samples_are_answered_together_and_each_with_its_own_failure():
    """One call of the grader for the three that can be scored; the bug and the nonsense stay their own."""
    calls = []

    class Counting(Grader):
        def grade(self, rows, *arguments, **options):
            calls.append(len(rows))
            return super().grade(rows, *arguments, **options)

    bodies = [
        json.dumps({"query": [f"p{said}"], "prompts": ["p"], "labels": ["train-0"]}).encode()
        for said in ("a", "bb", "ccc")
    ]
    settings = Settings(openrlhf_fill=-1.0)
    graders = {"length": Counting(length, Words())}
    found = openrlhf.answers(graders, "length", [*bodies, b"nonsense"], settings)
    assert [json.loads(part.body).get("rewards") for part in found] == [[1.0], [2.0], [3.0], None]
    assert ([part.code for part in found], calls) == ([200, 200, 200, 400], [3])
    bug = bodies[0].replace(b"pa", b"pbug")
    found = openrlhf.answers(graders, "length", [bodies[0], bug, bodies[2]], settings)
    assert [part.code for part in found] == [200, 500, 200]


def test_rows_may_bring_fields_where_the_operator_allows_it():
    row = {"example": {"id": "new", "word": "w"}, "completion": "abc"}
    assert parts("score", {"rows": [row]})[0].code == 422
    [part] = parts("score", {"rows": [row]}, Settings(inline_examples=True))
    assert json.loads(part.body)["scores"][0]["value"] == 3.0


def test_pictures_by_path_are_files_of_the_server_and_refused_with_them():
    """By their bytes they are taken; a server that takes examples' fields takes paths, too."""
    shown = {"author": "environment", "text": "look", "images": [{"path": "/etc/hostname"}]}
    row = {"example": "train-0", "completion": "abc", "segments": [{"author": "policy", "text": "abc"}, shown]}
    [part] = parts("score", {"rows": [row]})
    assert part.code == 422
    assert b"--inline-examples" in part.body
    within = {"author": "policy", "text": "abc", "turn": {"observation": "", "images": [{"path": "/etc/hostname"}]}}
    assert parts("score", {"rows": [{**row, "segments": [within]}]})[0].code == 422
    assert parts("score", {"rows": [row]}, Settings(inline_examples=True))[0].code == 200
    shown["images"] = [{"data": "aGVsbG8="}]
    assert parts("score", {"rows": [row]})[0].code == 200


# -- rows in pieces, and there and back --------------------------------------------------------------------------------


def numbers(grader, rows, size):
    return [[number for number, _ in piece] for piece in grader.grade_in_parts(rows, size=size)]


def test_a_group_is_never_cut_however_its_rows_are_strewn():
    """Groups of rows {0, 2, 4} and {1, 3}: the first piece has three rows although two were asked for."""
    rows = [{"example": f"train-{n % 2}", "completion": "x" * n} for n in range(5)]
    grader = Grader(Shortest(), Words())
    assert numbers(grader, rows, 2) == [[0, 2, 4], [1, 3]]
    found = dict(pair for piece in grader.grade_in_parts(rows, size=1) for pair in piece)
    assert [found[n] for n in range(5)] == grader.grade(rows)


def test_rows_are_cut_only_where_the_reward_does_not_look_at_all_of_them():
    rows = [{"example": f"train-{n}", "completion": ""} for n in range(5)]
    assert numbers(Grader(length, Words()), rows, 2) == [[0, 1], [2, 3], [4]]
    assert numbers(Grader(Counted(), Words()), rows, 2) == [[0, 1, 2, 3, 4]]
    assert numbers(Grader(length, Words()), [], 2) == []


def test_a_row_that_is_none_is_found_before_any_is_scored():
    rows = [{"example": "train-0", "completion": "bug"}, {"example": "none", "completion": ""}]
    with pytest.raises(ConfigError) as caught:
        next(Grader(length, Words()).grade_in_parts(rows, size=1))
    assert caught.value.__notes__ == ["That is in row 2."]
    with pytest.raises(RewardError):
        next(Grader(length, Words()).grade_in_parts(rows[:1], Context(), size=1))


def test_a_rollout_is_a_row_and_a_row_the_rollout():
    task = Words()
    example = task.examples("train")[3]
    rollout = Rollout(
        example,
        (
            Segment("forced", "so "),
            Segment("policy", "one", (1, 2), (-0.5, -0.25)),
            Segment("environment", "no", observation=Turn("no", 0.5, info={"left": 1})),
            Segment("policy", "two", (3,), (-0.1,)),
        ),
        task.prompt(example),
        (7, 8),
        "length",
        4,
        2,
    )
    row = json.loads(json.dumps(row_of(rollout)))
    assert rollout_of(row, example, task.prompt(example)) == rollout
    seen = reward(lambda rollout: float(rollout.index * 100 + len(rollout.turns) * 10 + rollout.steps))
    assert Grader(seen, task).grade([row])[0].value == 223.0
