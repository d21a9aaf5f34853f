"""Likelihood rewards over scorers without a model: where the reference goes, what counts, and what has no number."""

import math
import pickle

import pytest
import yaml

from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError, PolicyError
from guerdon.grading import Columns, Grader
from guerdon.protocols import Continuation
from guerdon.recipes.building import build_advantage, build_reward
from guerdon.recipes.schema import RewardSpec, Use
from guerdon.rewards import Context, reward, walk
from guerdon.rewards.likelihood_rewards import Likelihood, rlpr
from guerdon.rewards.nover import Nover
from guerdon.rewards.reference_answers import Place, reference_of
from guerdon.rewards.spread_filter import SpreadFilter
from guerdon.rewards.tags import TagFormat
from guerdon.scorers import StandInScorer, UnderMoving, UnderPolicy, UnderReference
from guerdon.types import Example, Group, Message, Prompt, Rollout, Segment

ASKED = (Message("user", "2 + 2?"),)


class Sum(Example):
    total: int
    reference: str = "4"


def rollout(text, example=None, **fields):
    return Rollout.of(example or Sum(id="a", total=4), text, prompt=Prompt(ASKED), **fields)


def group(*texts, example=None):
    return Group.of([rollout(text, example, index=place) for place, text in enumerate(texts)])


def scored(reward, *texts, example=None, step=0):
    return Context(step=step).scores(reward, [group(*texts, example=example)])[0]


def by_words(continuation):
    """Each character of the reference has log-prob -(words of the reasoning) / 2."""
    return [-len(continuation.prefix.split()) / 2] * len(continuation.text)


def asked_texts(reward, *texts, example=None):
    """What a reward asks its scorer: (prefix, text) of each continuation."""
    seen = []

    def note(continuation):
        seen.append((continuation.prefix, continuation.text))
        return [-1.0]

    changed = type(reward)(**{**vars(reward), "scorer": StandInScorer(note)})
    scored(changed, *texts, example=example)
    return seen


BY_WORDS = StandInScorer(by_words)


# -- where the reference goes -----------------------------------------------------------------------------------------


def test_the_reference_stands_behind_the_first_separator_and_what_followed_is_gone():
    assert asked_texts(Likelihood(BY_WORDS), "so <answer>5</answer> or <answer>6") == [("so <answer>", "4")]


def test_lead_and_tail_are_given_or_scored_as_counts_says():
    """VeriFree scores its whole block, RLPR the reference alone."""
    form = {"lead": " \\boxed{", "tail": "} </answer>"}
    assert asked_texts(Likelihood(BY_WORDS, **form), "so <answer>") == [("so <answer> \\boxed{", "4")]
    block = Likelihood(BY_WORDS, counts="block", **form)
    assert asked_texts(block, "so <answer>") == [("so <answer>", " \\boxed{4} </answer>")]


def test_the_rollouts_own_white_space_is_kept_where_asked_for():
    kept = Likelihood(BY_WORDS, space="kept")
    assert asked_texts(kept, "so <answer>\n 5 </answer>") == [("so <answer>\n ", "4")]
    assert asked_texts(Likelihood(BY_WORDS), "so <answer>\n 5 </answer>") == [("so <answer>", "4")]


def test_turns_before_the_last_are_messages_and_a_forced_start_is_the_policys_turn():
    segments = (
        Segment("forced", "<think>"),
        Segment("policy", "let me look"),
        Segment("environment", "it says 4"),
        Segment("policy", "ah <answer>4"),
    )
    place = Place()
    rollout = Rollout(Sum(id="a", total=4), segments, Prompt(ASKED))
    asked = place.behind(rollout, "4", "lowest")
    said = (*ASKED, Message("assistant", "<think>let me look"), Message("user", "it says 4"))
    assert asked == Continuation(said, "4", "ah <answer>")
    assert place.alone(rollout, "4") == Continuation(ASKED, "4", "<answer>")  # nothing of what the policy said


