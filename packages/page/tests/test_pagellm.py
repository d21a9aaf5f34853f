"""PageLLM's mixture: normalised streams, their tokens, empty pages, and models that read text."""

import json
import math
from dataclasses import replace

import pytest

from guerdon.advantages import returns_to_go, streams
from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError
from guerdon.rewards import Context, reward
from guerdon.rewards.steps import on_tokens
from guerdon.transforms import standardize
from guerdon.types import Group, Rollout, Score, Segment, Stream
from guerdon_page.level_rewards import ItemModel, ItemScores, PageModel
from guerdon_page.pagellm import PageLLM
from guerdon_page.tasks import Simulated

TASK = Simulated(train_size=4, eval_size=2)
EXAMPLE = TASK.examples("train")[0]
IDS = [item.id for item in EXAMPLE.items]
PAGE, ITEM = PageModel(pages=200), ItemModel(pages=200)


def group(*pages):
    texts = [page if isinstance(page, str) else json.dumps(page) for page in pages]
    return Group.of([Rollout.of(EXAMPLE, text, index=n) for n, text in enumerate(texts)])


def scored(mixture, *groups):
    return Context().scores(mixture, list(groups))


@reward(name="test/page")
def says_page(rollout):
    """1000 times the number in the text: the raw scale drowns the items."""
    found = rollout.answer.count('"') // 2
    return Score(1000.0 * found)


def given(values):
    """An item-level reward that says these, in order of the attempts."""

    @reward(name="test/item")
    def says(rollout):
        row = values[rollout.index]
        return Score(sum(row) / len(row), dense={"items": Stream("span", tuple(row))})

    return says


def by_hand(values, epsilon=1e-4):
    mean = sum(values) / len(values)
    std = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / (std + epsilon) for value in values]


def test_each_level_is_standardised_on_its_own_and_mixed():
    """Pages of 1, 2 and 3 items: page values 1000, 2000, 3000; six item values standardised together."""
    rows = [(0.1,), (0.3, 0.2), (0.4, 0.5, 0.6)]
    (found,) = scored(PageLLM(says_page, given(rows)), group(IDS[:1], IDS[:2], IDS[:3]))
    page, item = by_hand([1000.0, 2000.0, 3000.0]), by_hand([0.1, 0.3, 0.2, 0.4, 0.5, 0.6])
    means = [item[0], sum(item[1:3]) / 2, sum(item[3:]) / 3]
    assert [one.value for one in found] == pytest.approx([0.5 * p + 0.5 * m for p, m in zip(page, means, strict=True)])
    assert found[2].dense["page"].values == pytest.approx([0.5 * page[2]])
    assert found[2].dense["item"].values == pytest.approx([0.5 * z / 3 for z in item[3:]])
    assert found[0].parts["page_std"].value == pytest.approx(1000.0)
    assert found[0].parts["item_std"].value == pytest.approx(math.sqrt(0.175 / 5))


def test_without_normalising_the_larger_scale_silences_the_other():
    """Items say the reverse of pages, a thousand times more quietly."""
    rows = [(0.9,), (0.0, 0.1)]
    (plain,) = scored(PageLLM(says_page, given(rows), normalise=None), group(IDS[:1], IDS[:2]))
    (apart,) = scored(PageLLM(says_page, given(rows), alpha=0.4), group(IDS[:1], IDS[:2]))
    assert plain[0].value < plain[1].value
    assert apart[0].value > apart[1].value


def test_alpha_leaves_one_level_alone():
    rows = [(0.9,), (0.0, 0.1)]
    for alpha, better in ((1.0, 1), (0.0, 0)):
        (found,) = scored(PageLLM(says_page, given(rows), alpha=alpha), group(IDS[:1], IDS[:2]))
        assert found[better].value > found[1 - better].value


