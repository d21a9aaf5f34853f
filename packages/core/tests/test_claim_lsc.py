"""The claim of LSC: it runs, it tests the product's own sum, and it can fail."""

import math

import pytest

np = pytest.importorskip("numpy")

from guerdon.claims.lsc import LSC, METHODS, RAW, WORLDS, Ask, Lsc, Outcome, combined, tilted  # noqa: E402
from guerdon.rewards import Context  # noqa: E402
from guerdon.types import Group, Rollout, Segment  # noqa: E402

SMALL = Lsc(prompts=60, candidates=100)


def test_it_holds_at_a_fifth_of_its_size_and_reports_every_method_in_both_worlds():
    told = []
    result = SMALL.run((0, 1), lambda *progress: told.append(progress))
    assert result.held
    names = [one.name for one in result.measurements]
    for world in WORLDS:
        for method in METHODS:
            assert f"both met, {world}, {method}" in names
            assert f"lowest decile, {world}, {method}" in names
    assert len(names) == 2 * 2 * 4 + 4
    assert told[-1][:2] == (4, 4)
    assert "this does not show that LSC is the best AND" in result.notes


def test_the_same_seed_measures_the_same():
    small = Lsc(prompts=5, candidates=20)
    assert small.run((3,)) == small.run((3,))
    assert small.run((3,)).measurements != small.run((4,)).measurements


def outcomes(**margins):
    """LSC's margins over a raw sum at 0.25; the margins that pass exactly, but for those given."""
    least = {"clean": 0.125, "outliers": 0.25, "clean_worst": 0.125, "outliers_worst": 0.125, **margins}

    def measure(self, world, seed):
        plain = dict.fromkeys(METHODS, Outcome(0.25, 0.25))
        return {**plain, "LSC sum": Outcome(0.25 + least[world], 0.25 + least[f"{world}_worst"])}

    return measure


def test_it_holds_where_every_margin_does(monkeypatch):
    monkeypatch.setattr(Lsc, "measure", outcomes())
    assert Lsc().run((0, 1)).held


@pytest.mark.parametrize(
    "margin", [{"clean": 0.11}, {"outliers": 0.14}, {"clean_worst": 0.09}, {"outliers_worst": 0.09}]
)
def test_it_does_not_hold_where_one_margin_fails(monkeypatch, margin):
    monkeypatch.setattr(Lsc, "measure", outcomes(**margin))
    assert not Lsc().run((0,)).held


def test_one_seed_that_fails_is_enough(monkeypatch):
    fine, bad = outcomes(), outcomes(clean=0.0)
    monkeypatch.setattr(Lsc, "measure", lambda self, world, seed: (bad if seed == 1 else fine)(self, world, seed))
    assert not Lsc().run((0, 1, 2)).held


def test_of_properties_that_agree_the_sum_is_as_good():
    """With a correlation of 0.99 there is hardly a difference to make: the claim says so by not holding."""
    assert not Lsc(prompts=60, candidates=100, correlation=0.99).run((0,)).held


def test_the_sums_are_the_products_own():
    """[0, 2] in both: level 1 + 1.0364334 sqrt(2) = 2.465738; log sigmoid(-2.465738) = -2.547317, twice for (0, 0)."""
    found = combined(np.array([[[0.0, 2.0]], [[0.0, 2.0]]]))
    u = -math.log1p(math.exp(1.0 + 1.0364334 * math.sqrt(2.0)))
    v = -math.log1p(math.exp(1.0 + 1.0364334 * math.sqrt(2.0) - 2.0))
    assert found["LSC sum"][0] == pytest.approx([2 * u, 2 * v], abs=1e-6)
    assert found["raw sum"][0].tolist() == [0.0, 4.0]
    assert found["z-scored sum"][0] == pytest.approx([-math.sqrt(2.0), math.sqrt(2.0)])
    assert found["least of the centred"][0] == pytest.approx([-2.465738, -0.465738], abs=1e-6)
    ask = Ask(id="1", first=(0.0, 2.0), second=(0.0, 2.0))
    group = Group.of([Rollout(ask, (Segment("policy", action=place),)) for place in (0, 1)])
    assert [score.value for score in Context().scores(LSC, [group])[0]] == found["LSC sum"][0].tolist()
    assert [score.value for score in Context().scores(RAW, [group])[0]] == [0.0, 4.0]


def test_the_tilt_reaches_its_divergence():
    value = np.random.default_rng(0).normal(size=(30, 50))
    policy = tilted(value, 2.0)
    assert policy.sum(axis=1) == pytest.approx(1.0)
    assert (policy * np.log(policy * 50)).sum(axis=1).mean() == pytest.approx(2.0, abs=1e-6)


def test_the_tilt_is_the_closed_form():
    """pi proportional to exp(v / gamma): for two answers, v = (0, 1), log odds are 1 / gamma whatever gamma is."""
    policy = tilted(np.array([[0.0, 1.0, 2.0]]), 0.3)[0]
    assert policy[2] / policy[1] == pytest.approx(policy[1] / policy[0])
