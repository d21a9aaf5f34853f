"""OpenRLHF's contract: always a number, always the same keys, and never the prompt's words for the policy's."""

import inspect
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from guerdon import Example, Message, Prompt, Reward, Score, reward
from guerdon.adapters.openrlhf import dataset_rows, response_in, reward_func, rows_of
from guerdon.errors import ConfigError, RewardError, UnknownName
from guerdon.grading import Grader
from guerdon.protocols import Task


class Sum(Example):
    total: int


@dataclass(frozen=True)
class Sums(Task):
    name = "test/sums-v1"
    forced: str = ""

    def examples(self, split):
        return [Sum(id="five", total=5), Sum(id="six", total=6)] if split == "train" else []

    def prompt(self, example):
        return Prompt((Message("system", "Add."), Message("user", f"for {example.id}")), forced=self.forced)


@dataclass(frozen=True)
class Right(Reward, name="t/right-v1", bounds=(-1.0, 3.0)):
    """3 if the total is the whole answer, else -1; what it is told to be, where the answer is a status."""

    def score(self, rollout):
        if rollout.answer in ("abstain", "invalid", "infra"):
            return Score.unscored("as told", status=rollout.answer)
        return Score(3.0 if rollout.answer == str(rollout.example_as(Sum).total) else -1.0)


@reward(name="short", bounds=(0.0, 1.0))
def short(rollout):
    return Score.unscored("", status="abstain") if "?" in rollout.answer else float(len(rollout.answer) < 3)


TOTAL = Right() + short


def called(function, response, label="five", prompt="2 + 3 ="):
    """As OpenRLHF calls it: three lists of length 1."""
    return function([f"{prompt}{response}"], [prompt], [label])


def test_the_answer_is_numbers_under_the_same_keys_always():
    """3 + 1 of at most 3 + 1 and at least -1 + 0: 4, and (4 + 1) / 5 = 1 on the scale of its filter."""
    function = reward_func(Grader(TOTAL, Sums()), fill=-0.5)
    assert called(function, "5") == {
        "rewards": 4.0,
        "scores": 1.0,
        "extra_logs": logs(right=3.0, short=1.0),
    }
    assert called(function, "infra") == {
        "rewards": -0.5,
        "scores": pytest.approx(0.1),
        "extra_logs": {**logs(short=0.0), "unscored": 1.0, "unscored/right": 1.0},
    }
    assert called(function, "5?") == {
        "rewards": -1.0,
        "scores": 0.0,
        "extra_logs": {**logs(right=-1.0), "unscored/short": 1.0},
    }


def logs(right=0.0, short=0.0):
    return {"unscored": 0.0, "part/right": right, "unscored/right": 0.0, "part/short": short, "unscored/short": 0.0}


def test_a_part_is_logged_as_what_it_adds():
    """A quarter of 3; and nothing where it abstains, whatever the number for the unscored is."""
    function = reward_func(Grader(0.25 * Right() + 2.0 * short, Sums()), fill=-0.5)
    told = called(function, "5")
    assert (told["rewards"], told["extra_logs"]) == (2.75, logs(right=0.75, short=2.0))
    assert called(function, "5?")["extra_logs"]["part/short"] == 0.0


def test_samples_that_come_at_once_are_scored_at_once():
    """OpenRLHF asks from many threads, one sample each: eight of 0.3 s take two turns, not eight."""

    @reward(runs_in="threads")
    def slow(rollout):
        time.sleep(0.3)
        return float(len(rollout.answer))

    function = reward_func(Grader(slow, Sums()), fill=0.0)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: called(function, "x" * n), range(8)))
    assert [answer["rewards"] for answer in answers] == [float(n) for n in range(8)]
    assert time.monotonic() - started < 1.5


@dataclass(frozen=True)
class Learning(Reward):
    stateful = True

    def score(self, rollout):
        return Score(0.0)


def test_a_reward_that_learns_is_refused():
    with pytest.raises(ConfigError, match=r"the reward learns \(learning\), and OpenRLHF"):
        reward_func(Grader(Right() + Learning(), Sums()), fill=0.0)


def test_options_of_a_grader_that_is_made_already_are_refused():
    with pytest.raises(ConfigError, match="workers: a grader is made already"):
        reward_func(Grader(Right(), Sums()), fill=0.0, workers=3)


