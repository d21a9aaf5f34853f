"""verl's contract, by calls as verl makes them: same keys, flat numbers, and never a number for what has none."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from guerdon import Example, Message, Prompt, Reward, Score, reward
from guerdon.adapters import versions
from guerdon.adapters.exporting import Source, verl_rows
from guerdon.adapters.verl import compute_score, scoring
from guerdon.adapters.verl.manager import Managing
from guerdon.adapters.verl.options import Options, read_options
from guerdon.adapters.verl.scoring import Scorer, sample_row
from guerdon.errors import ConfigError, UnscoredError
from guerdon.grading import Grader
from guerdon.protocols import Task
from guerdon.rewards import Context


class Sum(Example):
    total: int


@dataclass(frozen=True)
class Sums(Task):
    name = "test/sums-v1"
    forced: str = ""
    observation: bool = False
    turns: bool = False

    def examples(self, split):
        return [Sum(id="five", total=5), Sum(id="six", total=6)] if split == "train" else [Sum(id="seven", total=7)]

    def prompt(self, example):
        if self.observation:
            return Prompt(observation=[0])
        return Prompt((Message("system", "add"), Message("user", example.id)), forced=self.forced)

    def reference(self, example):
        return None if example.id == "six" else str(example.total)

    def environment(self, example):
        return object() if self.turns else None


@reward(bounds=(0.0, 1.0))
def right(rollout):
    if rollout.answer in ("abstain", "infra"):
        return Score.unscored("the judge said so", status=rollout.answer)
    return float(str(rollout.example_as(Sum).total) in rollout.answer)


@reward(bounds=(0.0, 1.0))
def polite(rollout):
    return float("please" in rollout.answer)


@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    def score_group(self, group):
        return [Score(1.0) for _ in group.rollouts]


@dataclass(frozen=True)
class Whole(Reward):
    def score_batch(self, groups, context):
        return [[Score(0.0) for _ in group.rollouts] for group in groups]


@dataclass(frozen=True, eq=False)
class Learning(Reward, name="learning"):
    stateful = True

    def score(self, rollout):
        return Score(0.0)


@pytest.fixture
def named(monkeypatch):
    """Whatever is named, the reward is the given one, over `Sums`."""
    scoring._scorer.cache_clear()
    monkeypatch.setenv("GUERDON_SANDBOX_WORKERS", "1")  # which a scorer sets, for its process

    def use(reward, task=Sums()):
        monkeypatch.setattr(scoring.Grader, "of", lambda *named, **options: Grader(reward, task, workers=1))

    yield use
    scoring._scorer.cache_clear()


def asked(text, example="five", **more):
    """A call as verl's managers make it."""
    info = {"index": 0, "split": "train", "example": example, "num_turns": 2, "rollout_reward_scores": {}}
    options = {"recipe": "sums"} | more
    return compute_score(
        data_source="test/sums-v1", solution_str=text, ground_truth="5", extra_info={**info}, **options
    )


# -- the function of one sample ----------------------------------------------------------------------------------------


def test_the_score_and_what_each_term_adds_with_its_weight(named):
    """2 * 1 + 0.5 * 0, then 2 * 0 + 0.5 * 1."""
    named(2.0 * right + 0.5 * polite)
    assert asked("5") == {
        "score": 2.0, "unscored": 0.0, "status": "ok", "why": "", "part/right": 2.0, "part/polite": 0.0,
        "unscored/right": 0.0, "unscored/polite": 0.0,
    }  # fmt: skip
    assert asked("please")["score"] == 0.5


def test_every_sample_has_the_same_keys_and_no_value_is_nan(named):
    """A term that abstains adds nothing, which is told apart from a term that is 0."""
    named(2.0 * right + 0.5 * polite)
    found = [asked(text) for text in ("5", "abstain", "please")]
    assert {tuple(answer) for answer in found} == {tuple(found[0])}
    assert (found[1]["score"], found[1]["unscored"]) == (0.0, 0.0)
    assert [answer["part/right"] for answer in found] == [2.0, 0.0, 0.0]
    assert [answer["unscored/right"] for answer in found] == [0.0, 1.0, 0.0]
    assert all(value == value for answer in found for value in answer.values())


@pytest.mark.parametrize("text", ["abstain", "infra"])
def test_what_has_no_number_raises_so_that_verl_drops_the_group(named, text):
    named(right)
    with pytest.raises(UnscoredError, match=rf"a sample is unscored \({text}\): the judge said so"):
        asked(text)


