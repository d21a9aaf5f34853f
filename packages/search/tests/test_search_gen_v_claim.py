"""The claim of Search-Gen-V: its world, that it can fail, and that it holds."""

import numpy as np
import pytest

from guerdon_search.search_gen_v_claim import SearchGenV, batched, make_samples, quality, short_answers


def test_the_same_seed_measures_the_same_and_another_does_not():
    small = SearchGenV(rl_steps=5, held_out=50)
    assert small.distilled(40, 0) == small.distilled(40, 0) != small.distilled(40, 1)


def test_a_classifier_that_knows_nothing_is_right_on_a_third():
    samples = make_samples(400, np.random.default_rng(0))
    assert quality(np.zeros((7, 3)), samples).f1 < 0.25  # one word everywhere: F1 of that class alone, by 3


def test_forty_nuggets_take_forty_calls_or_four():
    assert batched(0) == (40, 4, True)


def test_exact_match_finds_about_half_of_the_right_answers():
    found = short_answers(0)
    assert 0.4 < found["recall"] < 0.6
    assert found["union"] > 0.9


def test_the_claim_fails_without_any_rl():
    result = SearchGenV(rl_steps=0, held_out=100).run((0,))
    assert not result.held
    assert {one.name: one.mean for one in result.measurements}["gain of RL in macro-F1"] == 0.0


@pytest.mark.claim
def test_the_claim_holds():
    result = SearchGenV().run()
    assert len(result.seeds) == SearchGenV.seeds
    assert result.held, result