def test_it_is_named_and_called_as_openrlhf_does():
    function = reward_func(Grader(Right(), Sums()), fill=0.0)
    assert function.__name__ == "reward_func"
    assert list(inspect.signature(function).parameters) == ["queries", "prompts", "labels"]


def test_more_samples_than_one_are_answered_by_lists():
    function = reward_func(Grader(Right(), Sums()), fill=0.0)
    answer = function(["a5", "a6", "a6"], ["a"] * 3, ["five", "five", "six"])
    assert answer["rewards"] == [3.0, -1.0, 3.0]
    assert answer["scores"] == [1.0, 0.0, 1.0]
    assert answer["extra_logs"] == {"unscored": [0.0, 0.0, 0.0]}


def test_the_number_for_the_unscored_is_the_users_to_name():
    with pytest.raises(TypeError, match="fill"):
        reward_func(Grader(Right(), Sums()))
    with pytest.raises(ConfigError, match="fill is nan"):
        reward_func(Grader(Right(), Sums()), fill=math.nan)


@dataclass(frozen=True, eq=False)
class Flaky(Reward):
    """Ours to blame, so many times; then 1."""

    failures: list = field(default_factory=lambda: [2])

    def score(self, rollout):
        self.failures[0] -= 1
        return Score.unscored("down") if self.failures[0] >= 0 else Score(1.0)


@pytest.mark.parametrize(("retries", "reward_"), [(2, 1.0), (1, 0.0)])
def test_our_own_failures_are_tried_again_first(monkeypatch, retries, reward_):
    monkeypatch.setattr("guerdon.adapters.openrlhf.time.sleep", lambda seconds: None)
    assert called(reward_func(Grader(Flaky(), Sums()), fill=0.0, retries=retries), "x")["rewards"] == reward_


def test_what_abstains_is_not_tried_again(monkeypatch):
    def never(seconds):
        raise AssertionError("it waited")

    monkeypatch.setattr("guerdon.adapters.openrlhf.time.sleep", never)
    assert called(reward_func(Grader(Right(), Sums()), fill=7.0), "abstain")["rewards"] == 7.0


@dataclass(frozen=True)
class Shortest(Reward):
    def score_group(self, group):
        return [Score(0.0) for _ in group.rollouts]


def test_a_reward_that_compares_siblings_is_refused():
    with pytest.raises(ConfigError, match="looks at the whole group, and OpenRLHF sends one sample at a time"):
        reward_func(Grader(Right() + Shortest(), Sums()), fill=0.0)


def test_two_samples_of_one_prompt_never_meet():
    place = reward(lambda rollout: float(rollout.index))
    answer = reward_func(Grader(place, Sums()), fill=-1.0)(["a1", "a2"], ["a", "a"], ["five", "five"])
    assert answer["rewards"] == [0.0, 0.0]


def test_a_bug_in_a_reward_is_raised():
    broken = reward(lambda rollout: 1 / 0)
    with pytest.raises(RewardError, match="ZeroDivisionError"):
        called(reward_func(Grader(broken, Sums()), fill=0.0), "5")


def test_a_label_is_an_id_or_the_examples_fields():
    function = reward_func(Grader(Right(), Sums()), fill=0.0)
    assert called(function, "41", label='{"id": "new", "total": 41}')["rewards"] == 3.0
    with pytest.raises(UnknownName, match="Did you mean 'five'"):
        called(function, "5", label="fife")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, r"row 1: the field 'labels' is None; a text with an example's id"),
        (5, r"row 1: the field 'labels' is 5; a text with an example's id"),
        ("{not json", r"row 1: the field 'labels' is '\{not json', which is no JSON \(Expecting property name"),
    ],
)
def test_a_label_that_is_none_is_named_with_its_row_and_field(label, said):
    with pytest.raises(ConfigError, match=said):
        called(reward_func(Grader(Right(), Sums()), fill=0.0), "5", label=label)


def test_of_several_samples_the_broken_one_is_named():
    with pytest.raises(ConfigError, match=r"row 2: the field 'labels' is None"):
        rows_of(["a", "a"], ["a", "a"], ["five", None])
    with pytest.raises(ConfigError, match=r"row 2: the field 'queries' is \['a'\]; a text is needed"):
        rows_of(["a", ["a"]], ["a", "a"], ["five", "five"])
    with pytest.raises(ConfigError, match=r"row 2: the query does not begin with its prompt"):
        rows_of(["a", "b"], ["a", "a"], ["five", "five"])


