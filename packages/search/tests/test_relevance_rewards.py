"""Retro*'s reward over linked groups, its task, and the reranker."""

import gzip
import json
import math
import random
import statistics

import pytest

from guerdon.conformance import check_reward, check_task
from guerdon.errors import ConfigError, JudgeError, TaskError
from guerdon.judges import StandIn
from guerdon.protocols import Hit
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_search.collection_files import read_annotations, read_beir, read_judgments, read_run
from guerdon_search.documents import JudgedDocument
from guerdon_search.relevance_rewards import PairOrder, RelevanceCalibration, RetroStar
from guerdon_search.relevance_tasks import BeirPairs, Relevance
from guerdon_search.reranking import Reranker


def document(relevant, pair="p"):
    return JudgedDocument(id=f"{pair}-{relevant}", query="q", text="d", relevant=relevant, pair=pair)


def group(scores, relevant, pair="p"):
    texts = ["what a fine text" if score is None else f"so <score>{score}</score>" for score in scores]
    return Group.of([Rollout.of(document(relevant, pair), text) for text in texts])


def values(reward, *groups):
    return [[score.value for score in row] for row in Context().scores(reward, list(groups))]


def test_linked_groups_earn_the_worked_example():
    """Example 6."""
    rows = values(RetroStar(), group((90, 80, 70, 30), True), group((20, 10, 40, 75), False))
    assert rows == [pytest.approx([0.25, 0.25, 0.9375, -0.625])] * 2


def test_pairs_are_linked_by_their_name_wherever_they_stand():
    mixed = values(
        RetroStar(alpha=0.0),
        group((90,), True, "one"),
        group((50,), True, "two"),
        group((60,), False, "two"),
        group((10,), False, "one"),
    )
    assert mixed == [[1.0], [0.0], [0.0], [1.0]]


def test_several_documents_of_a_pair_are_all_opponents():
    """Beats 10 and 20 of 10, 20, 80."""
    assert values(RetroStar(alpha=0.0), group((50,), True), group((10, 20), False), group((80,), False))[0] == [
        pytest.approx(2 / 3)
    ]


def test_a_group_without_its_link_has_no_number():
    (row,) = Context().scores(RetroStar(), [group((90, 80), True)])
    assert [(score.status, math.isnan(score.value)) for score in row] == [("infra", True)] * 2
    assert "no negative document of pair 'p'" in row[0].why
    assert values(RetroStar(alpha=1.0), group((90, 80, 10), True)) == [[0.0, 1.0, -1.0]]


def test_an_unreadable_score_is_worst_and_is_nobodys_opponent():
    """Readable 90 and 80: no spread of a band. Intra -1 and inter 0 of the third."""
    rows = Context().scores(RetroStar(), [group((90, 80, None), True), group((10, 200, 20), False)])
    assert [score.value for score in rows[0]] == [0.25, 0.25, -0.75]
    assert [score.value for score in rows[1]] == [0.25, -0.75, 0.25]
    assert rows[0][2].status == "fail"


def test_two_different_scores_are_unreadable_and_released_takes_the_first():
    """As the reranker reads them: an answer that says both ends says nothing."""
    both = [
        Group.of([Rollout.of(document(relevant), text)])
        for relevant, text in (
            (True, "<score>100</score> <score>0</score>"),
            (False, "<score>0</score> <score>100</score>"),
        )
    ]
    scored = {reading: Context().scores(RetroStar(reading=reading), both) for reading in ("repaired", "released")}
    assert [(row[0].value, row[0].status) for row in scored["repaired"]] == [(-0.75, "fail")] * 2
    assert [(row[0].value, row[0].status) for row in scored["released"]] == [(0.25, "ok")] * 2
    assert values(PairOrder(), *both) == [[0.0], [0.0]]
    assert values(PairOrder(reading="released"), *both) == [[1.0], [1.0]]
    assert values(RelevanceCalibration(), *both) == [[0.0], [0.0]]
    assert values(RelevanceCalibration(reading="released"), *both) == [[1.0], [1.0]]
    for made in (RetroStar, RelevanceCalibration, PairOrder):
        with pytest.raises(ConfigError, match="reading"):
            made(reading="printed")


