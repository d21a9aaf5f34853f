"""Completions from elsewhere, scored: rows in, one score per row out, in order."""

import math
import pickle
import warnings
from dataclasses import dataclass, field

import pytest

from guerdon import Example, Message, Prompt, Reward, Rollout, Score, reward
from guerdon.adapters.exporting import Source, plain_rows
from guerdon.errors import ConfigError, RewardError, UnknownName
from guerdon.grading import Grader
from guerdon.protocols import Task
from guerdon.rewards.ensembles import ensemble
from guerdon.rewards.references import References
from guerdon.rewards.shapes import par
from guerdon.trainer.records import rollout_records
from guerdon.types import Group


class Sum(Example):
    total: int


@dataclass(frozen=True)
class Sums(Task):
    name = "test/sums-v1"
    forced: str = ""

    def examples(self, split):
        return [Sum(id="five", total=5), Sum(id="six", total=6)] if split == "train" else [Sum(id="seven", total=7)]

    def prompt(self, example):
        return Prompt((Message("user", "?"),), forced=self.forced)


@reward(bounds=(0.0, 1.0))
def right(rollout):
    return float(str(rollout.example_as(Sum).total) in rollout.answer)


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


def values(reward, rows, task=Sums(), **options):
    with Grader(reward, task) as grader:
        return [score.value for score in grader.grade(rows, **options)]


def test_rows_name_examples_of_either_split():
    rows = [{"example": "seven", "completion": "7"}, {"example": "five", "completion": "7"}]
    assert values(right, rows) == [1.0, 0.0]


@dataclass(frozen=True)
class Asking(Sums):
    """The same ids, and other questions."""

    unit: str = "euros"

    def prompt(self, example):
        return Prompt((Message("user", f"{example.total} in {self.unit}?"),))


@pytest.mark.parametrize("shown", ["<user>5 in dollars?", [{"role": "user", "content": "5 in dollars?"}]])
def test_rows_made_with_other_settings_of_the_task_are_warned_of_once(shown):
    rows = [{"example": "five", "completion": "5", "prompt": shown}] * 2
    with Grader(right, Asking()) as grader:
        with pytest.warns(RuntimeWarning, match="with the same options"):
            grader.grade(rows) if isinstance(shown, list) else grader.compare_prompt(grader.example("five"), shown)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            grader.compare_prompt(grader.example("five"), shown)


def test_a_prompt_that_says_more_than_the_tasks_is_not_warned_of(recwarn):
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "5 in euros? Think first."}]
    assert values(right, [{"example": "five", "completion": "5", "prompt": asked}], Asking()) == [1.0]
    assert not recwarn.list


def test_an_example_may_come_with_its_fields():
    assert values(right, [{"example": {"id": "new", "total": 41}, "completion": "41"}]) == [1.0]


def test_attempts_are_compared_wherever_they_stand():
    """Of `five`'s attempts "a" is the shortest; of `six`'s, "bb" is alone, and so the shortest."""
    rows = [
        {"example": "five", "completion": "aaa"},
        {"example": "six", "completion": "bb"},
        {"example": "five", "completion": "a"},
    ]
    assert values(Shortest(), rows) == [0.0, 1.0, 1.0]


def test_groups_of_one_example_are_kept_apart_where_rows_say_so():
    rows = [{"example": "five", "completion": text, "group": group} for text, group in (("aaa", 0), ("a", 1))]
    assert values(Shortest(), rows) == [1.0, 1.0]


def test_without_a_task_columns_are_what_the_reward_sees():
    named = reward(lambda rollout: float(rollout.example.city in rollout.answer))
    rows = [{"example": {"city": "Oslo", "tags": ["a"]}, "completion": "in Oslo"}]
    assert values(named, rows, task=None) == [1.0]


def test_rows_with_equal_columns_are_attempts_at_one_example():
    rows = [{"example": {"city": "Oslo"}, "completion": text} for text in ("aa", "a")]
    assert values(Shortest(), rows, task=None) == [0.0, 1.0]


