"""The fact sheet's worked examples and tables, and the parsers."""

import json
from fractions import Fraction

import pytest

from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_resume import parts
from guerdon_resume.answers import lenient_status, read, read_released, written
from guerdon_resume.examples import ResumeExample
from guerdon_resume.metrics import Readable, Right
from guerdon_resume.rewards import Experience, ScoreNearness, Skills, Status, screening
from guerdon_resume.tasks import Screening

JOB = ("Python", "SQL", "Spark", "ML Ops")


def row(status, present=(), text="", score=None, job=JOB, years=None):
    return ResumeExample(
        id="1",
        job_skills=job,
        present_skills=present,
        experience=text,
        status=status,
        score=score,
        years=years,
    )


def verdict(status, score):
    return json.dumps({"status": status, "score": score})


STRONG = row("APPROVE", JOB, "Relevant and strong experience.", 81)
WEAK = row("REJECT", ("Python",), "Experience does not match job requirements.", 42)
WORKED = [
    (verdict("SELECTED", 81), STRONG, (2, 1, 1, 0), 1.2, 1.2),
    (verdict("REJECTED", 40), STRONG, (-2, 0.18, 1, 1), -0.364, -1.564),
    (verdict("REJECTED", 42), WEAK, (0, 1, -1, 1), 0.2, 0.2),
    (verdict("approve", 90), WEAK, (-1, 0.04, -1, -1), -0.792, -1.192),
    (
        "not json at all",
        row("APPROVE", ("Python", "SQL"), "Senior engineer, 10 years", 81),
        (-2, -0.62, 0, -1),
        -1.124,
        -2.324,
    ),
    (
        'Sure: {"status":"CONSIDER","score":"70"} as asked',
        row("CONSIDER", ("Python", "SQL"), "5 years, mid level", 70),
        (2, 1, 0, 1),
        1.2,
        1.2,
    ),
    (verdict("MAYBE", 50), row("REJECT", (), "", 50), (-1, 1, -1, 0), -0.4, -0.4),
    (
        verdict("SELECTED", None),
        row("APPROVE", ("Python", "SQL", "Spark"), "3 years", 60),
        (-2, -0.2, 1, 0),
        -0.64,
        -1.84,
    ),
    (verdict("SELECTED", 88), row("APPROVE", (), "junior", None, job=()), (2, 0, -1, -1), 0.4, 0.4),
]


@pytest.mark.parametrize(("answer", "example", "each", "total", "harsh"), WORKED)
def test_the_released_reading_pays_what_the_sheets_worked_examples_say(answer, example, each, total, harsh):
    """Examples 1 to 9; harsh: .4 * (-5 + 2) = -1.2 more for a miss, .4 * (-2 + 1) = -.4 for a false positive."""
    score = screening(reading="released")(Rollout.of(example, answer))
    assert [score.parts[name].value for name in ("status", "score", "skills", "experience")] == pytest.approx(each)
    assert score.value == pytest.approx(total)
    assert screening(reading="released", penalties="harsh")(Rollout.of(example, answer)).value == pytest.approx(harsh)


@pytest.mark.parametrize("values", [(0.8, -0.8), (0.8, -2.0)])
def test_in_a_standardised_pair_the_size_of_a_penalty_vanishes(values):
    """Example 10, ddof 1: any two unequal rewards give 1/sqrt 2 and its negative; equal ones give nothing."""
    from guerdon.advantages import group_relative

    estimator = group_relative(std=True, ddof=1, epsilon=1e-12)
    assert estimator.centred(values) == pytest.approx([0.707107, -0.707107], abs=1e-6)
    assert list(estimator.centred((0.3, 0.3))) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("word", "selected", "gentle", "harsh"),
    [
        ("SELECTED", True, 2, 2),
        ("SELECTED", False, -1, -2),
        ("REJECTED", True, -2, -5),
        ("REJECTED", False, 0, 0),
        ("PERHAPS", True, -1, -1),
        ("PERHAPS", False, -1, -1),
    ],
)
def test_the_status_table_is_the_sheets(word, selected, gentle, harsh):
    assert parts.status_value(word, selected) == gentle
    assert parts.status_value(word, selected, "harsh") == harsh


@pytest.mark.parametrize(("share", "value"), [(3, 1.0), (2, 0.0), (1, -1.0)])
def test_the_released_skills_part_steps_at_three_quarters_and_at_two_fifths(share, value):
    assert parts.released_skills_value(JOB, JOB[:share]) == value
    assert parts.released_skills_value(JOB, [skill.upper() + " " for skill in JOB[:share]]) == value