def test_attempts_that_say_the_same_are_asked_about_once():
    assert len(asked_texts(Likelihood(BY_WORDS), "so <answer>", "so <answer>1", "no <answer>")) == 2


def test_a_prompt_without_messages_is_a_misconfiguration():
    bare = Group.of([Rollout.of(Sum(id="a", total=4), "so <answer>")])
    for one in (Likelihood(BY_WORDS), Nover(BY_WORDS)):
        text = "<think>x</think><answer>4</answer>"
        with pytest.raises(ConfigError, match="no chat messages"):
            Context().scores(one, [Group.of([Rollout.of(Sum(id="a", total=4), text)])])
    with pytest.raises(ConfigError, match="no chat messages"):
        Context().scores(Likelihood(BY_WORDS), [bare])


# -- the reference ----------------------------------------------------------------------------------------------------


def test_a_reference_is_found_in_any_domains_example_and_in_other_trainers_rows():
    assert reference_of(Sum(id="a", total=4), "reference") == "4"
    assert reference_of(Sum(id="a", total=4), "total") == "4"
    verl = Columns.of({"id": 1, "reward_model": {"style": "rule", "ground_truth": " 7\n"}, "data_source": "x"})
    assert reference_of(verl, "reward_model.ground_truth") == "7"
    assert reference_of(Columns.of({"id": 1, "schema": "t(a)"}), "schema") == "t(a)"  # a name that pydantic uses
    assert reference_of(Columns.of({"id": 1, "answer": None}), "answer") == ""
    several = Columns.of({"id": 1, "gold": ["SELECT 1", "SELECT 2"]})
    assert reference_of(several, "gold.1") == "SELECT 2"
    with pytest.raises(ConfigError, match=r"'gold\.0'"):
        reference_of(several, "gold")
    with pytest.raises(ConfigError, match="no '2' there; it has 0, 1"):
        reference_of(several, "gold.2")


def test_a_task_may_know_the_reference_itself():
    class Sums:
        name = "sums"

        def reference(self, example):
            return f" {example.total} is right\n" if example.total else None

    example, task = Sum(id="a", total=4), Sums()
    assert reference_of(example, "task.reference", task) == "4 is right"
    assert reference_of(Sum(id="b", total=0), "task.reference", task) == ""
    rows = Columns.of({"id": 1, "task": {"reference": "x"}})
    assert reference_of(rows, "task.reference") == "x"  # a column of that name is itself
    with pytest.raises(ConfigError, match="no task is at hand"):
        reference_of(example, "task.reference")
    one = Likelihood(BY_WORDS, reference="task.reference")
    (scores,) = Context(task=task).scores(one, [group("so <answer>")])
    assert "10 tokens" in scores[0].why


@pytest.mark.parametrize(
    ("path", "said"),
    [("answer", "has no 'answer' there; it has id, total, reference"), ("reference.x", "no 'x'"), ("copy", "'copy'")],
)
def test_a_field_that_is_not_there_is_named(path, said):
    with pytest.raises(ConfigError, match=said):
        reference_of(Sum(id="a", total=4), path)


@pytest.mark.parametrize("value", [["4", "four"], {"a": 1}, True])
def test_a_reference_that_is_no_text_is_refused(value):
    with pytest.raises(ConfigError, match="a text or a number"):
        reference_of(Columns.of({"id": 1, "answer": value}), "answer")


@pytest.mark.parametrize("one", [Likelihood(BY_WORDS), Nover(BY_WORDS), rlpr(BY_WORDS, BY_WORDS)])
def test_an_empty_reference_is_the_rows_fault(one):
    for score in scored(one, "a <answer>", "b <answer>", example=Sum(id="a", total=4, reference=" ")):
        assert (score.status, score.scored) == ("invalid", False)


# -- values -----------------------------------------------------------------------------------------------------------


def example_1(continuation):
    return [math.log(0.9), math.log(0.5), math.log(0.8)]


