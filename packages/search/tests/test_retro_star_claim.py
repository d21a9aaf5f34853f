"""The claim of Retro*: its world, that it can fail, and that it holds."""

import numpy as np
import pytest

from guerdon_search.retro_star_claim import RetroStarClaim, make_queries


def test_three_documents_of_twenty_are_relevant_and_four_features_tell():
    queries = make_queries(50, np.random.default_rng(0))
    assert set(queries.relevant.sum(axis=1)) == {3}
    gap = queries.features[queries.relevant].mean(axis=0) - queries.features[~queries.relevant].mean(axis=0)
    assert all(gap[:4] > 0.9)
    assert all(abs(gap[4:]) < 0.4)


def test_the_same_seed_measures_the_same_and_another_does_not():
    small = RetroStarClaim(steps=4, train_queries=20, test_queries=10)
    first, again, other = (small.trained("composite", seed, *small.world(seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_the_claim_fails_without_training():
    told = []
    result = RetroStarClaim(steps=0, test_queries=30).run((0, 1), lambda *args: told.append(args))
    assert not result.held
    assert told[-1] == (6, 6, "done")


@pytest.mark.claim
def test_the_claim_holds():
    result = RetroStarClaim().run((0, 1, 2))
    assert result.held, result
    assert {one.name: one for one in result.measurements}["sigma, composite"].mean == pytest.approx(2.0, abs=4.0)
