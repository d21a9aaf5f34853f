"""Process rewards: the fact sheet's worked examples, where steps are cut and placed, and what a missing score does."""

from __future__ import annotations

import math
import statistics
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.advantages import returns_to_go
from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError, RewardError
from guerdon.grading import Grader
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_advantage, build_reward
from guerdon.rewards import Context, ProcessReward, Reward, StepScores, reward
from guerdon.rewards.process import shape_steps
from guerdon.rewards.steps import ends_of, on_tokens, prefix, steps_of
from guerdon.trainer.records import score_of, score_record
from guerdon.types import Example, Group, Rollout, Score, Segment, Stream

nan = math.nan
Q = (0.9, 0.8, 0.3, 0.6)
ENDS = (1, 4, 5, 7)
"""Step lengths 2, 3, 1, 2."""
EIGHT = Rollout(Example(id="x"), (Segment("policy", token_ids=tuple(range(8))),))


class Scripted(Reward, name="test/scripted-v1", bounds=(0.0, 1.0)):
    """Step scores as given, whatever is scored."""

    def __init__(self, *rows: tuple[float, ...], per="span", status="ok", ends=ENDS):
        self.rows, self.per, self.status, self.ends = rows, per, status, ends

    def score_group(self, group):
        made = []
        for values in self.rows:
            ends = self.ends[: len(values)] if self.per == "span" else ()
            dense = {"steps": Stream(self.per, values, ends)}
            made.append(Score(0.5 if self.status == "ok" else nan, "told", {}, self.status, dense))
        return made


def shaped(values, **options):
    steps = Scripted(values, **{name: options.pop(name) for name in ("per", "status", "ends") if name in options})
    return ProcessReward(steps, **options)(EIGHT)


@reward(name="test/sound-v1", bounds=(0.0, 1.0))
def sound(rollout):
    """A rule for steps: 1 for right sums, 0 for wrong ones, nothing for what is no sum."""
    left, _, right = rollout.answer.rpartition("=")
    if not left:
        return Score.unscored("no sum", status="abstain")
    return float(sum(map(int, left.split("+"))) == int(right))


@reward(name="test/solved-v1", bounds=(0.0, 1.0))
def solved(rollout):
    return float(rollout.answer.endswith("=7"))


@reward(name="test/length-v1", bounds=(0.0, 1.0))
def length(rollout):
    return min(1.0, len(rollout.answer) / 100)


# -- the fact sheet's worked examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected", "total"),
    [
        ("plain", [0.9, 0.8, 0.3, 0.6], 2.6),
        ("clip", [0.0, 0.0, -0.2, 0.0], -0.2),
        ("delta", [0.1, 0.5, 0.3, 0.0], 0.9),
        ("clip_delta", [0.0, 0.2, -0.2, 0.0], 0.0),
    ],
)
def test_four_steps_shaped_as_on_the_sheet(mode, expected, total):
    assert shape_steps(Q, mode, 0.5) == pytest.approx(expected, abs=1e-12)
    score = shaped(Q, mode=mode, alpha=1.0)
    assert score.value == pytest.approx(total, abs=1e-12)
    assert score.dense["steps"].values == pytest.approx(expected, abs=1e-12)
    assert score.parts["raw_sum"].value == pytest.approx(2.6)
    assert score.parts["step_count"].value == 4.0


@pytest.mark.parametrize(
    ("mode", "returns"),
    [
        ("plain", [1.052, 1.034, 1.018, 1.012]),
        ("clip", [0.996, 0.996, 0.996, 1.0]),
        ("delta", [1.018, 1.016, 1.006, 1.0]),
        ("clip_delta", [1.0, 1.0, 0.996, 1.0]),
    ],
)
def test_returns_from_each_step_as_on_the_sheet(mode, returns):
    """Alpha 0.02 and success 1; every token of a step gets what is earned from that step on."""
    total = solved_always + ProcessReward(Scripted(Q), mode)
    scores = Context().scores(total, [Group.of([EIGHT])])
    (found,) = (
        returns_to_go({"solved_always": 1.0, "process/steps": 1.0}, baseline="none")
        .estimate([Group.of([EIGHT])], scores)
        .values[0]
    )
    spread = [returns[0]] * 2 + [returns[1]] * 3 + [returns[2]] + [returns[3]] * 2
    assert found == pytest.approx(spread, abs=1e-12)