@pytest.mark.parametrize(
    ("variant", "value"), [("prob", 0.36), ("avg-prob", 0.733333), ("log-prob", -1.021651), ("avg-log-prob", -0.34055)]
)
def test_a_rollout_earns_its_variants_value(variant, value):
    (score,) = scored(Likelihood(StandInScorer(example_1), variant), "so <answer>")
    assert score.value == pytest.approx(value, abs=1e-6)
    assert "3 tokens" in score.why


def test_jepo_shows_what_its_group_is_worth():
    """Example 4: l = log (.5, .1, .1), group value log (.7 / 3)."""
    probabilities = {1: 0.5, 2: 0.1, 3: 0.1}
    told = StandInScorer(lambda one: [math.log(probabilities[len(one.prefix.split())])])
    scores = scored(Likelihood(told, "jepo"), "<answer>", "a <answer>", "a b <answer>")
    assert [score.value for score in scores] == pytest.approx([-0.693147, -2.302585, -2.302585], abs=1e-6)
    assert [score.parts["group"].value for score in scores] == pytest.approx([-1.455287] * 3, abs=1e-6)
    advantages = build_advantage(Use(use="log_mean_exp")).centred([score.value for score in scores])
    assert advantages == pytest.approx([0.847298, -0.251314, -0.251314], abs=1e-6)


def test_a_rollout_without_separator_gets_what_its_groups_lowest_has():
    """Two words of reasoning: -1.0; three: -1.5. The one that never answers gets -1.5, and not 0."""
    scores = scored(Likelihood(BY_WORDS), "so <answer>", "so then <answer>", "so it goes on and on")
    assert [score.value for score in scores] == [-1.0, -1.5, -1.5]
    assert [score.status for score in scores] == ["ok", "ok", "fail"]


def test_other_rules_for_a_missing_separator():
    """Closed by force the reasoning has 6 words and a tag: -3.0."""
    texts = ("so <answer>", "so it goes on and on ")
    assert [s.value for s in scored(Likelihood(BY_WORDS, missing="close"), *texts)] == [-1.0, -3.5]
    assert [s.value for s in scored(Likelihood(BY_WORDS, missing="floor"), *texts)] == [-1.0, -1e4]
    assert [s.value for s in scored(Likelihood(BY_WORDS, "prob", missing="floor"), *texts)][1] == 0.0


def test_a_group_without_any_separator_lies_on_the_floor():
    assert [s.value for s in scored(Likelihood(BY_WORDS), "a", "b")] == [-1e4, -1e4]


@pytest.mark.parametrize("said", [None, [float("nan")], []])
def test_a_scorer_that_fails_leaves_the_rollout_unscored(said):
    (score,) = scored(Likelihood(StandInScorer(lambda one: said)), "so <answer>")
    assert score.status == "infra"
    (score,) = scored(Nover(StandInScorer(lambda one: said)), "<think>a</think><answer>4</answer>")
    assert score.status == "infra"


def test_an_impossible_token_is_the_clamp():
    impossible = StandInScorer(lambda one: [-1.0, -math.inf])
    assert scored(Likelihood(impossible), "so <answer>")[0].value == -1e4
    assert scored(Likelihood(impossible, "prob"), "so <answer>")[0].value == 0.0


def with_baseline(a0):
    """Example 1 behind a reasoning; one token of probability A0 behind the tag alone."""
    return StandInScorer(lambda one: example_1(one) if "so" in one.prefix else [math.log(a0)])


GOOD = "<think>so</think><answer>5</answer>"


@pytest.mark.parametrize(
    ("a0", "text", "total"),
    [
        (0.4, GOOD, 0.4),
        (0.9, GOOD, 0.1),
        (0.4, GOOD + "<answer>", 0.3),  # the format is broken, the block is there
        (0.4, "<think>so</think>", 0.0),  # no reference tokens
    ],
)
def test_rlprs_total_is_example_6(a0, text, total):
    scorer = with_baseline(a0)
    (score,) = scored(rlpr(scorer, scorer), text)
    assert score.value == pytest.approx(total)
    assert set(score.parts) == {"likelihood", "tag-format"}


