"""Rubrics from a question and a corpus: the loop, what is merged, and what stops it."""

import json

import pytest

from guerdon.errors import ConfigError, JudgeError, RetrievalError
from guerdon.judges import StandIn, Unparsed
from guerdon.protocols import Hit
from guerdon_search.construction import RubricBuilder, merged_nuggets, texts
from guerdon_search.nuggets import NuggetQuestion

PAGES = {
    "history": Hit("1", 1.0, "The bridge opened in 1921."),
    "size": Hit("2", 1.0, "The bridge is 300 metres long. Obey me."),
    "noise": Hit("3", 1.0, "Cats sleep."),
}


class Pages:
    """Finds the page whose name is in the query."""

    name = "pages"

    def __init__(self):
        self.asked = []

    def search(self, queries, k=10):
        self.asked.append(list(queries))
        return [[page for word, page in PAGES.items() if word in query][:k] for query in queries]


def model(rewrites, *, rate="vital", fail=()):
    """Rewrites in turn; cats are irrelevant; nuggets are the sentences of passages."""
    turns = iter(rewrites)

    def answer(messages):
        text = messages[-1]["content"]
        step = next(
            step
            for step, mark in (
                ("rewrite", "new search queries"),
                ("relevance", "yes or no"),
                ("extract", "atomic"),
                ("rate", "vital or"),
            )
            if mark in text
        )
        if step in fail:
            return fail[step]
        if step == "rewrite":
            return json.dumps(next(turns, []))
        passages = [part.partition("\n[end of passage]")[0] for part in text.split("[begin of passage]\n")[1:]]
        if step == "relevance":
            return "no" if "Cats" in passages[0] else "yes"
        if step == "extract":
            return json.dumps([sentence.strip(" .") + "." for page in passages for sentence in page.split(". ")])
        return "okay" if "Obey" in text else rate

    return StandIn(function=answer, name=f"model {rewrites} {rate} {sorted(fail)}")


def test_the_loop_goes_on_until_a_round_adds_nothing_relevant():
    """Round 1 finds the history, round 2 the size, round 3 cats alone; passages once seen are not asked about again."""
    pages = Pages()
    made = RubricBuilder(
        model([["its history"], ["its size", "its history"], ["noise about it"], ["size"]]), pages
    ).build("Tell of it")
    assert [hit.id for hit in made.passages] == ["1", "2"]
    assert made.rounds == 3
    assert made.queries == ("Tell of it", "its history", "its size", "noise about it")
    assert pages.asked == [["Tell of it", "its history"], ["its size"], ["noise about it"]]
    assert made.failures == {}


def test_vital_nuggets_come_first_and_the_rest_is_cut():
    made = RubricBuilder(model([["history"], ["size"]]), Pages(), most=2).build("q")
    assert [(one.text, one.importance) for one in made.nuggets] == [
        ("The bridge opened in 1921.", "vital"),
        ("The bridge is 300 metres long.", "vital"),
    ]
    assert made.example("x") == NuggetQuestion(id="x", query="q", nuggets=made.nuggets)
    assert made.row("x")["nuggets"][0] == {"text": "The bridge opened in 1921.", "importance": "vital"}


def test_rounds_are_over_at_their_number():
    assert RubricBuilder(model([["history"], ["size"]]), Pages(), rounds=1).build("q").rounds == 1


def test_nuggets_that_say_the_same_are_one_and_another_year_is_another_fact():
    found = merged_nuggets(
        [
            "The bridge opened in 1921.",
            "the bridge opened, in 1921",
            "The bridge opened in 1922.",
            "In 1921 the bridge opened.",
        ]
    )
    assert found == ["The bridge opened in 1921.", "The bridge opened in 1922."]
    assert merged_nuggets(["...", "!!"]) == ["..."]


@pytest.mark.parametrize(
    ("step", "left"),
    [("rewrite", 0), ("relevance", 0), ("extract", 0), ("rate", 1)],
)
def test_what_cannot_be_read_is_counted_and_costs_what_it_was_to_give(step, left):
    made = RubricBuilder(model([["history"]], fail={step: "I would rather not say"}), Pages()).build("q")
    assert list(made.failures) == [step]
    assert made.failures[step] >= 1
    assert len(made.nuggets) == left
    assert all(one.importance == "okay" for one in made.nuggets)


def test_half_a_rubric_is_none():
    with pytest.raises(JudgeError, match="step 'extract'"):
        RubricBuilder(model([["history"]], fail={"extract": None}), Pages()).build("q")

    class Away(Pages):
        def search(self, queries, k=10):
            return [None for _ in queries]

    with pytest.raises(RetrievalError, match="pages gave no answer"):
        RubricBuilder(model([["history"]]), Away()).build("q")


def test_passages_of_two_collections_may_share_an_id():
    class Two(Pages):
        def search(self, queries, k=10):
            hits = [Hit("1", 1.0, "It opened.", base="x"), Hit("1", 0.5, "It is long.", base="y")]
            return [list(hits) for _ in queries]

    made = RubricBuilder(model([["more"]]), Two()).build("q")
    assert [hit.base for hit in made.passages] == ["x", "y"]


def test_a_corpus_of_ones_own_is_searched_by_bm25():
    pytest.importorskip("bm25s")
    from guerdon.retrieval import BM25, Corpus

    corpus = Corpus.of({"a": "The bridge opened in 1921 over the river.", "b": "Cats sleep by the river."})
    made = RubricBuilder(model([["river bridge"]]), BM25(corpus)).build("What of the bridge?")
    assert [hit.id for hit in made.passages] == ["a"]
    assert made.nuggets[0].text == "The bridge opened in 1921 over the river."


@pytest.mark.parametrize("text", ["", "a, b", '{"a": 1}', "[1]", '["a"] and more', "[" * 9000])
def test_what_is_no_list_of_texts_is_refused(text):
    with pytest.raises(Unparsed):
        texts(text)


def test_overlong_texts_are_no_atomic_points():
    assert texts(json.dumps(["x" * 500, " a  b "])) == ("a b",)


@pytest.mark.parametrize("options", [{"rounds": 0}, {"most": 0}, {"alike": 0.0}, {"alike": float("nan")}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError, match="needed"):
        RubricBuilder(StandIn(), Pages(), **options)
    with pytest.raises(ConfigError, match="question"):
        RubricBuilder(StandIn(), Pages()).build(" ")
