"""Every reward of the package is a value: it compares, hashes, pickles, and its repr rebuilds it."""

import pytest

from guerdon.conformance import check_is_a_value
from guerdon.judges import StandIn
from guerdon.retrieval import HashedEncoder
from guerdon_search.criterion_rewards import JudgedCriterion, RuleCriterion, search_llm
from guerdon_search.lexical import Lexical
from guerdon_search.nugget_rewards import ClassRecall, ExactMatch, NuggetCoverage, ShortForm, Verifier
from guerdon_search.relevance_rewards import PairOrder, RelevanceCalibration, RetroStar
from guerdon_search.topical_rewards import R3

ALL = [
    Verifier("released"),
    ClassRecall(),
    NuggetCoverage(Lexical(), batch_size=3),
    ShortForm(StandIn()),
    ExactMatch(),
    RetroStar(0.5, 10.0),
    RelevanceCalibration("relevant"),
    PairOrder(),
    R3(HashedEncoder(), top=1.0, factors=["length"]),
    RuleCriterion("format"),
    JudgedCriterion(StandIn(), "answer-quality"),
    search_llm(),
]


@pytest.mark.parametrize("reward", ALL, ids=lambda reward: reward.name)
def test_a_reward_is_a_value(reward):
    check_is_a_value(reward)
