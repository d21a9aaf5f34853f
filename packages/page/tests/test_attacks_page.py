"""The attack that a trained policy found, and which reading of the page model pays for it."""

import pytest

from guerdon.audit import Settings, audit
from guerdon.audit.cases import cases
from guerdon_page.attacks import ShortPage
from guerdon_page.level_rewards import PageModel
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
