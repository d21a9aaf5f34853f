"""Open Bandit's rows: what random showed is the truth for what the other policy's log estimates, and the reverse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guerdon_page.bandit_logs import read_open_bandit, target_of, uniform_policy
from guerdon_page.off_policy import doubly_robust, ips, snips

ROOT = Path(os.environ.get("GUERDON_DATA", "")) / "page" / "open_bandit"
pytestmark = pytest.mark.skipif(
    not os.environ.get("GUERDON_DATA") or not ROOT.is_dir(),
    reason="set GUERDON_DATA to a folder with page/open_bandit",
)


@pytest.mark.parametrize(("campaign", "items"), [("men", 34), ("women", 46)])
@pytest.mark.parametrize("policy", ["random", "bts"])
def test_files_are_read_whole(policy, campaign, items):
    log = read_open_bandit(ROOT / policy / campaign)
    assert (len(log), log.items) == (7500, items)
    assert set(log.position_N) == {1, 2, 3}
    assert 10 < log.click_N.sum() < 100
    rates = log.click_rates()
    assert 0.0 < rates.min() < rates.max() < 0.05
    if policy == "random":
        assert log.propensity_N == pytest.approx(1.0 / items, rel=1e-4)


@pytest.mark.parametrize("campaign", ["men", "women"])
def test_the_random_policys_click_rate_is_estimated_from_the_other_ones_log(campaign):
    log, truth = (read_open_bandit(ROOT / policy / campaign) for policy in ("bts", "random"))
    target = target_of(log, uniform_policy(log))
    expected = log.click_rates(1000.0).mean(0)[log.position_N - 1]
    modelled = log.click_rates(1000.0)[log.item_N, log.position_N - 1]
    logged = log.click_N, log.propensity_N, target
    for found in (ips(*logged), snips(*logged), doubly_robust(*logged, modelled, expected)):
        # Both are samples: two standard errors of the one and the other.
        rate = truth.click_N.mean()
        either = 2.0 * (found.std_error**2 + rate * (1 - rate) / len(truth)) ** 0.5
        assert abs(found.value - rate) < either, found


def test_one_impression_of_a_tiny_propensity_carries_a_whole_estimate_and_the_effective_size_says_so():
    """In `women` the logging policy showed something that it shows once in a million times."""
    sizes = {}
    for campaign in ("men", "women"):
        log = read_open_bandit(ROOT / "bts" / campaign)
        logged = log.click_N, log.propensity_N, target_of(log, uniform_policy(log))
        sizes[campaign] = ips(*logged).effective_size, ips(*logged, clip=20.0).effective_size
    assert sizes["men"][0] > 100
    assert sizes["women"][0] < 10 < 100 < sizes["women"][1]


@pytest.mark.parametrize("campaign", ["men", "women"])
def test_and_the_reverse(campaign):
    log, truth = (read_open_bandit(ROOT / policy / campaign) for policy in ("random", "bts"))
    found = snips(log.click_N, log.propensity_N, target_of(log, truth.policy()))
    rate = truth.click_N.mean()
    assert abs(found.value - rate) < 2.0 * (found.std_error**2 + rate * (1 - rate) / len(truth)) ** 0.5


def test_balance_fills_slots_at_real_click_rates():
    """Each item wants one click, 20,000 page views of three random items each: chances of half a percent."""
    from random import Random

    from guerdon_page.matching.bounds import matching_lp
    from guerdon_page.matching.instances import Instance
    from guerdon_page.matching.simulation import simulate

    rates, draw = read_open_bandit(ROOT / "random" / "men").click_rates(), Random(0)
    views = [{item: float(rates[item, 0]) for item in draw.sample(range(34), 3)} for _ in range(20_000)]
    instance = Instance.of(34, views)
    shares = {rule: simulate(instance, rule, runs=100).value / matching_lp(instance) for rule in ("balance", "greedy")}
    assert 0.572 < shares["greedy"] < shares["balance"] < 1.0
