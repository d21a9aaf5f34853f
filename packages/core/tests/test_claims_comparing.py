"""The claims on comparing rewards run, at a reduced size here, and can fail."""

import numpy as np
import pytest

from guerdon.claims import correlated_proxies, starc
from guerdon.claims.correlated_proxies import CorrelatedProxies, World
from guerdon.claims.starc import Starc
from guerdon.comparing.proxies import assess
from guerdon.comparing.regret import average_reward, occupancy, optimal_policy
from guerdon.comparing.regularized import stay_by_action_kl, stay_by_chi2
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog


def measured(result):
    return {one.name: one.values for one in result.measurements}


def test_both_are_offered_by_name():
    assert catalog().load("claims", "starc") is Starc
    assert catalog().load("claims", "correlated_proxies") is CorrelatedProxies


def test_starc_holds_at_a_reduced_size_and_says_the_same_for_the_same_seeds():
    told = []
    small = Starc(processes=2, pairs=20, states=6)
    result = small.run([0], lambda done, total, what: told.append((done, total)))
    assert result.held, str(result)
    assert told == [(0, 1), (1, 1)]
    assert measured(result)["d(R, redistributed R), VAL"][0] < 1e-12
    assert measured(result)["d(R, shaped and scaled R), EPIC"][0] < 1e-6
    assert small.run([0]) == result


def test_starc_fails_where_val_is_no_better(monkeypatch):
    honest = starc.measures()
    monkeypatch.setattr(starc, "measures", lambda: {**honest, "VAL": honest["EPIC"]})
    result = Starc(processes=1, pairs=20, states=6).run([0])
    assert not result.held
    assert measured(result)["margin of VAL over EPIC and DARD"][0] <= 0.0


def test_the_pairs_of_starc_differ_in_impossible_noise_alone():
    """Without the noise no reward is paid for what never happens; with it the regret is all but the same."""
    claim = Starc(pairs=10)
    draws = [np.random.default_rng(0) for _ in range(2)]
    mdps = [claim.process(draw) for draw in draws]
    (_, quiet), (_, noisy) = (
        claim.rewards(mdp, draw, noise=noise) for mdp, draw, noise in zip(mdps, draws, (False, True), strict=True)
    )
    differs = quiet != noisy
    assert differs.any()
    assert (np.broadcast_to(mdps[0].transitions_SAS, quiet.shape)[differs] < 1e-3).all()


def test_correlated_proxies_holds_at_a_reduced_size():
    result = CorrelatedProxies(steps=300, coefficients=7).run([0])
    assert result.held, str(result)
    found = measured(result)
    assert found["true gain, oracle"][0] >= found["true gain, root of chi-squared"][0]


def test_correlated_proxies_fails_where_there_is_nothing_to_hack(monkeypatch):
    drawn = World.drawn.__func__

    def harmless(cls, draw):
        world = drawn(cls, draw)
        return World(world.mdp, world.true_SA + 0.01 * world.base_SA, world.true_SA, world.base_SA)

    monkeypatch.setattr(correlated_proxies.World, "drawn", classmethod(harmless))
    assert not CorrelatedProxies(steps=100, coefficients=3).run([0]).held


@pytest.fixture
def world():
    return World.drawn(np.random.default_rng(0))


def test_the_natural_gradient_finds_the_best_of_all_stationary_policies(world):
    """Against 2,000 random steps from its own policy: none has a better objective."""
    coefficient = 0.3
    base = occupancy(world.mdp, world.base_SA)

    def objective(policy):
        shares = occupancy(world.mdp, policy)
        chi2 = (shares * shares / base).sum(axis=(-2, -1)) - 1.0
        return average_reward(shares, world.proxy_SA) - coefficient * np.sqrt(np.maximum(chi2, 0.0))

    (found,) = stay_by_chi2(world.mdp, world.proxy_SA, world.base_SA, [coefficient])
    draw = np.random.default_rng(1)
    near = np.log(found + 1e-12) + draw.normal(scale=0.3, size=(2000, *found.shape))
    near = np.exp(near) / np.exp(near).sum(axis=-1, keepdims=True)
    assert objective(found) > objective(world.base_SA) + 0.05
    assert (objective(near) <= objective(found) + 1e-4).all()


def test_soft_value_iteration_is_the_best_of_what_is_near_it(world):
    coefficient = 0.5
    (found,) = stay_by_action_kl(world.mdp, world.proxy_SA, world.base_SA, [coefficient])

    def objective(policy):
        log_ratio = np.log(policy / world.base_SA)
        return average_reward(occupancy(world.mdp, policy), world.proxy_SA - coefficient * log_ratio)

    draw = np.random.default_rng(1)
    near = np.log(found) + draw.normal(scale=0.3, size=(500, *found.shape))
    near = np.exp(near) / np.exp(near).sum(axis=-1, keepdims=True)
    assert (objective(near) <= objective(found) + 1e-9).all()


def test_a_heavy_penalty_keeps_the_base_and_a_light_one_the_free_optimum(world):
    free = optimal_policy(world.mdp, world.proxy_SA)
    for stay in (stay_by_chi2, stay_by_action_kl):
        light, heavy = stay(world.mdp, world.proxy_SA, world.base_SA, [1e-3, 1e3])
        np.testing.assert_allclose(heavy, world.base_SA, atol=0.01)
        shares = occupancy(world.mdp, light)
        best = average_reward(occupancy(world.mdp, free), world.proxy_SA)
        assert average_reward(shares, world.proxy_SA) == pytest.approx(float(best), abs=0.05)


def test_kl_of_actions_charges_for_entering_the_trap_once_and_chi_squared_for_staying(world):
    """At the theory's weight: what share of the time each policy is in the trap."""
    at_base = occupancy(world.mdp, world.base_SA)
    weight = assess(at_base, at_base, world.proxy_SA, world.true_SA).penalty_weight
    trapped = [
        float(occupancy(world.mdp, stay(world.mdp, world.proxy_SA, world.base_SA, [weight])[0])[-1].sum())
        for stay in (stay_by_chi2, stay_by_action_kl)
    ]
    assert trapped[0] < 0.1 < 0.3 < trapped[1]


def test_what_the_base_never_does_and_a_coefficient_of_0_are_refused(world):
    never = world.base_SA.copy()
    never[0] = 1.0, 0.0, 0.0
    with pytest.raises(ConfigError, match="infinite"):
        stay_by_chi2(world.mdp, world.proxy_SA, never, [1.0])
    with pytest.raises(ConfigError, match="above 0"):
        stay_by_action_kl(world.mdp, world.proxy_SA, world.base_SA, [0.0])
