"""Rows of one's own: both forms, and every way in which one is not in order, named by file and line."""

import json

import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon_resume.facts import facts_of, present
from guerdon_resume.filed_tasks import JsonLines
from guerdon_resume.loaders import read_candidates, read_jobs
from guerdon_resume.prompts import prompt_of
from guerdon_resume.tasks import Screening

GOOD = {
    "id": "a",
    "status": "APPROVE",
    "job_skills": ["SQL", "K8s"],
    "resume": "4 years of Kubernetes and SQL",
    "score": 80,
}
PUBLISHED = {
    "id": 7,
    "name": "Jane Example",
    "phone": "555",
    "status": "REJECT",
    "job_description_skills": "Python, SQL, Spark, ML Ops",
    "evaluation_json": json.dumps(
        {
            "overall_score": 42,
            "skills_match": {"score": 30, "present_skills": ["Python"], "missing_skills": ["SQL"]},
            "experience_relevance": {"score": 30, "explanation": "Experience does not match job requirements."},
            "recommendations": "none",
        }
    ),
}


def written(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_skills_and_years_are_read_from_a_resume_where_the_row_does_not_say_them(tmp_path):
    (one,) = read_candidates(written(tmp_path / "a.jsonl", GOOD))
    assert one.present_skills == ("SQL", "K8s")
    assert (one.years, one.score, one.selected) == (4, 80, True)


def test_a_row_may_say_skills_and_years_itself(tmp_path):
    row = {
        "status": "reject",
        "job_skills": "SQL, Excel",
        "candidate_skills": ["structured query language"],
        "years": 2,
    }
    (one,) = read_candidates(written(tmp_path / "a.jsonl", row))
    assert (one.id, one.present_skills, one.years, one.selected) == ("row-0", ("SQL",), 2, False)


def test_the_published_form_is_read_and_its_name_and_phone_stay_out(tmp_path):
    (one,) = read_candidates(written(tmp_path / "a.jsonl", PUBLISHED))
    assert (one.id, one.score, one.present_skills, one.years) == ("7", 42, ("Python",), None)
    assert one.job_skills == ("Python", "SQL", "Spark", "ML Ops")
    shown = prompt_of(one).messages[-1].content
    assert "Jane" not in shown
    assert "555" not in shown
    assert "Jane" not in one.model_dump_json()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", r"line 2 is not JSON"),
        ("[1]", r"line 2 is list"),
        ({**GOOD, "status": "PERHAPS"}, r"line 2: field 'status': status is 'PERHAPS'"),
        ({"job_skills": ["SQL"], "resume": "SQL"}, r"line 2: field 'status' is missing"),
        ({**GOOD, "status": None}, r"line 2: field 'status' is None"),
        ({**GOOD, "job_skills": []}, r"line 2: field 'job_skills' is \[\]"),
        ({**GOOD, "job_skills": [1]}, r"line 2: field 'job_skills' is \[1\]; a list of texts"),
        ({**GOOD, "job_skills": " , "}, r"line 2: field 'job_skills'"),
        ({**GOOD, "resume": ""}, r"line 2: field 'resume' is ''"),
        ({**GOOD, "resume": 3}, r"line 2: field 'resume' is 3; a text"),
        ({**GOOD, "score": 101}, r"line 2: field 'score'"),
        ({**GOOD, "score": "many"}, r"line 2: field 'score'"),
        ('{"status": "REJECT", "job_skills": ["SQL"], "resume": "x", "score": NaN}', r"line 2: field 'score'"),
        ('{"status": "REJECT", "job_skills": ["SQL"], "resume": "x", "years": Infinity}', r"line 2: field 'years'"),
        ({**GOOD, "years": -1}, r"line 2: field 'years'"),
        ({**GOOD, "years": True}, r"line 2: field 'years': True is no number"),
        ({**GOOD, "score": False}, r"line 2: field 'score': False is no number"),
        ({**GOOD, "id": ""}, r"line 2: field 'id' is ''"),
        ({**GOOD, "id": True}, r"line 2: field 'id' is True"),
        ({**GOOD, "person": {"age": 3}}, r"line 2: field 'person'.*name, gender"),
        ({**GOOD, "id": "first"}, r"line 2: the id 'first' is that of .*line 1 too"),
        ({**PUBLISHED, "evaluation_json": "{"}, r"line 2: field 'evaluation_json' is not JSON"),
        ({**PUBLISHED, "evaluation_json": "[]"}, r"line 2: field 'evaluation_json' is"),
        ({**PUBLISHED, "evaluation_json": {"skills_match": 3}}, r"line 2: field 'evaluation_json'.*skills_match"),
        ({**PUBLISHED, "evaluation_json": {"overall_score": "x"}}, r"line 2: field 'score'"),
        ({**PUBLISHED, "job_description_skills": None}, r"line 2: field 'job_description_skills' is None"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, row, told):
    path = written(tmp_path / "mine.jsonl", {**GOOD, "id": "first"}, row)
    with pytest.raises(TaskError, match=rf"mine\.jsonl', {told}"):
        read_candidates(path)


def test_an_empty_file_and_a_missing_one_are_named(tmp_path):
    with pytest.raises(TaskError, match=r"empty\.jsonl' holds no candidates"):
        read_candidates(written(tmp_path / "empty.jsonl", ""))
    with pytest.raises(TaskError, match=r"no candidates at .*gone\.jsonl"):
        read_candidates(tmp_path / "gone.jsonl")


def rows(jobs, each):
    return [
        {"status": "APPROVE", "job_skills": [f"skill {job}", "SQL"], "resume": f"{n} years of SQL"}
        for job in range(jobs)
        for n in range(each)
    ]


def test_whole_jobs_are_parted_off(tmp_path):
    task = JsonLines(path=str(written(tmp_path / "a.jsonl", *rows(5, 4))), eval_share=0.2)
    check_task(task)
    train, held_out = task.examples("train"), task.examples("eval")
    assert (len(train), len(held_out)) == (16, 4)
    assert not {one.job_skills for one in train} & {one.job_skills for one in held_out}


def test_candidates_for_one_job_need_a_file_of_their_own_for_evaluation(tmp_path):
    one, other = written(tmp_path / "a.jsonl", *rows(1, 4)), written(tmp_path / "b.jsonl", *rows(1, 3))
    with pytest.raises(TaskError, match="they are for one job"):
        JsonLines(path=str(one)).examples("train")
    task = JsonLines(path=str(one), eval_path=str(other))
    assert (len(task.examples("train")), len(task.examples("eval"))) == (4, 3)
    same = JsonLines(path=str(written(tmp_path / "c.jsonl", GOOD)), eval_path=str(written(tmp_path / "d.jsonl", GOOD)))
    with pytest.raises(TaskError, match="share 1 rows by their 'id', as 'a'"):
        same.examples("eval")


def test_whole_resumes_are_shown_only_where_there_are_some(tmp_path):
    path = written(tmp_path / "a.jsonl", GOOD, PUBLISHED)
    assert JsonLines(path=str(path)).examples("train")
    with pytest.raises(TaskError, match="'7' has no 'resume'"):
        JsonLines(path=str(path), shown="whole").examples("train")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "path of resume/jsonl-v1 is empty"),
        ({"path": "a", "eval_share": 1.0}, "eval_share"),
        ({"path": "a", "limit": 0}, "limit"),
    ],
)
def test_a_wrong_option_of_the_file_task_is_named(options, told):
    with pytest.raises(ConfigError, match=told):
        JsonLines(**options)


