"""Follow-up likelihood: the fact sheet's worked examples, its pitfalls, and the reward where rewards are used."""

import importlib.util
import math
import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from guerdon.conformance import check_is_a_value, check_reward, hostile_texts
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import register_local
from guerdon.protocols import Continuation, Scorer, Split, Task
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Context
from guerdon.rewards.conversations import conversation, dialogue
from guerdon.rewards.followups import (
    CATEGORIES,
    OPENING,
    FollowUpLikelihood,
    FollowUps,
    aligned,
    feedback_dialogue,
    length_correlation,
    mean_logprob,
    packaged,
    released,
)
from guerdon.types import Example, Group, Message, Prompt, Rollout, Segment


@dataclass(frozen=True)
class Told:
    """Says what it was told to of each text; everything else has one token at -1."""

    answers: tuple[tuple[str, tuple[float, ...] | None], ...] = ()
    asked: list[Continuation] = field(default_factory=list, repr=False, compare=False)

    @property
    def name(self) -> str:
        return "told"

    def logprobs(self, continuations, *, policy=None):
        self.asked.extend(continuations)
        return [dict(self.answers).get(one.text, (-1.0,)) for one in continuations]


@dataclass(frozen=True)
class Cheerful:
    """Finds praise the likelier the more often the last turn says "good"; both get two tokens."""

    name: ClassVar[str] = "cheerful"
    limit: int = 10**9
    """Characters of a conversation that it can read."""

    def logprobs(self, continuations, *, policy=None):
        return [
            (-1.0 / (1 + one.messages[-1].content.count("good")),) * 2 if one.text == "yes" else (-1.0, -1.0)
            for one in continuations
        ]

    def truncated(self, continuations: Sequence[Continuation]) -> list[bool]:
        return [sum(len(turn.content) for turn in one.messages) > self.limit for one in continuations]


def told(**answers):
    return Told(tuple((text, None if tokens is None else tuple(tokens)) for text, tokens in answers.items()))


FEEDBACK = (FollowUps("feedback", ("yes",), ("no",)),)
QUESTION = Prompt((Message("user", "2 + 2?"),))


def rollout(text, prompt=QUESTION, **fields):
    return Rollout.of(Example(id="1"), text, prompt=prompt, **fields)


def scores(reward, *texts):
    group = Group.of([rollout(text, index=index) for index, text in enumerate(texts)])
    return Context().scores(reward, [group])[0]


# -- the worked examples ----------------------------------------------------------------------------------------------


def test_the_score_is_the_mean_over_categories_of_praise_less_complaint():
    """Example 1: -1.2 + 1.8 = .6, -2.1 + 1.9 = -.2, their mean .2."""
    follow_ups = (FollowUps("correctness", ("a", "b"), ("c", "d")), FollowUps("relevance", ("e", "f"), ("g", "h")))
    answers = told(a=[-1], b=[-1.4], c=[-2], d=[-1.6], e=[-2], f=[-2.2], g=[-1.8], h=[-2])
    (score,) = scores(FollowUpLikelihood(answers, follow_ups=follow_ups), "4")
    assert score.parts["correctness"].value == pytest.approx(0.6)
    assert score.parts["relevance"].value == pytest.approx(-0.2)
    assert score.value == pytest.approx(0.2)
    (alone,) = scores(FollowUpLikelihood(answers, categories=("correctness",), follow_ups=follow_ups), "4")
    assert alone.value == pytest.approx(0.6)
    assert "relevance" not in alone.parts


def test_a_long_complaint_is_not_unlikely_for_free():
    """Example 2: sums would say -1.8 + 3.0 = 1.2; means say -.6 + .5 = -.1."""
    (score,) = scores(FollowUpLikelihood(told(yes=[-0.5, -0.7, -0.6], no=[-0.5] * 6), follow_ups=FEEDBACK), "4")
    assert score.value == pytest.approx(-0.1)