def test_of_chat_messages_the_assistants_are_the_policys():
    rows = [
        {
            "example": "five",
            "completion": [
                {"role": "assistant", "content": "let me see"},
                {"role": "tool", "content": "it is 5"},
                {"role": "assistant", "content": "no idea"},
            ],
        }
    ]
    assert values(right, rows) == [0.0]


def test_a_tool_call_taken_out_of_the_text_is_put_back():
    said = reward(lambda rollout: float(rollout.completion == '<tool_call>\n{"name": "add"}\n</tool_call>'))
    call = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "add"}}]}
    assert values(said, [{"example": "five", "completion": [call]}]) == [1.0]


@pytest.mark.parametrize("text", ["```5", "5"])
def test_a_forced_prefix_stands_before_the_completion_once(text):
    whole = reward(lambda rollout: float(rollout.completion == "```5" and rollout.turns[0].text == "5"))
    assert values(whole, [{"example": "five", "completion": text}], Sums(forced="```")) == [1.0]


@pytest.mark.parametrize("text", ["```5", "5"])
def test_a_forced_prefix_stands_before_chat_messages_once(text):
    whole = reward(lambda rollout: float(rollout.completion == "```5" and rollout.turns[0].text == "5"))
    said = [{"role": "assistant", "content": text}]
    assert values(whole, [{"example": "five", "completion": said}], Sums(forced="```")) == [1.0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"example": "fife", "completion": ""}, "Did you mean 'five'?"),
        ({"example": 5, "completion": ""}, "'example' is 5"),
        ({"completion": ""}, "no field 'example'; it has 'completion'"),
        ("five", "the row is 'five'; an object"),
        ({"example": "five", "completion": "", "grop": 1}, "'grop' is unknown; did you mean 'group'?"),
        ({"example": "five", "completion": []}, "no message in it is the assistant's"),
        ({"example": "five", "completion": [{"rol": "assistant"}]}, "a message is {'rol': 'assistant'}; it has"),
        ({"example": "five", "completion": [{"role": "assistant", "content": 3}]}, "a text as 'content'"),
        ({"example": "five"}, "'completion' is None"),
        ({"example": "five", "completion": ["a"]}, "a message is 'a'"),
        ({"example": "five", "completion": 7}, "'completion' is 7"),
        ({"example": "five", "completion": "", "stop": "bored"}, "'stop' is 'bored'"),
        ({"example": {"id": "x", "totl": 1}, "completion": ""}, "no Sum of task test/sums-v1"),
        ({"example": "five", "completion": "", "group": 0.5}, "'group' is 0.5"),
        ({"example": "five", "completion": "", "index": "first"}, "'index' is 'first'"),
        ({"example": "five", "segments": [{"author": "policy", "text": 5}]}, "a segment is {'author': 'policy'"),
        ({"example": "five", "segments": [{"author": "me", "text": ""}]}, "an 'author' of 'policy', "),
        ({"example": "five", "completion": "", "prompt": [{"role": "user", "content": 5}]}, "a message is {"),
    ],
)
def test_a_row_that_is_none_is_named(row, said):
    with pytest.raises(ConfigError) as caught:
        values(right, [{"example": "five", "completion": "5"}, row])
    assert said in str(caught.value)
    assert caught.value.__notes__ == ["That is in row 2."]


def test_a_reward_that_learns_sees_what_it_is_to_learn_from_and_keeps_it():
    rows = [{"example": "five", "completion": "5"}] * 3
    with Grader(Counting(), Sums()) as grader:
        grader.grade(rows)
        assert grader.state_dict() == {"rewards": [{"of": "counting", "state": {"seen": 0}}]}
        grader.grade(rows, learn=True)
        state = grader.state_dict()
    with Grader(Counting(), Sums()) as other:
        other.load_state_dict(state)
        assert other.grade(rows[:1])[0].value == 3.0
        with pytest.raises(ConfigError, match=r"^there is no state of `counting`\. What"):
            other.load_state_dict({"rewards": []})
        with pytest.raises(ConfigError, match=r"no state of `counting`, and nothing here has .* `another`"):
            other.load_state_dict({"rewards": [{"of": "another", "state": {"seen": 1}}]})
        with pytest.raises(ConfigError, match=r"kept by an earlier guerdon"):
            other.load_state_dict({"rewards": [{"name": "counting", "state": {"seen": 1}}]})
        assert other.grade(rows[:1])[0].value == 3.0


