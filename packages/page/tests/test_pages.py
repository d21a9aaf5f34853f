"""Reading pages, their tokens, their examples, their logs."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guerdon.conformance import hostile_texts
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Example, Rollout, Segment
from guerdon_page.answers import item_ends, read_page, served
from guerdon_page.contrasts import contrasts
from guerdon_page.examples import Item, PageExample
from guerdon_page.logs import preference_rows, read_logs
from guerdon_page.prompts import prompt_of, written
from guerdon_page.tasks import JsonLines

KNOWN = {"a", "b", "c", "7", 'say "x"', "ü"}


@pytest.mark.parametrize("layout", ["json", "lines"])
def test_what_is_written_is_read_again(layout):
    ids = ("b", "ü", "a", "7") if layout == "lines" else ("b", 'say "x"', "ü", "7")
    assert read_page(written(ids, layout), KNOWN).ids == ids


def test_numbers_are_ids_too():
    assert read_page("[7, 8]", KNOWN).ids == ("7",)


def test_unknown_ids_are_dropped_and_counted():
    page = read_page('["a", "nope", "b", "no"]', KNOWN)
    assert (page.ids, page.unknown, page.invalid_share) == (("a", "b"), 2, 0.5)


def test_a_repeated_id_is_kept_for_rewards_and_cut_for_serving():
    page = read_page('["a", "a", "b"]', KNOWN)
    assert page.ids == ("a", "a", "b")
    assert served(page.ids, 6) == ("a", "b")
    assert served(page.ids, 1) == ("a",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "nothing is written"),
        ("b, a", "neither a JSON array"),
        ('["a"', "not closed"),
        ('["a" "b"]', "not closed"),
        ('["a",]', "entry 2"),
        ('["a", ["b"]]', "entry 2"),
        ("[1.5]", "entry 1"),
        ('["\\x"]', "no JSON string"),
        ('["a"] and more', "something stands after"),
        ("1. a\nthen b", "neither a JSON array"),
        (json.dumps(["a"] * 1001), "more than 1000"),
    ],
)
def test_what_is_no_page_says_why(text, fault):
    page = read_page(text, KNOWN)
    assert fault in page.fault
    assert page.ids == ()
    assert page.invalid_share == 1.0


def test_an_empty_array_is_a_page_without_items():
    assert read_page(" [ ] ", KNOWN) == read_page("[]", KNOWN)
    assert read_page("[]", KNOWN).fault == ""


@pytest.mark.parametrize("text", list(hostile_texts()), ids=lambda text: repr(text[:8]))
def test_whatever_is_written_is_read_without_a_raise(text):
    assert read_page(text, KNOWN).ids == ()


@given(st.text(alphabet='[]",ab1. \n\\', max_size=60))
def test_known_ids_end_where_they_stand_in_the_text(text):
    page = read_page(text, KNOWN)
    assert list(page.stops) == sorted(page.stops)
    for id, stop in zip(page.ids, page.stops, strict=True):
        assert text[:stop].rstrip('"').endswith(id)


def characters(text, end=True):
    """A rollout whose tokens are characters, and an end token."""
    ids = tuple(map(ord, text)) + ((0,) if end else ())
    return Rollout(Example(id="x"), (Segment("policy", text, ids),))


def decode(ids):
    return "".join(chr(each) for each in ids if each)


def test_an_item_ends_at_the_token_that_completes_it_and_not_at_the_end_token():
    """["a", "b"] and an end token: the quotes after a and b are characters 3 and 8 (from 0)."""
    text = '["a", "b"]'
    assert item_ends(characters(text), read_page(text, KNOWN), decode) == (3, 8)


def test_items_cannot_be_placed_where_tokens_are_not_known():
    text = '["a", "b"]'
    assert item_ends(Rollout.of(Example(id="x"), text), read_page(text, KNOWN), decode) == ()
    assert item_ends(characters(text), read_page(text, KNOWN), None) == ()


def test_an_item_that_was_forced_counts_from_the_policys_first_token():
    rollout = Rollout(
        Example(id="x"), (Segment("forced", '["a"'), Segment("policy", ', "b"]', tuple(map(ord, ', "b"]'))))
    )
    assert item_ends(rollout, read_page(rollout.answer, KNOWN), decode) == (0, 4)


ITEMS = [{"id": "a", "category": "k"}, {"id": "b"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"items": [*ITEMS, {"id": "a"}]},
        {"items": []},
        {"length": 0},
        {"items": [{"id": "a", "features": [1.0]}, {"id": "b"}]},
        {"items": [{"id": "a", "features": [math.nan]}]},
        {"items": [{"id": "a", "price": -1.0}]},
        {"shown": ("z",), "engagement": (0,)},
        {"shown": ("a",)},
        {"shown": ("a",), "engagement": (4,)},
        {"shown": ("a",), "engagement": (0,), "propensities": (0.0,)},
        {"attraction": (0.5,)},
    ],
)
def test_an_example_that_is_not_in_order_is_refused(fields):
    with pytest.raises(ValidationError):
        PageExample(**{"id": "1", "items": ITEMS, "length": 2, **fields})


@pytest.mark.parametrize("same", [("t", "t"), ("", "a")])
def test_near_duplicates_share_a_name_or_name_the_item_they_are_like(same):
    items = [Item(id=id, same_as=like) for id, like in zip("abc", (*same, ""), strict=True)]
    first, second, third = PageExample(id="1", items=items, length=3).kinds("abc")
    assert first == second != third


def test_an_item_that_was_shown_twice_has_the_most_it_got():
    example = PageExample(id="1", items=ITEMS, length=3, shown=("a", "b", "a"), engagement=(0, 1, 2))
    assert example.grades == {"a": 2, "b": 1}


def row(**changes):
    return {
        "context_id": "q1",
        "query": "oak",
        "items": ITEMS,
        "shown": ["b", "a"],
        "feedback": [{"position": 2, "event": "click"}, {"position": 2, "event": "purchase"}],
    } | changes


def filed(tmp_path, *rows):
    path = tmp_path / "logs.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def test_a_log_row_is_read_with_the_most_of_each_positions_feedback(tmp_path):
    (found,) = read_logs(filed(tmp_path, row()))
    assert (found.id, found.shown, found.engagement, found.length) == ("q1", ("b", "a"), (0, 3), 2)
    (rated,) = read_logs(filed(tmp_path, row(feedback=[{"position": 1, "rating": 4}])))
    assert rated.engagement == (2, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feedback": [{"position": 3, "event": "click"}]}, "from 1 to 2"),
        ({"feedback": [{"position": 0, "event": "click"}]}, "from 1 to 2"),
        ({"feedback": [{"position": 1, "event": "gaze"}]}, "an event of"),
        ({"feedback": [{"position": 1, "rating": 9}]}, "rating from 1 to 5"),
        ({"feedback": [{"event": "click"}]}, "'position'"),
        ({"feedback": [{"position": 1, "event": ["click"]}]}, "an event of"),
        ({"feedback": {"position": 1}}, "'feedback'.*a list"),
        ({"shown": ["b", "x"]}, "no candidate"),
        ({"shown": "ba"}, "a list of ids"),
        ({"context_id": ""}, "context_id"),
        ({"propensities": [1.0, 0.0]}, "propensities"),
        ({"propensities": 0.5}, "'propensities' is 0.5"),
        ({"propensities": [1.0]}, "propensities has 1 values"),
        ({"shown": [1, 2]}, "shown"),
        ({"items": 3}, "items"),
        ({"clicks": 3}, "'clicks'"),
        ({"items": [{"id": "a"}, {"id": "a"}]}, "'a'"),
    ],
)
def test_a_log_row_that_is_not_in_order_is_named(tmp_path, changes, said):
    with pytest.raises(TaskError, match=said) as caught:
        read_logs(filed(tmp_path, row(), row(**changes)))
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("id", ["a\nb", " a", "a ", "a\u2028b", "a\r", " "])
def test_an_id_that_no_line_can_hold_is_refused_in_one_line(tmp_path, id):
    """The task's own reference, written in lines, would be no page."""
    with pytest.raises(TaskError) as caught:
        read_logs(filed(tmp_path, row(items=[{"id": id}, *ITEMS])))
    told = str(caught.value)
    assert f"field 'items.0.id': the id {id!r} has a line break in it or blanks around it" in told
    assert "\n" not in told
    assert "http" not in told