@reward(bounds=(0.0, 1.0))
def solved_always(rollout):
    return 1.0


def test_short_solutions_as_on_the_sheet():
    assert shape_steps([0.7], "delta") == [0.0]
    assert shape_steps([0.2], "clip") == pytest.approx([-0.3])
    assert shape_steps([0.7, 0.4], "delta") == [0.7, 0.0]
    for mode in ("plain", "clip", "delta", "clip_delta"):
        assert shape_steps([], mode) == []


@pytest.mark.parametrize(("count", "plain"), [(10, 9.0), (1000, 900.0)])
def test_repeats_pay_plainly_and_not_when_shaped(count, plain):
    sums = {mode: math.fsum(shape_steps([0.9] * count, mode)) for mode in ("plain", "clip", "delta")}
    assert sums == pytest.approx({"plain": plain, "clip": 0.0, "delta": 0.9})


def test_rewards_stand_on_the_last_token_of_each_step():
    """[.1, .5, .3, 0] over lengths [2, 3, 1, 2]."""
    stream = shaped(Q, mode="delta", alpha=1.0).dense["steps"]
    assert on_tokens(stream, EIGHT) == pytest.approx([0, 0.1, 0, 0, 0.5, 0.3, 0, 0])


def test_a_step_without_a_score_leaves_success_alone_and_is_counted():
    score = shaped((0.9, nan, 0.3))
    assert (score.status, score.parts["success_only"].value) == ("abstain", 1.0)
    total = (solved_always + ProcessReward(Scripted((0.9, nan, 0.3))))(EIGHT)
    assert total.value == 1.0
    assert shaped(Q).parts["success_only"].value == 0.0


def test_an_answer_without_steps_earns_nothing():
    score = shaped((), status="abstain")
    assert (score.value, score.status) == (0.0, "ok")
    assert score.dense["steps"].values == ()


def test_delta_before_clip_is_something_else():
    """The sheet's example 9: clip at .5 of the deltas is [-.4, 0, -.2, -.5], a punishment of good steps."""
    wrong = [min(value - 0.5, 0.0) for value in shape_steps(Q, "delta")]
    assert wrong == pytest.approx([-0.4, 0.0, -0.2, -0.5])
    assert shape_steps(Q, "clip_delta") != pytest.approx(wrong)


@given(st.lists(st.floats(0.0, 1.0), max_size=30), st.floats(0.01, 1.0))
def test_sums_stay_bounded_whatever_the_steps(scores, eta):
    for mode, low, high in (("clip", -math.inf, 0.0), ("delta", 0.0, 1.0), ("clip_delta", -eta, 0.0)):
        total = math.fsum(shape_steps(scores, mode, eta))
        assert low - 1e-9 <= total <= high + 1e-9
        own = ProcessReward(Scripted((0.5,)), mode, 1.0, eta).bounds
        assert own == pytest.approx((low, high))


def test_a_discount_would_break_the_telescope():
    """Pitfall 3: with gamma = 0.9 the return from the first step is no longer q_1."""
    rewards = shape_steps(Q, "delta")
    assert sum(rewards) == pytest.approx(Q[0])
    assert sum(0.9**place * value for place, value in enumerate(rewards)) != pytest.approx(Q[0], abs=0.05)
    with pytest.raises(TypeError, match="gamma"):
        returns_to_go({"steps": 1.0}, gamma=0.9)


def test_whitening_would_break_the_bound():
    """Pitfall 4: standardised, ten repeats and a last good step earn more than their first score. Not offered."""
    rewards = shape_steps([0.9] * 10 + [0.1], "delta")
    mean, std = statistics.mean(rewards), statistics.pstdev(rewards)
    assert max(math.fsum((value - mean) / std for value in rewards[place:]) for place in range(11)) > 1.0
    with pytest.raises(TypeError, match="std"):
        returns_to_go({"steps": 1.0}, std=True)


