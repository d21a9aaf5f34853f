"""Rewards compared with those of reference answers: where references stand, and what becomes of missing ones."""

import importlib.util
import json
import math
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guerdon.conformance import check_is_a_value, check_reward
from guerdon.errors import ConfigError
from guerdon.grading import Columns, Grader
from guerdon.protocols import Task
from guerdon.rewards import Context, Reward, reward, walk
from guerdon.rewards.references import Against, References
from guerdon.rewards.shapes import centred, lsc, par, tanh_centred
from guerdon.scoring import Runner
from guerdon.scoring.runner import travels
from guerdon.transforms import center, standardize
from guerdon.types import Example, Group, Prompt, Rollout, Score, Segment


class Asked(Example):
    sample_rewards: tuple[float | None, ...] = ()
    sample_completions: tuple[str, ...] = ()


@reward
def number(rollout):
    """The completion read as a number."""
    if rollout.completion in ("abstain", "invalid", "infra"):
        return Score.unscored("as told", status=rollout.completion)
    return Score(float(rollout.completion))


@dataclass(frozen=True)
class InProcesses(Reward, runs_in="processes"):
    def score(self, rollout):
        return Score(float(rollout.completion))


@dataclass(frozen=True)
class Learning(Reward):
    """Doubles its scale with every update; counts the answers it is asked to score."""

    stateful = True
    held: dict = field(default_factory=lambda: {"version": 0, "asked": 0}, repr=False, compare=False)

    @property
    def version(self):
        return self.held["version"]

    def score(self, rollout):
        self.held["asked"] += 1
        return Score(2.0**self.version * float(rollout.completion))

    def update(self, groups, scores, context):
        self.held["version"] += 1


@dataclass(frozen=True)
class Ranks(Reward):
    def score_group(self, group):
        return [Score(float(index)) for index in range(len(group))]


@dataclass(frozen=True)
class Lengths(Task):
    name = "test/lengths-v1"

    def examples(self, split):
        return [Asked(id=f"{split}{n}", sample_rewards=(3.0, 5.0)) for n in range(3)]

    def prompt(self, example):
        return Prompt(observation=example.id)

    def reference(self, example):
        return "x" * 8


@dataclass(frozen=True)
class Length(Reward, name="test/length-v1", bounds=(0.0, 1e6)):
    def score(self, rollout):
        return Score(float(len(rollout.answer)))


STORED, TOLD = References(), References(kind="answers")


def asked(*rewards, completions=(), id="1"):
    return Asked(id=id, sample_rewards=rewards, sample_completions=completions)


def scores(of, example, *texts):
    group = Group.of([Rollout.of(example, text, index=index) for index, text in enumerate(texts)])
    return Context().scores(of, [group])[0]


# -- stored rewards ----------------------------------------------------------------------------------------------------


def test_the_sheets_example_comes_out_of_a_tree():
    """PAR of 2 against [0, 1, 4]; the raw reward and the mean reference are kept, 5 / 3."""
    found = scores(number.against(STORED, par()), asked(0.0, 1.0, 4.0), "2.0")[0]
    assert found.value == pytest.approx(0.577020, abs=5e-7)
    assert found.flat() == {"number": 2.0, "reference": pytest.approx(5 / 3), "saturated": 0.0}


def test_lsc_keeps_its_level_and_says_who_is_saturated():
    """LSC's level of [0, 1, 2] is 2.036433; 1 lies 1.036433 below, -log(1 + e^1.036433); 100 is far above, at 0."""
    low, high = scores(number.against(STORED, lsc()), asked(0.0, 1.0, 2.0), "1.0", "100")
    assert low.value == pytest.approx(-1.340026, abs=5e-7)
    assert low.parts["reference"].value == pytest.approx(2.036433, abs=5e-7)
    assert (low.parts["saturated"].value, high.parts["saturated"].value) == (0.0, 1.0)


def test_the_share_of_saturated_answers_is_a_mean_in_the_log():
    """Three of four lie above 0.99: sigmoid(5) = 0.9933, sigmoid(4) = 0.982."""
    torch = pytest.importorskip("torch")
    from guerdon.advantages import Advantages
    from guerdon.trainer.measures import batch_metrics

    assert torch
    group = Group.of([Rollout.of(asked(0.0), text) for text in ("5", "6", "7", "4")])
    rows = Context().scores(number.against(STORED, par()), [group])
    logged = batch_metrics([group], rows, Advantages([[[], [], [], []]], [False], [[True] * 4]))
    assert logged["reward/saturated"] == 0.75
    assert logged["reward/number"] == 5.5
    assert logged["reward/reference"] == 0.0


