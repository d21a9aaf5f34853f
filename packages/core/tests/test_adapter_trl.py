"""TRL's contract, with stand-ins of the same names: what is passed, what must come back, and what is logged.

The real trainer is in tests/test_adapter_trl.py, which needs `trl` installed.
"""

import math
import pickle
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from guerdon import Example, Message, Prompt, Reward, Rollout, Score, Segment, reward
from guerdon.adapters.trl import reward_funcs
from guerdon.adapters.trl.data import grader_of
from guerdon.adapters.trl.grouping import group_numbers
from guerdon.errors import ConfigError, RewardError, UnknownName
from guerdon.grading import Grader
from guerdon.plugins.catalog import register_local
from guerdon.protocols import Task
from guerdon.trainer.records import rollout_of


class Sum(Example):
    total: int


@dataclass(frozen=True)
class Sums(Task):
    name = "test/sums-v1"

    def examples(self, split):
        return [Sum(id="five", total=5), Sum(id="six", total=6)]

    def prompt(self, example):
        return Prompt((Message("user", "?"),))  # both examples are asked in the same words


@reward(bounds=(0.0, 1.0))
def right(rollout):
    return float(str(rollout.example_as(Sum).total) in rollout.answer)


@reward(bounds=(0.0, 1.0))
def unsure(rollout):
    """A server that is down for some answers."""
    return Score.unscored("the judge is down") if "?" in rollout.answer else Score(0.5)


@reward(bounds=(0.0, 1.0))
def told_only_here(rollout):
    """The evidence goes to the completions table."""
    return Score(1.0, why=f"stopped by {rollout.stop}")


@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    """1.0 for the shortest attempt of a group."""

    def score_group(self, group):
        least = min(len(rollout.answer) for rollout in group.rollouts)
        return [Score(float(len(rollout.answer) == least)) for rollout in group.rollouts]


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


class Trainer:
    """What the adapter looks at of a GRPOTrainer, under TRL's names."""

    def __init__(self, functions, num_generations=2, training=True, callbacks=()):
        self.reward_funcs = list(functions)
        self.num_generations, self.num_generations_eval = num_generations, num_generations
        self.model = SimpleNamespace(training=training)
        self.args = SimpleNamespace(seed=7)
        self.eos_token_ids = [2]
        self.callback_handler = SimpleNamespace(callbacks=list(callbacks))
        self.metrics, self.extra = {}, {}

    def _log_metric(self, name, value):
        self.metrics.setdefault(name, []).append(value)

    def _log_extra(self, name, values):
        self.extra[name] = values

    def score(self, completions, ids=None, step=0, **columns):
        prompts = [[{"role": "user", "content": "?"}]] * len(completions)
        return self.reward_funcs[0](
            prompts=prompts,
            completions=completions,
            completion_ids=ids or [[5, 2]] * len(completions),
            trainer_state=SimpleNamespace(global_step=step, max_steps=10, epoch=0.0),
            log_metric=self._log_metric,
            log_extra=self._log_extra,
            **columns,
        )


def scored(source, completions, task=Sums(), **columns):
    return Trainer(reward_funcs(source, task)).score(completions, **columns)


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_one_number_per_completion_in_order():
    assert scored(right, ["5", "6", "5"], example=["five", "five", "six"]) == [1.0, 0.0, 0.0]


def test_messages_and_texts_are_both_completions():
    said = [[{"role": "assistant", "content": "5"}], "5"]
    assert scored(right, said, example=["five", "five"]) == [1.0, 1.0]


def test_unscored_is_none_and_leaves_the_siblings_alone():
    assert scored(unsure, ["a", "?"], example=["five", "five"]) == [0.5, None]


def test_an_unscored_row_becomes_the_number_that_was_named_and_no_other():
    [function] = reward_funcs(unsure, Sums(), fill=-1.0)
    assert Trainer([function]).score(["a", "?"], example=["five", "five"]) == [0.5, -1.0]
    with pytest.raises(ConfigError, match="a finite number is needed"):
        reward_funcs(unsure, Sums(), fill=math.nan)