def test_rlprs_baseline_is_the_same_for_the_whole_group_and_shown():
    scorer = with_baseline(0.4)
    for score in scored(Likelihood(scorer, "avg-prob", baseline=scorer), "so <answer>", "so so <answer>"):
        assert score.parts["without-reasoning"].value == pytest.approx(0.4)
        assert score.parts["behind-reasoning"].value == pytest.approx(0.733333, abs=1e-6)
    down = StandInScorer(lambda one: None)
    (score,) = scored(Likelihood(scorer, "avg-prob", baseline=down), "so <answer>")
    assert score.status == "infra"


def test_novers_three_parts_are_example_7():
    """Perplexities 2, 3, 1.5 and lengths 50, 80, 60 (in words, with the length factor undone by the scorer)."""
    wanted = {50: 2.0, 80: 3.0, 60: 1.5}

    def told(continuation):
        words = len(continuation.prefix.removeprefix("<think>").partition("</think>")[0].split())
        return [-math.log(wanted[words]) * (1 + math.log10(words))] * 3

    texts = [f"<think>{'w ' * length}</think><answer>x</answer>" for length in wanted]
    scores = scored(Nover(StandInScorer(told)), *texts, "malformed")
    assert [s.parts["reasoning"].value if s.parts else 0 for s in scores] == pytest.approx([2 / 3, 1 / 3, 1, 0])
    assert [s.parts["efficiency"].value for s in scores] == [0.5, 0.0, 0.5, 0.0]
    assert [s.parts["format"].value for s in scores] == [1, 1, 1, 0]
    assert [s.value for s in scores] == pytest.approx([2 / 3 + 1.5, 1 / 3 + 1, 2.5, 0])


def test_nover_asks_for_the_tagged_reference_behind_what_the_policy_wrote():
    text = "<think>a</think>\n<answer>5</answer>"
    assert asked_texts(Nover(BY_WORDS), text) == [("<think>a</think>\n", "<answer>4</answer>")]


def test_a_reasonings_length_is_in_tokens_where_there_are_any():
    """18 of 36 characters are the reasoning's: half of 12 tokens."""
    text = "<think>" + "a" * 11 + "</think><answer></answer>"
    assert len(text) == 43
    with_tokens = Rollout(Sum(id="a", total=4), (Segment("policy", text, tuple(range(43))),), Prompt(ASKED))
    assert Nover(BY_WORDS)._length(with_tokens) == 18
    assert Nover(BY_WORDS)._length(rollout(text)) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (GOOD, 1.0),
        ("", 0.0),
        (GOOD + GOOD, 0.0),
        ("<answer>5</answer><think>so</think>", 0.0),
        ("<think>so</think><answer>5", 0.0),
    ],
)
def test_the_format_wants_each_tag_once_in_order(text, value):
    assert TagFormat()(rollout(text)).value == value


# -- the filter -------------------------------------------------------------------------------------------------------


@reward(bounds=(0.0, 1.0))
def told(rollout):
    return float(rollout.answer)


def test_the_filter_leaves_out_groups_that_spread_less_than_half_of_what_is_usual():
    """Spreads of (0, 1): .7071; of (0, .2): .1414. Usual after step 6: .7071; step 11 drops what is below .3536."""
    one = SpreadFilter(told)
    for step in range(4, 12):
        context = Context(step=step)
        wide, narrow = group("0.0", "1.0"), group("0.0", "0.2", example=Sum(id="b", total=1))
        scores = context.scores(one, [wide, narrow] if step == 10 else [wide])
        if step == 10:
            assert [score.status for score in scores[0]] == ["ok", "ok"]
            assert [score.status for score in scores[1]] == ["abstain", "abstain"]
            assert [score.parts["told"].value for score in scores[1]] == [0.0, 0.2]
            break
        one.update([wide], scores, context)
        usual = one.state_dict()["usual"]
        assert usual is None if step < 5 else usual == pytest.approx(math.sqrt(0.5))


