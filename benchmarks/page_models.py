"""How the page model of each reading ranks pages beside a made shop's truth: the figures of guerdon-page's README.

    python benchmarks/page_models.py    # a few seconds

Random pages of one to six items without repeats, 200 for each of 40 held-out queries: the mean over queries of
Spearman's correlation of the page model's scores with expected clicks, and what the page that it likes best has of the
best page's clicks.
"""

from __future__ import annotations

from random import Random
from statistics import mean

from scipy.stats import spearmanr

from guerdon_page.level_rewards import PageModel
from guerdon_page.tasks import Simulated
from guerdon_page.worlds import best_page, expected_clicks

QUERIES, PAGES = 40, 200


def main() -> None:
    """Print a line for each reading."""
    for reading in ("published", "repaired"):
        models = PageModel(reading=reading).models
        agree, share = [], []
        for number, example in enumerate(Simulated(eval_size=QUERIES).examples("eval")):
            draw, ids = Random(number), [item.id for item in example.items]
            pages = [draw.sample(ids, draw.randint(1, example.length)) for _ in range(PAGES)]
            scores = [models.page_score(example, page) for page in pages]
            clicks = [expected_clicks(example, page) for page in pages]
            agree.append(float(spearmanr(scores, clicks).statistic))
            share.append(clicks[scores.index(max(scores))] / best_page(example)[1])
        print(f"{reading:<10} Spearman {mean(agree):.3f}, clicks of the page it likes best {mean(share):.3f}")


if __name__ == "__main__":
    main()
