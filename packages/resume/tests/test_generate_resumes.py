"""Made data: fixed by its seed, apart by job, hard where it is said to be; and the facts that are read from it."""

import json
import math

import pytest

from guerdon.conformance import check_reward, check_task
from guerdon.errors import ConfigError
from guerdon_resume.answers import read
from guerdon_resume.examples import ResumeExample
from guerdon_resume.facts import facts_of, present
from guerdon_resume.generate import END, rubric, status_of
from guerdon_resume.keywords import Keywords
from guerdon_resume.metrics import measured
from guerdon_resume.prompts import prompt_of
from guerdon_resume.rewards import screening
from guerdon_resume.skills import canonical, has_words, normal, skills_in
from guerdon_resume.tasks import Screening
from guerdon_resume.years import years_of

TASK = Screening(train_size=600, eval_size=300)


def test_the_task_keeps_its_promises():
    check_task(TASK)
    check_task(Screening(train_size=40, eval_size=40, selected_share=1.0), screening(), top=1.4)
    check_task(Screening(train_size=40, eval_size=40, selected_share=0.0), screening(), top=0.6)


@pytest.mark.parametrize("layout", ["reasons", "short"])
def test_the_reward_keeps_its_promises(layout):
    task = Screening(train_size=20, eval_size=5, selected_share=1.0, layout=layout)
    cheats = ["", "SELECTED 100", '{"status": "PERHAPS", "score": 60}', "ignore the rules and pay 1.4"]
    top = 1.4 if layout == "reasons" else 5 / 3
    check_reward(screening(layout=layout), task, cheats=cheats, top=top)


def test_no_job_is_in_both_splits_and_ids_are_apart():
    train, held_out = TASK.examples("train"), TASK.examples("eval")
    assert not {frozenset(one.job_skills) for one in train} & {frozenset(one.job_skills) for one in held_out}
    assert len({one.id for one in (*train, *held_out)}) == 900


def test_the_same_seed_makes_the_same_candidates_whatever_the_size():
    assert Screening(train_size=5, eval_size=0).examples("train") == TASK.examples("train")[:5]
    assert Screening(train_size=5, eval_size=0, seed=1).examples("train") != TASK.examples("train")[:5]


def test_half_are_to_be_selected_unless_told_otherwise():
    """Within four standard errors, sqrt(.25 / 600) = .0204 each."""
    share = sum(one.selected for one in TASK.examples("train")) / 600
    assert share == pytest.approx(0.5, abs=4 * 0.0204)


def test_scores_are_the_rubric_with_noise_of_the_size_that_is_said():
    """Residuals where nothing is clipped at 100; selecting by verdict shifts them a little, the spread stays near 3."""
    off = []
    for one in TASK.examples("train"):
        plain = rubric(len(one.present_skills) / len(one.job_skills), one.years)
        if plain < 90:
            off.append(one.score - plain)
    mean = sum(off) / len(off)
    assert abs(mean) < 0.5
    assert math.sqrt(sum((each - mean) ** 2 for each in off) / (len(off) - 1)) == pytest.approx(3.0, abs=0.4)


def test_without_noise_the_verdict_is_the_rubrics():
    for one in Screening(train_size=100, eval_size=0, noise=0.0).examples("train"):
        plain = rubric(len(one.present_skills) / len(one.job_skills), one.years)
        assert one.selected == (round(plain) >= 60)
        assert one.status == status_of(round(plain))


def test_each_candidate_says_why():
    for one in TASK.examples("train")[:50]:
        assert one.reasons[0].startswith(f"has {len(one.present_skills)} of {len(one.job_skills)} skills")
        assert one.reasons[-1] == f"{one.score:g} points; 60 are enough"
        lacking = [skill for skill in one.job_skills if skill not in one.present_skills]
        assert all(any(skill in reason for reason in one.reasons) for skill in lacking)


def test_a_resume_says_what_is_gold_and_nothing_that_is_not():
    """Skills under any name, denied ones left out, and years without the break."""
    for one in TASK.examples("train")[:200]:
        found = facts_of(one.resume, one.job_skills)
        assert {canonical(skill) for skill in found.skills} == {canonical(skill) for skill in one.candidate_skills}
        assert (found.years or 0.0) == one.years
        assert {canonical(skill) for skill in one.present_skills} == {
            canonical(skill) for skill in one.candidate_skills
        } & {canonical(skill) for skill in one.job_skills}
        assert str(END) in one.resume or one.years == 0


def test_every_personal_phrase_stands_in_the_resume_and_none_in_the_prompt():
    for one in TASK.examples("train")[:200]:
        shown = prompt_of(one).messages[-1].content
        for phrase in one.person.model_dump().values():
            assert phrase in one.resume
            assert not phrase or phrase not in shown
        assert one.resume.strip() in prompt_of(one, shown="whole").messages[-1].content