def test_unbounded_shapes_have_no_saturation():
    assert "saturated" not in scores(number.against(STORED, centred()), asked(1.0), "3")[0].parts


@pytest.mark.parametrize("shape", [par(), lsc(), centred()], ids=repr)
def test_without_references_it_is_an_error_and_not_a_half(shape):
    with pytest.raises(ConfigError, match=r"'sample_rewards' of example '1' is empty; .*undefined"):
        scores(number.against(STORED, shape), asked(), "1.0")
    with pytest.raises(ConfigError, match=r"example '1' has no references in field 'sample_rewards', it has id; "):
        scores(number.against(STORED, shape), Example(id="1"), "1.0")
    with pytest.raises(ConfigError, match=r"in field 'refs', it has id, sample_rewards"):
        scores(number.against(References("refs"), shape), asked(1.0), "1.0")


def test_an_answer_without_a_score_stays_without_one():
    """Beside its sibling, which is scored as if it were alone."""
    first, second = scores(number.against(STORED, par()), asked(2.0), "infra", "2.0")
    assert math.isnan(first.value)
    assert (first.status, first.why) == ("infra", "as told")
    assert "saturated" not in first.parts
    assert second.value == 0.5


def test_references_without_a_score_are_left_out():
    """Of [null, 0, NaN, 4], 0 and 4 remain: (sigmoid(2) + sigmoid(-2)) / 2 = 0.5; the mean is 2."""
    found = scores(number.against(STORED, par()), asked(None, 0.0, math.nan, 4.0), "2.0")[0]
    assert found.value == pytest.approx(0.5)
    assert found.parts["reference"].value == 2.0


def test_where_no_reference_is_scored_the_answer_is_not_either():
    found, unscored = scores(number.against(STORED, par()), asked(None, None), "2.0", "abstain")
    assert math.isnan(found.value)
    assert (found.status, found.why) == ("invalid", "no reference is scored: a stored reference has no score")
    assert found.parts["number"].value == 2.0
    assert (unscored.status, unscored.why) == ("abstain", "as told")


def test_the_first_of_the_stored_rewards_that_have_a_score_count():
    with_null = scores(number.against(STORED, par(first=1)), asked(None, 2.0, 9.0), "2.0")[0]
    assert with_null.value == 0.5
    assert scores(number.against(STORED, par(first=1)), asked(2.0, 0.0), "2.0")[0].value == 0.5


@pytest.mark.parametrize("value", ["high", True, math.inf, {}])
def test_references_that_are_no_numbers_are_refused(value):
    row = Columns.of({"id": "1", "sample_rewards": [1.0, value]})
    with pytest.raises(ConfigError, match=r"'sample_rewards' of example '1' holds .*finite numbers are needed"):
        scores(number.against(STORED, par()), row, "1.0")
    with pytest.raises(ConfigError, match="'sample_rewards' of example '1' is 'many'; a list of rewards is needed"):
        scores(number.against(STORED, par()), Columns.of({"id": "1", "sample_rewards": "many"}), "1.0")


def test_columns_of_other_trainers_are_read_as_they_come():
    """A list (TRL), a numpy array (a parquet file, as verl reads one), or one number."""
    np = pytest.importorskip("numpy")
    for stored in ([0.0, 1.0, 4.0], np.array([0.0, 1.0, 4.0]), (0, 1, 4)):
        row = Columns(id="1", sample_rewards=stored)
        assert scores(number.against(STORED, par()), row, "2.0")[0].value == pytest.approx(0.577020, abs=5e-7)
    assert scores(number.against(STORED, par()), Columns(id="1", sample_rewards=2.0), "2.0")[0].value == 0.5


def test_references_are_per_prompt():
    """The same answer against 0 and against 4: sigmoid(2) and sigmoid(-2)."""
    groups = [Group.of([Rollout.of(asked(level, id=str(level)), "2.0")]) for level in (0.0, 4.0)]
    found = Context().scores(number.against(STORED, par()), groups)
    assert [row[0].value for row in found] == pytest.approx([0.880797, 0.119203], abs=5e-7)