def test_it_becomes_a_number_only_where_the_user_names_one_and_is_counted(named):
    named(right)
    answer = asked("infra", on_unscored="fill", fill=-0.5)
    assert (answer["score"], answer["unscored"], answer["status"]) == (-0.5, 1.0, "infra")
    assert asked("5", on_unscored="fill", fill=-0.5)["unscored"] == 0.0


def test_the_rows_own_dict_is_left_as_it_is(named):
    named(right)
    info = {"example": "five", "nested": {"a": 1}}
    compute_score("s", "5", "5", info, recipe="sums")
    assert info == {"example": "five", "nested": {"a": 1}}


def test_threads_of_verls_pool_may_call_at_once(named):
    named(right)
    found = {}

    def ask(number):
        found[number] = asked(str(number % 10))["score"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: float(number % 10 == 5) for number in range(40)}


def test_what_verl_adds_to_the_call_is_no_option(named):
    named(right)
    assert asked("5", reward_router_address="127.0.0.1:1", reward_model_tokenizer=None)["score"] == 1.0


def test_a_misspelt_option_is_found(named):
    named(right)
    with pytest.raises(ConfigError, match=r"'reward_kwargs.on_unscord' is unknown; did you mean 'on_unscored'\?"):
        asked("5", on_unscord="fill")


def test_the_function_too_says_when_verl_is_another_release(named, monkeypatch):
    named(right)
    monkeypatch.setattr(versions, "version", lambda name: "0.10.0")
    with pytest.warns(RuntimeWarning, match=r"verl 0\.10\.0 is installed"):
        assert asked("5")["score"] == 1.0


def test_without_a_task_the_columns_are_what_the_reward_sees(named):
    named(reward(lambda rollout: float(rollout.example.ground_truth == rollout.answer)), None)
    assert compute_score("s", "Oslo", "Oslo", {"index": 3}, reward=["city"])["score"] == 1.0
    assert compute_score("s", "Rome", "Oslo", None, reward=["city"])["score"] == 0.0


def test_attempts_at_a_row_of_ones_own_differ_in_what_verl_adds_and_are_scored_together(named):
    """verl puts the agent loop's fields among the row's columns, and under the row's own id."""
    calls = []

    @dataclass(frozen=True)
    class Counted(Reward):
        def score_batch(self, groups, context):
            calls.append(sum(map(len, groups)))
            return [[Score(float(rollout.example.num_turns)) for rollout in group.rollouts] for group in groups]

        @property
        def sees(self):
            return "rollout"

    named(Counted(), None)
    mine = scoring.scorer(Options(reward=("counted",)))
    units = [
        (Context(), [sample_row(mine.options, "", {"id": "a", "num_turns": n}, data_source="", ground_truth="")])
        for n in (1, 2, 1)
    ]
    assert [scores[0].value for scores in mine._grade(units)] == [1.0, 2.0, 1.0]
    assert calls == [3]


def test_a_row_that_names_no_example_is_refused_with_what_to_do(named):
    named(right)
    with pytest.raises(ConfigError, match=r"extra_info.example is None; .* `guerdon export --format verl`"):
        compute_score("s", "5", "5", {"index": 0}, recipe="sums")


def test_a_conversation_as_one_text_is_refused_unless_told_otherwise(named):
    """Else a tool's result would earn what the policy should have."""
    named(right)
    info = {"example": "five", "num_turns": 4}
    with pytest.raises(ConfigError, match=r"a conversation of 4 turns.*multi_turn=as_written"):
        compute_score("s", "tool: 5", "5", info, recipe="sums")
    assert compute_score("s", "tool: 5", "5", info, recipe="sums", multi_turn="as_written")["score"] == 1.0


def test_a_reward_that_compares_attempts_needs_the_manager(named):
    named(right + Shortest())
    with pytest.raises(ConfigError, match=r"compares the attempts.*reward\.reward_manager\.name=guerdon"):
        asked("5")


