"""A guerdon task played by verifiers itself: its loader, its env, its traces; only the model is a stand-in."""

import asyncio
import importlib.machinery
import importlib.util
import json
import re
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guerdon import Example, Message, Prompt, Reward, Score, reward
from guerdon.adapters.verifiers import chat, environment, reward_function, taskset
from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.protocols import Task, Turn

vf = pytest.importorskip("verifiers.v1", reason="needs verifiers: nox -s 'adapters(verifiers)'")

_spec = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("chat_server.py"))
chat_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chat_server)


class Number(Example):
    number: int


@dataclass(frozen=True)
class Numbers(Task):
    """Name the number; `turns` > 0 lets the policy guess, and says higher or lower."""

    name = "test/numbers-v1"
    turns: int = 0
    forced: str = ""

    def examples(self, split):
        first = 0 if split == "train" else 50
        return [Number(id=f"n{first + number}", number=first + number) for number in range(50)]

    def prompt(self, example):
        said = (Message("system", "Name it."), Message("user", f"number {example.number}"))
        return Prompt(said, forced=self.forced)

    def reference(self, example):
        return f"{self.forced}{example.number}"

    def environment(self, example):
        return Guessing(example.number, self.turns) if self.turns else None


class Guessing:
    def __init__(self, number, turns):
        self.number, self.turns, self.taken = number, turns, 0

    def reset(self, *, seed):
        return "Guess."

    def step(self, segments):
        self.taken += 1
        guess = int(segments[-1].text)
        if guess == self.number:
            return Turn("", 1.0, terminated=True)
        return Turn("higher" if guess < self.number else "lower", truncated=self.taken == self.turns)


@reward(bounds=(0.0, 1.0))
def right(rollout):
    return Score(float(rollout.completion.strip() == str(rollout.example_as(Number).number)), why="compared")


@reward(bounds=(0.0, 1.0))
def short(rollout):
    """Abstains on "?"; our fault on "!", a bug on "bug"."""
    text = rollout.completion
    if text == "bug":
        raise ZeroDivisionError("a bug")
    if text in ("?", "!"):
        return Score.unscored("cannot say", status="abstain" if text == "?" else "infra")
    return 1.0 / (1 + len(text))


TOTAL = 0.75 * right + 0.25 * short


@dataclass(frozen=True)
class Longest(Reward, bounds=(0.0, 1.0)):
    """1.0 for the longest attempt of its group; none for an empty one."""

    def score_group(self, group):
        lengths = [len(rollout.answer) for rollout in group.rollouts]
        return [
            Score(float(length == max(lengths))) if length else Score.unscored("empty", status="infra")
            for length in lengths
        ]


@pytest.fixture
def package(monkeypatch):
    """Install a module under a package's name, as its distribution would."""

    def install(**exported):
        module = types.ModuleType("a_taskset")
        module.__spec__ = importlib.machinery.ModuleSpec("a_taskset", None)
        module.__all__ = list(exported)
        vars(module).update(exported)
        monkeypatch.setitem(sys.modules, "a_taskset", module)
        return module

    return install


def load(**config):
    return vf.load_environment(vf.resolve_env_config({"taskset": {"id": "a-taskset"}} | config))


def play(env, answer, count=1, at_once=False):
    """The episodes of the first `count` tasks, and what the model was asked."""

    async def run(url):
        client = vf.EvalClientConfig(base_url=url, api_key_var="NO_KEY")
        context = vf.ModelContext(model="stand-in", client=client)
        async with env.serving():
            episodes = [env.run_episode(task, context) for task in env.taskset.take(count)]
            return await asyncio.gather(*episodes) if at_once else [await episode for episode in episodes]

    with chat_server.chat_server(answer) as (url, bodies):
        return asyncio.run(run(url)), bodies


def played(package, grader, answer, count=1, at_once=False, **config):
    package(T=taskset(grader), E=environment(), H=chat())
    return play(load(**config), answer, count, at_once)