@pytest.mark.parametrize("empty", ["", "[]", "no page", '["none-1"]'])
def test_an_empty_page_is_worth_the_lowest_and_no_token_has_an_item(empty):
    rows = [(0.1,), (0.3, 0.2), (0.9,)]
    (found,) = scored(PageLLM(says_page, given(rows)), group(IDS[:1], IDS[:2], empty))
    assert found[2].status == "fail"
    assert found[2].value <= min(found[0].value, found[1].value)
    assert found[2].dense["item"].values == ()
    assert found[2].parts["invalid_share"].value == 1.0


def test_a_group_of_equals_and_a_group_of_one_prefer_nobody():
    for pages in ([IDS[:6]], [IDS[:6]] * 3, [""] * 2):
        (found,) = scored(PageLLM(PAGE, ITEM, alpha=1.0), group(*pages))
        assert [one.value for one in found] == [0.0] * len(pages)


def test_a_model_without_a_number_leaves_the_attempt_unscored_and_its_siblings_alone():
    @reward(name="test/page")
    def fails(rollout):
        return Score.unscored("the model is away") if rollout.index == 1 else Score(float(rollout.index))

    rows = [(0.1,), (0.3,), (0.2,)]
    (found,) = scored(PageLLM(fails, given(rows)), group(IDS[:1], IDS[:1], IDS[:1]))
    assert (found[1].status, math.isnan(found[1].value)) == ("infra", True)
    assert "the model is away" in found[1].why
    assert found[2].dense["page"].values == pytest.approx([0.5 * by_hand([0.0, 2.0])[1]])


def test_the_run_normalises_over_all_batches_that_were_learned_from():
    mixture = PageLLM(says_page, given([(0.1,), (0.2,)]), alpha=1.0, normalise=standardize(scope="running", ddof=0))
    groups = [group(IDS[:1], IDS[:3])]
    first = Context().scores(mixture, groups)
    assert mixture.version == 0
    mixture.update(groups, first, Context())
    assert mixture.version == 1
    (second,) = scored(mixture, group(IDS[:3], IDS[:5]))
    seen = [1000.0, 3000.0, 3000.0, 5000.0]
    std = math.sqrt(sum((value - 3000.0) ** 2 for value in seen) / 4)
    assert [one.value for one in second] == pytest.approx([0.0, 2000.0 / (std + 1e-4)])
    other = replace(mixture)
    other.load_state_dict(json.loads(json.dumps(mixture.state_dict())))
    assert [one.value for one in scored(other, group(IDS[:3], IDS[:5]))[0]] == [one.value for one in second]


def test_an_evaluation_between_scoring_and_learning_leaves_no_trace():
    mixture = PageLLM(says_page, given([(0.1,), (0.2,)]), normalise=standardize(scope="running"))
    groups = [group(IDS[:1], IDS[:3])]
    found = Context().scores(mixture, groups)
    scored(mixture, group(IDS[:5], IDS[:6]))
    mixture.update(groups, found, Context())
    assert mixture.version == 0


# -- tokens ---------------------------------------------------------------------------------------------------------


class Letters:
    """A tokenizer of characters; 0 is the end token."""

    def decode(self, ids, **options):
        return "".join(chr(each) for each in ids if each)


class Policy:
    tokenizer = Letters()


def in_letters(*pages):
    rollouts = []
    for number, page in enumerate(pages):
        text = json.dumps(page)
        rollouts.append(Rollout(EXAMPLE, (Segment("policy", text, (*map(ord, text), 0)),), index=number))
    return Group.of(rollouts)


def test_items_are_paid_at_their_last_token_and_the_page_at_the_end_token():
    """Worked example 7's placement, without its divergence: .1, .05, -.05 and .75."""
    mixture = PageLLM(_constant(1.5), given([(0.6, 0.3, -0.3)]), normalise=None)
    groups = [in_letters(IDS[:3])]
    ((found,),) = Context(policy=Policy()).scores(mixture, groups)
    (rollout,) = groups[0].rollouts
    placed = [
        a + b
        for a, b in zip(on_tokens(found.dense["item"], rollout), on_tokens(found.dense["page"], rollout), strict=True)
    ]
    text = json.dumps(IDS[:3])
    ends = [text.index(f'"{id}"') + 2 for id in IDS[:3]]
    assert {place: round(value, 6) for place, value in enumerate(placed) if value} == {
        ends[0]: 0.1,
        ends[1]: 0.05,
        ends[2]: -0.05,
        len(text): 0.75,
    }
    assert sum(placed) == pytest.approx(found.value) == pytest.approx(0.85)