# -- steps -----------------------------------------------------------------------------------------------------------


def texts(text, delimiter, limit=256):
    return [step.text for step in steps_of(Rollout.of(Example(id="x"), text), delimiter, limit)]


@pytest.mark.parametrize(
    ("text", "lines", "paragraphs"),
    [
        ("a\nb\n\nc", ["a", "b", "c"], ["a\nb", "c"]),
        ("a\r\n\r\nb\r\n", ["a", "b"], ["a", "b"]),
        ("\n\n  a  \n \t \n  b", ["a", "b"], ["a", "b"]),
        ("", [], []),
        (" \n\n\t ", [], []),
        ("步骤一\n\n🏁", ["步骤一", "🏁"], ["步骤一", "🏁"]),
    ],
)
def test_where_a_text_is_cut(text, lines, paragraphs):
    assert texts(text, "line") == lines
    assert texts(text, "paragraph") == paragraphs


def test_changing_the_delimiter_changes_the_number_of_steps():
    """Pitfall 6: the policy writes the delimiter. Filler lines raise the plain sum and not the shaped one."""
    honest, padded = "1+1=2\n3+4=7", "1+1=2\n" + "1+1=2\n" * 50 + "3+4=7"
    plain, safe = (
        ProcessReward(StepScores(sound, "line", given="step"), mode, 1.0) for mode in ("plain", "clip_delta")
    )
    score = {text: (plain(rollout).value, safe(rollout).value) for text, rollout in made(honest, padded)}
    assert score[honest] == (2.0, 0.0)
    assert score[padded] == (52.0, 0.0)
    assert len(texts(padded, "paragraph")) == 1


def made(*lines):
    return [(text, Rollout.of(Example(id="x"), text)) for text in lines]


def test_the_last_of_limited_steps_holds_what_is_left():
    assert texts("a\nb\nc\nd", "line", limit=3) == ["a", "b", "c\nd"]
    assert texts("a\nb", "line", limit=1) == ["a\nb"]


def test_a_million_blanks_or_newlines_are_cut_at_once():
    for text in (" " * 1_000_000, "\n " * 300_000, "\n" + " " * 1_000_000, "\r" * 1_000_000):
        assert texts(text, "paragraph") == []
        assert texts(text, "line") == []


def test_only_the_policys_turns_have_steps_and_a_prefix_ends_with_its_step():
    talk = Rollout(
        Example(id="x"),
        (
            Segment("forced", "F\n\n"),
            Segment("policy", "a\n\nb"),
            Segment("environment", "e\n\ne"),
            Segment("policy", "c"),
        ),
    )
    steps = steps_of(talk, "paragraph")
    assert [step.text for step in steps] == ["a", "b", "c"]
    assert [prefix(talk, step).completion for step in steps] == ["F\n\na", "F\n\na\n\nb", "F\n\na\n\nbc"]
    assert [step.text for step in steps_of(talk, "turn")] == ["a\n\nb", "c"]


def test_steps_end_on_the_tokens_they_are_written_with():
    """Bytes as tokens: "é" has two. a b \\n \\n | é | \\n \\n c END: the last step takes the end token."""
    tokenizer = Bytes()
    text = "ab\n\né\n\nc"
    ids = (*text.encode(), 256)
    rollout = Rollout(Example(id="x"), (Segment("policy", text, ids),))
    steps = steps_of(rollout, "paragraph")
    assert ends_of(rollout, steps, tokenizer.decode) == (1, 5, 9)
    assert ends_of(rollout, steps, None) is None
    twice = Rollout(
        Example(id="x"), (Segment("policy", text, ids), Segment("environment", "?", (9,)), Segment("policy", text, ids))
    )
    assert ends_of(twice, steps_of(twice, "paragraph"), tokenizer.decode) == (1, 5, 9, 11, 15, 19)
    assert ends_of(twice, steps_of(twice, "turn"), None) == (9, 19)


