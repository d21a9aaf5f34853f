"""Questions that are made up, PubMedQA, MedQuAD, rows of a file, and how they are split by document."""

import json

import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Image
from guerdon_medical.medix_answers import MODALITIES, solution_of
from guerdon_medical.medix_rewards import MediX
from guerdon_medical.medquad import MedQuAD, read_medquad
from guerdon_medical.modality_images import PneumoniaMnist
from guerdon_medical.open_questions import OpenQuestion, OpenQuestionFile, OpenQuestions, deal_documents
from guerdon_medical.pubmedqa import PubMedQA, read_pubmedqa

ROW = {
    "QUESTION": "Do plants sleep?",
    "CONTEXTS": ["Some do.", "Others do not."],
    "LABELS": ["BACKGROUND", "RESULTS"],
    "MESHES": ["Plants"],
    "YEAR": "2011",
    "reasoning_required_pred": "yes",
    "reasoning_free_pred": "yes",
    "final_decision": "maybe",
    "LONG_ANSWER": "It depends.",
}
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000004" source="GARD" url="u">
<Focus>ABCD syndrome</Focus>
<FocusAnnotations><UMLS><CUIs><CUI>C1</CUI></CUIs></UMLS><Synonyms><Synonym>Black lock</Synonym></Synonyms>
</FocusAnnotations>
<QAPairs><QAPair pid="1"><Question qid="0000004-1" qtype="symptoms">What are the signs ?</Question>
<Answer>Albinism &amp;
 deafness.</Answer></QAPair>
