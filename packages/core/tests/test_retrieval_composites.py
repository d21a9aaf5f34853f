"""Fusion, routing, caches and records: retrievers made of retrievers, and what each owes to those who ask."""

import json
import pickle
from dataclasses import dataclass, field

import pytest

from guerdon.errors import ConfigError, RetrievalError
from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval import Cached, Fused, Recorded, Router, windows
from guerdon.retrieval.asking import asked


@dataclass(frozen=True)
class Ranking:
    """Finds these ids, best first, whatever is asked, and counts what it was asked; a query "fail" fails."""

    ids: str
    name: str = "ranking"
    seen: list = field(default_factory=list, compare=False)

    def search(self, queries, k=10):
        queries = asked(self.name, queries, k)
        self.seen.append([query.text for query in queries])
        return [None if query.text == "fail" else self.found(query, k) for query in queries]

    def found(self, query, k):
        kept = [id for id in self.ids if id not in query.exclude_ids]
        return [Hit(id, 1.0 / place, f"text of {id}", base=query.base) for place, id in enumerate(kept[:k], 1)]


def ids(hits):
    return "".join(hit.id for hit in hits)


# Fusion


def test_fusion_of_the_sheets_rankings():
    """Example 1: [a,b,c], [c,a], [d] with 60: a 0.032522, c 0.032266, d 0.016393, b 0.016129."""
    (hits,) = Fused((Ranking("abc"), Ranking("ca"), Ranking("d"))).search(["any"])
    assert ids(hits) == "acdb"
    assert [hit.score for hit in hits] == pytest.approx([0.032522, 0.032266, 0.016393, 0.016129], abs=1e-6)
    assert hits[0].text == "text of a"


def test_weights_multiply_each_rankings_share():
    """b: 1/62 + 3/61, a: 1/61 + 3/62; so the second ranking's order wins."""
    (hits,) = Fused((Ranking("ab"), Ranking("ba")), weights=(1.0, 3.0)).search(["any"])
    assert [(hit.id, hit.score) for hit in hits] == [
        ("b", pytest.approx(1 / 62 + 3 / 61)),
        ("a", pytest.approx(1 / 61 + 3 / 62)),
    ]


def test_equal_fused_scores_stand_as_first_met():
    (hits,) = Fused((Ranking("ab"), Ranking("ba"), Ranking("c"))).search(["any"])
    assert ids(hits) == "abc"


def test_rankings_are_read_deeper_than_k():
    """With k 1 each would offer its first alone; c is second in both, and wins."""
    assert ids(Fused((Ranking("ac"), Ranking("bc"))).search(["any"], 1)[0]) == "c"


def test_a_ranking_without_one_of_its_parts_is_none():
    fused = Fused((Ranking("ab"), Ranking("ba", "other")))
    assert [answer and ids(answer) for answer in fused.search(["fail", "any"])] == [None, "ab"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retrievers": ()}, "at least one retriever"),
        ({"weights": (1.0,)}, "1 weights for 2 retrievers"),
        ({"weights": (1.0, 0.0)}, "finite numbers > 0"),
        ({"weights": (1.0, float("nan"))}, "finite numbers > 0"),
        ({"constant": -1.0}, "constant >= 0"),
        ({"depth": 0}, "depth >= 1"),
    ],
)
def test_fusions_that_cannot_work_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        Fused(**{"retrievers": (Ranking("a"), Ranking("b")), **options})


# Routing


def test_each_base_is_asked_once_and_answers_keep_their_places():
    text, table = Ranking("ab", "text"), Ranking("xy", "table")
    router = Router({"text": text, "table": table}, default="text")
    answers = router.search([Query("1", base="table"), "2", Query("3", base="text"), Query("4", base="table")])
    assert [ids(hits) for hits in answers] == ["xy", "ab", "ab", "xy"]
    assert [[hit.base for hit in hits] for hits in answers] == [
        ["table"] * 2,
        ["text"] * 2,
        ["text"] * 2,
        ["table"] * 2,
    ]
    assert (text.seen, table.seen) == ([["2", "3"]], [["1", "4"]])