# -- a file ------------------------------------------------------------------------------------------------------------


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_file_has_the_rewards_by_id(tmp_path):
    path = written(tmp_path / "refs.jsonl", {"id": "1", "rewards": [0, 1, 4]}, {"id": 2, "rewards": [2.0, None]})
    shaped = number.against(References(file=path), par())
    assert scores(shaped, Example(id="1"), "2.0")[0].value == pytest.approx(0.577020, abs=5e-7)
    assert scores(shaped, Example(id="2"), "2.0")[0].value == 0.5
    with pytest.raises(ConfigError, match=r"refs.jsonl' has no row for example '3' among its 2"):
        scores(shaped, Example(id="3"), "2.0")


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    path = written(tmp_path / "refs.jsonl", {"id": "1", "rewards": [0]})
    shaped = number.against(References(file=path), centred())
    assert scores(shaped, Example(id="1"), "2.0")[0].value == 2.0
    written(tmp_path / "refs.jsonl", {"id": "1", "rewards": [0.25, 0.75]})
    assert scores(shaped, Example(id="1"), "2.0")[0].value == 1.5


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row for example '1' among its 0"),
        ([{"id": "1", "rewards": []}], "'rewards' of example '1' in '.*' is empty"),
        ([{"id": "1", "scores": [1]}], "field 'rewards' is missing; the row has id, scores; a list is needed"),
        ([{"rewards": [1]}], "field 'id' is missing"),
        ([{"id": "1", "rewards": [1]}, {"id": 1, "rewards": [2]}], "line 2: a second row for example '1'"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, rows, said):
    path = written(tmp_path / "refs.jsonl", *rows)
    with pytest.raises(ConfigError, match=said):
        scores(number.against(References(file=path), par()), Example(id="1"), "2.0")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"references: no references at .*refs\.jsonl"):
        scores(number.against(References(file=str(tmp_path / "refs.jsonl")), par()), Example(id="1"), "2.0")


# -- reference answers -------------------------------------------------------------------------------------------------


def test_reference_answers_are_scored_by_the_same_reward():
    """Their texts say 0, 1 and 4."""
    found = scores(number.against(TOLD, par()), asked(completions=("0", "1", "4")), "2.0")[0]
    assert found.value == pytest.approx(0.577020, abs=5e-7)


def test_reference_answers_may_stand_in_a_file(tmp_path):
    path = written(tmp_path / "refs.jsonl", {"id": "1", "completions": ["0", "1", "4"]})
    found = scores(number.against(References(file=path, kind="answers"), par()), Example(id="1"), "2.0")[0]
    assert found.value == pytest.approx(0.577020, abs=5e-7)


def test_reference_answers_are_asked_at_the_same_prompt():
    @reward
    def by_prompt(rollout):
        return float(rollout.prompt.observation == "seen" and rollout.completion == "yes")

    rollout = Rollout(asked(completions=("yes", "no")), (Segment("policy", "yes"),), Prompt(observation="seen"))
    found = Context().scores(by_prompt.against(TOLD, centred()), [Group.of([rollout])])[0][0]
    assert found.value == 0.5


def test_reference_answers_are_scored_once_per_version():
    """Three answers of the policy and two references; then three alone; after the update two references more.

    The scale doubles: 3 - 1 = 2 becomes 6 - 2 = 4, and a reference scored at the old scale would have given 5.
    """
    learning = Learning()
    shaped = learning.against(TOLD, centred())
    example = asked(completions=("0.5", "1.5"))
    texts = ("3", "3", "3")
    assert [score.value for score in scores(shaped, example, *texts)] == [2.0] * 3
    assert learning.held["asked"] == 5
    scores(shaped, example, *texts)
    assert learning.held["asked"] == 8
    learning.update([], [], Context())
    assert [score.value for score in scores(shaped, example, *texts)] == [4.0] * 3
    assert learning.held["asked"] == 13


def test_two_groups_of_one_example_share_its_references():
    learning = Learning()
    example = asked(completions=("1",))
    groups = [Group.of([Rollout.of(example, "3")], key) for key in ("a", "b")]
    found = Context().scores(learning.against(TOLD, centred()), groups)
    assert [row[0].value for row in found] == [2.0, 2.0]
    assert learning.held["asked"] == 3


def test_only_as_many_references_are_scored_as_count():
    learning = Learning()
    scores(learning.against(TOLD, par(first=1)), asked(completions=("1", "2", "3")), "2")
    assert learning.held["asked"] == 2