@pytest.mark.parametrize(
    ("cannot", "why"),
    [(Whole(), "looks at whole batches"), (Learning(), r"the reward learns \(learning\), and verl's reward workers")],
)
def test_a_reward_that_verl_cannot_serve_is_refused(named, cannot, why):
    named(cannot)
    with pytest.raises(ConfigError, match=why):
        Scorer(Options(recipe="sums"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"on_unscored": "zero"}, "'on_unscored' is 'zero'; accepted are 'drop_group', 'fill'"),
        ({"on_unscored": "raise"}, "`drop_group` raises"),
        ({"on_unscored": "fill"}, "'fill' is None"),
        ({"on_unscored": "fill", "fill": float("nan")}, "a finite number"),
        ({"fill": 0.0}, "'on_unscored' is 'drop_group'"),
        ({"deadline_s": 0}, "'deadline_s' is 0"),
        ({"multi_turn": "yes"}, "'multi_turn' is 'yes'"),
    ],
)
def test_options_that_cannot_be_are_named(given, why):
    with pytest.raises(ConfigError, match=why):
        read_options(given, "reward.reward_kwargs")


def test_one_reward_or_several_may_be_named():
    assert read_options({"reward": "a"}, "x").reward == ("a",)
    assert read_options({"reward": ["0.5*a", "b"]}, "x").reward == ("0.5*a", "b")
    with pytest.raises(ConfigError, match="name no reward"):
        Scorer(Options())


# -- the manager, without verl -----------------------------------------------------------------------------------------


class Settings(dict):
    """A configuration, as verl's is read."""

    __getattr__ = dict.__getitem__

    @classmethod
    def of(cls, **fields):
        return cls({name: cls.of(**value) if isinstance(value, dict) else value for name, value in fields.items()})


class Letters:
    """A tokenizer of letters; 0 ends a text, and 1 fills it up."""

    eos_token_id, pad_token_id = 0, 1

    def decode(self, ids, **options):
        return "".join(map(chr, ids))


def managing(n=2, val_n=1, trainer=None, optim=-1):
    config = Settings.of(
        reward={"reward_kwargs": {"recipe": "sums"}},
        trainer={"use_v1": True} | (trainer or {}),
        actor_rollout_ref={
            "rollout": {"n": n, "response_length": 8, "val_kwargs": {"n": val_n}},
            "actor": {"optim": {"total_training_steps": optim}},
        },
    )
    return Managing(config, Letters())


def rollout(text, mask=None, **fields):
    """One finished rollout: tensors, and the row's columns."""
    ids = [*map(ord, text), 0]
    batch = {"responses": np.array(ids), "attention_mask": np.array([1] * (3 + len(ids)))}
    if mask is not None:
        batch["response_mask"] = np.array([*mask, mask[-1]])
    return batch, {"extra_info": {"example": "five", "split": "train"}, "uid": "u", "session_id": 0} | fields


def told(managing, *asked):
    async def run():
        return await asyncio.gather(*(managing.told(*each) for each in asked))

    return asyncio.run(run())


@dataclass(frozen=True)
class Progress(Reward):
    """How far the run is."""

    def score_batch(self, groups, context):
        value = context.step / context.total_steps if context.total_steps else -1.0
        return [[Score(value) for _ in group.rollouts] for group in groups]

    @property
    def sees(self):
        return "rollout"


@pytest.mark.parametrize(
    ("trainer", "optim", "value"),
    [
        ({"total_training_steps": 12}, 99, 0.25),
        ({"total_training_steps": None}, 6, 0.5),  # sized by epochs: what verl's trainer counted
        ({"total_training_steps": None, "v1": {"trainer_mode": "sync", "sync": {}}}, 6, 0.5),
        ({"v1": {"trainer_mode": "apart", "apart": {"parameter_sync_step": 4}}}, 24, 0.5),
        ({"use_v1": False, "v1": {"trainer_mode": "apart", "apart": {"parameter_sync_step": 4}}}, 6, 0.5),
        ({"total_training_steps": None}, -1, -1.0),  # nothing says
    ],
)
def test_a_schedule_knows_the_length_of_the_run_however_it_is_sized(named, trainer, optim, value):
    """Step 3 of 12, or of 6."""
    named(Progress())
    [answer] = told(managing(trainer=trainer, optim=optim), rollout("5", global_steps=3))
    assert answer["score"] == value


def test_rollouts_that_wait_hold_no_thread(named):
    """A hundred, of which most wait for the first: they are awaited, and not each by a thread."""
    before, threads = threading.active_count(), []

    @reward(bounds=(0.0, 1.0))
    def slow(rollout):
        time.sleep(0.01)
        threads.append(threading.active_count())
        return float("5" in rollout.answer)

    named(slow)
    answers = told(managing(), *(rollout(str(number % 10)) for number in range(100)))
    assert [answer["score"] for answer in answers] == [float(number % 10 == 5) for number in range(100)]
    assert max(threads) - before < 20