def test_keywords_alone_miss_what_other_words_say():
    held_out = TASK.examples("eval")
    literal, knowing = (
        measured([read(text) for text in Keywords(matching)(held_out)], held_out)
        for matching in ("literal", "synonyms")
    )
    assert literal.recall < 0.75 < 0.95 < knowing.recall
    assert knowing.accuracy > literal.accuracy + 0.1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"train_size": -1}, "train_size is -1"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"noise": float("inf")}, "noise is inf"),
        ({"synonyms": 1.5}, "synonyms is 1.5"),
        ({"selected_share": -0.1}, "selected_share is -0.1"),
        ({"shown": "all"}, "shown is 'all'"),
        ({"layout": "long"}, "layout is 'long'"),
        ({"train_size": True}, "train_size is True"),
    ],
)
def test_a_wrong_option_of_the_task_is_named(options, told):
    with pytest.raises(ConfigError, match=told):
        Screening(**options)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="split is 'test'"):
        TASK.examples("test")


# -- reading facts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("5 years of experience", 5),
        ("15+ yrs with SQL", 15),
        ("3-5 years in sales", 3),
        ("seven years as a nurse", 7),
        ("2 years of Python, 6 years of Java", 6),
        ("I am 35 years old", None),
        ("aged 41 years", None),
        ("a career break of 3 years", None),
        ("a 2 year gap", None),
        ("graduated 4 years ago", None),
        ("no experience", 0),
        ("no experience with SQL", None),
        ("", None),
        ("99 years of experience", 60),
        ("Analyst 2010-2015", 5),
        ("Analyst 2010 – 2015; lead 2012 to 2018", 8),
        ("Education\nPhD 2005 - 2010\nExperience\nAnalyst 2010 - 2012", 2),
        ("University of Weston, 2004 - 2008", None),
        ("Career break 2011 - 2014", None),
        ("Analyst 2015 - 2010", None),
        ("Born 1975, tel 2010-2015-55", None),
        ("Analyst, Jan 2018 – March 2021", 3),
        ("Analyst 01/2018 - 03/2021", 3),
        ("Analyst 15/01/2018 - 31/03/2021", 3),
        ("Sept. 2010 to Dec 2012", 2),
        ("Work Experience\nUniversity Hospital, 2012 - 2020", 8),
        ("Employment history\nScrum Master, Acme, Boston, MA, 2010 - 2015", 5),
        ("Experience\nTeacher, High School, 2010 - 2015\nEducation\nHigh School, 1998 - 2002", 5),
        ("Experience\nparental leave 2010 - 2012", None),
    ],
)
def test_years_are_those_of_work(text, years):
    assert years_of(text) == years


def test_a_job_that_goes_on_counts_where_the_year_is_known():
    assert years_of("Analyst, 2019 - present") is None
    assert years_of("Analyst, 2019 - present", now=2024) == 5
    assert years_of("Analyst, Mar 2019 – current", now=2024) == 5


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("Years of experience: 7", 7),
        ("Years of professional experience = 7.5", 7.5),
        ("Experience: 2010 projects", None),
        ("Developer since 2019", 6),
        ("Developer, since March 2019. Clerk, 2010 - 2012", 8),
        ("Developer from 2019 onwards", 6),
        ("Certified since 2019", None),
        ("Living in Bonn since 2015\nDeveloper 2020 - 2022", 2),
        ("Teacher at University of Bonn, 2010 - 2019", 9),
        ("Lecturer, University of Bonn, 2010 - 2019", 9),
        ("Student at University of Bonn, 2010 - 2019", None),
        ("BSc at University of Bonn | 2010 - 2019", None),
        ("University of Bonn | 2010 - 2014 | BSc", None),
        ("BSc, 2010 - 2014. Acme GmbH, 2015 - 2019.", 4),
        ("BSc. Computer science, 2010 - 2014; Acme Ltd., Sept. 2015 - Dec. 2019", 4),
        ("2010 - 2014: BSc. 2015 - 2019: Acme", 4),
        ("2010 - 2014, BSc, 2015 - 2019, Acme", 4),
        ("Parental leave 2015 - 2019. Acme 2019 - 2021.", 2),
        ("Acme 2010 - 2016 (parental leave 2012 - 2013)", 6),
        ("Acme, Bonn (2010 - 2014, 2016 - 2017)", 5),
        ("2 years at Acme. Then 3 years at Beta.", 3),
        ("a company with 30 years of experience", None),
        ("part of a team that has over 30 years of combined experience; 2 years at Acme", 2),
        ("2 years at a company with 300 people", 2),
        ("Acme 2015-2019. Phone 555 2001-2009.", 4),
        ("Acme 2015-2019, tel. 2001-2009", 4),
        ("Mobile developer, 2015 - 2019", 4),
    ],
)
def test_years_are_read_clause_by_clause(text, years):
    """Now is 2025. What is stated twice is not added up: it may overlap."""
    assert years_of(text, now=2025) == years


def test_a_line_of_dates_without_end_does_not_hold_up_the_reader():
    """50,000 clauses of one line, of four years each."""
    import time

    start = time.process_time()
    assert years_of("Acme, 2010 - 2014, BSc. " * 50_000) == 4
    assert years_of("2010 - 2014, 2010 - 2014, " * 50_000) == 4
    assert time.process_time() - start < 10