def test_what_is_usual_moves_by_a_hundredth():
    one = SpreadFilter(told, statistics_from=1)
    for texts in (("0.0", "1.0"), ("0.0", "0.2")):
        context, batch = Context(), [group(*texts)]
        one.update(batch, context.scores(one, batch), context)
    assert one.state_dict()["usual"] == pytest.approx(0.99 * math.sqrt(0.5) + 0.01 * 0.2 * math.sqrt(0.5))
    assert one.version == 2


def test_the_filters_state_survives_and_an_evaluation_does_not_move_it():
    one, other = SpreadFilter(told, statistics_from=1), SpreadFilter(told, statistics_from=1)
    context, batch = Context(), [group("0.0", "1.0")]
    one.update(batch, context.scores(one, batch), context)
    looked_at = [group("0.0", "0.1")]
    Context().scores(one, looked_at)  # an evaluation
    one.update(batch, [], context)  # of another batch than was scored last
    other.load_state_dict(one.state_dict())
    assert other.state_dict() == one.state_dict() == {"usual": pytest.approx(math.sqrt(0.5)), "version": 1}
    assert SpreadFilter(told).state_dict() == {"usual": None, "version": 0}


def test_the_filter_passes_what_has_no_score_and_groups_too_small_to_spread():
    one = SpreadFilter(Likelihood(StandInScorer(lambda c: None)), filters_from=1)
    one.load_state_dict({"usual": 1.0, "version": 1})
    assert scored(one, "a <answer>", "b <answer>")[0].status == "infra"
    lonely = SpreadFilter(told, filters_from=1)
    lonely.load_state_dict({"usual": 1.0, "version": 1})
    assert scored(lonely, "0.5")[0].value == 0.5


# -- as every reward --------------------------------------------------------------------------------------------------

ALL = [
    Likelihood(StandInScorer()),
    Likelihood(UnderPolicy(), "jepo", "answer", "Answer:", " ", ".", "block", "kept", "close", None, False),
    Likelihood(UnderPolicy(), "avg-prob", baseline=UnderReference()),
    Nover(UnderMoving()),
    TagFormat(),
    SpreadFilter(TagFormat()),
    rlpr(UnderPolicy(), UnderReference()),
]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_reward_is_a_value(one):
    import guerdon.scorers

    scope = {**vars(guerdon.scorers), **{type(node).__name__: type(node) for node in walk(one)}}
    assert eval(repr(one), scope) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(pickle.loads(pickle.dumps(one))) == hash(one)
    low, high = one.bounds
    assert -math.inf < low < high
    assert one.sees == ("rollout" if one == TagFormat() else "group")


def test_the_conformance_check_takes_a_reward_without_scorers():
    check_is_a_value(TagFormat())


@pytest.mark.parametrize("variant", ["prob", "avg-prob", "log-prob", "avg-log-prob", "jepo"])
def test_hostile_text_is_scored_within_bounds(variant):
    for text in hostile_texts():
        for one in (Likelihood(StandInScorer(), variant, missing="close"), Nover(StandInScorer())):
            assert scored(one, text, text + "<answer>")[0].scored


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="'log-prob'"):
        Likelihood(BY_WORDS, "logprob")
    with pytest.raises(ConfigError, match="baseline"):
        Likelihood(BY_WORDS, "log-prob", baseline=BY_WORDS)
    with pytest.raises(ConfigError, match="separator"):
        Likelihood(BY_WORDS, separator="")
    with pytest.raises(ConfigError, match="four"):
        rlpr(BY_WORDS, BY_WORDS, tags=("<a>",))
    with pytest.raises(ConfigError, match="tags"):
        TagFormat(())
    with pytest.raises(ConfigError, match="share"):
        SpreadFilter(told, share=-1.0)