def test_the_released_skills_part_takes_job_skills_in_one_text_apart_at_commas():
    assert parts.released_skills_value(["Python, SQL, Spark, ML Ops"], ["python", "sql", "spark"]) == 1.0


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("Senior engineer", 10),
        ("mid level", 5),
        ("3 years", 3),
        ("12 years", 1),
        ("15 years", 5),
        ("no experience", 0),
        ("", 0),
    ],
)
def test_released_years_are_signs_and_not_numbers(text, years):
    """The sheet's pitfall: "1" is in 12, "5" in 15."""
    assert parts.released_years(text) == years


# -- what the repaired reading mends ---------------------------------------------------------------------------------

MADE = row("APPROVE", ("Python", "SQL"), "4 years", 70, years=4)
FULL = written("SELECTED", 70, ["Python", "SQL"], 4)


def spread(reward, answers, example=MADE):
    group = Group.of([Rollout.of(example, answer) for answer in answers])
    return [score.value for score in Context().scores(reward, [group])[0]]


def test_a_right_answer_earns_the_top_and_a_right_rejection_the_top_without_the_verdicts_two():
    assert screening()(Rollout.of(MADE, FULL)).value == pytest.approx(1.4)
    weak = row("REJECT", (), "no experience", 30, years=0)
    assert screening()(Rollout.of(weak, written("REJECTED", 30, [], 0))).value == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("reward", "better", "worse"),
    [
        (Status(), FULL, written("REJECTED", 70, ["Python", "SQL"], 4)),
        (ScoreNearness(), FULL, written("SELECTED", 10, ["Python", "SQL"], 4)),
        (Skills(), FULL, written("SELECTED", 70, ["Spark"], 4)),
        (Experience(), FULL, written("SELECTED", 70, ["Python", "SQL"], 9)),
    ],
)
def test_every_repaired_part_depends_on_the_answer(reward, better, worse):
    high, low = spread(reward, [better, worse])
    assert high == reward.bounds[1] > low


def test_the_released_skills_part_is_the_same_for_every_answer_to_a_prompt():
    answers = [FULL, "gibberish", verdict("SELECTED", 100), verdict("REJECTED", 0)]
    assert len(set(spread(Skills(reading="released"), answers))) == 1
    assert len(set(spread(Skills(), [FULL, written("SELECTED", 70, ["Python"], 4), "gibberish"]))) == 3


def test_released_pays_low_scores_where_the_text_says_no_years_and_repaired_does_not():
    """The sheet's cause of negativity: y is 0 on every published row, and E pays 1 for a score under 50."""
    example = row("APPROVE", JOB, "Relevant and strong experience.", 81)
    low, high = verdict("SELECTED", 40), verdict("SELECTED", 90)
    assert spread(Experience(reading="released"), [low, high], example) == [1.0, -1.0]
    assert Experience()(Rollout.of(example, low)).status == "abstain"


def test_gibberish_on_a_bad_candidate_is_paid_by_the_released_code_and_not_by_the_repaired():
    """Released: S 0, A 1 - 42/50, K -1, E +1: .2 * .16. Repaired: -2, -1, -1 and no years: -.8 - .2 - .2."""
    assert screening(reading="released")(Rollout.of(WEAK, "????")).value == pytest.approx(0.032)
    assert screening()(Rollout.of(WEAK, "????")).value == pytest.approx(-1.2)


def test_an_unknown_status_is_no_hedge_in_the_repaired_reading():
    hedge, wrong = verdict("MAYBE", 70), verdict("REJECTED", 70)
    released, repaired = Status(reading="released"), Status()
    assert spread(released, [hedge, wrong]) == [-1.0, -2.0]
    assert spread(repaired, [hedge, wrong]) == [-2.0, -2.0]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"status": "SELECTED", "score": 81.9}', 81.9),
        ('{"status": "SELECTED", "score": "81.5"}', 81.5),
        ('```json\n{"status": "selected", "score": 7}\n```', 7.0),
        (' \n```\n{"status": "selected", "score": 7}\n```\n', 7.0),
    ],
)
def test_fractions_are_read_as_they_stand(text, score):
    assert read(text).score == score
    assert not read(text).fault