ADS = "".join(f"{n},Basket_weaving,sql,Postgres,PostgreSQL,Tool {n},  Pottery ,,,\n" for n in range(30))


def test_candidates_can_be_made_for_the_jobs_of_real_ads(tmp_path):
    """PostgreSQL and Postgres are one skill; each ad has five."""
    path = tmp_path / "ads.csv"
    path.write_text(f"{ADS}\n99,too,few\n")
    assert len(read_jobs(path)) == 30
    assert read_jobs(path)[3] == ("Basket weaving", "sql", "Postgres", "Tool 3", "Pottery")
    task = Screening(train_size=60, eval_size=20, jobs=str(path))
    check_task(task)
    train, held_out = task.examples("train"), task.examples("eval")
    names = {
        split: {s for one in each for s in one.job_skills if s[:5] == "Tool "}
        for split, each in (("train", train), ("eval", held_out))
    }
    assert names["train"]
    assert names["eval"]
    assert not names["train"] & names["eval"]
    for one in (*train, *held_out):
        assert 4 <= len(one.job_skills) <= 5
        assert set(present(one.job_skills, facts_of(one.resume, one.job_skills).skills)) == set(one.present_skills)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (",SQL,Excel\n", "line 1: an id"),
        ("1,a,b,c,d\n", "has 1 ads .* too few"),
        ("", "has 0 ads"),
        (None, "cannot read jobs"),
    ],
)
def test_a_file_of_jobs_that_is_not_in_order_is_named(tmp_path, text, told):
    path = tmp_path / "ads.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=rf"(?s)ads\.csv.*{told}|{told}.*ads\.csv"):
        Screening(jobs=str(path)).examples("train")