class Bytes:
    """A token per byte, 256 ends a turn; an unfinished character decodes to a replacement, as everywhere."""

    def decode(self, ids, **options):
        return b"".join(b"<end>" if one == 256 else bytes([one]) for one in ids).decode("utf-8", errors="replace")


def test_the_policys_own_tokenizer_places_steps():
    class Teller:
        tokenizer = Bytes()

    text = "1+1=2\n1+1=3"
    ids = tuple(text.encode())
    group = Group.of([Rollout(Example(id="x"), (Segment("policy", text, ids),))])
    (score,) = Context(policy=Teller()).scores(StepScores(sound, "line", given="step"), [group])[0]
    assert score.dense["steps"] == Stream("span", (1.0, 0.0), (4, 10))
    (blind,) = Context().scores(StepScores(sound, "line", given="step"), [group])[0]
    assert blind.dense["steps"] == Stream("span", (1.0, 0.0))
    with pytest.raises(ConfigError, match="knows the text of its spans and not their tokens"):
        returns_to_go({"steps": 1.0}).estimate([Group.of(group.rollouts * 2)], [[blind, blind]])


def test_a_tokenizer_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"StepScores\.tokenizer is .*nothing"):
        StepScores(sound, tokenizer=str(tmp_path / "nothing"))(EIGHT)


def test_without_the_package_that_reads_tokenizers_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"StepScores\.tokenizer is .*transformers.*pip install"):
        StepScores(sound, tokenizer=str(tmp_path / "another"))(EIGHT)


# -- step scores -----------------------------------------------------------------------------------------------------


def test_a_function_scores_steps_alone_or_as_prefixes():
    rollout = Rollout.of(Example(id="x"), "1+1=2\n1+1=3")
    assert StepScores(sound, "line", given="step")(rollout).dense["steps"].values == (1.0, 0.0)
    assert StepScores(length, "line")(rollout).dense["steps"].values == (0.05, 0.11)


def test_a_judge_is_asked_about_all_steps_at_once():
    asked = []

    class Judged(Reward, name="test/judged-v1", bounds=(0.0, 1.0)):
        def score_batch(self, groups, context):
            asked.append(sum(map(len, groups)))
            return [[Score(0.5) for _ in group.rollouts] for group in groups]

    texts_ = ["a\nb", "", "c"]
    group = Group.of([Rollout.of(Example(id="x"), text, index=place) for place, text in enumerate(texts_)])
    scores = Context().scores(StepScores(Judged(), "line"), [group])[0]
    assert asked == [3]
    assert [score.value for score in scores] == pytest.approx([0.5, nan, 0.5], nan_ok=True)
    assert scores[1].status == "abstain"


@pytest.mark.parametrize("status", ["abstain", "invalid", "infra"])
def test_a_step_without_a_score_is_never_a_number(status):
    @reward(bounds=(0.0, 1.0))
    def second_fails(rollout):
        return Score.unscored("lost", status=status) if rollout.answer == "b" else 1.0

    score = StepScores(second_fails, "line", given="step")(Rollout.of(Example(id="x"), "a\nb"))
    assert (score.status, score.why) == (status, "step 2 of 2: lost")
    process = ProcessReward(StepScores(second_fails, "line", given="step"))(Rollout.of(Example(id="x"), "a\nb"))
    assert (process.status, process.parts["success_only"].value) == ("abstain", 1.0)


def test_few_long_steps_show_in_the_logs():
    """Pitfall 5: "abcd" is one step of four characters, "ab" and "cd" two of two."""
    found = [StepScores(length, "line")(Rollout.of(Example(id="x"), text)).flat() for text in ("abcd", "ab\ncd")]
    assert [one["step_length"] for one in found] == [4.0, 2.0]


@pytest.mark.parametrize("text", [*list(hostile_texts())[:36], "a\n" * 3000], ids=repr)
def test_any_text_gets_a_score_or_abstains(text):
    score = ProcessReward(StepScores(length, "line"))(Rollout.of(Example(id="x"), text))
    assert score.scored
    assert -0.01 - 1e-12 <= score.value <= 0.0