def test_a_row_without_candidates_is_refused_in_plain_words(tmp_path):
    with pytest.raises(TaskError, match="field 'items': 1 or more entries are needed, and it has 0"):
        read_logs(filed(tmp_path, row(items=[], shown=[], feedback=[])))


def test_pairs_are_rows_that_a_reward_model_learns_from(tmp_path):
    from guerdon.preferences import read_preferences

    rows = preference_rows(contrasts(read_logs(filed(tmp_path, row()))), "item")
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (pair,) = read_preferences(tmp_path / "pairs.jsonl")
    assert pair.chosen[-1].content == '["a", "b"]'
    assert pair.rejected[-1].content == '["b", "a"]'
    assert pair.weight == pytest.approx(7.0 * (1.0 - 1.0 / math.log2(3.0)))


def test_a_prompt_does_not_tell_a_simulators_truth():
    example = PageExample(
        id="1", items=(Item(id="a", title="oak", features=(0.25,)),), length=1, attraction=(0.987654,)
    )
    (message,) = prompt_of(example, "json").messages
    assert "a | oak | 0.25" in message.content
    assert "0.98" not in message.content


def test_all_pages_of_a_context_stand_on_one_side_of_the_split(tmp_path):
    path = filed(tmp_path, *(row(context_id=f"q{number % 5}") for number in range(20)))
    task = JsonLines(path=str(path), eval_share=0.4)
    train, held_out = ({one.id.partition("#")[0] for one in task.examples(split)} for split in ("train", "eval"))
    assert (len(train), len(held_out), train & held_out) == (3, 2, set())
    assert len({one.id for split in ("train", "eval") for one in task.examples(split)}) == 20
    assert task.reference(task.examples("eval")[0]) == '["a", "b"]'


def test_a_context_in_both_files_is_named(tmp_path):
    train = filed(tmp_path, row(context_id="q1"), row(context_id="q2"))
    (tmp_path / "eval.jsonl").write_text(json.dumps(row(context_id="q2")))
    with pytest.raises(TaskError, match="share the context 'q2'"):
        JsonLines(path=str(train), eval_path=str(tmp_path / "eval.jsonl")).examples("eval")
    with pytest.raises(TaskError, match="1 context"):
        JsonLines(path=str(tmp_path / "eval.jsonl")).examples("train")


@pytest.mark.parametrize("options", [{}, {"path": "x", "eval_share": 1.0}, {"path": "x", "limit": 0}])
def test_a_file_task_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigError):
        JsonLines(**options)