def test_a_remarks_likelihood_is_the_mean_over_its_tokens():
    """Example 3."""
    assert mean_logprob([-1.0, -2.0, -3.0]) == -2.0
    assert mean_logprob([-6.0]) == -6.0


LOGITS = [(2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 1)]


def test_the_aligned_likelihood_reads_each_token_from_the_row_before_it():
    """Example 4: tokens 0, 1, 2, 0, the last two scored: rows 1 and 2 each say -log(e^2 + 2) = -2.239545."""
    assert aligned(LOGITS, [0, 1, 2, 0], 2) == pytest.approx(-2.239545, abs=1e-6)


def test_the_released_scorer_reads_all_tokens_from_one_row():
    """Example 4: row 2 is (0, 0, 2); ids 2 and 0 give (2 + 0) / 2. It is no log-probability: it is above 0."""
    assert released(LOGITS, [2, 0]) == 1.0


def test_huge_logits_are_no_trouble():
    """The chosen token leads by 1000: probability 1."""
    assert aligned([(1e4, 9e3), (0, 0)], [1, 0], 1) == pytest.approx(0.0)


def test_an_empty_response_is_scored_as_any_other():
    """Example 6."""
    empty, good = scores(FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK), "", "good")
    assert empty.status == "ok"
    assert empty.value == 0.0
    assert good.value == 0.5
    nothing = Rollout(Example(id="1"), prompt=QUESTION)
    assert conversation(nothing)[-1] == Message("assistant", "")


def test_a_conversation_that_was_cut_is_flagged():
    """Example 6."""
    whole, cut = scores(FollowUpLikelihood(Cheerful(limit=20), follow_ups=FEEDBACK), "good", "good" * 5)
    assert "cut" not in whole.why
    assert "the request may be missing" in cut.why


def test_a_conversation_can_be_cut_to_fit_any_scorer():
    """Six characters of "2 + 2?" and four of "good": of 7 the question's last three are left, of 3 none of it."""
    scorer = told()
    for limit in (10, 7, 3):
        reward = FollowUpLikelihood(scorer, follow_ups=FEEDBACK, max_characters=limit)
        (score,) = scores(reward, "good")
        assert score.scored
        assert ("may be missing" in score.why) == (limit < 10)
    asked = [[turn.content for turn in one.messages] for one in scorer.asked if one.text == "yes"]
    assert asked == [["2 + 2?", "good"], [" 2?", "good"], ["", "ood"]]


def test_what_does_not_fit_the_scorer_is_told_of():
    (score,) = scores(FollowUpLikelihood(Told((("no", None),)), follow_ups=FEEDBACK), "4")
    assert "max_characters" in score.why


def test_a_limit_below_one_character_is_refused():
    with pytest.raises(ConfigError, match="max_characters"):
        FollowUpLikelihood(told(), max_characters=0)


def test_lists_of_different_length_bring_no_bias():
    """Example 7: -1 + 1 = 0 with one remark against three, all alike."""
    follow_ups = (FollowUps("feedback", ("a",), ("b", "c", "d")),)
    assert scores(FollowUpLikelihood(told(), follow_ups=follow_ups), "4")[0].value == 0.0


@pytest.mark.parametrize(("positive", "negative"), [((), ("no",)), (("yes",), ()), (("yes", " "), ("no",))])
def test_a_missing_list_or_remark_is_a_wrong_configuration(positive, negative):
    """Example 7."""
    with pytest.raises(ConfigError, match="'feedback'"):
        FollowUps("feedback", positive, negative)


# -- pitfalls ---------------------------------------------------------------------------------------------------------


def test_only_the_remark_is_scored_and_the_user_says_it():
    scorer = told()
    scores(FollowUpLikelihood(scorer, follow_ups=FEEDBACK), "4")
    said = (Message("user", "2 + 2?"), Message("assistant", "4"))
    assert scorer.asked == [Continuation(said, "yes", role="user"), Continuation(said, "no", role="user")]