def test_the_released_parser_cuts_fractions_and_fails_on_them_as_text():
    assert read_released('{"status": "SELECTED", "score": 81.9}').score == 81
    assert read_released('{"status": "SELECTED", "score": "81.5"}').fault
    assert read_released('{"status": "SELECTED", "score": 250}').score == 250


UNREADABLE = [
    "",
    "SELECTED",
    "{}",
    '{"status": "SELECTED"}',
    '{"score": 80}',
    '{"status": "SELECTED", "score": 101}',
    '{"status": "SELECTED", "score": -1}',
    '{"status": "SELECTED", "score": NaN}',
    '{"status": "SELECTED", "score": Infinity}',
    '{"status": "SELECTED", "score": true}',
    '{"status": "SELECTED", "score": [80]}',
    '{"status": 1, "score": 80}',
    '{"status": "SELECTED", "score": 80} {"status": "REJECTED", "score": 20}',
    '{"status": "SELECTED", "score": 80}}',
    '{"answer": {"status": "SELECTED", "score": 80}}',
    '{"status": "REJECTED", "status": "SELECTED", "score": 80}',
    '{"status": "SELECTED", "score": 80} Correction: REJECTED.',
    'Sure! {"status": "SELECTED", "score": 80}',
    '```json\n{"status": "SELECTED", "score": 80}\n```\nOr rather not.',
    '```json\n{"status": "SELECTED", "score": 80}',
    '```not so\n{"status": "SELECTED", "score": 80}\n```',
    '["REJECTED", {"status": "SELECTED", "score": 80}]',
    '{"status": "SELECTED", "score": 80, "reason": "a young man"}',
    '{"status": "SELECTED", "score": 1' + "0" * 400 + "}",
    '{"status": "SELECTED", "score": 1' + "0" * 5000 + "}",
    "[" * 100_000,
    '{"a":' * 100_000,
    "{" * 300_000,
]


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_no_single_verdict_earns_the_least_of_every_part(text):
    assert read(text).fault
    assert screening()(Rollout.of(MADE, text)).value == pytest.approx(-1.4)
    assert screening(penalties="harsh")(Rollout.of(MADE, text)).value == pytest.approx(0.4 * -5 - 0.6)


def test_a_verdict_that_is_taken_back_is_none_and_the_bare_one_earns_all():
    taken_back = f"Sure! {FULL} Correction: REJECTED."
    assert spread(screening(), [FULL, taken_back]) == pytest.approx([1.4, -1.4])
    assert spread(Readable(), [FULL, f"```json\n{FULL}\n```", taken_back]) == [1.0, 1.0, 0.0]
    assert spread(Right(), [FULL, taken_back]) == [1.0, 0.0]


def test_references_are_verdicts_alone():
    """What a warm start teaches, in either layout: JSON and nothing else."""
    for layout in ("reasons", "short"):
        task = Screening(train_size=20, eval_size=20, layout=layout)
        for example in (*task.examples("train"), *task.examples("eval")):
            assert spread(Readable(layout), [task.reference(example)], example) == [1.0]


def test_the_total_of_an_answer_that_no_part_can_read_says_why():
    for reward in (screening(), screening(reading="released")):
        for example in (MADE, row("REJECT", (), "")):
            total = reward(Rollout.of(example, "hm"))
            assert total.why
            assert {part.why for part in total.parts.values() if part.scored} == {total.why}
    assert screening()(Rollout.of(MADE, FULL)).why == ""


def test_years_are_read_with_or_without_quotes_as_scores_are():
    assert read('{"status": "SELECTED", "score": "60", "years": "15"}').years == 15
    assert read('{"status": "SELECTED", "score": "60", "years": "900"}').years is None


@pytest.mark.parametrize(
    "text",
    [f"{verdict('SELECTED', 80)} {verdict('REJECTED', 20)}", "{so: " + verdict("SELECTED", 80) + "}", '{"score": 80.5'],
)
def test_the_released_parser_fails_on_two_objects_and_on_braces_around_one(text):
    found = read_released(text)
    assert found.fault
    assert (found.status, found.score) == ("REJECTED", 0)


