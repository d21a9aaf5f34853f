"""The simple rewards of pages, and the four questions that every reward answers."""

import math

import pytest

from guerdon.conformance import check_reward, check_task
from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.types import Example, Group, Rollout
from guerdon_page.examples import Item, PageExample
from guerdon_page.rewards import Coverage, Distinct, Diversity, Err, Format, Gmv, Ndcg, Utility
from guerdon_page.tasks import Logged, Simulated

KINDS = {"a": "x", "b": "y", "c": "x", "d": "z"}


def example(engagement=(0, 1, 3), shown=("a", "b", "c"), **fields):
    items = [
        Item(id=id, category=kind, price=10.0 * n, same_as="t" if id in "ac" else "")
        for n, (id, kind) in enumerate(KINDS.items())
    ]
    return PageExample(**{"id": "1", "items": items, "length": 3, "shown": shown, "engagement": engagement} | fields)


def score(reward, text, **fields):
    return reward(Rollout.of(example(**fields), text))


def test_the_logged_order_has_the_sheets_ndcg_and_the_best_order_has_one():
    assert score(Ndcg(), '["a", "b", "c"]').value == pytest.approx(0.541340, abs=1e-6)
    assert score(Ndcg(), '["c", "b", "a"]').value == 1.0
    assert score(Ndcg(k=1), '["b"]').value == pytest.approx(1 / 7)


def test_a_repeated_item_is_paid_once():
    """7 of 7 + 1 / log2(3)."""
    assert score(Ndcg(), '["c", "c", "c"]').value == pytest.approx(7 / (7 + 1 / math.log2(3)))
    assert score(Err(), '["c", "c"]').value == pytest.approx(0.875 / (0.875 + 0.125 * 0.125 / 2))
    assert score(Gmv(), '["c", "c"]').value == 1.0


def test_what_stands_beyond_the_page_is_not_seen():
    fields = {"length": 1}
    assert score(Ndcg(), '["a", "c"]', **fields).value == 0.0
    assert score(Diversity(), '["a", "b"]', **fields).value == 0.0


def test_gmv_is_paid_for_what_was_bought_alone():
    assert score(Gmv(), '["b", "a"]').value == 0.0
    assert score(Gmv(), '["c"]', engagement=(3, 3, 3)).value == pytest.approx(20 / 30)
    assert score(Gmv(), '["a"]', engagement=(3, 0, 0)).status == "abstain"  # its price is 0


@pytest.mark.parametrize("reward", [Ndcg(), Err(), Gmv()])
def test_where_nothing_is_known_nothing_is_said(reward):
    for fields in ({"shown": (), "engagement": ()}, {"engagement": (0, 0, 0)}):
        found = score(reward, '["a"]', **fields)
        assert (found.status, math.isnan(found.value)) == ("abstain", True)


def test_the_parts_of_a_page():
    assert score(Diversity(), '["a", "b", "d"]').value == pytest.approx(1.0)
    assert score(Distinct(), '["a", "c"]').value == 0.5  # near-duplicates
    assert score(Coverage(), '["a", "c"]').value == pytest.approx(1 / 3)
    assert score(Coverage(), '["a", "b", "d"]').value == 1.0
    half = score(Format(), '["a", "q"]')
    assert (half.value, half.status) == (0.5, "fail")


def test_utility_needs_a_truth():
    assert score(Utility(), '["a"]').status == "abstain"
    truth = {"attraction": (0.5, 0.4, 0.3, 0.2)}
    assert score(Utility(), '["a", "b", "d"]', **truth).value == pytest.approx(1.0)
    assert score(Utility(), '["a", "c"]', **truth).value < 1.0
    assert score(Utility(), '["a"]', attraction=(0.0,) * 4).status == "abstain"


@pytest.mark.parametrize("text", ["", "[]", '["q"]', "a, b"])
@pytest.mark.parametrize("reward", [Format(), Ndcg(), Err(), Gmv(), Diversity(), Distinct(), Coverage()])
def test_an_empty_page_and_no_page_fail_with_a_reason(reward, text):
    found = score(reward, text)
    assert (found.value, found.status) == (0.0, "fail")
    assert found.why


def test_an_example_of_another_kind_is_named():
    with pytest.raises(ConfigError, match="PageExample"):
        Context().scores(Format(), [Group.of([Rollout.of(Example(id="1"), "[]")])])


TASK = Simulated(train_size=8, eval_size=4)
CHEATS = ["", "[]", '["none-1"]', "a page of the best items", '{"page": ["a"]}']


@pytest.mark.parametrize("reward", [Format(), Utility()])
def test_rewards_keep_their_promises(reward):
    check_reward(reward, TASK, cheats=CHEATS)


@pytest.mark.parametrize("reward", [Ndcg(), Err()])
def test_rewards_of_logs_keep_their_promises(reward):
    check_reward(reward, Logged(train_size=8, eval_size=4), cheats=CHEATS)
    check_task(Logged(train_size=8, eval_size=4), reward)


def test_a_shop_as_its_logs_know_it_keeps_its_truth_back():
    examples = Logged(train_size=8, eval_size=1).examples("train")
    assert all((one.attraction, one.propensities) == ((), ()) for one in examples)
    assert {grade for one in examples for grade in one.engagement} == {0, 1, 2, 3}
    with pytest.raises(ConfigError, match="readers"):
        Logged(readers=0)


@pytest.mark.parametrize("reward", [Ndcg(), Err(), Diversity(), Distinct(), Coverage()])
def test_parts_keep_theirs_but_for_the_top(reward):
    for one in TASK.examples("train"):
        if any(one.engagement):
            found = reward(Rollout.of(one, TASK.reference(one)))
            assert 0.0 <= found.value <= 1.0


@pytest.mark.parametrize("layout", ["json", "lines"])
def test_the_simulated_task_is_one(layout):
    task = Simulated(train_size=8, eval_size=4, layout=layout)
    check_task(task, Utility())
    assert not {one.id for one in task.examples("train")} & {one.id for one in task.examples("eval")}


def test_a_task_that_cannot_be_is_refused():
    for options in ({"layout": "html"}, {"train_size": -1}, {"eval_size": 1.5}):
        with pytest.raises(ConfigError):
            Simulated(**options)


@pytest.mark.parametrize("options", [{"k": -1}])
def test_options_are_checked(options):
    with pytest.raises(ConfigError, match=r"Ndcg\.k"):
        Ndcg(**options)