def test_the_mean_over_groups_ranks_no_policies_and_the_order_of_pairs_does():
    """A coin of 0 and 100 beside one that always tells good from bad: .25 each by the page, and a quarter beside 1."""
    draw = random.Random(0)
    coin = [
        group([draw.choice((0, 100)) for _ in range(4)], good, f"p{n}") for n in range(50) for good in (True, False)
    ]
    sure = [group([95 if good else 5] * 4, good, f"p{n}") for n in range(50) for good in (True, False)]

    def mean(reward, groups):
        return statistics.mean(value for row in values(reward, *groups) for value in row)

    assert mean(RetroStar(), sure) == 0.25
    assert mean(RetroStar(), coin) > 0.2
    assert mean(PairOrder(), sure) == 1.0
    assert mean(PairOrder(), coin) < 0.35


def test_an_audit_is_told_what_to_audit_in_its_place():
    assert RetroStar.audit_line.startswith("guerdon audit search/relevance-calibration")
    assert PairOrder.audit_line == RetroStar.audit_line
    assert "relevance-calibration" in RetroStar().unaudited
    assert RetroStar().relative


@pytest.mark.parametrize("options", [{"alpha": 1.5}, {"alpha": float("nan")}, {"tau": -1.0}, {"tau": float("inf")}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError, match="needed"):
        RetroStar(**options)


def test_calibration_says_how_near_a_score_is_and_extremes_on_the_wrong_side_cost_all():
    """Pitfall: printing 0 or 100 always."""
    assert values(RelevanceCalibration(), group((90, 100, None, 150), True)) == [[0.9, 1.0, 0.0, 0.0]]
    assert values(RelevanceCalibration(), group((90, 100, 0), False)) == [[pytest.approx(0.1), 0.0, 1.0]]
    assert Context().scores(RelevanceCalibration("relevant"), [group((5,), False)])[0][0].status == "abstain"
    with pytest.raises(ConfigError, match="accepted"):
        RelevanceCalibration("none")


def test_the_order_of_a_pair_is_reported_and_a_missing_half_abstains():
    assert values(PairOrder(), group((90,), True), group((90,), False)) == [[0.0], [0.0]]
    assert Context().scores(PairOrder(), [group((90,), True)])[0][0].status == "abstain"


@pytest.mark.parametrize("length", ["full", "brief"])
def test_made_up_pairs_are_neighbours_and_their_references_are_near_the_top(length):
    task = Relevance(train_size=20, eval_size=4, length=length)
    check_task(task, RelevanceCalibration(), top=0.95)
    check_reward(RelevanceCalibration(), task, cheats=["", "score 100", "<score>101</score>", "100"], top=0.95)
    pairs = task.examples("train")
    for good, bad in zip(pairs[::2], pairs[1::2], strict=True):
        assert (good.pair, good.query, good.relevant, bad.relevant) == (bad.pair, bad.query, True, False)


@pytest.mark.parametrize("options", [{"train_size": 3}, {"good": 5, "bad": 5}, {"bad": -1}, {"length": "long"}])
def test_wrong_options_of_the_task_are_refused(options):
    with pytest.raises(ConfigError):
        Relevance(**options)


@pytest.fixture
def beir(tmp_path):
    """Four documents, two judged queries and one that nobody judged."""
    texts = {"d1": "red bird sings", "d2": "red fish swims", "d3": "blue bird sleeps", "d4": "a stone"}
    write = lambda name, rows: (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))  # noqa: E731
    write("corpus.jsonl", [{"_id": name, "title": "", "text": text} for name, text in texts.items()])
    write(
        "queries.jsonl", [{"_id": f"q{n}", "text": text} for n, text in enumerate(["red bird", "blue bird", "stone"])]
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td1\t2\nq0\td2\t0\nq1\td3\t1\n")
    return tmp_path


def test_a_beir_folder_is_read(beir):
    found = read_beir(beir)
    assert found.queries == {"q0": "red bird", "q1": "blue bird"}
    assert found.judgments == {"q0": {"d1": 2.0, "d2": 0.0}, "q1": {"d3": 1.0}}
    assert len(found.corpus) == 4


def test_pairs_of_a_beir_folder_are_a_judged_document_and_bm25s_best_other(beir):
    pytest.importorskip("bm25s")
    task = BeirPairs(root=str(beir), eval_share=0.5)
    both = [*task.examples("train"), *task.examples("eval")]
    assert sorted((one.id, one.relevant) for one in both if one.pair == "q1") == [("q1-d1", False), ("q1-d3", True)]
    check_task(task)


@pytest.mark.parametrize("options", [{"least_gain": 0.0}, {"least_gain": math.nan}, {"eval_share": 1.0}, {"skip": -1}])
def test_wrong_options_of_a_beir_folder_are_refused(beir, options):
    with pytest.raises(ConfigError, match="needed"):
        BeirPairs(root=str(beir), **options)


def test_a_broken_collection_is_named(beir):
    (beir / "qrels" / "test.tsv").write_text("q9\td1\t1\n")
    with pytest.raises(TaskError, match="judges query 'q9'"):
        read_beir(beir)
    (beir / "qrels" / "test.tsv").write_text("q0\td1\n")
    with pytest.raises(TaskError, match="line 1 has 2 fields; 3 are needed"):
        read_beir(beir)
    (beir / "qrels" / "test.tsv").write_text("q0\td1\tnan\n")
    with pytest.raises(TaskError, match="'nan' is not a finite number"):
        read_beir(beir)
    with pytest.raises(TaskError, match="cannot read"):
        read_beir(beir, "dev")


def test_a_query_or_a_judgment_that_stands_twice_is_named(beir):
    with (beir / "qrels" / "test.tsv").open("a") as file:
        file.write("q0\td1\t2\nq0\td2\t1\n")
    with pytest.raises(TaskError, match=r"line 6: 'd2' has the gain 1 for query 'q0', and had 0 before"):
        read_beir(beir)
    (beir / "qrels" / "test.tsv").write_text("q0\td1\t1\n")
    with (beir / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q0", "text": "another"}\n')
    with pytest.raises(TaskError, match=r"line 4: the query 'q0' stands twice"):
        read_beir(beir)


def test_a_folder_without_its_files_is_named_once(tmp_path):
    with pytest.raises(TaskError, match=r"^cannot read .*test\.tsv': No such file or directory$") as raised:
        read_beir(tmp_path)
    assert str(raised.value).count("test.tsv") == 1


def test_a_packed_file_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "run.gz"
    path.write_bytes(gzip.compress(b"a Q0 x 1 1.5 t\n" * 50)[:-12])
    with pytest.raises(TaskError, match=r"run\.gz"):
        read_run(path)


def test_a_run_stands_by_score_and_then_by_rank(tmp_path):
    path = tmp_path / "run.trec"
    path.write_text("a/1 Q0 x 2 1.5 t\na/1 Q0 y 1 1.5 t\na/1 Q0 z 3 9 t\n")
    assert read_run(path) == {"a/1": [("z", 9.0), ("y", 1.5), ("x", 1.5)]}
    (tmp_path / "qrels").write_text("1 0 d 1\n1 0 e 0\n")
    assert read_judgments(tmp_path / "qrels") == {"1": {"d": 1.0, "e": 0.0}}


def test_annotations_with_notes_over_several_lines_are_read(tmp_path):
    path = tmp_path / "annotations.csv"
    path.write_text('Language,Query,GitHubUrl,Relevance,Notes\nGo,sort,u,3,"two\nlines"\nGo,sort,u,0,\n')
    assert [(one.relevance, one.notes) for one in read_annotations(path)] == [(3, "two\nlines"), (0, "")]
    path.write_text("Language,Query\nGo,sort\n")
    with pytest.raises(TaskError, match="no column 'GitHubUrl'"):
        read_annotations(path)


HITS = [Hit("a", 3.0, "one"), Hit("b", 2.0, "two"), Hit("c", 1.0, "three")]


def judge(scores):
    """By text; a list is asked in turn, by seed."""

    class Backend:
        name = "by-text"

        def answer(self, questions, *, seed):
            found = []
            for question in questions:
                text = next(text for text in scores if f"\n{text}\n" in question[-1]["content"])
                score = scores[text]
                score = score[(seed - 42) % len(score)] if isinstance(score, list) else score
                found.append(score if score is None or isinstance(score, str) else f"<score>{score}</score>")
            return found

    return Backend()


def order(reranker):
    return [(one.hit.id, one.score) for one in reranker.rerank({"q": HITS})["q"]]


def test_documents_stand_by_score_and_ties_keep_the_first_stages_order():
    assert order(Reranker(judge({"one": 10, "two": 90, "three": 90}))) == [("b", 90.0), ("c", 90.0), ("a", 10.0)]


def test_samples_are_averaged_and_an_unreadable_one_is_a_zero_or_left_out():
    scores = {"one": [80, "no idea"], "two": [50, 50], "three": 0}
    assert order(Reranker(judge(scores), samples=2))[0] == ("b", 50.0)
    assert order(Reranker(judge(scores), samples=2, unreadable="left_out"))[0] == ("a", 80.0)


@pytest.mark.parametrize("said", ["It says <score>100</score>, but I say <score>5</score>", "<score>101</score>"])
def test_a_number_that_a_judge_quotes_or_exaggerates_ranks_nothing(said):
    """Injection: the first document would be first, with 100 or more."""
    assert order(Reranker(judge({"one": said, "two": 50, "three": 10}))) == [("b", 50.0), ("c", 10.0), ("a", 0.0)]


@pytest.mark.parametrize(("unreadable", "score"), [("zero", 0.0), ("left_out", math.nan)])
@pytest.mark.parametrize("said", ["no", "<score>500</score>", "<score>5</score> <score>7</score>"])
def test_a_document_that_no_sample_scored_is_told_from_one_that_was_scored_0(said, unreadable, score):
    scores = {"one": [said, said], "two": [0, 0], "three": [said, 90]}
    ranked = Reranker(judge(scores), samples=2, unreadable=unreadable).rerank({"q": HITS})["q"]
    found = {one.hit.id: one for one in ranked}
    assert [(name, found[name].samples, found[name].readable) for name in "abc"] == [
        ("a", 2, 0),
        ("b", 2, 2),
        ("c", 2, 1),
    ]
    assert found["a"].score == pytest.approx(score, nan_ok=True)
    assert found["b"].score == 0.0


def test_documents_of_two_collections_may_share_an_id_and_a_document_counts_once():
    hits = [Hit("a", 2.0, "one", base="x"), Hit("a", 1.0, "two", base="y"), Hit("a", 0.5, "one", base="x")]
    (ranked,) = Reranker(judge({"one": 10, "two": 90}), again=1, samples_again=2).rerank({"q": hits}).values()
    assert [(one.hit.base, one.score, one.samples) for one in ranked] == [("y", 90.0, 2), ("x", 10.0, 1)]


def test_the_cascade_scores_the_best_again_and_asks_only_for_what_is_new():
    """3 once; the best 2 four times, one of which is known: 3 + 2 * 3."""
    reranker = Reranker(judge({"one": [90, 0, 0, 0], "two": 60, "three": 10}), again=2, samples_again=4)
    assert order(reranker) == [("b", 60.0), ("a", 22.5), ("c", 10.0)]
    assert reranker.asked == 9
    order(reranker)
    assert reranker.asked == 9


def test_a_long_document_is_cut_before_it_is_shown():
    seen = []
    judge_all = StandIn(lambda chat: seen.append(chat[-1]["content"]) or "<score>1</score>")
    Reranker(judge_all, max_words=2).rerank({"one two three": [Hit("a", 1.0, "four five six")]})
    assert "\none two\n" in seen[0]
    assert "six" not in seen[0]


def test_a_judge_that_is_away_ranks_nothing():
    with pytest.raises(JudgeError, match="no answer about some document of 'q'"):
        order(Reranker(judge({"one": None, "two": 1, "three": 2})))


def test_no_candidates_are_no_ranking_and_wrong_options_are_refused():
    assert Reranker(StandIn()).rerank({"q": []}) == {"q": []}
    with pytest.raises(ConfigError, match="samples"):
        Reranker(StandIn(), samples=0)