@pytest.mark.parametrize(("penalties", "share"), [("gentle", Fraction(1, 5)), ("harsh", Fraction(2, 9))])
def test_by_status_alone_it_pays_to_select_from_a_fifth_of_good_ones_or_two_ninths(penalties, share):
    """Gentle: 2 q - (1 - q) = -2 q at q = 1/5. Harsh: 2 q - 2 (1 - q) = -5 q at q = 2/9."""

    def pays(word, good):
        mean = [parts.status_value(word, kind, penalties) for kind in (True, False)]
        return good * Fraction(mean[0]) + (1 - good) * Fraction(mean[1])

    assert pays("SELECTED", share) == pays("REJECTED", share)
    assert pays("SELECTED", share + Fraction(1, 100)) > pays("REJECTED", share + Fraction(1, 100))


def test_a_score_too_large_for_a_number_makes_the_released_code_fail_and_pay_nothing():
    huge = '{"status": "SELECTED", "score": 1' + "0" * 400 + "}"
    assert screening(reading="released")(Rollout.of(MADE, huge)).value == 0.0


def test_the_evaluations_parser_is_more_lenient_than_the_rewards():
    assert lenient_status(verdict("yes", 1)) == lenient_status(verdict("Selected!", 1)) == "SELECTED"
    assert lenient_status(verdict("no", 1)) == lenient_status("SELECTED") == "REJECTED"


def test_other_words_for_a_skill_are_that_skill_and_naming_all_does_not_pay():
    example = row("APPROVE", ("Kubernetes", "SQL"), "", 70, job=("Kubernetes", "SQL", "Docker", "Linux"))

    def paid(*skills):
        return Skills()(Rollout.of(example, written("SELECTED", 70, skills, 1))).value

    assert paid("K8s", "structured query language") == 1.0
    assert paid("K8s", "k8s", "Kubernetes", "SQL") == 1.0
    assert paid(*example.job_skills) == pytest.approx(1 / 3)  # F1 = 2*2/(4+2)
    assert paid() == -1.0


@pytest.mark.parametrize(
    "fields", ['"skills": "SQL"', '"skills": [1]', '"years": "four"', '"years": null', '"years": 900']
)
def test_a_field_of_the_wrong_form_costs_its_part_alone(fields):
    text = '{"status": "SELECTED", "score": 70, ' + fields + "}"
    score = screening()(Rollout.of(MADE, text))
    assert score.parts["status"].value == 2.0
    assert score.parts["skills"].value == score.parts["experience"].value == -1.0


def test_what_a_row_lacks_leaves_the_sum_and_is_no_number():
    bare = ResumeExample(id="bare", status="REJECT")
    score = screening()(Rollout.of(bare, verdict("REJECTED", 10)))
    assert {name: part.status for name, part in score.parts.items()} == {
        "status": "ok",
        "score": "abstain",
        "skills": "abstain",
        "experience": "abstain",
    }
    assert score.value == 0.0
    assert {part.status for part in screening()(Rollout.of(bare, "?")).parts.values()} == {"fail", "abstain"}


def test_a_short_answer_is_graded_by_verdict_and_score_alone():
    """Weights .4 and .2 of .6: 2 * 2/3 + 1/3."""
    reward = screening(layout="short")
    assert reward(Rollout.of(MADE, verdict("SELECTED", 70))).value == pytest.approx(5 / 3)
    assert reward(Rollout.of(MADE, FULL)).parts["status"].status == "fail"


def test_weights_are_divided_by_their_sum():
    doubled = screening(status_weight=4.0, score_weight=2.0, skills_weight=2.0, experience_weight=2.0)
    assert spread(doubled, [FULL, verdict("REJECTED", 3)]) == pytest.approx(
        spread(screening(), [FULL, verdict("REJECTED", 3)])
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reading": "printed"}, "reading is 'printed'"),
        ({"penalties": "soft"}, "penalties is 'soft'"),
        ({"layout": "long"}, "layout is 'long'"),
        ({"score_weight": -1.0}, "score_weight is -1.0"),
        ({"score_weight": float("nan")}, "score_weight is nan"),
        (
            dict.fromkeys(("status_weight", "score_weight", "skills_weight", "experience_weight"), 0.0),
            "every weight is 0",
        ),
    ],
)
def test_a_wrong_option_is_named(options, told):
    with pytest.raises(ConfigError, match=told):
        screening(**options)


@pytest.mark.parametrize(
    "fields", [{"status": "PERHAPS"}, {"status": "REJECT", "score": 120}, {"status": "REJECT", "years": -1}]
)
def test_a_gold_row_that_says_nothing_sensible_is_refused(fields):
    with pytest.raises(ValueError, match=r"status|score|years"):
        ResumeExample(id="1", **fields)
