"""The word verifier: what it knows of a nugget, by hand; what it writes and reads; and the recipe that trains it."""

from importlib.util import find_spec

import pytest

from guerdon.errors import PolicyError
from guerdon.types import Example
from guerdon_search.labels import LABELS
from guerdon_search.nugget_tasks import Nuggets
from guerdon_search.nuggets import NuggetBlock
from guerdon_search.word_verifier import WordLabels


def block(text, *nuggets, labels=None, **options):
    return NuggetBlock(
        id="b", query="?", block=text, nuggets=nuggets, labels=labels or ("support",) * len(nuggets), **options
    )


def test_what_is_known_of_a_nugget_is_as_by_hand():
    r"""Constant, shared, whole, anywhere, hedged, denied, numbers, other number.

    First: of {arvik, bridge, opened, 1921, dalter} four are in the doubtful sentence, all in the block. Second: of
    {sold, 1931, dalter, never} the second sentence has two, says 1930, and does not deny. Third: of {possibly, opened,
    1921} two are in the first, and the nugget doubts too. Fourth: nothing is shared, so that the sentence without doubt
    counts.
    """
    found = WordLabels().described(
        block(
            "Perhaps the Arvik bridge was opened in 1921. It was sold in 1930 to Dalter.",
            "The Arvik bridge was opened in 1921 by Dalter.",
            "It was never sold in 1931 to Dalter.",
            "It was possibly opened in 1921.",
            "Nobody knows.",
        )
    )
    assert found.tolist() == [
        [1, 0.8, 0, 1, 1, 0, 0, 0],
        [1, 0.5, 0, 0.5, 0, 1, 1, 1],
        [1, pytest.approx(2 / 3), 0, pytest.approx(2 / 3), 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 1, 0, 0],
    ]
    whole = WordLabels().described(block("It opened in 1921.", "It opened in 1921."))
    assert whole.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize("odd", ["Perhaps it opened in 1921.", "It was not opened in 1921, it is said."])
def test_of_sentences_that_share_as_much_one_without_doubt_or_denial_counts(odd):
    plain, labels = "It was opened in 1921.", WordLabels()
    rows = [labels.described(block(f"{one} {other}", plain)).tolist() for one, other in ((odd, plain), (plain, odd))]
    assert rows == [[[1, 1, 1, 1, 0, 0, 0, 0]]] * 2


def test_tasks_that_ask_for_reasoning_and_rows_with_prompts_of_their_own_are_refused():
    with pytest.raises(PolicyError, match=r"ask for reasoning.*set task\.with\.reasoning=optional"):
        WordLabels().check(Nuggets())
    WordLabels().check(Nuggets(reasoning="optional"))
    with pytest.raises(PolicyError, match="'b' brings a prompt of its own"):
        WordLabels().described(block("", "1", messages=(("user", "1. It opened."),)))


def test_it_does_not_look_at_the_labels():
    one, other = (block("A b.", "A b.", "C d.", labels=(label,) * 2) for label in ("support", "not_support"))
    assert WordLabels().described(one).tolist() == WordLabels().described(other).tolist()


@pytest.mark.parametrize("text", ["", "\n\n", "...", "\ud800 \x00"])
def test_odd_texts_are_described(text):
    assert WordLabels().described(block(text, "It opened.", text or "?")).shape == (2, 8)


def test_it_writes_the_shape_asked_for_and_reads_every_shape():
    labels = WordLabels()
    for shape, text in (("json", '["support", "not_support"]'), ("numbered", "1. support\n2. not_support")):
        example = block("A.", "A.", "B.", shape=shape)
        assert labels.written(example, [0, 2]) == text
        assert labels.read(example, text) == [0, 2]
    assert labels.read(example, "<reasoning>So.</reasoning>\n* partial_support") == [1]


@pytest.mark.parametrize("text", ["", "support, I think", "yes", "<reasoning>support</reasoning>"])
def test_what_is_no_label_alone_is_refused(text):
    with pytest.raises(PolicyError, match="no labels alone, for 'b'"):
        WordLabels().read(block("A.", "A."), text)


def test_other_examples_are_refused():
    with pytest.raises(PolicyError, match="'x' is no NuggetBlock but Example"):
        WordLabels().described(Example(id="x"))


def test_the_references_of_its_task_are_answers_it_could_give():
    labels, task = WordLabels(), Nuggets(train_size=30, reasoning="optional")
    for example in task.examples("train"):
        chosen = labels.read(example, task.reference(example))
        assert [LABELS[choice] for choice in chosen] == list(example.labels)
        assert labels.read(example, labels.written(example, chosen)) == chosen


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(find_spec("torch") is None, reason="its weights are torch's: pip install 'guerdon[train]'")
def test_the_recipe_teaches_labels(tmp_path):
    """A quarter of its steps. Untrained it says `support` of every nugget."""
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import run_recipe

    short = ["train.steps=25", "task.with.train_size=400", "task.with.eval_size=100", "train.eval.examples=100"]
    evals = run_recipe(load_recipe("search-word-verifier", short), tmp_path / "run").evals
    before, after = (line["eval/verifier"] for line in evals)
    assert before < 0.4
    assert after > before + 0.2