def test_who_cannot_keep_what_a_reward_learns_may_refuse_it():
    Grader(right, Sums()).refuse_learning("nobody asks")
    with pytest.raises(ConfigError, match=r"learns \(counting\), and workers share nothing:"):
        Grader(0.5 * right + Counting(), Sums()).refuse_learning("workers share nothing")


def test_groups_are_told_apart_by_what_they_are_and_not_by_how_they_look():
    rows = [{"example": "five", "completion": text, "group": group} for text, group in (("aaa", 1), ("a", "1"))]
    seen = []

    @dataclass(frozen=True)
    class Keys(Reward):
        def score_group(self, group):
            seen.append(group.key)
            return [Score(0.0) for _ in group.rollouts]

    values(Keys(), rows)
    assert seen == ["five#1", "five#'1'"]


def test_two_examples_of_one_id_are_no_group():
    rows = [{"example": {"id": "x", "total": total}, "completion": "5"} for total in (5, 6)]
    with pytest.raises(ConfigError, match="two different examples have the id 'x'"):
        values(right, rows)


def test_an_id_that_both_splits_have_cannot_be_meant():
    class Twice(Sums):
        def examples(self, split):
            return [Sum(id="five", total=5 if split == "train" else 6)]

    with pytest.raises(ConfigError, match="two different examples of test/sums-v1 have the id 'five'"):
        values(right, [{"example": "five", "completion": "5"}], Twice())


def test_an_id_that_is_a_number_stays_the_rows_own():
    own = reward(lambda rollout: float(rollout.example.id == "17"))
    assert values(own, [{"example": {"id": 17, "city": "Oslo"}, "completion": ""}], task=None) == [1.0]


def test_columns_come_before_the_names_of_a_models_own_methods():
    seen = reward(lambda rollout: float((rollout.example.schema, rollout.example["json"]) == ("CREATE", 1)))
    assert values(seen, [{"example": {"schema": "CREATE", "json": 1, "copy": 2}, "completion": ""}], task=None) == [1.0]


def test_further_fields_are_the_writers_own():
    assert values(right, [{"example": "five", "completion": "5", "step": 3, "mine": [1], "reference": "5"}]) == [1.0]


def test_fields_that_nobody_reads_can_be_told():
    """`total` is the example's own; of the rest of a rollouts file, and of an exported one, a reader knows."""
    rollout = Rollout.of(Sum(id="five", total=5), "5")
    [known] = rollout_records([Group.of([rollout])], [[Score(1.0)]], step=0, phase="rl", weights={})
    [exported] = plain_rows(Source(Sums(), "train", "test/sums", limit=1))
    mine = {"example": "five", "completion": "5", "total": 5, "mine": 1, "dificulty": 2}
    grader = Grader(right, Sums())
    assert grader.unread([known, exported, mine]) == ["dificulty", "mine"]
    assert Grader(right).unread([mine]) == ["dificulty", "mine", "total"]
    assert grader.unread([]) == []


def test_a_reward_that_gives_none_is_told_how_to_say_that_there_is_no_number():
    silent = reward(lambda rollout: None)
    with pytest.raises(RewardError, match=r"it gave None; .* Score.unscored"):
        values(silent, [{"example": "five", "completion": "5"}])


@pytest.mark.parametrize(("given", "said"), [(lambda completions: [0.0], "@guerdon.reward"), ("sql", "Grader.of")])
def test_what_is_no_reward_is_refused_at_once(given, said):
    with pytest.raises(ConfigError, match=said):
        Grader(given)
    with pytest.raises(ConfigError, match="takes names"):
        Grader(right, "test/sums")


def test_a_reward_alone_can_be_named(monkeypatch):
    from guerdon.recipes import building

    monkeypatch.setattr(building, "build_reward", lambda spec: right if spec.use == "test/right" else None)
    grader = Grader.of(reward="test/right")
    assert grader.reward is right
    assert grader.task is None