def _constant(value):
    @reward(name="test/page")
    def says(rollout):
        return value

    return says


def test_returns_to_go_are_what_the_tokens_still_earn():
    mixture = PageLLM(_constant(1.5), given([(0.6, 0.3, -0.3)]), normalise=None)
    groups = [in_letters(IDS[:3])]
    scores = Context(policy=Policy()).scores(mixture, groups)
    found = returns_to_go({"page": 1.0, "item": 1.0}, baseline="none").estimate(groups, scores).values[0][0]
    assert found[0] == pytest.approx(0.85)
    assert found[-1] == pytest.approx(0.75)


def test_streams_credit_each_item_alone():
    """Two pages, one item of the first better than all others: its tokens alone stand out."""
    mixture = PageLLM(_constant(1.0), given([(1.0, 0.0), (0.0, 0.0)]), normalise=None)
    groups = [in_letters(IDS[:2], IDS[:2])]
    scores = Context(policy=Policy()).scores(mixture, groups)
    one, other = streams({"page": 1.0, "item": 1.0}).estimate(groups, scores).values[0]
    assert one[0] > 0.0 > one[5] == other[0]
    assert other[5] == one[5]


# -- the models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [PAGE, ITEM, PageLLM(PAGE, ITEM), ItemScores(PAGE)])
def test_each_is_a_value(model):
    check_is_a_value(model)


@pytest.mark.parametrize("model", [PAGE, ITEM, PageLLM(PAGE, ITEM), ItemScores(PAGE)])
def test_whatever_is_written_is_scored(model):
    for text in hostile_texts():
        (found,) = scored(model, group(text, IDS[:6]))
        assert found[0].status == "fail", text[:20]
        assert math.isfinite(found[0].value)
        assert found[1].status == "ok"


def test_a_repeated_best_item_and_a_page_of_duplicates_cost():
    """The page model has seen redundancy pairs."""
    best = max(EXAMPLE.items, key=lambda item: item.features[0]).id
    reference = json.loads(TASK.reference(EXAMPLE))
    (found,) = scored(PAGE, group(reference, [best] * 6))
    assert found[0].value > found[1].value


def test_very_long_pages_earn_no_more_than_their_first_places():
    (found,) = scored(PageLLM(PAGE, ITEM, normalise=None), group(IDS[:6], IDS[:6] * 40))
    assert found[0].value == found[1].value


def test_an_order_is_judged_by_the_item_model_alone():
    worst_first = sorted(IDS[:6], key=lambda id: EXAMPLE.items[EXAMPLE.place[id]].features[0])
    pages = group(worst_first, worst_first[::-1])
    published = ItemModel(pages=1000, reading="published")
    (of_page,), (of_item,), (signed,) = (scored(model, pages) for model in (PAGE, ItemModel(pages=1000), published))
    assert of_page[0].value == pytest.approx(of_page[1].value)
    assert of_item[0].value < of_item[1].value <= 0.0
    assert signed[0].value < 0.0 < signed[1].value


@pytest.mark.parametrize("reading", ["published", "repaired"])
def test_ids_that_are_no_candidates_are_free_as_published_alone(reading):
    """Nine hundred of them before the same page; by each model, and by the mixture of both."""
    page, item = (kind(pages=200, reading=reading) for kind in (PageModel, ItemModel))
    pages = group(IDS[:6], [f"none-{number}" for number in range(900)] + IDS[:6], IDS[3:9])
    for model in (page, item, PageLLM(page, item)):
        ((clean, stuffed, _),) = scored(model, pages)
        assert "900 of 906 ids" in stuffed.why
        assert (stuffed.value < clean.value) == (reading == "repaired")