SNIPPETS = {
    "{use: likelihood-v1, with: {scorer: policy}}": Likelihood(UnderPolicy()),
    """
use: likelihood-v1
with:
  scorer: {use: policy, with: {temperature: 0.9}}
  variant: prob
  reference: reward_model.ground_truth
  separator: <answer>
  lead: ' \\boxed{'
  tail: '} </answer>'
  counts: block
  missing: floor
""": Likelihood(
        UnderPolicy(0.9),
        "prob",
        "reward_model.ground_truth",
        "<answer>",
        " \\boxed{",
        "} </answer>",
        "block",
        missing="floor",
    ),
    "{use: rlpr-v1, with: {scorer: policy, baseline: reference, reference: answer}}": rlpr(
        UnderPolicy(), UnderReference(), "answer"
    ),
    "{use: nover-v1, with: {scorer: {use: moving, with: {mix: 0.9, every: 4}}}}": Nover(UnderMoving(0.9, 4)),
    "{use: spread-filter-v1, with: {reward: {use: tag-format-v1}, share: 0.25}}": SpreadFilter(TagFormat(), 0.25),
    "{use: tag-format-v1, with: {tags: [<a>, </a>]}}": TagFormat(("<a>", "</a>")),
    "{use: likelihood-v1, with: {scorer: {use: local, with: {model: embedded}}, variant: avg-log-prob}}": None,
    "{use: likelihood-v1, with: {scorer: {use: server, with: {base_url: 'http://127.0.0.1:9/v1', model: m}}}}": None,
}


@pytest.mark.parametrize("text", SNIPPETS)
def test_each_can_be_written_in_a_recipe(text):
    built = build_reward(RewardSpec.model_validate(yaml.safe_load(text)))
    assert SNIPPETS[text] is None or built == SNIPPETS[text]


def test_jepos_estimator_can_be_written_in_a_recipe():
    from guerdon.advantages import log_mean_exp

    assert build_advantage(Use(use="log_mean_exp")) == log_mean_exp()


def test_a_misspelt_option_of_a_scorer_is_said_with_its_place():
    spec = RewardSpec.model_validate(
        {"use": "likelihood-v1", "with": {"scorer": {"use": "policy", "with": {"temp": 1}}}}
    )
    with pytest.raises(ConfigError, match=r"reward\.with\.scorer\.with\.temp"):
        build_reward(spec)


def test_a_model_that_will_not_do_is_no_bug_of_the_reward(tmp_path):
    pytest.importorskip("transformers")
    from guerdon.scorers import LocalScorer

    with pytest.raises(PolicyError, match="no causal language model"):
        scored(Likelihood(LocalScorer(str(tmp_path))), "so <answer>")


# -- where there is no policy -----------------------------------------------------------------------------------------


def elsewhere(reward):
    """As the server, and the adapters to verl, OpenRLHF, Ray and verifiers, ask before they begin."""
    Grader(reward).refuse_learning("nobody trains here")


@pytest.mark.parametrize(
    "one", [Likelihood(UnderPolicy()), Nover(UnderMoving()), 0.5 * Likelihood(UnderReference()) + TagFormat()]
)
def test_who_has_no_policy_names_the_scorers_that_would_do(one):
    assert one.needs_policy
    with pytest.raises(ConfigError, match="'local' or 'server'"):
        elsewhere(one)


def test_a_scorer_with_a_model_of_its_own_is_welcome_there():
    elsewhere(Likelihood(StandInScorer()))
    row = {
        "example": {"id": "a", "reference": "4"},
        "completion": "so <answer>",
        "prompt": [{"role": "user", "content": "?"}],
    }
    (score,) = Grader(Likelihood(BY_WORDS)).grade([row])
    assert score.value == -1.0
    with pytest.raises(ConfigError, match="no task is at hand"):
        Grader(Likelihood(BY_WORDS, reference="task.reference")).grade([row])


def test_the_server_refuses_at_its_start():
    pytest.importorskip("fastapi")
    from guerdon.serve.service import Service
    from guerdon.serve.settings import Settings

    with pytest.raises(ConfigError, match="'local' or 'server'"):
        Service({"likely": Grader(Likelihood(UnderPolicy()))}, Settings())
