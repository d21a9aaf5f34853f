"""Rows of one's own, as JSON lines, in either of two forms.

| field | | what |
|---|---|---|
| `status` | needed | APPROVE, CONSIDER, STRONGLY_CONSIDER or SELECTED; REJECT or REJECTED |
| `job_skills` | needed | a list of texts, or one text with commas |
| `resume` | one of the two | the text, from which skills and years are read where a row does not say them |
| `candidate_skills` | one of the two | as `job_skills`, in the candidate's words |
| `id` | optional | a text or a whole number; else `row-0`, `row-1`, ... by place |
| `title`, `experience`, `years`, `score`, `reasons`, `person` | optional | as in `ResumeExample` |

The published form has `status`, `job_description_skills` and `evaluation_json`, a text of JSON or an object with
`overall_score`, `skills_match.present_skills` and `experience_relevance.explanation`. Other fields are left alone:
name, phone and notes reach no prompt.

Nothing is guessed: a row that is not in order stops the load, named by file and line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow, read_rows
from guerdon_resume.examples import Person, ResumeExample
from guerdon_resume.facts import facts_of, present, years_told
from guerdon_resume.generate import FEWEST, held_out
from guerdon_resume.skills import canonical
from guerdon_resume.years import years_of

_OWN = ("title", "experience", "score", "years")


def read_candidates(path: Path, limit: int | None = None, prefix: str = "row") -> list[ResumeExample]:
    """The candidates of a file, in its order.

    Args:
        path: JSON lines or one JSON array, gzipped or not.
        limit: so many rows from the top; None for all.
        prefix: before the number of rows that have no `id`.

    Raises:
        TaskError: a row is not in order, or two have one id; the message names file and line.
    """
    found: list[ResumeExample] = []
    places: dict[str, str] = {}
    for number, row in enumerate(read_rows(path, "candidates")):
        if limit is not None and number >= limit:
            break
        example = _candidate(row, f"{prefix}-{number}")
        if example.id in places:
            raise TaskError(f"{row.place}: the id {example.id!r} is that of {places[example.id]} too")
        places[example.id] = row.place
        found.append(example)
    if not found:
        raise TaskError(f"{str(path)!r} holds no candidates")
    return found


def _candidate(row: FileRow, name: str) -> ResumeExample:
    fields = _published(row) if "evaluation_json" in row.fields else _own(row)
    given = row.fields.get("id")
    if given is not None and not (isinstance(given, str | int) and not isinstance(given, bool) and str(given).strip()):
        raise row.fault("id", "a text or a whole number")
    fields["id"] = name if given is None else str(given)
    fields["status"] = row.text("status")
    try:
        return ResumeExample(**fields)
    except ValidationError as error:
        raise row.refused(error) from None


def _own(row: FileRow) -> dict[str, Any]:
    job = _listed(row, "job_skills")
    if not job:
        raise row.fault("job_skills", "at least one skill")
    text = row.text("resume", optional=True)
    if not text.strip() and row.fields.get("candidate_skills") is None:
        raise row.fault("resume", "a text, here or skills in 'candidate_skills',")
    facts = facts_of(text, job)
    skills = facts.skills if row.fields.get("candidate_skills") is None else _listed(row, "candidate_skills")
    fields: dict[str, Any] = {name: row.fields[name] for name in _OWN if row.fields.get(name) is not None}
    fields.setdefault("years", facts.years)
    if fields["years"] is None:
        fields["years"] = years_of(str(fields.get("experience", "")))
    if fields["years"] is not None:
        fields.setdefault("experience", _told(fields["years"]))
    has = _listed(row, "present_skills") if "present_skills" in row.fields else present(job, skills)
    fields |= {"job_skills": job, "candidate_skills": skills, "present_skills": has, "resume": text}
    if row.fields.get("reasons") is not None:
        fields["reasons"] = _texts(row, "reasons", row.fields["reasons"])
    if row.fields.get("person") is not None:
        try:
            fields["person"] = Person.model_validate(row.fields["person"])
        except ValidationError as error:
            raise row.fault("person", f"an object of texts ({', '.join(Person.model_fields)})") from error
    return fields


def _told(years: object) -> str:
    return years_told(years) if isinstance(years, int | float) else ""


def _published(row: FileRow) -> dict[str, Any]:
    job = _listed(row, "job_description_skills")
    said: Any = row.fields["evaluation_json"]
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise TaskError(f"{row.place}: field 'evaluation_json' is not JSON: {error}") from error
    if not isinstance(said, Mapping):
        raise row.fault("evaluation_json", "an object, or a text of one,")
    match, relevance = _within(row, said, "skills_match"), _within(row, said, "experience_relevance")
    skills = _texts(row, "evaluation_json", match.get("present_skills") or [])
    text = relevance.get("explanation") or ""
    if not isinstance(text, str):
        raise row.fault("evaluation_json", "an experience_relevance.explanation that is a text")
    return {
        "job_skills": job,
        "candidate_skills": skills,
        "present_skills": skills,
        "experience": text,
        "years": years_of(text),
        "score": said.get("overall_score"),
    }


def _within(row: FileRow, said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name) or {}
    if not isinstance(found, Mapping):
        raise row.fault("evaluation_json", f"an object in its {name}")
    return found


def _listed(row: FileRow, field: str) -> tuple[str, ...]:
    """The texts of a list, or of one text at its commas; none of them blank."""
    value = row.fields.get(field)
    if isinstance(value, str):
        value = value.split(",")
    return _texts(row, field, value)


def _texts(row: FileRow, field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise row.fault(field, "a list of texts")
    return tuple(each.strip() for each in value if each.strip())


def read_jobs(path: Path) -> tuple[tuple[str, ...], ...]:
    """Skills of job ads, as skill2vec's file has them: a line is an id and skills, with commas; underscores are spaces.

    Skills that are one under other names count once, and ads with fewer than `generate.FEWEST` skills are left out.

    Raises:
        TaskError: it cannot be read, a line has no id, or one of the splits would have no ad.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"cannot read jobs from {str(path)!r}: {error}") from error
    found = []
    for number, row in enumerate(rows, 1):
        if not any(each.strip() for each in row):
            continue
        if not row[0].strip():
            raise TaskError(f"{str(path)!r}, line {number}: an id is needed before the skills")
        skills: dict[str, str] = {}
        for each in row[1:]:
            if skill := " ".join(each.replace("_", " ").split()):
                skills.setdefault(canonical(skill), skill)
        if len(skills) >= FEWEST:
            found.append(tuple(skills.values()))
    if len({held_out(ad) for ad in found}) < 2:
        raise TaskError(
            f"{str(path)!r} has {len(found)} ads with {FEWEST} skills and more; too few to part them into two splits"
        )
    return tuple(found)
