"""The ranker: chances by hand, pages that it writes and reads, files, refusals, and the recipe that trains it."""

import math
from importlib.util import find_spec

import pytest

from guerdon.errors import PolicyError
from guerdon.protocols import Sampling
from guerdon_page.examples import Item, PageExample
from guerdon_page.tasks import Simulated

pytestmark = [
    pytest.mark.skipif(
        find_spec("torch") is None, reason="the ranker's weights are torch's: pip install 'guerdon[train]'"
    ),
    pytest.mark.model,  # runs where torch is, with the tests of all packages
]
ITEMS = (
    Item(id="a", category="lamp", features=(2.0,)),
    Item(id="b", category="lamp", features=(1.0,), same_as="a"),
    Item(id="c", category="desk", features=(0.0,)),
)
PAGE = PageExample(id="q", items=ITEMS, length=2, attraction=(0.5, 0.4, 0.3))
TASK = Simulated(train_size=4, eval_size=2)
GREEDY = Sampling(temperature=0.0)


def ranker(*theta: float):
    import torch

    from guerdon_page.ranker import Ranker

    made = Ranker(features=1)
    with torch.no_grad():
        made.theta_D.copy_(torch.tensor(theta or (0.0,) * 5))
    return made


def written(policy, *texts: str):
    return [policy.reference_rollout(TASK, PAGE, text) for text in texts]


def test_chances_are_those_by_hand():
    """Weights: feature log 2, category -log 3, duplicate -log 5, end log 4, end by fullness -log 2.

    First place: 4, 2, 1 of 7, as the end is not offered. Behind c (half of the page is full): a and b are 4 and 2 as
    before, the end is 4 / sqrt 2. Behind a: b has half of the page above it of its category and its duplicate there,
    2 / sqrt 3 / 5, c is 1, the end 4 / sqrt 2. Behind b it is a's turn in the same way.
    """
    policy = ranker(math.log(2), -math.log(3), -math.log(5), math.log(4), -math.log(2))
    end, twice = 4 / math.sqrt(2), 2 / math.sqrt(3) / 5
    found = policy.logprobs(written(policy, '["c", "a"]', '["a", "b"]', '["a"]'))
    expected = [1 / 7, 4 / (4 + 2 + end), 4 / 7, twice / (twice + 1 + end), 4 / 7, end / (twice + 1 + end)]
    assert (
        found.lengths == (2, 2, 2) == tuple(one.steps for one in written(policy, '["c", "a"]', '["a", "b"]', '["a"]'))
    )
    assert found.logprobs_N.exp().tolist() == pytest.approx(expected, rel=1e-5)
    first = [4 / 7, 2 / 7, 1 / 7]
    assert float(found.entropy_N[0]) == pytest.approx(-sum(p * math.log(p) for p in first), rel=1e-5)


def test_temperature_divides_the_scores():
    policy = ranker(math.log(2), 0.0, 0.0, 0.0, 0.0)
    found = policy.logprobs(written(policy, '["a", "b"]'), temperature=0.5)
    assert float(found.logprobs_N[0].detach().exp()) == pytest.approx(16 / 21, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_it_draws_has_the_chances_that_it_is_trained_on(temperature):
    policy = ranker(0.2, -0.3, -0.2, 0.1, 0.1)
    (group,) = policy.sample(TASK, [PAGE], 256, Sampling(temperature=temperature), seed=3)
    told = [each for rollout in group.rollouts for each in rollout.segments[0].logprobs]
    again = policy.logprobs(group.rollouts, temperature=temperature)
    assert again.logprobs_N.tolist() == pytest.approx(told, abs=1e-5)
    assert len({rollout.completion for rollout in group.rollouts}) == 9  # six pages of two items, three of one


def test_pages_come_as_often_as_their_chance():
    """2,000 draws of a page of one item by equal weights: a third each first, then one of three choices."""
    policy = ranker()
    (group,) = policy.sample(TASK, [PAGE], 2000, Sampling(), seed=0)
    alone = sum(rollout.completion == '["a"]' for rollout in group.rollouts)
    assert alone == pytest.approx(2000 / 9, abs=4 * math.sqrt(2000 * (1 / 9) * (8 / 9)))


def test_greedy_takes_the_likeliest_and_the_same_seed_draws_the_same():
    policy = ranker(1.0, 0.0, -3.0, -9.0, 0.0)
    (group,) = policy.sample(TASK, [PAGE], 1, GREEDY, seed=0)
    assert group.rollouts[0].completion == '["a", "c"]'
    drawn = [policy.sample(TASK, [PAGE], 8, Sampling(), seed=seed)[0] for seed in (5, 5, 6)]
    texts = [[rollout.completion for rollout in group.rollouts] for group in drawn]
    assert texts[0] == texts[1] != texts[2]


def test_weights_are_saved_and_loaded_and_a_copy_is_frozen(tmp_path):
    policy = ranker(1.0, 2.0, 3.0, 4.0, 5.0)
    policy.updated()
    policy.save(tmp_path)
    other = ranker()
    other.load(tmp_path)
    assert (other.theta_D.tolist(), other.version) == ([1.0, 2.0, 3.0, 4.0, 5.0], 1)
    assert not policy.snapshot().theta_D.requires_grad
    from guerdon_page.ranker import Ranker

    with pytest.raises(PolicyError, match="a ranker of 1 features"):
        Ranker(features=2).load(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a, b", "neither a JSON array"),
        ('["a", "x"]', "1 of 2 ids are no candidates"),
        ('["a", "a"]', "1 to 2 different candidates"),
        ('["a", "b", "c"]', "1 to 2 different candidates"),
        ("[]", "1 to 2 different candidates"),
    ],
)
def test_what_a_ranker_cannot_have_written_is_refused(text, why):
    with pytest.raises(PolicyError, match=why):
        written(ranker(), text)


def test_other_tasks_and_other_features_are_refused():
    from guerdon.types import Example

    with pytest.raises(PolicyError, match=r"have 3 features, and this ranker reads 1; set policy\.with\.features=3"):
        ranker().sample(TASK, TASK.examples("train"), 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match="is no PageExample but Example"):
        ranker().sample(TASK, [Example(id="x")], 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match=r"top_p=1\.0 and top_k=0 are accepted"):
        ranker().sample(TASK, [PAGE], 1, Sampling(top_k=2), seed=0)


@pytest.mark.slow
def test_the_recipe_teaches_pages_that_people_click(tmp_path):
    """An eighth of its steps. Untrained it lists the candidates as they stand."""
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import run_recipe

    short = ["train.steps=12", "task.with.train_size=192", "task.with.eval_size=100", "train.eval.examples=100"]
    evals = run_recipe(load_recipe("page-ranker", short), tmp_path / "run").evals
    before, after = (line["eval/utility"] for line in evals)
    assert after > before + 0.1
