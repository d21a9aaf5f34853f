"""Labels of nuggets: merging, coverage, shapes, and the two readers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.conformance import hostile_texts
from guerdon.judges import Unparsed
from guerdon_search.label_formats import FORMATS, SEPARATED, has_format, written
from guerdon_search.label_parsing import labels_alone, labels_in, taken_apart, verdicts
from guerdon_search.labels import LABELS, coverage, merged

S, P, N = LABELS
labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=10)


def test_the_sheets_blocks_merge_to_the_strongest_label_of_each_nugget():
    """Example 12."""
    assert merged([[N, P, None], [S, N, None], [P, "error", "error"]]) == (S, P, N)


def test_blocks_of_other_nuggets_are_refused():
    with pytest.raises(ValueError, match=r"\[1, 2\] judgments"):
        merged([[S], [S, N]])


def test_coverage_is_the_sheets():
    """Example 11: (1 + 0.5 + 0.5) / 2.5; nothing to cover is 0."""
    assert coverage((1.0, 1.0, 0.5), (S, P, S)) == 0.8
    assert coverage((), ()) == 0.0
    assert coverage((0.0, 0.0), (S, S)) == 0.0


@pytest.mark.parametrize("weights", [(1.0,), (float("nan"), 1.0), (float("inf"), 1.0), (-1.0, 2.0)])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="needed"):
        coverage(weights, (S, S))


@pytest.mark.parametrize("shape", FORMATS)
@given(labels=labels)
def test_what_is_written_in_a_shape_has_it_and_is_read_back(shape, labels):
    text = written(labels, shape)
    assert has_format(text, shape)
    assert labels_in(text) == labels_alone(text) == tuple(labels)


@pytest.mark.parametrize("shape", sorted(set(FORMATS) - SEPARATED))
def test_a_fence_of_code_is_no_word_beside_the_labels(shape):
    for opening in ("```", f"```{shape}"):
        assert labels_alone(f"{opening}\n{written((S, N), shape)}\n```") == (S, N)


@pytest.mark.parametrize("shape", sorted(SEPARATED))
def test_one_label_cannot_have_a_shape_of_separators_as_released_and_can_here(shape):
    """Pitfall: csv, tsv, pipe and comma formats cannot be earned with one nugget."""
    assert not has_format(S, shape, bare="released")
    assert has_format(S, shape)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("support,not_support", "yaml"),
        ("['support']", "csv"),
        ("['a', 'b']", "comma_separated"),
        ("- support\n* support", "yaml"),
        ("<label>support</label>", "xml"),
        ("1. support\nsupport", "numbered"),
        ('{"label": ["support"]}', "json"),
        ("[1, 2]", "json"),
        ("", "yaml"),
        ("[" * 9000, "json"),
    ],
)
def test_another_shape_is_not_the_one_asked_for(text, shape):
    assert not has_format(text, shape)


def test_words_that_are_no_label_are_dropped():
    assert labels_in('["support", "maybe", "Support", "not_support"]') == (S, N)
    assert labels_in("it is a support for all") == ()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('["lorem", "support", "ipsum", "not_support", "SUPPORT"]', (S, N)),
        ('["", "support"]', (S,)),
        ("support, hm, not_support", (S, N)),
        ("support\nor perhaps not\nnot_support", (S, N)),
        ("support\nnot_support, support", (S,)),
        ("so ['support', 'not_support'] or not", (S, N)),
        ("['support', maybe, 'not_support']", (S, N)),
        ("<labels><label>support</label> no wait <label>not_support</label></labels>", (S, N)),
        ("1. support\n2. no idea\n3. not_support", (S, N)),
        ("support|?|not_support", (S, N)),
        ('{"labels": ["not_support"], "labels": ["support"]}', (S,)),
        ('{"labels": ["support"], "or": ["not_support"]}', (S,)),
        ("```perhaps\nsupport\n```", (S,)),
    ],
)
def test_labels_with_words_beside_them_are_read_as_released_and_are_not_alone(text, read):
    assert (labels_in(text), labels_alone(text)) == (read, ())


def test_bracketed_output_is_read_and_never_run(tmp_path):
    """Pitfall: the published parser evaluates it."""
    path = tmp_path / "ran"
    assert labels_in(f"[open({str(path)!r}, 'w').close(), 'support']") == (S,)
    assert not path.exists()


@pytest.mark.parametrize("text", list(hostile_texts()))
def test_no_text_breaks_the_readers(text):
    assert all(label in LABELS for label in labels_in(text))
    assert labels_alone(text) in ((), labels_in(text))
    taken_apart(text)
    with pytest.raises(Unparsed):
        verdicts(text)


def test_a_judges_verdict_is_an_array_of_labels_and_nothing_else():
    assert verdicts(' <reasoning>x</reasoning>\n["support"] ') == (S,)
    assert verdicts('{"labels": ["support", "not_support"]}') == (S, N)


@pytest.mark.parametrize(
    "text",
    [
        "support",
        'Here it is: ["support"]',
        '["support"] done',
        "[]",
        '["support", "yes"]',
        '["Support"]',
        '<reasoning>a</reasoning><reasoning>b</reasoning>["support"]',
        'say <reasoning>a</reasoning>["support"]',
        '<reasoning>a["support"]',
        '["support", ["not_support"]]',
        '{"labels": ["not_support"], "labels": ["support"]}',
        '{"labels": ["support"], "verdict": "not_support"}',
    ],
)
def test_anything_else_is_no_verdict(text):
    """What a judge quotes, or a text that talks it into prose, must not become a verdict."""
    with pytest.raises(Unparsed):
        verdicts(text)