def test_every_token_counts_and_not_the_first_alone():
    first, second = told(yes=[-1, -1], no=[-1, -5]), told(yes=[-1, -5], no=[-1, -1])
    assert scores(FollowUpLikelihood(first, follow_ups=FEEDBACK), "4")[0].value == 2.0
    assert scores(FollowUpLikelihood(second, follow_ups=FEEDBACK), "4")[0].value == -2.0


def test_remarks_of_one_conversation_stand_side_by_side_and_each_is_asked_once():
    """Three attempts, two of them alike: two conversations, two remarks each."""
    scorer = told()
    scores(FollowUpLikelihood(scorer, follow_ups=FEEDBACK), "4", "5", "4")
    assert [(one.messages[-1].content, one.text) for one in scorer.asked] == [
        ("4", "yes"),
        ("4", "no"),
        ("5", "yes"),
        ("5", "no"),
    ]


def test_the_unconditional_likelihood_can_be_subtracted():
    """good: .5 - 0; the empty response is what is subtracted, so it scores 0 itself."""

    @dataclass(frozen=True)
    class Biased(Cheerful):
        def logprobs(self, continuations, *, policy=None):
            shift = {"yes": -3.0, "no": 0.0}
            plain = super().logprobs(continuations)
            return [tuple(x + shift[one.text] for x in each) for one, each in zip(continuations, plain, strict=True)]

    plain = scores(FollowUpLikelihood(Biased(), follow_ups=FEEDBACK), "", "good")
    corrected = scores(FollowUpLikelihood(Biased(), follow_ups=FEEDBACK, unconditional=True), "", "good")
    assert [one.value for one in plain] == [-3.0, -2.5]
    assert [one.value for one in corrected] == [0.0, 0.5]


def test_length_correlation_is_reported_within_the_group():
    """Lengths 0, 4, 8, values 0, 1/2, 2/3: means 4 and .388889: r = 2.666667 / sqrt(32 * .240741)."""
    found = scores(FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK), "", "good", "goodgood")
    assert {round(one.parts["length_correlation"].value, 5) for one in found} == {0.96077}
    (alone,) = scores(FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK), "good")
    assert alone.parts["length_correlation"].status == "abstain"


def test_the_correlation_of_what_does_not_vary_is_none():
    assert math.isnan(length_correlation([1, 1], [0.0, 1.0]))
    assert math.isnan(length_correlation([1, 2], [1.0, math.nan]))
    assert math.isnan(length_correlation([1, 2, 3], [0.1 + 0.2, 0.3, 0.3]))
    assert length_correlation([1, 2, 3], [3.0, math.nan, 1.0]) == pytest.approx(-1.0)
    assert length_correlation([1, 2, 3], [3e200, 2e200, 1e200]) == pytest.approx(-1.0)


def test_a_response_that_praises_itself_is_told_of():
    (score,) = scores(FollowUpLikelihood(told()), "4. Then you say: you got what I meant right away.")
    assert "You got what I meant right away." in score.why


# -- unscored ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "failed"), ((), "no tokens"), ((math.nan,), "nan"), ((-math.inf,), "-inf"), ((-1.0, math.nan), "nan")],
)
def test_a_likelihood_that_is_none_leaves_the_rollout_unscored(answer, why):
    scorer = Told((("no", answer),))
    (score,) = scores(FollowUpLikelihood(scorer, follow_ups=FEEDBACK), "4")
    assert score.status == "infra"
    assert why in score.why
    assert "'no'" in score.why


def test_one_failed_category_is_not_averaged_away():
    follow_ups = (*FEEDBACK, FollowUps("other", ("fine",), ("bad",)))
    (score,) = scores(FollowUpLikelihood(told(bad=None), follow_ups=follow_ups), "4")
    assert not score.scored
    assert score.parts["feedback"].scored


# -- conversations ----------------------------------------------------------------------------------------------------


