"""FLR's claim: the counting scorer by hand, the experiment in small, and that it can fail."""

import math
from dataclasses import dataclass

import pytest

from guerdon.claims.flr import ARMS, Flr, InterpolatedCounts, Talk, World, pair_accuracy
from guerdon.plugins.catalog import catalog
from guerdon.protocols import Continuation, Scorer
from guerdon.rewards import reward
from guerdon.types import Message, Score


def said(text, question=0, answer=0):
    turns = (Message("user", f"question {question}"), Message("assistant", f"answer {answer}"))
    return Continuation(turns, text, role="user")


def test_the_scorer_mixes_finer_counts_with_coarser_ones():
    """Two dialogues, vocabulary of 4, weight 2. First word "a" after question 0, answer 0:
    anywhere: (2 of 4 words are a + 2/4) / (4 + 2) = .416667; as a first word: (2 + .8333) / (2 + 2) = .708333;
    after that answer: (1 + 1.416667) / (1 + 2) = .805556.
    """
    scorer = InterpolatedCounts((Talk(0, 0, "a b"), Talk(1, 0, "a c")), vocabulary=4)
    ((first, _),) = scorer.logprobs([said("a b")])
    assert math.exp(first) == pytest.approx(0.805556, abs=1e-6)
    assert isinstance(scorer, Scorer)


def test_the_scorers_words_are_a_distribution():
    scorer = InterpolatedCounts((Talk(0, 0, "w0 w1"), Talk(1, 0, "w0 w2")), vocabulary=4)
    for before in ("", "w0 ", "w3 "):
        last = [scorer.logprobs([said(f"{before}w{n}")])[0][-1] for n in range(4)]
        assert sum(map(math.exp, last)) == pytest.approx(1.0)


def test_talk_praises_what_is_right_and_flips_its_share():
    """No flips: every right answer is praised; half flipped says nothing; a share of neutral remarks is neutral."""
    world = World(0)
    right = [one.right for one in world.examples("train")]
    remarks = world.follow_ups()
    assert [len(remarks[sign]) for sign in ("positive", "negative", "neutral")] == [6, 6, 4]

    def praised(talk):
        return [one.remark in remarks["positive"] for one in talk if right[one.question] == f"answer {one.answer}"]

    honest = world.talk(4000, flipped=0.0, neutral=0.0, seed="t")
    assert all(praised(honest))
    assert len(praised(honest)) == pytest.approx(4000 / 12, rel=0.2)
    noisy = praised(world.talk(4000, flipped=0.5, neutral=0.0, seed="t"))
    assert sum(noisy) / len(noisy) == pytest.approx(0.5, abs=0.1)
    mixed = world.talk(4000, flipped=0.0, neutral=0.3, seed="t")
    assert sum(one.remark in remarks["neutral"] for one in mixed) / 4000 == pytest.approx(0.3, abs=0.03)


def test_shuffling_keeps_the_remarks_and_loses_whose_they_were():
    world = World(0)
    honest = world.talk(2000, flipped=0.0, neutral=0.0, seed="t")
    shuffled = world.talk(2000, flipped=0.0, neutral=0.0, seed="t", shuffled=True)
    assert sorted(one.remark for one in honest) == sorted(one.remark for one in shuffled)
    assert [one[:2] for one in honest] == [one[:2] for one in shuffled]
    assert honest != shuffled


@reward
def knows(rollout):
    return float(rollout.answer == rollout.example.right)


@reward
def knows_nothing(rollout):
    return Score(0.0)


def test_accuracy_is_one_for_who_knows_and_one_half_for_who_does_not():
    world = World(0)
    assert pair_accuracy(world, world.examples("train"), knows) == 1.0
    assert pair_accuracy(world, world.examples("train"), knows_nothing) == 0.5


def test_one_seed_shows_the_lead_and_the_same_seed_the_same_numbers():
    pytest.importorskip("torch", reason="the claim trains a table; the extra guerdon[train] is not installed")
    claim = Flr(tuned_dialogues=6000)
    tuned, base = claim.measure("tuned", 0), claim.measure("base", 0)
    assert tuned.accuracy > base.accuracy + 0.3
    assert tuned.after > base.after
    assert tuned.before == pytest.approx(1 / 12, abs=1e-6)
    assert claim.measure("base", 0) == base


def test_without_honest_feedback_the_claim_fails():
    """The tuned scorer hears as little as the base one."""
    pytest.importorskip("torch", reason="the claim trains a table; the extra guerdon[train] is not installed")
    told = []
    result = Flr(tuned_dialogues=50).run((0,), lambda *step: told.append(step))
    assert not result.held
    assert told[-1][:2] == (len(ARMS), len(ARMS))
    assert len(result.measurements) == 12


@dataclass(frozen=True)
class Gullible(Flr):
    def reward(self, world, arm):
        return knows


def test_a_control_that_learns_fails_the_claim():
    """A reward that knows the answers whatever the talk: shuffled feedback then "works", which it must not."""
    pytest.importorskip("torch", reason="the claim trains a table; the extra guerdon[train] is not installed")
    assert not Gullible().run((0,)).held


@pytest.mark.claim
def test_the_claim_holds_on_its_seeds():
    pytest.importorskip("torch", reason="the claim trains a table; the extra guerdon[train] is not installed")
    assert catalog().load("claims", "flr")().run(range(12)).held