def test_what_is_shown_of_a_broken_row_is_short():
    with pytest.raises(ConfigError) as caught:
        values(right, [{"example": "five", "completion": {"x": "y" * 10**6}}])
    assert len(str(caught.value)) < 400
    with pytest.raises(UnknownName) as caught:
        values(right, [{"example": "f" * 10**6, "completion": ""}])
    assert len(str(caught.value)) < 400


def test_parts_have_the_same_names_for_every_row():
    total = (0.5 * right + 0.5 * Shortest()).gated_by(right)
    with Grader(total, Sums()) as grader:
        assert grader.part_names == ("right", "shortest")
        [score] = grader.grade([{"example": "five", "completion": "5"}])
        assert grader.parts(score) == {"right": 1.0, "shortest": 1.0}
        assert list(grader.parts(Score.unscored("broken"))) == ["right", "shortest"]


def test_columns_hold_each_row_and_a_term_outranks_what_another_term_is_made_of():
    """The first term's evidence has a part called `shortest` too: 9. The term of that name is what counts, where it is;
    where it is not (a closed gate, no score), NaN."""
    inner = Score(1.0, parts={"shortest": Score(9.0)})
    both = Score(1.0, parts={"right": inner, "shortest": Score(0.25)})
    deeper = Score(1.0, parts={"gate": Score(1.0), "total": Score(0.5, parts={"right": Score(0.125)})})
    with Grader(0.5 * right + 0.5 * Shortest()) as grader:
        columns = grader.columns([both, deeper, Score.unscored("broken")])
    assert columns["right"][:2] == [1.0, 0.125]
    assert columns["shortest"][0] == 0.25
    assert [math.isnan(value) for value in columns["shortest"]] == [False, True, True]


@reward(bounds=(0.0, 1.0))
def twos(rollout):
    return float("2" in rollout.answer)


def test_what_to_watch_is_logged_however_deep_it_lies():
    """Against references at 0 and 0.25 with k = 1: (logistic(1) + logistic(.75)) / 2 = .705, below the top at .99.
    Beside the shortest, which has 1, that is a range of .295."""
    bounded = twos.against(References("rated"), par(first=None)).named("bounded")
    careful = ensemble([bounded, Shortest()], how="mean", spread="range").named("careful")
    total = 0.5 * twos + 0.5 * careful.gated_by(twos)
    row = {"example": {"id": "1", "rated": (0.0, 0.25)}, "completion": "2"}
    with Grader(total) as grader:
        [score] = grader.grade([row])
        parts = grader.parts(score)
    names = "twos careful bounded shortest disagreement missing bounded/twos reference saturated"
    assert grader.part_names == tuple(names.split())
    assert (parts["bounded/twos"], parts["reference"], parts["saturated"]) == (1.0, 0.125, 0.0)
    assert parts["disagreement"] == pytest.approx(0.295, abs=5e-4)


def test_two_parts_of_one_name_are_told_apart_by_their_terms():
    """22 has a two and 1 is the shortest: the first two members are 1 apart each time, the others never."""
    one = ensemble([twos, Shortest()], spread="range").named("one")
    two = ensemble([twos.named("a"), twos.named("b")], spread="range").named("two")
    with Grader(one + two) as grader:
        scores = grader.grade([{"example": {"id": "1"}, "completion": text} for text in ("22", "1")])
        columns, logged = grader.columns(scores), grader.logged(scores)
    assert "disagreement" not in columns
    assert (columns["one/disagreement"], columns["two/disagreement"]) == ([1.0, 1.0], [0.0, 0.0])
    assert logged["part/one/disagreement"] == [1.0, 1.0]


def test_a_grader_is_named_as_on_the_command_line(tmp_path):
    with pytest.raises(ConfigError, match="name both a task and a reward"):
        Grader.of(task="sql/generated")
    with pytest.raises(UnknownName, match="no recipe named 'nope'"):
        Grader.of("nope")


def test_a_grader_travels():
    copy = pickle.loads(pickle.dumps(Grader(right, Sums(), workers=1, deadline_s=2.0)))
    assert copy == Grader(right, Sums(), workers=1, deadline_s=2.0)
    assert copy.grade([{"example": "five", "completion": "5"}])[0].value == 1.0