<QAPair pid="2"><Question qid="0000004-2" qtype="treatment">What helps ?</Question><Answer></Answer></QAPair></QAPairs>
</Document>
"""


def test_made_up_questions_conform_and_both_sides_of_all_modalities_come():
    task = OpenQuestions()
    check_task(task, MediX())
    solutions = {one.solution for one in task.examples("train")}
    assert {"<X_RAY>left pneumonia", "<X_RAY>right pneumonia"} <= solutions
    assert len({solution_of(one).tag for one in solutions}) == 6
    assert {solution_of(one).tag.strip("<>") for one in solutions} <= set(MODALITIES)
    assert not {one.question for one in task.examples("train")} & {one.question for one in task.examples("eval")}


def test_another_seed_asks_other_questions_and_the_same_one_the_same():
    assert OpenQuestions(seed=1).examples("train") == OpenQuestions(seed=1).examples("train")
    assert OpenQuestions(seed=1).examples("train") != OpenQuestions(seed=2).examples("train")
    with pytest.raises(ConfigError, match="eval_size"):
        OpenQuestions(eval_size=-1)


def test_documents_are_dealt_out_whole():
    questions = [
        OpenQuestion(id=f"{number}", question="q", solution="<OTHER>a", document=f"d{number // 3}")
        for number in range(60)
    ]
    dealt = deal_documents(questions, 0.25, seed=0)
    assert {one.document for one in dealt["train"]} & {one.document for one in dealt["eval"]} == set()
    assert len(dealt["eval"]) == 15
    assert len(dealt["train"]) + len(dealt["eval"]) == 60
    assert dealt != deal_documents(questions, 0.25, seed=1)
    with pytest.raises(ConfigError, match="eval_share"):
        deal_documents(questions, 1.0, seed=0)


def pubmedqa_file(folder, rows):
    path = folder / "ori_pqal.json"
    path.write_text(json.dumps(rows))
    return path


def test_pubmedqa_in_its_own_layout(tmp_path):
    (row,) = read_pubmedqa(pubmedqa_file(tmp_path, {"21": ROW}))
    assert (row.id, row.decision, row.labels, row.year) == ("21", "maybe", ("BACKGROUND", "RESULTS"), "2011")
    assert row.long_answer == "It depends."


def test_a_question_of_pubmedqa_shows_its_abstract_and_not_its_conclusion(tmp_path):
    path = pubmedqa_file(tmp_path, {str(number): ROW for number in range(8)})
    for answers, solution in (("decision", "<OTHER>maybe"), ("long", "<OTHER>It depends.")):
        task = PubMedQA(path=str(path), answers=answers)
        check_task(task, MediX())
        (question, *_) = task.examples("eval")
        assert question.solution == solution
        assert "Others do not.\n\nDo plants sleep?" in question.question
        assert "It depends" not in question.question
    assert len(task.examples("eval")) == 2


def test_rows_of_pubmedqa_without_an_answer_are_no_questions(tmp_path):
    unlabelled = {name: value for name, value in ROW.items() if name not in ("final_decision", "LONG_ANSWER")}
    path = pubmedqa_file(tmp_path, {"1": unlabelled, "2": ROW, "3": ROW})
    task = PubMedQA(path=str(path), eval_share=0.5)
    assert {one.id for split in ("train", "eval") for one in task.examples(split)} == {"2", "3"}


@pytest.mark.parametrize(
    "row",
    [{**ROW, "final_decision": "perhaps"}, {**ROW, "CONTEXTS": "one"}, {**ROW, "QUESTION": None}, {}, [], "text"],
)
def test_a_broken_row_of_pubmedqa_is_named(row, tmp_path):
    with pytest.raises(TaskError, match=r"ori_pqal.json, row 7"):
        read_pubmedqa(pubmedqa_file(tmp_path, {"6": ROW, "7": row}))


def test_files_of_pubmedqa_that_are_not_there_or_of_another_kind_are_named(tmp_path):
    with pytest.raises(TaskError, match="cannot read"):
        read_pubmedqa(tmp_path / "none.json")
    with pytest.raises(TaskError, match="holds list"):
        read_pubmedqa(pubmedqa_file(tmp_path, []))
    with pytest.raises(ConfigError, match="is empty"):
        PubMedQA()


def test_medquad_in_its_own_folders(tmp_path):
    """The pair without an answer is left out."""
    (tmp_path / "1_GARD").mkdir()
    (tmp_path / "1_GARD" / "0000004.xml").write_text(PAGE)
    (pair,) = read_medquad(tmp_path)
    assert (pair.id, pair.document, pair.kind) == ("GARD-0000004-1", "GARD-0000004", "symptoms")
    assert (pair.focus, pair.synonyms, pair.answer) == ("ABCD syndrome", ("Black lock",), "Albinism & deafness.")


@pytest.mark.parametrize(
    ("text", "said"), [("<Document>", "is no XML"), (PAGE.replace("Question", "Q"), "no question")]
)
def test_a_broken_page_of_medquad_is_named(text, said, tmp_path):
    (tmp_path / "page.xml").write_text(text)
    with pytest.raises(TaskError, match=rf"page.xml.*{said}"):
        read_medquad(tmp_path)


def test_an_id_that_stands_twice_in_medquad_is_named(tmp_path):
    row = json.dumps({"id": "a", "document": "d", "question": "q", "answer": "a"})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{row}\n")
    with pytest.raises(TaskError, match="'a' stands twice"):
        read_medquad(tmp_path / "rows.jsonl")


def test_rows_of_the_authors_layout(tmp_path):
    row = {"problem": "What is it?", "solution": "<CT_SCAN>gout", "image": ["a.png"]}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    (question,) = OpenQuestionFile(root=str(tmp_path)).examples("train")
    assert (question.question, question.solution) == ("What is it?", "<CT_SCAN>gout")
    assert question.images == (Image(str(tmp_path / "a.png")),)
    (message,) = OpenQuestionFile(root=str(tmp_path)).prompt(question).messages
    assert message.images == question.images


@pytest.mark.parametrize(
    ("field", "value"),
    [("solution", "gout"), ("solution", ""), ("solution", "<CT_SCAN> ."), ("image", "a.png"), ("problem", None)],
)
def test_a_broken_row_of_the_authors_layout_is_named(field, value, tmp_path):
    row = {"problem": "What is it?", "solution": "<CT_SCAN>gout", field: value}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    with pytest.raises(TaskError, match=rf"train.jsonl', line 1: field '{field}'"):
        OpenQuestionFile(root=str(tmp_path)).examples("train")


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        (PubMedQA, {"path": "x", "eval_share": 1.0}, "eval_share is 1.0"),
        (MedQuAD, {"path": "x", "eval_share": 0.0}, "eval_share is 0.0"),
        (MedQuAD, {"path": "x", "max_words": 0}, "max_words is 0"),
        (OpenQuestions, {"train_size": -1}, "train_size is -1"),
        (OpenQuestions, {"eval_size": 2.5}, "eval_size is 2.5"),
        (PneumoniaMnist, {"path": "x", "limit": -1}, "limit is -1"),
    ],
)
def test_an_impossible_option_is_told_before_anything_is_read(made, options, said):
    with pytest.raises(ConfigError, match=said):
        made(**options)


def test_the_real_pubmedqa(data_dir):
    rows = read_pubmedqa(data_dir / "pubmedqa_pqal.json")
    assert [sum(one.decision == word for one in rows) for word in ("yes", "no", "maybe")] == [413, 255, 82]
    task = PubMedQA(path=str(data_dir / "pubmedqa_pqal.json"))
    check_task(task, MediX())
    assert abs(len(task.examples("eval")) - 0.25 * 750) <= 1


def test_the_real_medquad(data_dir):
    task = MedQuAD(path=str(data_dir / "medquad.jsonl"), max_words=40)
    check_task(task, MediX())
    whole = MedQuAD(path=str(data_dir / "medquad.jsonl"))
    train, held_out = whole.examples("train"), whole.examples("eval")
    assert len(train) + len(held_out) == 1646
    assert not {one.document for one in train} & {one.document for one in held_out}
    long = MediX(max_chars=None)
    check_task(whole, long, count=4)
