"""The simple rewards of pages, and the four questions that every reward answers."""

import json
import math

import pytest

from guerdon.conformance import check_reward, check_task
from guerdon.errors import BoundsError, ConfigError
from guerdon.rewards import Context
from guerdon.types import Example, Group, Rollout
from guerdon_page.examples import Item, PageExample
from guerdon_page.rewards import Coverage, Distinct, Diversity, Err, Format, Gmv, Ndcg, PageReward, Utility
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


class Generous(PageReward, name="test/generous", bounds=(0.0, 1.0)):
    """Pays more than there is."""

    def __init__(self, value):
        self.value = value

    def judge(self, example, ids):
        return self.value


def test_a_value_off_its_range_is_rounding_or_a_bug_that_is_told():
    page = [Group.of([Rollout.of(example(), '["a"]')])]
    assert Context().scores(Generous(1.0 + 1e-12), page)[0][0].value == 1.0
    for value in (1.001, -0.001):
        with pytest.raises(BoundsError):
            Context().scores(Generous(value), page)


@pytest.mark.parametrize("reward", [Ndcg(), Err(), Diversity(), Distinct(), Coverage()])
def test_parts_keep_their_bounds_by_themselves(reward):
    """What `judge` says, before anything is held within [0, 1]."""
    for one in TASK.examples("train"):
        if any(one.engagement):
            for page in (json.loads(TASK.reference(one)), one.shown, one.shown[:1] * 6, one.shown[::-1]):
                assert -1e-12 <= reward.judge(one, page) <= 1.0 + 1e-12


@pytest.mark.parametrize("reward", [Ndcg(), Err(), Gmv(), Diversity(), Distinct(), Coverage(), Utility()])
def test_ids_that_are_no_candidates_take_their_share(reward):
    """Nine of twelve ids: a quarter is left."""
    fields = {"engagement": (3, 1, 3), "attraction": (0.5, 0.4, 0.3, 0.2)}
    page = ["b", "c", "a"]
    clean, stuffed = (score(reward, json.dumps(ids), **fields) for ids in (page, ["q"] * 9 + page))
    assert stuffed.value == pytest.approx(clean.value / 4)
    assert clean.value > 0.0
    assert stuffed.why == "9 of 12 ids are no candidates"


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