def test_a_base_that_nobody_has_finds_nothing():
    router = Router({"text": Ranking("ab")})
    assert router.search([Query("1", base="magic"), "2"]) == [[], []]


def test_a_failure_behind_a_router_is_its_failure():
    assert Router({"text": Ranking("ab")}, default="text").search(["fail"]) == [None]


def test_a_default_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="there are text"):
        Router({"text": Ranking("a")}, default="tables")
    with pytest.raises(ConfigError, match="at least one"):
        Router({})


# Caches


def test_a_repeated_epoch_asks_nothing_twice(tmp_path):
    inner = Ranking("abc")
    cached = Cached(inner, tmp_path)
    queries = ["one", "two", "one", Query("two", base="b")]
    first = cached.search(queries, 2)
    assert cached.search(queries, 2) == first
    assert inner.seen == [["one", "two", "two"]]
    assert cached.stats == {"queries": 8, "asked": 3, "failed": 0}


def test_another_process_asks_nothing_again(tmp_path):
    expected = Cached(Ranking("abc"), tmp_path).search(["one", Query("two", exclude_ids={"a"})], 2)
    inner = Ranking("abc")
    assert Cached(inner, tmp_path).search(["one", Query("two", exclude_ids=["a"])], 2) == expected
    assert inner.seen == []


@pytest.mark.parametrize(
    "other",
    [Query("one", base="b"), Query("one", exclude_ids={"a"}), Query("two"), Query("One"), Query("one", vector=(1.0,))],
)
def test_what_differs_is_asked(other, tmp_path):
    inner = Ranking("abc")
    cached = Cached(inner, tmp_path)
    cached.search(["one"], 2)
    cached.search([other], 2)
    assert len(inner.seen) == 2


def test_another_k_or_another_corpus_is_asked(tmp_path):
    Cached(Ranking("abc", "corpus-1"), tmp_path).search(["one"], 2)
    other, deeper = Ranking("xyz", "corpus-2"), Ranking("abc", "corpus-1")
    assert ids(Cached(other, tmp_path).search(["one"], 2)[0]) == "xy"
    assert ids(Cached(deeper, tmp_path).search(["one"], 3)[0]) == "abc"


@pytest.mark.parametrize("written", [" one", "one ", '"one"', '" one "\n'])
def test_blanks_and_quotes_around_a_query_are_the_same_query(written):
    """Example 8."""
    inner = Ranking("abc")
    cached = Cached(inner)
    assert cached.search([written]) == cached.search(["one"])
    assert inner.seen == [["one"]]


def test_a_failure_is_not_remembered(tmp_path):
    inner = Ranking("abc")
    cached = Cached(inner, tmp_path)
    assert cached.search(["fail"]) == cached.search(["fail"]) == [None]
    assert len(inner.seen) == 2
    assert cached.stats["failed"] == 2


def test_memory_is_bounded_and_the_disk_is_not(tmp_path):
    inner = Ranking("abc")
    for cached, asks in ((Cached(inner, size=1), 3), (Cached(inner, tmp_path, size=1), 2)):
        inner.seen.clear()
        for query in ("one", "two", "one"):
            cached.search([query])
        assert len(inner.seen) == asks


def test_changing_an_answer_changes_no_memory():
    cached = Cached(Ranking("abc"))
    cached.search(["one"])[0].clear()
    assert ids(cached.search(["one"])[0]) == "abc"


def test_what_is_kept_comes_back_whole(tmp_path):
    hit = Hit("é\u2028", 1 / 3, "text", "title", "base", {"year": 2020, "deep": [{"x": None}]}, "a.png")

    class One(Ranking):
        def found(self, query, k):
            return [hit]

    Cached(One(""), tmp_path).search(["one"])
    assert Cached(Ranking(""), tmp_path).search(["one"]) == [[hit]]


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "hits.sqlite3").write_bytes(b"no database at all, and long enough to be looked at as one" * 20)
    with pytest.raises(RetrievalError, match=r"hits\.sqlite3.*delete the file"):
        Cached(Ranking("a"), tmp_path).search(["one"])