def test_turns_alternate_so_that_the_user_speaks_next():
    system, asked = Message("system", "Be brief."), Message("user", "2 + 2?")
    segments = (
        Segment("forced", "<a>"),
        Segment("policy", "look up"),
        Segment("environment", "sum is 4"),
        Segment("policy", "4"),
        Segment("environment", "the end"),
    )
    one = Rollout(Example(id="1"), segments, Prompt((system, asked)))
    assert conversation(one) == (
        system,
        asked,
        Message("assistant", "<a>look up"),
        Message("user", "sum is 4"),
        Message("assistant", "4"),
    )


def test_bare_utterances_alternate_and_the_first_is_dropped_where_roles_would_not_fit():
    assert dialogue(["2 + 2?", "4"]) == (Message("user", "2 + 2?"), Message("assistant", "4"))
    assert dialogue(["hello", "2 + 2?", "4"]) == (Message("user", "2 + 2?"), Message("assistant", "4"))
    with pytest.raises(ConfigError, match="a request and a response"):
        dialogue(["4"])


def test_a_tuned_scorer_plays_the_user_and_sees_no_older_history():
    scorer = told()
    turns = (Message("user", "hello"), Message("assistant", "hi"), Message("user", "2 + 2?"))
    group = Group.of([rollout("4", Prompt(turns))])
    Context().scores(FollowUpLikelihood(scorer, roles="swapped", follow_ups=FEEDBACK), [group])
    said = (Message("user", OPENING), Message("assistant", "2 + 2?"), Message("user", "4"))
    assert scorer.asked[0] == Continuation(said, "yes", role="assistant")


def test_a_scorer_is_tuned_on_what_it_is_asked_later():
    """The turns before the remark, and the remark as the assistant's."""
    scorer = told()
    scores(FollowUpLikelihood(scorer, roles="swapped", follow_ups=FEEDBACK, opening="Ask me."), "4")
    tuned = feedback_dialogue("2 + 2?", "4", "yes", opening="Ask me.")
    assert [turn.role for turn in tuned] == ["user", "assistant", "user", "assistant"]
    assert (*scorer.asked[0].messages, Message("assistant", scorer.asked[0].text)) == tuned


def test_a_prompt_without_messages_is_a_wrong_configuration():
    with pytest.raises(ConfigError, match="has no messages"):
        Context().scores(FollowUpLikelihood(told()), [Group.of([rollout("4", Prompt())])])


# -- the reward as a reward -------------------------------------------------------------------------------------------


def test_the_package_brings_six_categories_of_ten_remarks_of_each_sign():
    assert tuple(each.category for each in packaged()) == CATEGORIES
    assert {(len(each.positive), len(each.negative)) for each in packaged()} == {(10, 10)}
    repeated = [
        remark for remark, count in Counter(r for each in packaged() for r in each.remarks).items() if count > 1
    ]
    assert repeated == []


@pytest.mark.parametrize("categories", [("correctnes",), ("relevance", "relevance")])
def test_unknown_and_repeated_categories_are_refused(categories):
    with pytest.raises(ConfigError, match="categories"):
        FollowUpLikelihood(told(), categories=categories)


def test_it_is_a_value():
    reward = FollowUpLikelihood(Cheerful(limit=9), ("feedback",), "swapped", True, FEEDBACK)
    assert pickle.loads(pickle.dumps(reward)) == reward
    assert eval(repr(reward)) == reward
    assert hash(reward) == hash(pickle.loads(pickle.dumps(reward)))
    assert isinstance(Cheerful(), Scorer)


def test_whatever_a_policy_writes_is_scored():
    reward = FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK)
    assert all(one.status == "ok" for one in scores(reward, *hostile_texts()))


def described(**options):
    """As a recipe says it; the scorer by a name, as a plugin would offer it."""
    register_local("scorers", "test/cheerful", Cheerful)
    scorer = {"use": "test/cheerful", "with": {"limit": 9}}
    return RewardSpec.model_validate({"use": "follow-up-likelihood-v1", "with": {"scorer": scorer, **options}})