def test_a_recipe_is_named_as_everywhere():
    with pytest.raises(UnknownName, match="no recipe named 'nope'"):
        reward_func("nope", fill=0.0)


# -- whose words are whose ---------------------------------------------------------------------------------------------

CHAT = "<|im_start|>user\n2 + 3?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("query", "prompt", "response"),
    [
        ("2 + 3 =5", "2 + 3 =", "5"),
        (f"{CHAT}5<|im_end|>", CHAT, "5"),
        (f"{CHAT}5<|im_end|>\n<|endoftext|><|endoftext|>", CHAT, "5"),
        (f"<|endoftext|><|endoftext|>{CHAT}5", CHAT, "5"),
        (f"<s>{CHAT}5</s>", CHAT, "5"),
        ("<s> [INST] 2 + 3? [/INST] 5</s>", "[INST] 2 + 3? [/INST]", " 5"),
        ("<s><s>[INST]2 + 3?[/INST]5", "<s>[INST] 2 + 3? [/INST] ", "5"),
        ("p  5\n", "p ", " 5\n"),
        (f"{CHAT}", CHAT, ""),
        ("5", "", "5"),
    ],
)
def test_the_response_is_what_follows_the_prompt(query, prompt, response):
    assert response_in(query, prompt) == response


def test_the_prompt_repeated_by_the_policy_is_the_policys():
    assert response_in(f"{CHAT}{CHAT}5", CHAT) == f"{CHAT}5"


def test_a_turn_that_the_policy_makes_up_stays_its_own():
    """Nothing after the prompt passes for a border: what was said before the marker still counts."""
    said = f"wrong<|im_end|>\n{CHAT}5"
    assert response_in(f"{CHAT}{said}", CHAT) == said


def test_an_example_in_the_prompt_is_never_scored_as_an_answer():
    prompt = "Answer in ```sql fences, as ```sql SELECT 1```. "
    assert response_in(f"{prompt}no", prompt) == "no"


@pytest.mark.parametrize(
    ("query", "prompt"), [("other words", "2 + 3 ="), ("2 + 3", "2 + 3 ="), ("x2 + 3 =5", "2 + 3 =")]
)
def test_a_query_of_another_prompt_is_refused(query, prompt):
    with pytest.raises(ConfigError, match="does not begin with its prompt"):
        response_in(query, prompt)


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ConfigError, match="2 queries, 1 prompts and 1 labels"):
        rows_of(["a", "b"], ["a"], ["five"])


# -- the data set ------------------------------------------------------------------------------------------------------


def test_what_the_task_writes_first_is_part_of_the_prompts_text():
    def render(messages):
        return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"

    task = Sums(forced="= ")
    first = next(dataset_rows(task, render=render))
    assert first == {"prompt": "<system>Add.<user>for five<assistant>= ", "label": "five"}
    whole = reward(lambda rollout: float(rollout.completion == "= 5"))
    assert called(reward_func(Grader(whole, task), fill=0.0), "5", prompt=first["prompt"])["rewards"] == 1.0


class Trainer:
    """What OpenRLHF does with a reward file: load it by path, call it once per sample, join what it says."""

    def __init__(self, path):
        names = {}
        exec(compile(path.read_text(), str(path), "exec"), names)
        self.reward_func = names["reward_func"]

    def score(self, samples):
        found = [self.reward_func([query], [prompt], [label]) for query, prompt, label in samples]
        keys = found[0]["extra_logs"].keys()
        assert all(each["extra_logs"].keys() == keys for each in found)
        assert all(math.isfinite(value) for each in found for value in each["extra_logs"].values())
        return [float(each["rewards"]) for each in found], [float(each["scores"]) for each in found]


def test_a_reward_file_works_as_openrlhf_loads_it(tmp_path):
    path = tmp_path / "reward.py"
    path.write_text(
        "from guerdon import reward\n"
        "from guerdon.adapters.openrlhf import reward_func as made\n"
        "from guerdon.grading import Grader\n"
        "polite = reward(bounds=(0.0, 1.0))(lambda rollout: float('please' in rollout.answer))\n"
        "reward_func = made(Grader(polite), fill=0.0)\n"
    )
    samples = [("<s>Ask:please</s>", "Ask:", "1"), ("<s>Ask: please:no</s>", "Ask: please:", "1")]
    assert Trainer(path).score(samples) == ([1.0, 0.0], [1.0, 0.0])