def test_beside_a_task_a_name_is_a_rewards():
    register_local("rewards", "test/right-v1", right)
    [function] = reward_funcs("test/right", Sums())
    assert function.grader.reward == right
    assert (function.grader.task, function.name) == (Sums(), right.label)
    with pytest.raises(UnknownName, match="no reward named 'test/wrong'"):
        reward_funcs("test/wrong", Sums())
    with pytest.raises(ConfigError, match="which has its own"):
        reward_funcs(Grader(right, Sums()), Sums())


def test_beside_other_functions_none_would_be_zero_so_it_is_refused_before_anything_is_scored():
    [function] = reward_funcs(unsure, Sums())
    with pytest.raises(ConfigError, match="one of 2 reward functions: TRL would count"):
        Trainer([function, len]).score(["a"], example=["five"])
    [filled] = reward_funcs(unsure, Sums(), fill=0.0)
    assert Trainer([filled, len]).score(["?"], example=["five"]) == [0.0]


def test_a_number_too_large_for_float32_stops_the_run():
    """float32 ends at 3.4e38: 1e39 would be inf, and inf makes the whole group's advantages 0."""
    huge = reward(lambda rollout: 1e39)
    with pytest.raises(RewardError, match="float32"):
        scored(huge, ["5"], example=["five"])


def test_a_bug_in_the_reward_ends_training():
    broken = reward(lambda rollout: 1 / 0)
    with pytest.raises(RewardError, match="ZeroDivisionError"):
        scored(broken, ["5"], example=["five"])


# -- rows -------------------------------------------------------------------------------------------------------------


def test_without_a_task_the_columns_are_what_the_reward_sees():
    named = reward(lambda rollout: float(rollout.example.city in rollout.answer))
    assert scored(named, ["in Oslo", "Rome"], task=None, city=["Oslo", "Oslo"]) == [1.0, 0.0]


def test_a_data_set_that_names_no_examples_is_told_what_it_lacks():
    with pytest.raises(ConfigError, match=r"no column 'example', .* it has city\."):
        scored(right, ["5"], city=["Oslo"])


def test_what_the_budget_cut_is_known_by_its_last_token():
    [function] = reward_funcs(told_only_here, Sums())
    trainer = Trainer([function])
    trainer.score(["a", "b"], ids=[[5, 2], [5, 5]], example=["five", "five"])
    assert trainer.extra["told_only_here/why"] == ["stopped by stop", "stopped by length"]


def test_special_tokens_are_kept_where_a_tokenizer_is_given():
    class Letters:
        eos_token_id = 2

        def decode(self, ids, **options):
            assert options["skip_special_tokens"] is False
            return "".join({5: "<call>", 6: "x"}[each] for each in ids)

    call = reward(lambda rollout: float(rollout.answer == "<call>x"))
    [function] = reward_funcs(call, Sums(), tokenizer=Letters())
    assert Trainer([function]).score(["x"], ids=[[5, 6, 2]], example=["five"]) == [1.0]


# -- groups -----------------------------------------------------------------------------------------------------------


def test_attempts_are_compared_within_their_example_though_prompts_have_equal_text():
    rows = ["aaa", "a", "bb", "bbbb"]
    assert scored(Shortest(), rows, example=["five", "five", "six", "six"]) == [0.0, 1.0, 1.0, 0.0]


def test_two_groups_at_one_example_stay_apart():
    """Two attempts each: "aaa" is the shortest of the second pair, though not of all four."""
    assert scored(Shortest(), ["a", "aa", "aaa", "aaaa"], example=["five"] * 4) == [1.0, 0.0, 1.0, 0.0]


def test_without_a_number_of_generations_a_run_of_equal_ids_is_a_group():
    assert group_numbers(["a", "a", "a", "b", "a"], None) == [0, 0, 0, 0, 1]


def test_a_group_of_different_examples_is_an_error_that_names_them():
    with pytest.raises(ConfigError, match=r"rows 1 and 2 .* 'a' and 'b'"):
        group_numbers(["a", "b"], 2)


# -- logs -------------------------------------------------------------------------------------------------------------


