"""The scorecard: what it knows of a candidate, by hand; what it writes and reads; and the recipe that trains it."""

import json
from importlib.util import find_spec

import pytest

from guerdon.errors import ConfigError, PolicyError
from guerdon.types import Example
from guerdon_resume.answers import written
from guerdon_resume.examples import Person, ResumeExample
from guerdon_resume.scorecard import ScoreBand
from guerdon_resume.tasks import Screening


def candidate(experience="4 years of experience", skills=("K8s", "Excel"), status="REJECT", **options):
    return ResumeExample(
        id="c",
        status=status,
        job_skills=("SQL", "Kubernetes"),
        candidate_skills=skills,
        experience=experience,
        **options,
    )


@pytest.mark.parametrize(
    ("shown", "row"),
    [
        (candidate(), [1, 0.5, 0.4, 0]),  # K8s is Kubernetes
        (candidate("12 years of experience"), [1, 0.5, 1, 0]),
        (candidate("no experience"), [1, 0.5, 0, 0]),
        (candidate("", ()), [1, 0, 0, 1]),
        (candidate(skills=("MySQL databases", "kubernetes")), [1, 0.5, 0.4, 0]),
        (ResumeExample(id="c", status="REJECT", candidate_skills=("SQL",), experience="1 year"), [1, 0, 0.1, 0]),
    ],
)
def test_what_is_known_of_a_candidate_is_as_by_hand(shown, row):
    assert ScoreBand().described(shown).tolist() == [pytest.approx(row)]


def test_neither_gold_nor_the_person_is_looked_at():
    told = candidate(
        status="APPROVE",
        years=15,
        score=100,
        present_skills=("SQL", "Kubernetes"),
        resume="Ann, 15 years of SQL",
        person=Person(name="Ann", gender="she/her", born="Born 1975"),
    )
    assert ScoreBand().described(told).tolist() == ScoreBand().described(candidate()).tolist()
    assert ScoreBand().written(told, [12]) == ScoreBand().written(candidate(), [12])


@pytest.mark.parametrize(
    ("band", "status", "score"), [(0, "REJECTED", 2), (11, "REJECTED", 57), (12, "SELECTED", 62), (19, "SELECTED", 97)]
)
def test_a_band_is_a_verdict_with_what_it_rests_on(band, status, score):
    text = ScoreBand().written(candidate(), [band])
    assert json.loads(text) == {"status": status, "score": score, "skills": ["Kubernetes"], "years": 4}
    assert ScoreBand().read(candidate(), text) == [band]
    short = ScoreBand("short")
    assert json.loads(short.written(candidate(), [band])) == {"status": status, "score": score}


@pytest.mark.parametrize(
    ("status", "score", "band"),
    [("SELECTED", 100, 19), ("REJECTED", 59.9, 11), ("SELECTED", 58, 12), ("REJECTED", 81, 11), ("SELECTED", 60, 12)],
)
def test_a_score_is_read_as_its_band_and_the_verdict_goes_first(status, score, band):
    assert ScoreBand().read(candidate(), written(status, score, ["SQL"], 3)) == [band]


def test_what_is_no_verdict_is_refused_and_so_are_others():
    with pytest.raises(PolicyError, match="no verdict, for 'c': no JSON object in it"):
        ScoreBand().read(candidate(), "selected")
    with pytest.raises(PolicyError, match="'x' is no ResumeExample but Example"):
        ScoreBand().described(Example(id="x"))
    with pytest.raises(ConfigError, match="layout"):
        ScoreBand("long")


def test_the_references_of_its_task_are_verdicts_it_could_give():
    task = Screening(train_size=30)
    for example in task.examples("train"):
        (band,) = ScoreBand().read(example, task.reference(example))
        assert (band >= 12) == example.selected


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (
            Screening(layout="short"),
            "answers in the layout 'reasons' and .* ask for 'short': set policy.with.layout=short",
        ),
        (Screening(shown="whole"), "reads facts, and the prompts of resume/screening-v1 show the whole resume"),
    ],
)
def test_tasks_that_ask_for_other_answers_are_refused(task, why):
    with pytest.raises(PolicyError, match=why):
        ScoreBand().check(task)
    ScoreBand().check(Screening())
    ScoreBand("short").check(Screening(layout="short"))


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(find_spec("torch") is None, reason="its weights are torch's: pip install 'guerdon[train]'")
def test_the_recipe_teaches_verdicts_and_its_run_screens(tmp_path):
    """A quarter of its steps. Untrained it rejects everyone with 2 points."""
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import run_recipe
    from guerdon_resume.trained import screener_of

    short = ["train.steps=50", "task.with.train_size=800", "task.with.eval_size=200", "train.eval.examples=200"]
    evals = run_recipe(load_recipe("resume-scorecard", short), tmp_path / "run").evals
    before, after = (line["eval/accuracy"] for line in evals)
    assert before < 0.6
    assert after > before + 0.1
    screen, layout = screener_of(tmp_path / "run")
    good, poor = (json.loads(text) for text in screen([candidate("9 years", ("SQL", "K8s")), candidate("", ())]))
    assert layout == "reasons"
    assert (good["status"], poor["status"]) == ("SELECTED", "REJECTED")
    assert good["score"] > poor["score"]
    with pytest.raises(PolicyError, match="reads facts, and the prompts"):
        screener_of(tmp_path / "run", shown="whole")