@pytest.mark.parametrize(
    ("mask", "written"),
    [
        (None, "abc"),
        ([1, 1, 1], "abc"),
        ([1, 0, 1], [("assistant", "a"), ("tool", "b"), ("assistant", "c")]),
        ([0, 0, 0], [("tool", "abc"), ("assistant", "")]),  # nothing of it is the policy's
    ],
)
def test_what_the_mask_leaves_out_is_never_the_policys(named, mask, written):
    named(right)
    said, stop = managing()._written(rollout("abc", mask)[0])
    assert stop == "stop"
    assert (said if isinstance(said, str) else [(each["role"], each["content"]) for each in said]) == written


def test_what_the_environment_alone_said_earns_nothing(named):
    named(right)
    assert [answer["score"] for answer in told(managing(), rollout("5", [1]), rollout("5", [0]))] == [1.0, 0.0]


@pytest.mark.parametrize(("split", "attempts"), [("train", 8), ("eval", 2), ("val", 2), ("test", 2)])
def test_a_group_is_as_large_as_its_split_says(named, split, attempts):
    named(Shortest())
    assert managing(8, 2)._attempts({"split": split}) == attempts


@pytest.mark.parametrize("info", [{}, {"split": "default"}])
def test_a_group_of_unknown_size_is_refused_at_once_and_not_waited_for(named, info):
    """Taken for training, a validation set without the column would wait for attempts that never come."""
    named(Shortest())
    row = rollout("5", extra_info={"example": "five", **info})
    with pytest.raises(ConfigError, match=r"extra_info\.split is .*8 attempts at a prompt in training and 1 in valid"):
        told(managing(8, 1), row)
    assert managing(8, 8)._attempts(info) == 8, "where it makes no difference nothing need be said"


# -- the data set ------------------------------------------------------------------------------------------------------


def rows(task, split="train"):
    return verl_rows(Source(task, split, task.name))


def test_a_row_is_what_verl_reads():
    five, six = rows(Sums())
    assert five == {
        "data_source": "test/sums-v1",
        "prompt": [{"role": "system", "content": "add"}, {"role": "user", "content": "five"}],
        "ability": "test",
        "reward_model": {"style": "rule", "ground_truth": "5"},
        "extra_info": {"index": 0, "split": "train", "example": "five"},
    }
    assert six["reward_model"]["ground_truth"] == "", "a column of one type, where no reference is known"
    assert [row["extra_info"]["example"] for row in rows(Sums(), "eval")] == ["seven"]


@pytest.mark.parametrize(
    ("task", "why"), [(Sums(forced="= "), "begins with '= '"), (Sums(observation=True), "no messages")]
)
def test_a_prompt_that_verl_cannot_show_is_refused(task, why):
    with pytest.raises(ConfigError, match=f"example 'five' of test/sums-v1 .*{why}"):
        list(rows(task))


def test_a_reward_over_a_task_with_a_prefix_is_refused_too(named):
    """Else the prefix would be put before a text that never had it."""
    named(right, Sums(forced="= "))
    with pytest.raises(ConfigError, match=r"begins with '= '.*for the data and for the reward"):
        asked("5")


# -- what importing costs ----------------------------------------------------------------------------------------------


def test_importing_the_adapter_imports_neither_verl_nor_ray_nor_torch():
    code = (
        "import sys, guerdon.adapters.verl, guerdon.adapters.verl.plugin, guerdon.adapters.ray, "
        "guerdon.adapters.verl.data, guerdon.adapters.ray.pool, guerdon.adapters.verl.manager; "
        "print(sorted({'verl', 'ray', 'torch', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_every_process_of_verls_imports_loads_nothing_of_ours():
    """The entry point, whose package is the dotted path that users name."""
    code = (
        "import sys, guerdon.adapters.verl.plugin; "
        "print(sorted({'pydantic', 'numpy', 'guerdon.grading', 'guerdon.adapters.verl.scoring'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_manager_that_cannot_be_made_leaves_verl_alone_and_a_line_in_the_log(caplog, monkeypatch):
    from guerdon.adapters.verl import manager, plugin

    def fail():
        raise RuntimeError("no base class")

    monkeypatch.setattr(manager, "manager_class", fail)
    with caplog.at_level(logging.ERROR, "guerdon"):
        plugin._add(object())
    assert "could not be registered" in caplog.text