# -- what is wrong is said -------------------------------------------------------------------------------------------


def test_a_score_outside_the_stated_interval_is_a_bug():
    with pytest.raises(RewardError, match=r"a step score of test/scripted-v1 is 1\.5, outside"):
        shaped((1.5, 0.2))
    assert shaped((1.5, 0.2), within=(0.0, 2.0), mode="delta", alpha=1.0).value == 1.5


def test_a_stream_that_is_not_there_is_named():
    with pytest.raises(
        ConfigError, match=r"ProcessReward\.stream is 'turns'; the scores of test/scripted-v1 have 'steps'"
    ):
        shaped(Q, stream="turns")


def test_a_scorer_behind_a_closed_gate_earns_nothing():
    assert ProcessReward(StepScores(length, "line").gated_by(0.0 * solved))(EIGHT).value == 0.0


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "delta_clip"}, {"alpha": nan}, {"alpha": -1.0}, {"eta": nan}, {"within": (1.0, 0.0)}],
    ids=str,
)
def test_wrong_options_are_named(wrong):
    with pytest.raises(ConfigError, match=rf"ProcessReward\.{next(iter(wrong))}"):
        ProcessReward(StepScores(sound), **wrong)


def test_what_compares_attempts_cannot_score_steps():
    class Ranked(Reward):
        def score_group(self, group):
            return [Score(0.0) for _ in group.rollouts]

    with pytest.raises(ConfigError, match="compares the attempts of a group"):
        StepScores(Ranked())
    with pytest.raises(ConfigError, match="delimiter"):
        StepScores(sound, "word")
    with pytest.raises(ConfigError, match="limit"):
        StepScores(sound, limit=0)


@pytest.mark.parametrize("name", ["steps", "raw_sum"])
def test_a_scorer_cannot_take_another_parts_name(name):
    with pytest.raises(ConfigError, match=f"called '{name}', as another part is"):
        ProcessReward(StepScores(sound).named(name))


# -- a value, a recipe, a record, a row ------------------------------------------------------------------------------


def test_both_are_values():
    check_is_a_value(ProcessReward(StepScores(sound, "line", given="step"), "delta", 0.3))


def test_a_recipe_builds_the_tree_and_its_estimator():
    from guerdon.plugins.catalog import catalog, register_local

    register_local("rewards", "test/sound-v1", sound)
    register_local("rewards", "test/solved-v1", solved)
    try:
        steps = {"use": "step-scores", "with": {"reward": "test/sound", "delimiter": "line", "given": "step"}}
        built = load_recipe(
            {
                "task": "any",
                "policy": "scripted",
                "reward": {"sum": ["test/solved", {"use": "process", "with": {"steps": steps, "alpha": 0.3}}]},
                "advantage": {"use": "returns_to_go", "with": {"weights": {"solved": 1.0, "process/steps": 1.0}}},
            }
        )
        assert build_reward(built.reward) == solved + ProcessReward(StepScores(sound, "line", given="step"), alpha=0.3)
        assert build_advantage(built.advantage) == returns_to_go({"solved": 1.0, "process/steps": 1.0})
    finally:
        catalog.cache_clear()


def test_spans_survive_their_record():
    score = shaped(Q)
    assert score_of(score_record(score, {})).dense == dict(score.dense)


def test_trainers_with_one_number_per_completion_see_the_sum():
    """Delta's is alpha times the first step's score; text alone has no tokens to place it on."""
    steps = StepScores(sound, "line", given="step")
    with Grader(solved + ProcessReward(steps, "delta", 0.5)) as grader:
        rows = [{"example": {"id": "1"}, "completion": text} for text in ("1+1=2\n3+4=7", "1+1=3\n3+4=7", "")]
        assert [score.value for score in grader.grade(rows)] == [1.5, 1.0, 0.0]
        assert grader.logged(grader.grade(rows))["part/process"] == [0.5, 0.0, 0.0]
