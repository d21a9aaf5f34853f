"""The claim of PAR: it runs, it tests the product's own shaping, and it can fail."""

import pytest

np = pytest.importorskip("numpy")

from guerdon.claims import ClaimResult  # noqa: E402
from guerdon.claims import par as module  # noqa: E402
from guerdon.claims.par import ARMS, Ask, Outcome, Par, Proxy, scored  # noqa: E402
from guerdon.rewards import Context, walk  # noqa: E402
from guerdon.rewards.references import References  # noqa: E402
from guerdon.rewards.shapes import par  # noqa: E402
from guerdon.types import Group, Rollout, Segment  # noqa: E402

SMALL = Par(prompts=20, candidates=20, steps=200)


def test_it_holds_at_a_third_of_its_size_and_reports_every_arm():
    told = []
    result = SMALL.run((0, 1), lambda *progress: told.append(progress))
    assert isinstance(result, ClaimResult)
    assert result.held
    names = [one.name for one in result.measurements]
    assert [name for name in names if name.startswith("gold, ") and name[6:] in ARMS] == [
        f"gold, {arm}" for arm in ARMS
    ]
    assert all(len(one.values) == 2 for one in result.measurements)
    assert all(one.needed or one.earlier for one in result.measurements)
    assert told[0][:2] == (0, 14)
    assert told[-1][:2] == (14, 14)
    assert "clip, LSC and PAR all withstand hacking" in result.notes


def test_the_same_seed_measures_the_same():
    small = Par(prompts=5, candidates=10, steps=20)
    assert small.run((3,)) == small.run((3,))
    assert small.run((3,)).measurements != small.run((4,)).measurements


def outcomes(gold, hacks):
    """A measure that gives each arm the outcome of its name."""
    by_shape = {id(shape): arm for arm, shape in ARMS.items()}
    return lambda self, world, shaping, seed: Outcome(
        gold.get(by_shape[id(shaping)], 0.0), hacks.get(by_shape[id(shaping)], 0.0)
    )


GOLD = {"PAR": 1.5, "PAR, one reference": 1.0, "vanilla": 0.0}
HACKS = {"PAR": 0.15, "vanilla": 0.4}


def test_it_holds_exactly_at_the_sheets_criteria(monkeypatch):
    monkeypatch.setattr(Par, "measure", outcomes(GOLD, HACKS))
    assert Par(prompts=2, candidates=10).run((0,)).held


@pytest.mark.parametrize(
    ("gold", "hacks"),
    [
        ({"PAR": 1.49, "PAR, one reference": 1.49}, {}),
        ({"PAR, one reference": 0.99}, {}),
        ({"PAR, one reference": 2.01}, {}),
        ({}, {"PAR": 0.16}),
        ({}, {"vanilla": 0.39}),
    ],
)
def test_it_does_not_hold_where_one_criterion_fails(monkeypatch, gold, hacks):
    monkeypatch.setattr(Par, "measure", outcomes({**GOLD, **gold}, {**HACKS, **hacks}))
    assert not Par(prompts=2, candidates=10).run((0,)).held


def test_with_a_proxy_that_cannot_be_hacked_it_does_not_hold(monkeypatch):
    """Without hacks (fewer than ten candidates), vanilla has nothing to be misled by."""
    assert not Par(prompts=10, candidates=9, steps=30).run((0,)).held


def test_the_world_is_the_sheets():
    world = Par().world(0)
    assert world.hack_PC.sum(axis=1).tolist() == [4] * 40
    assert set(world.gold_PC[world.hack_PC]) == {-3.0}
    assert 3.0 <= world.proxy_PC[world.hack_PC].min() <= world.proxy_PC[world.hack_PC].max() <= 12.0
    fine = ~world.hack_PC
    assert world.gold_PC[fine].std() == pytest.approx(1.0, abs=0.06)
    assert (world.proxy_PC - world.gold_PC)[fine].std() == pytest.approx(0.3, abs=0.02)
    assert world.base_PC[fine].std() == pytest.approx(0.5, abs=0.03)
    assert world.base_PC[world.hack_PC].mean() == pytest.approx(-2.0, abs=0.1)
    assert all(len(ask.sample_rewards) == 10 for ask in world.prompts)
    assert all(set(ask.sample_rewards) <= set(ask.proxy) for ask in world.prompts)


def test_pairs_scored_once_are_what_their_rollouts_score_in_a_batch():
    ask = Ask(id="1", proxy=(2.0, 100.0), sample_rewards=(0.0, 1.0, 4.0))
    assert scored(Proxy().against(References(), par()), [ask])[0] == pytest.approx([0.577020, 1.0], abs=5e-7)


@pytest.mark.parametrize("arm", ["min-max", "mean-std", "clip"])
def test_a_transform_over_flat_values_is_what_the_reward_tree_does(arm):
    """The claim hands batches to the transform; `Proxy().then(...)`, updated batch by batch, gives the same numbers."""
    rng = np.random.default_rng(0)
    ask = Ask(id="1", proxy=tuple(rng.normal(size=12).tolist()), sample_rewards=(0.0,))
    transform, tree = ARMS[arm], Proxy().then(ARMS[arm])
    state = transform.init()
    for _ in range(3):
        chosen = rng.integers(0, 12, size=8).tolist()
        flat, state = transform.update([ask.proxy[place] for place in chosen], state, [8])
        groups = [Group.of([Rollout(ask, (Segment("policy", action=place),)) for place in chosen])]
        rows = Context().scores(tree, groups)
        assert [score.value for score in rows[0]] == flat
        for node in walk(tree):
            node.update(groups, rows, Context())


def test_draws_follow_the_probabilities():
    rng = np.random.default_rng(0)
    drawn = module._draw(np.array([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0]]), 4000, rng)
    assert np.bincount(drawn[0], minlength=3) / 4000 == pytest.approx([0.25, 0.0, 0.75], abs=0.03)
    assert set(drawn[1].tolist()) == {0}