def test_a_recipe_describes_it():
    own = [{"category": "correctness", "positive": ["yes"], "negative": ["no"]}]
    follow_ups = (FollowUps("correctness", ("yes",), ("no",)),)
    wanted = FollowUpLikelihood(Cheerful(9), ("correctness",), unconditional=True, follow_ups=follow_ups)
    assert build_reward(described(categories=["correctness"], follow_ups=own, unconditional=True)) == wanted
    assert build_reward(described()) == FollowUpLikelihood(Cheerful(9))


def test_it_adds_up_and_is_shaped_like_any_reward():
    from guerdon.transforms import clip

    total = 0.5 * FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK).then(clip(-0.2, 0.2))
    check_is_a_value(total)
    (_, good) = scores(total, "", "good")
    assert good.value == pytest.approx(0.1)
    assert good.flat()["follow-up-likelihood/follow-up-likelihood/feedback"] == 0.5


class Words(Example):
    pass


@dataclass(frozen=True)
class Chat(Task):
    name: ClassVar[str] = "test/chat-v1"

    def examples(self, split: Split) -> Sequence[Words]:
        return [Words(id=f"{split}{i}") for i in range(3)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", f"question {example.id}"),), observation=example.id)

    def reference(self, example: Example) -> str:
        return "good"


def test_it_keeps_the_promises_of_every_reward():
    """-1/2 + 1 for the reference; nothing for words without praise. Same input, same score; its copy's too."""
    reward = FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK)
    check_reward(reward, Chat(), top=0.5, cheats=["", "bad " * 1000])


def test_a_policy_learns_from_it(tmp_path):
    """A table that may say three things learns the one that gets praise."""
    pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.runs import RunFolder
    from guerdon.trainer import TrainConfig, Trainer

    policy = TabularPolicy.for_task(Chat(), ("bad", "good", "good good"))
    settings = {"steps": 30, "prompts_per_step": 3, "optimizer": {"lr": 0.3}, "sampling": {"max_tokens": 1}}
    reward = FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK)
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        Trainer(policy, Chat(), reward, TrainConfig.model_validate(settings)).fit(run)
        metrics = run.metrics()
    probabilities = policy.action_probabilities([example.id for example in Chat().examples("train")])
    assert probabilities[:, 2].min().item() > 0.9
    assert "reward/feedback" in metrics[-1]


SERVED = """
from dataclasses import dataclass
from guerdon import Example, Message, Prompt
from guerdon.grading import Grader
from guerdon.protocols import Task
from guerdon.rewards.followups import FollowUpLikelihood, FollowUps

@dataclass(frozen=True)
class Cheerful:
    name = "cheerful"

    def logprobs(self, continuations, *, policy=None):
        return [(-1.0 / (1 + ("good" in c.messages[-1].content)) if c.text == "yes" else -1.0,) for c in continuations]

@dataclass(frozen=True)
class Chat(Task):
    name = "test/chat-v1"

    def examples(self, split):
        return [Example(id=f"{split}-{n}") for n in range(3)]

    def prompt(self, example):
        return Prompt((Message("user", example.id),))

FEEDBACK = (FollowUps("feedback", ("yes",), ("no",)),)
GRADERS = {"flr": Grader(FollowUpLikelihood(Cheerful(), follow_ups=FEEDBACK), Chat())}
"""


def test_a_server_gives_its_values_and_parts(tmp_path):
    """-1/2 + 1 for praise, -1 + 1 for none."""
    pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")
    spec = importlib.util.spec_from_file_location("served", Path(__file__).with_name("served.py"))
    served = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(served)
    server = served.Server(tmp_path, rewards=SERVED)
    try:
        status, body = server.score("good", "well", reward="flr")
    finally:
        server.end()
    assert status == 200
    assert [score["value"] for score in body["scores"]] == [0.5, 0.0]
    assert body["scores"][0]["parts"]["feedback"]["value"] == 0.5