def trace_of(episode):
    [trace] = episode.traces
    return trace


def asked_number(messages):
    return re.search(r"number (\d+)", " ".join(message["content"] for message in messages))[1]


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_a_split_is_a_taskset_of_typed_rows(package):
    package(T=taskset(Grader(TOTAL, Numbers())))
    tasks = list(vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset")))
    assert len(tasks) == 50
    data = tasks[7].data
    assert (data.idx, data.id, data.example) == (7, "n7", "n7")
    assert (data.system_prompt, data.prompt) == ("Name it.", "number 7")
    assert tasks[7].key == "n7"
    assert isinstance(data, vf.task_type("a-taskset").data_type())


def test_the_split_may_be_chosen_in_the_configuration(package):
    package(T=taskset(Grader(TOTAL, Numbers())))
    [task] = vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset", split="eval")).take(1)
    assert task.data.id == "n50"


def test_a_reference_that_does_not_earn_the_top_is_found(package):
    wrong = reward(lambda rollout: 0.5)
    for given, found in ((right, True), (wrong, True), (Longest(), None)):
        package(T=taskset(Grader(given, Numbers())))
        [task] = vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset")).take(1)
        assert asyncio.run(task.validate(None)) is found, given


# -- one completion ----------------------------------------------------------------------------------------------------


def test_a_traces_reward_is_what_grade_says_and_its_parts_are_metrics(package):
    """right: 0.75 + 0.25 / (1 + 1), for a text of one character."""
    grader = Grader(TOTAL, Numbers())
    episodes, _ = played(package, grader, asked_number, count=3)
    for number, episode in enumerate(episodes):
        trace = trace_of(episode)
        [score] = grader.grade([{"example": f"n{number}", "completion": str(number)}])
        assert episode.ok
        assert trace.reward == score.value == 0.875
        assert trace.metrics == {"right": 1.0, "short": 0.5}
        assert trace.info["guerdon"]["parts"]["right"]["why"] == "compared"


def test_many_at_once_each_get_their_own(package):
    """n0 to n9 are one character long, 1/2 each; the other thirty two, 1/3 each."""
    grader = Grader(TOTAL, Numbers())
    episodes, _ = played(package, grader, asked_number, count=40, at_once=True)
    assert [trace_of(episode).task.data.id for episode in episodes] == [f"n{number}" for number in range(40)]
    assert [trace_of(episode).reward for episode in episodes] == [0.875] * 10 + [0.75 + 0.25 / 3] * 30


@pytest.mark.parametrize(("text", "status"), [("?", "abstain"), ("!", "infra")])
def test_what_has_no_number_is_an_error_and_never_a_zero(package, text, status):
    grader = Grader(short, Numbers())
    [bad, good], _ = played(package, grader, lambda said: text if asked_number(said) == "0" else "x", count=2)
    trace = trace_of(bad)
    assert not bad.ok
    assert trace.rewards == {"guerdon": None}
    assert trace.errors[0].type == "TaskError"
    assert f"UnscoredError: {status}: cannot say" in trace.errors[0].message
    assert trace.info["guerdon"]["status"] == status
    json.loads(json.dumps(trace.to_record(), allow_nan=False))  # no NaN anywhere
    assert good.ok
    assert trace_of(good).reward == 0.5


def test_a_part_that_abstains_is_null_under_the_name_it_always_has(package):
    """0.75 alone is left: weights stay as written."""
    [episode], _ = played(package, Grader(0.75 * right.named("other") + 0.25 * short, Numbers()), lambda said: "?")
    assert trace_of(episode).metrics == {"other": 0.0, "short": None}
    assert trace_of(episode).reward == 0.0


def test_a_bug_in_a_reward_is_that_traces_error(package):
    [bad, good], _ = played(
        package, Grader(short, Numbers()), lambda said: "bug" if asked_number(said) == "0" else "x", 2, at_once=True
    )
    assert "RewardError" in trace_of(bad).errors[0].message
    assert trace_of(good).reward == 0.5


def test_the_text_is_scored_as_it_was_written(package):
    """Space around it counts; a thought and a call that the server took out are put back."""
    said = {
        "content": " 0\n",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    }
    seen = []
    watching = reward(lambda rollout: float(bool(seen.append(rollout.completion) or 1)))
    played(package, Grader(watching, Numbers()), lambda messages: said)
    assert seen == ['<think>hm</think> 0\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>']


def test_a_task_that_nobody_touched_is_worth_what_an_empty_text_is(package):
    """As `vf-validate` asks; "" is as short as can be."""
    module = package(T=taskset(Grader(short, Numbers())), E=environment(), H=chat())
    [task] = vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset")).take(1)
    [episode], _ = play(load(), lambda said: "0")
    trace = trace_of(episode)
    untouched = type(trace)(**{name: getattr(trace, name) for name in ("task", "agent") if hasattr(trace, name)})
    asyncio.run(module.T.task_type()(task.data).score(untouched))
    assert untouched.reward == 1.0


def test_a_completion_that_its_budget_cut_is_known_to_be(package):
    cut = reward(lambda rollout: float(rollout.truncated))
    [episode], _ = played(package, Grader(cut, Numbers()), lambda said: {"content": "1", "finish_reason": "length"})
    assert trace_of(episode).reward == 1.0


@pytest.mark.parametrize("text", ["=0", "0"])
def test_a_forced_prefix_is_sent_to_be_gone_on_with_and_stands_before_the_text_once(package, text):
    whole = reward(lambda rollout: float(rollout.completion == "=0" and rollout.turns[0].text == "0"))
    package(T=taskset(Grader(whole, Numbers(forced="=")), forced="continue"), E=environment(), H=chat())
    [episode], [body] = play(load(), lambda said: text)
    assert trace_of(episode).reward == 1.0
    assert body["messages"][-1] == {"role": "assistant", "content": "="}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False


def test_a_stored_trace_is_scored_again_from_its_record(package):
    module = package(T=taskset(Grader(TOTAL, Numbers())), E=environment(), H=chat())
    [episode], _ = play(load(), lambda said: "0")
    record = json.loads(json.dumps(trace_of(episode).to_record()))
    for name in ("num_input_tokens", "num_output_tokens", "num_total_tokens"):
        record.pop(name)
    stored = vf.WireTrace.model_validate(record)
    stored.rewards, stored.metrics = {}, {}
    data = module.T.task_type().data_type().model_validate(stored.task.data.model_dump())
    asyncio.run(module.T.task_type()(data).score(stored))
    assert stored.reward == 0.875


# -- turns -------------------------------------------------------------------------------------------------------------


def guesses(*texts):
    """Say these, one after the other: as many as the policy has said before are left out."""
    return lambda messages: texts[sum(message["role"] == "assistant" for message in messages)]


def test_a_tasks_environment_answers_until_it_is_content(package):
    """Zero is guessed at the third attempt."""
    kept = []
    watching = reward(lambda rollout: float(bool(kept.append(rollout) or 1)))
    [episode], bodies = played(package, Grader(watching, Numbers(turns=5)), guesses("9", "-3", "0"))
    assert trace_of(episode).ok
    [rollout] = kept
    assert [(segment.author, segment.text) for segment in rollout.segments] == [
        ("policy", "9"), ("environment", "lower"), ("policy", "-3"), ("environment", "higher"), ("policy", "0"),
    ]  # fmt: skip
    assert rollout.stop == "environment"
    assert rollout.prompt.messages[-1] == Message("user", "number 0\n\nGuess.")
    assert rollout.segments[-1].observation == Turn("", 1.0, terminated=True)
    assert [message["content"] for message in bodies[-1]["messages"]] == [
        "Name it.", "number 0\n\nGuess.", "9", "lower", "-3", "higher",
    ]  # fmt: skip


def test_an_environment_that_breaks_off_cuts_the_rollout(package):
    cut = reward(lambda rollout: float(rollout.truncated and len(rollout.turns) == 2))
    [episode], _ = played(package, Grader(cut, Numbers(turns=2)), guesses("9", "8", "0"))
    assert trace_of(episode).reward == 1.0


def test_verifiers_own_limit_of_turns_cuts_the_rollout(package):
    cut = reward(lambda rollout: float(rollout.truncated and len(rollout.turns) == 2))
    grader = Grader(cut, Numbers(turns=9))
    [episode], _ = played(package, grader, guesses("9", "8", "0"), agent={"max_turns": 2})
    assert trace_of(episode).reward == 1.0


def test_a_turn_that_is_half_ours_is_refused(package):
    package(T=taskset(Grader(right, Numbers(turns=2, forced="=")), forced="continue"), E=environment(), H=chat())
    [episode], bodies = play(load(), lambda said: "1")
    assert "no turn that is half ours" in episode.errors[0].message
    assert bodies == []


def test_an_environment_that_fails_is_nobodys_zero(package):
    """Guessing takes int("x"), which raises."""
    [episode], _ = played(package, Grader(right, Numbers(turns=2)), lambda said: "x")
    assert not episode.ok
    assert all(trace.rewards.get("guerdon") is None for trace in episode.traces)


def test_a_task_in_turns_is_refused_where_nobody_plays_them(package):
    package(T=taskset(Grader(right, Numbers(turns=2))), H=chat())
    [episode], _ = play(load(agent={"runtime": {"type": "subprocess"}}), lambda said: "0")
    assert not episode.ok
    assert "answers the policy turn by turn" in trace_of(episode).errors[0].message


# -- attempts that are compared ----------------------------------------------------------------------------------------


def in_turn(*texts):
    left = list(texts)
    return lambda messages: left.pop(0)


def test_the_attempts_of_an_episode_are_a_group(package):
    [episode], _ = played(package, Grader(Longest(), Numbers()), in_turn("1", "333", "22"), attempts=3)
    assert episode.ok
    assert [(trace.last_reply, trace.reward) for trace in episode.traces] == [("1", 0.0), ("333", 1.0), ("22", 0.0)]


def test_an_attempt_without_a_number_leaves_the_others_theirs(package):
    [episode], _ = played(package, Grader(Longest(), Numbers()), in_turn("1", "", "22"), attempts=3)
    assert [trace.ok for trace in episode.traces] == [True, False, True]
    assert [trace.reward for trace in episode.traces if trace.ok] == [0.0, 1.0]
    assert "guerdon" not in episode.traces[1].rewards
    assert not episode.ok


def test_an_attempt_that_never_ended_is_not_among_those_compared(package):
    """The server refuses the second. Had it counted, an empty text would be the shortest."""

    class Shortest(Reward, bounds=(0.0, 1.0)):
        def score_group(self, group):
            lengths = [len(rollout.answer) for rollout in group.rollouts]
            return [Score(float(length == min(lengths))) for length in lengths]

    [episode], _ = played(package, Grader(Shortest(), Numbers()), in_turn("1", None, "22"), attempts=3)
    assert [(trace.ok, trace.rewards["guerdon"].score if trace.ok else None) for trace in episode.traces] == [
        (True, 1.0), (False, None), (True, 0.0),
    ]  # fmt: skip


def test_attempts_in_turns_are_compared_too(package):
    grader = Grader(Longest(), Numbers(turns=2))
    [episode], _ = played(package, grader, lambda said: "0" if len(said) > 2 else "55", attempts=2)
    assert [trace.reward for trace in episode.traces] == [1.0, 1.0]


def test_one_attempt_has_nothing_to_be_compared_with(package):
    [episode], _ = played(package, Grader(Longest(), Numbers()), lambda said: "1")
    assert "--env.attempts is 1" in episode.errors[0].message
    package(T=taskset(Grader(Longest(), Numbers())), H=chat())
    [episode], _ = play(load(agent={"runtime": {"type": "subprocess"}}), lambda said: "1")
    assert "longest compares the attempts" in trace_of(episode).errors[0].message


# -- functions named in a configuration --------------------------------------------------------------------------------


class OwnTask(vf.Task[vf.WireTaskData]):
    pass


class OwnTaskset(vf.Taskset[OwnTask]):
    def load(self):
        yield OwnTask(vf.WireTaskData(id="n1", prompt="number 1", wanted="1"), self.config.task)


def plugged(package, function, answer):
    module = package(OwnTaskset=OwnTaskset, H=chat())
    module.named = function
    rewards = {"guerdon": {"fn": "a_taskset:named", "weight": 2.0}}
    config = {
        "taskset": {"id": "a-taskset", "task": {"rewards": rewards}},
        "agent": {"runtime": {"type": "subprocess"}},
    }
    [episode], _ = play(load(**config), answer)
    return trace_of(episode)


def test_a_function_scores_another_taskset_by_the_rows_id(package):
    """0.875, twice."""
    trace = plugged(package, reward_function(Grader(TOTAL, Numbers())), lambda said: "1")
    assert trace.reward == 1.75
    assert trace.metrics == {"right": 1.0, "short": 0.5}


def test_a_function_finds_the_example_where_it_is_told_to(package):
    function = reward_function(Grader(TOTAL, Numbers()), example=lambda row: f"n{int(row.wanted) + 1}")
    assert plugged(package, function, lambda said: "2").reward == 1.75


def test_a_reward_without_a_task_sees_the_rows_fields(package):
    wanted = reward(lambda rollout: float(rollout.answer == rollout.example.wanted))
    assert plugged(package, reward_function(Grader(wanted)), lambda said: "1").reward == 2.0


def test_a_row_without_an_id_says_what_to_do():
    row = vf.TaskData(idx=3, prompt="?")
    trace = vf.Trace.model_construct(nodes=[], info={})
    with pytest.raises(ConfigError, match=r"row 3 .* reward_function\(example=\.\.\.\)"):
        asyncio.run(reward_function(Grader(right, Numbers()))(row, trace))


# -- refused -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Learning(Reward):
    stateful = True
    seen: list = field(default_factory=list)

    def score(self, rollout):
        return Score(0.0)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: taskset(Grader(Learning(), Numbers())), "the reward learns (learning)"),
        (lambda: taskset(Grader(right)), "the grader has no task"),
        (lambda: taskset(Grader(right, Numbers(forced="="))), "begins the completion itself (with '=')"),
        (lambda: taskset("nope"), "no recipe named 'nope'"),
        (lambda: taskset(Grader(right, Numbers()), workers=2), "a grader is given, and with it workers"),
    ],
)
def test_what_cannot_be_a_taskset_is_said_when_it_is_loaded(package, made, said):
    package(T=made())
    with pytest.raises(ConfigError, match=re.escape(said)):
        list(vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset")))


def test_a_prompt_that_is_no_text_is_refused(package):
    class Silent(Numbers):
        def prompt(self, example):
            return Prompt(observation=object())

    package(T=taskset(Grader(right, Silent())))
    with pytest.raises(ConfigError, match="verifiers shows text"):
        list(vf.load_taskset(vf.taskset_config_type("a-taskset")(id="a-taskset")))


def test_the_env_plays_only_what_taskset_made(package):
    package(OwnTaskset=OwnTaskset, E=environment(), H=chat())
    [episode], _ = play(load(), lambda said: "1")
    assert "OwnTask is no task of guerdon.adapters.verifiers.taskset()" in episode.errors[0].message