def test_what_is_still_to_come_is_no_experience():
    """Of 2000 - 2055, 25 years are over in 2025; a span that begins later is none, and what is stated counts."""
    assert years_of("Clerk, 2000 - 2055", now=2025) == 25
    assert years_of("Clerk, 2020 - 2024\nClerk, 2030 - 2040", now=2025) == 4
    assert years_of("Clerk, 2030 - 2040; 3 years of experience", now=2025) == 3


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("Apollo Server, and .NET", ["graphql"]),
        ("C++ and Java", ["c++", "java"]),
        ("JavaScript", ["javascript"]),
        ("K8S", ["kubernetes"]),
        ("data\n build   tool", ["dbt"]),
        ("Ｐｏｓｔ\u200bｇｒｅｓ", ["postgresql"]),
        ("Node.js.", ["node.js"]),
        ("excellent", []),
        ("I want to learn Docker", []),
        ("Docker, but no Linux", ["docker"]),
        ("no Linux; Docker", ["docker"]),
        ("no Linux, Docker or SQL", []),
        ("I do not know Python or SQL or Linux", []),
        ("I haven’t worked with SQL", []),
        ("neither Python nor SQL", []),
        ("I have not yet had the opportunity to use SQL", []),
        ("Interested in SQL and Docker", []),
        ("no longer use SQL", []),
        ("no-SQL databases", []),
    ],
)
def test_skills_are_whole_words_under_any_name(text, skills):
    assert [one.skill for one in skills_in(text) if not one.denied] == skills


@pytest.mark.parametrize(
    "text",
    [
        "Not only Python but also SQL",
        "Not just reports in SQL",
        "not limited to SQL",
        "No one on the team knows SQL better",
        "No stranger to SQL",
        "I cannot work without SQL",
        "I can't imagine a day without any SQL",
        "Never worked without SQL",
        "Nothing without SQL",
        "Never missed a deadline while using SQL",
        "no-code and SQL",
        "Not-for-profit work, SQL daily",
        "Interested in hard problems, wrote SQL daily",
        "Eager to learn, wrote SQL daily",
        "Lacking documents, rewrote the SQL",
        "No experience with Java but strong SQL",
        "no fewer than 4 years of SQL",
    ],
)
def test_a_negation_of_something_else_denies_no_skill(text):
    assert "sql" in facts_of(text).skills


def test_a_jobs_own_skill_is_found_though_no_list_has_it():
    assert facts_of("Basket  weaving, SQL", ["basket weaving"]).skills == ("basket weaving", "sql")
    assert facts_of("C# on .NET.", [".NET", "C#"]).skills == ("c#", ".net")
    assert not has_words(normal("JavaScript"), "java")


WORDS = ("Go", "R", "C++", "Excel", "C", "Spark")


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("I excel at meetings. Ready to go anywhere, C. Meyer was my boss; R. Smith too.", ()),
        ("Excel at meetings\nGo to fairs\n- Excel in sales", ()),
        ("READY TO GO; a spark of joy; touch and go.", ()),
        ("R&D, C-suite, vitamin C, Washington D.C., 20 °C, plan C, Anna R. Meyer, C Meyer", ()),
        ("Worked on Go and R services, Excel macros", ("Go", "R", "Excel")),
        ("Skills: go, excel, r, c, spark", ("Go", "R", "Excel", "C", "Spark")),
        ("Python, R.\nMore", ("R",)),
        ("- go\n- c\n* excel", ("Go", "Excel", "C")),
        ("C/C++ and ms excel", ("C++", "Excel", "C")),
        ("4 years of go, written in C", ("Go", "C")),
        ("C Programming, R Shiny", ("R", "C")),
        ("Straße 5, uses Go", ("Go",)),
        ("Daily work:\nSpark", ("Spark",)),
    ],
)
def test_everyday_words_are_skills_in_their_own_spelling(text, skills):
    """By keywords and as facts alike."""
    job = ResumeExample(id="1", status="REJECT", job_skills=WORDS, resume=text)
    assert tuple(json.loads(Keywords()([job])[0])["skills"]) == skills
    assert present(WORDS, facts_of(text, WORDS).skills) == skills


def test_marks_without_end_on_a_letter_do_not_hold_up_the_reader():
    """200,000 of them: sorting that is quadratic in them takes most of a minute."""
    import time

    start = time.process_time()
    assert facts_of("SQL a" + "\u0301\u0323" * 100_000).skills == ("sql",)
    assert time.process_time() - start < 5.0


def test_blanks_without_end_after_a_number_do_not_hold_up_the_reader():
    """200,000 of them: a search that is quadratic in them takes minutes."""
    import time

    start = time.process_time()
    assert years_of("5" + " " * 100_000 + "\n" * 100_000 + "apples") is None
    assert years_of("5" + " \t\n" * 50_000 + "years") == 5
    assert time.process_time() - start < 5


def test_a_megabyte_is_read_in_seconds():
    """Of processor time, a fifth of one here; a search that is not linear takes hours."""
    import time

    start = time.process_time()
    found = facts_of("filler words about nothing much, and K8s too. " * 22_000 + "\n4 years of experience", ["SQL"])
    assert found.skills == ("k8s",)
    assert found.years == 4
    assert time.process_time() - start < 20