def test_a_reference_answer_without_a_score_does_not_count_and_the_next_one_does():
    """Of five, two count: 1 and 3, mean 2. The last is not asked; asked again, nothing is."""
    told = []

    @reward
    def listed(rollout):
        told.append((rollout.completion, rollout.index))
        return number(rollout)

    shaped = listed.against(TOLD, centred(first=2))
    example = asked(completions=("abstain", "1", "abstain", "3", "100"))
    assert scores(shaped, example, "2.5")[0].value == 0.5
    assert told == [("2.5", 0), ("abstain", 0), ("1", 1), ("abstain", 2), ("3", 3)]
    assert scores(shaped, example, "4")[0].value == 2.0
    assert told[5:] == [("4", 0)]


def test_each_prompt_goes_on_in_its_own_list_as_far_as_it_needs():
    """Each of three prompts on its own: 1 and 3; 5 and 7; 9 alone, as there is no other."""
    lists = ("1", "abstain", "3"), ("5", "7", "100"), ("abstain", "9", "abstain")
    groups = [Group.of([Rollout.of(asked(completions=told, id=str(n)), "0")]) for n, told in enumerate(lists)]
    found = Context().scores(number.against(TOLD, centred(first=2)), groups)
    assert [row[0].value for row in found] == [-2.0, -6.0, -9.0]


def test_a_reference_that_failed_for_our_fault_is_tried_again():
    down = [True]

    @reward
    def flaky(rollout):
        if rollout.completion == "1" and down[0]:
            return Score.unscored("the server is down")
        return float(rollout.completion)

    shaped, example = flaky.against(TOLD, centred()), asked(completions=("1",))
    failed = scores(shaped, example, "3")[0]
    assert (failed.status, failed.why) == ("infra", "no reference is scored: the server is down")
    down[0] = False
    assert scores(shaped, example, "3")[0].value == 2.0


def test_of_reference_answers_without_a_score_the_gravest_reason_is_told():
    found = scores(number.against(TOLD, par()), asked(completions=("abstain", "infra")), "2.0")[0]
    assert found.status == "infra"
    left = scores(number.against(TOLD, par()), asked(completions=("abstain", "2")), "2.0")[0]
    assert left.value == 0.5


def test_reference_answers_must_be_texts():
    with pytest.raises(ConfigError, match="holds 3; texts are needed"):
        scores(number.against(TOLD, par()), Columns(id="1", sample_completions=["1", 3]), "2.0")
    assert scores(number.against(TOLD, par()), Columns(id="1", sample_completions="2"), "2.0")[0].value == 0.5


@pytest.mark.parametrize("whole", [Ranks(), number.then(center()), number.then(standardize())], ids=repr)
def test_a_reward_of_whole_groups_cannot_score_reference_answers_beside_them(whole):
    with pytest.raises(ConfigError, match=r"looks at a whole (group|batch), so reference answers .*store the"):
        whole.against(TOLD, par())
    assert whole.against(STORED, par()).sees == whole.sees


def test_reference_answers_of_a_reward_in_processes_are_scored_there_too():
    """The composite itself stays: a slow reference is no time-out of the policy's. Stored ones travel whole."""
    example = asked(0.0, 1.0, 4.0, completions=("0", "1", "4"))
    group = Group.of([Rollout.of(example, text) for text in ("2", "4")])
    with Runner(workers=1) as runner:
        by_answers = runner.score(InProcesses().against(TOLD, par()), [group])
        by_numbers = runner.score(InProcesses().against(STORED, par()), [group])
    assert by_answers[0][0].value == pytest.approx(0.577020, abs=5e-7)
    assert by_answers == by_numbers
    assert not travels(InProcesses().against(TOLD, par()))
    assert travels(InProcesses().against(STORED, par()))


# -- a reward like any other -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shaped",
    [
        Length().against(STORED, par(2.0, first=3)),
        (0.5 * Length()).against(References("refs", "refs.jsonl"), lsc(mode="released")),
        Length().against(TOLD, tanh_centred()).then(center()),
    ],
    ids=repr,
)
def test_it_is_a_value(shaped):
    check_is_a_value(shaped)


def test_it_answers_the_four_questions():
    """Eight letters against references of 3 and 5: (sigmoid(5) + sigmoid(3)) / 2 = 0.972940."""
    shaped = Length().against(STORED, par())
    top = (1 / (1 + math.exp(-5)) + 1 / (1 + math.exp(-3))) / 2
    check_reward(shaped, Lengths(), top=top, cheats=[""], nothing=0.03)


