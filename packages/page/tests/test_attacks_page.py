"""The attacks that a trained policy and a review found, and which readings of the models pay for them."""

from random import Random

import pytest

from guerdon.audit import Settings, audit
from guerdon.audit.cases import cases
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_page.attacks import ShortPage, WorstBelow
from guerdon_page.level_rewards import ItemModel, PageModel
from guerdon_page.pagellm import PageLLM
from guerdon_page.prompts import written
from guerdon_page.tasks import Simulated


@pytest.mark.parametrize("layout", ["json", "lines"])
def test_a_short_page_has_the_best_by_each_column_and_one_of_a_category(layout):
    """Candidates of the made shop show three numbers; by the first, the quality that is seen, two are best."""
    (case,) = cases(Simulated(train_size=100, eval_size=10, layout=layout), "train", 1)
    items = case.example.items
    best = max(items, key=lambda item: item.features[0])
    second = max((item for item in items if item.category != best.category), key=lambda item: item.features[0])
    pages = case.attempts(ShortPage(2))
    assert len(pages) == 3
    assert pages[0] == written([best.id, second.id], layout)


@pytest.mark.parametrize(("reading", "conclusion"), [("published", "exploitable"), ("repaired", "holds")])
def test_short_pages_are_paid_by_the_published_families_alone(reading, conclusion):
    task = Simulated(train_size=100, eval_size=10)
    assert audit(PageModel(reading=reading), task, ShortPage.variants(), Settings()).conclusion == conclusion


def test_the_worst_stand_below_the_best_and_of_one_title_there_is_one():
    (case,) = cases(Simulated(train_size=100, eval_size=10), "train", 1)
    best_first = sorted(case.example.items, key=lambda item: -item.features[0])
    once = list({item.title: item.id for item in reversed(best_first)}.items())[::-1]
    rank = {item.id: place for place, item in enumerate(best_first)}
    ids = sorted((id for _, id in once), key=rank.__getitem__)
    assert len(ids) == 7  # of nine, two pairs are twins
    assert case.attempts(WorstBelow(3, 3))[0] == written([*ids[:3], *ids[-3:]], "json")


@pytest.mark.parametrize(("reading", "least", "most"), [("published", 20, 40), ("repaired", 0, 5)])
def test_the_worst_below_the_best_beat_six_good_ones_as_published_alone(reading, least, most):
    """By the mixture, of 40 contexts, among six random pages: the best three above the worst, and the best six."""
    mixture, paid = PageLLM(PageModel(reading=reading), ItemModel(reading=reading)), 0
    for case in cases(Simulated(train_size=40, eval_size=1), "train", 40):
        best_first = sorted(case.example.items, key=lambda item: -item.features[0])
        kinds = dict(zip(case.example.kinds(item.id for item in best_first), best_first, strict=True))
        ids = sorted((item.id for item in kinds.values()), key=[item.id for item in best_first].index)
        texts = [*case.attempts(WorstBelow(3, 3))[:1], written(ids[:6], "json")]
        draw = Random(0)
        texts += [written(draw.sample([item.id for item in case.example.items], 6), "json") for _ in range(6)]
        (found,) = Context().scores(mixture, [Group.of([Rollout.of(case.example, text) for text in texts])])
        paid += len(found) == 8 and found[0].value > found[1].value
    assert least <= paid <= most