def test_parts_are_logged_row_by_row_and_unscored_ones_are_not():
    total = 0.5 * right + 0.5 * unsure
    [function] = reward_funcs(total, Sums(), name="mine")
    trainer = Trainer([function])
    assert trainer.score(["5", "?"], example=["five", "five"]) == [0.75, None]
    assert trainer.metrics == {
        "rewards/mine/unscored": [0.0, 1.0],
        "rewards/mine/right/mean": [1.0, 0.0],
        "rewards/mine/unsure/mean": [0.5],
    }
    assert trainer.extra["mine/right"] == [1.0, 0.0]
    assert trainer.extra["mine/unsure"] == [0.5, None]
    assert trainer.extra["mine/status"] == ["ok", "infra"]
    assert "the judge is down" in trainer.extra["mine/why"][1]


def test_every_function_is_logged_under_a_name_of_its_own():
    names = [reward_funcs(each, Sums())[0].__name__ for each in (right, unsure)]
    assert names == ["right", "unsure"]
    assert reward_funcs(right, Sums(), name="mine")[0].__name__ == "mine"


# -- rewards that learn, and schedules ---------------------------------------------------------------------------------


def test_a_schedule_sees_how_far_training_is():
    @dataclass(frozen=True)
    class Late(Reward):
        def score_batch(self, groups, context):
            return [[Score(context.step / context.total_steps) for _ in group.rollouts] for group in groups]

    assert scored(Late(), ["a", "b"], step=5, example=["five", "five"]) == [0.5, 0.5]


def test_a_reward_learns_in_training_and_not_in_evaluation():
    functions = reward_funcs(Counting(), Sums())
    keeper = SimpleNamespace(keeps=functions)
    Trainer(functions, training=False, callbacks=[keeper]).score(["a", "b"], example=["five", "five"])
    assert functions[0].grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 0}}]}
    Trainer(functions, callbacks=[keeper]).score(["a", "b"], example=["five", "five"])
    assert functions[0].grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 2}}]}


def test_a_reward_that_learns_is_refused_where_no_checkpoint_keeps_its_state():
    functions = reward_funcs(Counting(), Sums())
    with pytest.raises(ConfigError, match="counting learns"):
        Trainer(functions).score(["a"], example=["five"])
    with pytest.raises(ConfigError, match=r"callbacks=\[RewardState"):
        functions[0](prompts=["?"], completions=["a"], example=["five"])  # as the async trainer calls


def test_the_state_is_in_the_checkpoint_and_comes_back(tmp_path):
    pytest.importorskip("transformers", reason="the callback is transformers'")
    from guerdon.adapters.trl import RewardState
    from guerdon.errors import RunError

    (tmp_path / "checkpoint-3").mkdir()
    args = SimpleNamespace(output_dir=str(tmp_path))
    state = SimpleNamespace(global_step=3, is_world_process_zero=True)
    before, after = reward_funcs(Counting([4]), Sums()), reward_funcs(Counting(), Sums())
    RewardState(before).on_save(args, state, None)
    RewardState(after).on_train_begin(args, state, None)
    assert after[0].grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 4}}]}

    elsewhere = SimpleNamespace(output_dir=str(tmp_path / "elsewhere"))
    with pytest.raises(RunError, match="resume_from=FOLDER"):
        RewardState(after).on_train_begin(elsewhere, state, None)
    (tmp_path / "checkpoint-3" / "guerdon_rewards.pt").rename(tmp_path / "kept")
    (tmp_path / "checkpoint-3" / "guerdon_rewards.pt").write_bytes(b"")
    with pytest.raises(RunError, match=r"(?s)guerdon_rewards\.pt' cannot be read \(EOFError"):
        RewardState(after).on_train_begin(args, state, None)
    (tmp_path / "kept").rename(tmp_path / "checkpoint-3" / "guerdon_rewards.pt")
    moved = reward_funcs(Counting(), Sums())
    RewardState(moved, resume_from=tmp_path / "checkpoint-3").on_train_begin(elsewhere, state, None)
    assert moved[0].grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 4}}]}


def test_a_plain_function_is_told_what_it_lacks():
    with pytest.raises(ConfigError, match=r"@guerdon.reward"):
        reward_funcs(lambda completions, **columns: [0.0])