def test_a_reward_of_pages_sees_the_ids_that_are_no_candidates_after_each_item():
    @reward(name="test/page")
    def says_format(rollout):
        return Score(float(rollout.answer == '["' + '", "'.join([*IDS[: rollout.answer.count(",")], "x"]) + '"]'))

    ((found,),) = scored(ItemScores(says_format), group(["x", *IDS[:2]]))
    assert found.dense["items"].values == (1.0, 1.0)


def test_no_page_has_no_order_and_is_not_worth_the_best_one():
    (found,) = scored(ITEM, group("", IDS[:1], IDS[:6]))
    assert found[0].value < found[2].value < found[1].value == 0.0


@pytest.mark.parametrize("features", [(), (1.0,)])
def test_items_of_other_features_make_a_model_abstain_and_say_what_to_do(features):
    items = tuple(item.model_copy(update={"features": features}) for item in EXAMPLE.items)
    other = Rollout.of(EXAMPLE.model_copy(update={"items": items}), json.dumps(IDS[:2]))
    for model, name in ((PAGE, "page/page-model"), (ITEM, "page/item-model")):
        found = model(other)
        assert found.status == "abstain"
        assert f"name their logs, {name}[logs=FILE]" in found.why
        assert ("guerdon reward-model" in found.why) == (not features)
    ((mixed,),) = scored(PageLLM(PAGE, ITEM), Group.of([other]))
    assert "page/page-model[logs=FILE]" in mixed.why


def test_a_reward_of_pages_scores_items_by_the_page_after_each():
    """3 items: pages of 1, 2 and 3 items, so 1000, 2000 and 3000; their mean is 2000."""
    ((found,),) = scored(ItemScores(says_page), group(IDS[:3]))
    assert found.dense["items"].values == (1000.0, 2000.0, 3000.0)
    assert found.value == 2000.0


def test_a_cut_page_without_a_score_leaves_the_page_unscored():
    @reward(name="test/page")
    def picky(rollout):
        return Score.unscored("two are too many") if rollout.answer.count('"') == 4 else Score(1.0)

    ((found,),) = scored(ItemScores(picky), group(IDS[:3]))
    assert found.status == "infra"
    assert "after item 2 of 3: two are too many" in found.why


def test_models_learn_from_a_file_of_logs(tmp_path):
    from guerdon_page.worlds import World, logs

    path = tmp_path / "logs.jsonl"
    rows = []
    for one in logs(World(), 200):
        feedback = [
            {"position": place, "event": ("none", "click", "cart", "purchase")[grade]}
            for place, grade in enumerate(one.engagement, 1)
        ]
        items = [item.model_dump() for item in one.items]
        rows.append(
            {
                "context_id": one.id,
                "query": one.query,
                "items": items,
                "shown": one.shown,
                "feedback": feedback,
                "propensities": one.propensities,
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert PageModel(logs=str(path)).models.page == pytest.approx(PAGE.models.page)
    narrow = EXAMPLE.model_copy(
        update={"items": tuple(item.model_copy(update={"features": (1.0,)}) for item in EXAMPLE.items)}
    )
    told = PageModel(logs=str(path))(Rollout.of(narrow, json.dumps(IDS[:2]))).why
    assert told.startswith(f"the items have 1 feature, and the model learned from 3 in {str(path)!r}")
    with pytest.raises(ConfigError, match="no such file"):
        PageModel(logs=str(tmp_path / "other.jsonl"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"page": ITEM}, "both called 'item-model'"),
        ({"normalise": 3}, "normalise"),
        ({"page": PAGE.named("page_std")}, "'page_std'"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        PageLLM(**options)


def test_an_item_reward_without_items_is_named():
    with pytest.raises(ConfigError, match="no stream 'items'"):
        scored(PageLLM(PAGE, _constant(1.0).named("flat")), group(IDS[:3]))