def test_its_name_label_and_bounds():
    shaped = Length().against(STORED, par())
    assert (shaped.name, shaped.label, shaped.bounds) == ("test/length-v1", "length", (0.0, 1.0))
    assert (0.5 * Length() + shaped.named("beats")).bounds == (0.0, 500001.0)
    assert Length().against(STORED, lsc()).bounds == (-math.inf, 0.0)
    assert Against(Length()) == Length().against(References(), par())
    assert walk(shaped) == [shaped, Length()]


def test_a_pickled_copy_knows_no_scored_answers():
    """What was scored stays with whoever scored it; the state of the reward may be another where the copy goes."""
    shaped = number.against(TOLD, par())
    scores(shaped, asked(completions=("1",)), "2")
    assert len(shaped._scored) == 1
    assert not pickle.loads(pickle.dumps(shaped))._scored


def test_it_scores_rows_of_other_trainers():
    """What the TRL and verl adapters, `guerdon score` and the server hand over: columns."""
    rows = [
        {"example": {"id": "1", "sample_rewards": [0, 1, 4]}, "completion": "2.0"},
        {"example": {"id": "2", "sample_rewards": [2.0]}, "completion": "2.0"},
    ]
    with Grader(number.against(STORED, par())) as grader:
        found = grader.grade(rows)
    assert [score.value for score in found] == pytest.approx([0.577020, 0.5], abs=5e-7)


def test_it_is_a_reward_function_of_trl():
    """`sample_rewards` is a column of the data set; a row without a score is None, which TRL leaves out."""
    from guerdon.adapters.trl import reward_funcs

    functions = reward_funcs(number.against(STORED, par()))
    found = functions[0](
        prompts=["?", "?", "?"],
        completions=["2.0", "2.0", "infra"],
        completion_ids=[[1], [1], [1]],
        sample_rewards=[[0.0, 1.0, 4.0], [2.0], [2.0]],
    )
    assert found == [pytest.approx(0.577020, abs=5e-7), 0.5, None]


def test_it_is_served(tmp_path):
    """A row brings its references with it; one that brings none is refused as a mistake of the caller's."""
    pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")
    spec = importlib.util.spec_from_file_location("served", Path(__file__).with_name("served.py"))
    served = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(served)
    beats = 'GRADERS["beats"] = Grader(Obedient().against(References(), par()))\n'
    names = "from guerdon.rewards.references import References\nfrom guerdon.rewards.shapes import par\n"
    server = served.Server(tmp_path, rewards=served.REWARDS + names + beats, lanes=1)
    try:
        rows = [{"example": {"id": "1", "sample_rewards": [0, 1, 4]}, "completion": "xy"}]
        status, _, body = server.ask("/v1/score", {"reward": "beats", "rows": rows})
        assert status == 200
        assert body["scores"][0]["value"] == pytest.approx(0.577020, abs=5e-7)
        assert body["scores"][0]["parts"]["reference"]["value"] == pytest.approx(5 / 3)
        bare = [{"example": {"id": "1"}, "completion": "xy"}]
        status, _, body = server.ask("/v1/score", {"reward": "beats", "rows": bare})
        assert status == 422
        assert "no references in field 'sample_rewards'" in str(body)
    finally:
        assert server.end() == 0


def test_wrong_references_are_refused_at_start():
    with pytest.raises(ConfigError, match=r"references\.kind is 'texts'; accepted are 'rewards' and 'answers'"):
        References(kind="texts")


def test_numbers_of_numpy_in_a_list_are_numbers():
    np = pytest.importorskip("numpy")
    row = Columns(id="1", sample_rewards=[np.float32(2.0), np.int64(2)])
    assert scores(number.against(STORED, par()), row, "2.0")[0].value == 0.5


@pytest.mark.parametrize("kind", ["rewards", "answers"])
def test_one_example_without_references_stops_nobody_else(kind):
    full = Asked(id="1", sample_rewards=(2.0,), sample_completions=("2",))
    groups = [Group.of([Rollout.of(one, "2.0")]) for one in (Asked(id="0"), full)]
    (empty,), (scored,) = Context().scores(number.against(References(kind=kind), par()), groups)
    assert (empty.status, scored.value) == ("invalid", 0.5)
    assert "list of references is empty" in empty.why


def test_in_a_recipe_a_text_alone_is_the_field():
    from guerdon.recipes.building import construct

    for named in ("told", {"field": "told"}):
        built = construct(_against, {"references": named}, "with")
        assert built == References("told")


def _against(references: References) -> References:
    return references