@pytest.mark.parametrize("task", [None, Sums()])
def test_several_rewards_are_told_to_become_one(task):
    for several in ([right, unsure], ("sql/execution", "sql/runs")):
        with pytest.raises(ConfigError, match=r"list of 2: make them one reward.*\(0\.9 \* a \+ 0\.1 \* b, task\)"):
            reward_funcs(several, task)


@pytest.mark.parametrize("source", [right, [right], [], [len]])
def test_what_has_no_grader_is_told_to_come_from_reward_funcs(source):
    with pytest.raises(ConfigError, match=r"give what trl\.reward_funcs\(reward, task\) gave"):
        grader_of(source)
    [function] = reward_funcs(right, Sums())
    assert grader_of([function]) is grader_of(function) is function.grader


@pytest.mark.parametrize("given", [right, 0.5 * right + unsure, Shortest()])
def test_a_reward_that_trl_calls_unwrapped_names_reward_funcs(given):
    with pytest.raises(ConfigError, match=r"not with prompts=, completions=, .*reward_funcs=.*trl\.reward_funcs\("):
        Trainer([given]).score(["5"], example=["five"])


def test_a_reward_that_others_call_unwrapped_says_what_it_is_called_with():
    """OpenRLHF's three lists by position, verl's names; and one rollout is scored as ever."""
    with pytest.raises(ConfigError, match=r"called with one Rollout, not with list, list, list\."):
        right(["q"], ["p"], ["five"])
    with pytest.raises(ConfigError, match=r"not with data_source=, solution_str=\."):
        right(data_source="x", solution_str="5")
    assert right(Rollout.of(Sum(id="five", total=5), "5")).value == 1.0


def test_a_task_may_be_named(monkeypatch):
    from guerdon.recipes import building

    monkeypatch.setattr(building, "build_task", lambda use: Sums() if use.use == "test/sums" else None)
    assert reward_funcs(Counting(), "test/sums")[0].grader.task == Sums()


def test_only_process_0_reads_the_state_since_its_machine_alone_may_have_the_file(tmp_path):
    pytest.importorskip("transformers", reason="the callback is transformers'")
    from guerdon.adapters.trl import RewardState

    other = SimpleNamespace(global_step=3, is_world_process_zero=False)
    RewardState(reward_funcs(Counting(), Sums())).on_train_begin(SimpleNamespace(output_dir=str(tmp_path)), other, None)


def test_a_fresh_run_begins_with_what_the_reward_is(tmp_path):
    pytest.importorskip("transformers", reason="the callback is transformers'")
    from guerdon.adapters.trl import RewardState

    functions = reward_funcs(Counting([4]), Sums())
    RewardState(functions).on_train_begin(
        SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(global_step=0), None
    )
    assert functions[0].grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 4}}]}


# -- the async trainer ------------------------------------------------------------------------------------------------


def test_it_travels_and_needs_no_hooks():
    """The async trainer passes prompts, completions, their ids and columns of one group, and nothing else."""
    function = pickle.loads(pickle.dumps(reward_funcs(Grader(0.5 * Shortest(), Sums(), workers=1))[0]))
    values = function(
        prompts=["?"] * 3, completions=["aa", "a", "aaa"], completion_ids=[[5, 2]] * 3, example=["five"] * 3
    )
    assert values == [0.0, 0.5, 0.0]


# -- turns -------------------------------------------------------------------------------------------------------------


def test_what_was_played_is_scored_as_it_happened():
    """What the task showed, what was sampled, and by which policy, all survive the way through TRL."""
    from guerdon.adapters.trl import rollouts

    prompt = Prompt((Message("user", "? 7"),), observation="the board")
    said = (Segment("policy", "5", (53,), (-0.5,)), Segment("environment", "no"), Segment("policy", "6"))
    rollout = Rollout(Sum(id="five", total=5), said, prompt, (1, 2), "environment", policy_version=3)
    [_, again] = [rollout_of(rollouts._record(rollout), rollout.example, Prompt(), index=place) for place in range(2)]
    assert again == replace(rollout, index=1)