def test_a_cache_travels_without_its_memory(tmp_path):
    cached = Cached(Ranking("abc"), tmp_path, 7)
    cached.search(["one"])
    travelled = pickle.loads(pickle.dumps(cached))
    assert travelled == cached
    assert travelled.stats == {}


# Records


def test_what_was_recorded_is_given_again(tmp_path):
    path = tmp_path / "deep" / "answers.jsonl"
    queries = ["one", Query("two", base="b", exclude_ids={"a"}), ' "one" ']
    inner = Ranking("abc")
    recorded = Recorded(path, inner).search(queries, 2)
    assert inner.seen == [["one", "two"]]
    assert Recorded(path).search(queries, 2) == recorded
    assert [json.loads(line) for line in path.read_text().splitlines()][1] == {
        **{"text": "two", "base": "b", "exclude_ids": ["a"], "k": 2},
        "hits": [
            {"id": "b", "score": 1.0, "text": "text of b", "base": "b"},
            {"id": "c", "score": 0.5, "text": "text of c", "base": "b"},
        ],
    }


def test_only_what_is_new_is_recorded(tmp_path):
    inner = Ranking("abc")
    Recorded(tmp_path / "a.jsonl", inner).search(["one"])
    again = Recorded(tmp_path / "a.jsonl", inner)
    again.search(["one", "two"])
    again.search(["two"])
    assert inner.seen == [["one"], ["two"]]
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2


def test_a_query_that_was_not_recorded_is_an_error_that_says_what_to_do(tmp_path):
    Recorded(tmp_path / "a.jsonl", Ranking("abc")).search(["one"], 3)
    for query, k in (("two", 3), ("one", 2)):
        with pytest.raises(RetrievalError, match=rf"has 1 answers and none to .*{query}.*record it: Recorded\("):
            Recorded(tmp_path / "a.jsonl").search([query], k)


def test_a_failure_is_not_recorded(tmp_path):
    recorded = Recorded(tmp_path / "a.jsonl", Ranking("abc"))
    assert recorded.search(["fail"]) == recorded.search(["fail"]) == [None]
    assert (tmp_path / "a.jsonl").read_text() == ""


def test_a_broken_record_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.jsonl"
    for line in ('{"text": "one", "k": 1}', '{"text": "one", "k": 1, "hits": [{"score": 1}]}'):
        path.write_text(f'{{"text": "two", "k": 1, "hits": []}}\n{line}\n')
        with pytest.raises(ConfigError, match=r"a\.jsonl', line 2: field 'hits'"):
            Recorded(path).search(["one"], 1)
    with pytest.raises(ConfigError, match="there is no such file; give a retriever"):
        Recorded(tmp_path / "b.jsonl")


# All of them


def test_composites_are_retrievers_and_values(tmp_path):
    inner = Ranking("abc")
    made = [Fused((inner,)), Router({"a": inner}), Cached(inner), Recorded(tmp_path / "a.jsonl", inner)]
    for one in made:
        assert isinstance(one, Retriever)
        assert pickle.loads(pickle.dumps(one)) == one
        assert one.search([]) == []
        with pytest.raises(ConfigError, match="k is 0"):
            one.search(["any"], 0)
    assert Cached(inner).name == inner.name
    assert len({one.name for one in made[:3]}) == 3


def test_composites_nest():
    fused = Fused((Cached(Ranking("abc")), Router({"t": Ranking("cb")}, default="t")))
    assert ids(fused.search([Query("any", base="t")], 2)[0]) == "cb"  # c: 1/63 + 1/61 = 0.03227, b: 2/62 = 0.03226


# Passages


@pytest.mark.parametrize(
    ("words", "expected"),
    [(101, [(0, 100), (1, 101)]), (200, [(0, 100), (50, 150), (100, 200)]), (5, []), (6, [(0, 6)]), (0, [])],
)
def test_windows_of_the_sheet(words, expected):
    """Example 4: of 100 words, every 50."""
    assert windows(words) == expected


def test_windows_that_would_leave_words_out_are_refused():
    with pytest.raises(ConfigError, match="1 <= step <= size"):
        windows(10, size=5, step=6)
