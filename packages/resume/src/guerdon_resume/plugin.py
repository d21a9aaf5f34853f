"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """The four parts of resume screening, their total, and two of what evaluation reports."""
    rewards = "guerdon_resume.rewards"
    register("resume/screening-v1", f"{rewards}:screening", summary="the weighted total, in [-1.4, 1.4]")
    register("resume/status-v1", f"{rewards}:Status", summary="the verdict by soft penalties, in [-2, 2]")
    register("resume/score-v1", f"{rewards}:ScoreNearness", summary="nearness to the gold score, in [-1, 1]")
    register("resume/skills-v1", f"{rewards}:Skills", summary="F1 of the skills that are found, in [-1, 1]")
    register("resume/experience-v1", f"{rewards}:Experience", summary="nearness of the years read, in [-1, 1]")
    metrics = "guerdon_resume.metrics"
    register("resume/right-v1", f"{metrics}:Right", summary="the right verdict, 0 or 1; among some or all")
    register("resume/readable-v1", f"{metrics}:Readable", summary="one verdict and nothing else, 0 or 1")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Candidates made up, and from files."""
    register("resume/screening-v1", "guerdon_resume.tasks:Screening", summary="job ads and resumes, made up")
    register("resume/jsonl-v1", "guerdon_resume.filed_tasks:JsonLines", summary="candidates from a JSON-lines file")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon screen` and `guerdon resume`."""
    commands = "guerdon_resume.commands"
    register("screen", f"{commands}:screen", summary="rank resumes for a job, with reasons")
    register("resume", f"{commands}:command", summary="fairness: how good and how fair a screener of resumes is")


@hookimpl
def guerdon_policies(register: Register) -> None:
    """A screener without a model."""
    register(
        "resume/scorecard", "guerdon_resume.scorecard:scorecard", summary="verdicts by weights over skills and years"
    )


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train resume` and `guerdon train resume-scorecard` start."""
    register("resume", "guerdon_resume.recipes:resume", summary="SFT, then gentle GRPO, on a 135M model")
    card = "guerdon_resume.recipes:resume_scorecard"
    register("resume-scorecard", card, summary="gentle GRPO on weights over skills and years, in seconds")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """The central claim of resume screening."""
    register("resume_screening", "guerdon_resume.claim:ResumeScreening", summary="gentle RL regains recall after SFT")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of verdicts can be audited with, beside core's."""
    attacks = "guerdon_resume.attacks"
    register("resume/both-verdicts", f"{attacks}:BothVerdicts", summary="selected and rejected at once")
    register("resume/unsure-status", f"{attacks}:UnsureStatus", summary="a word that is neither verdict")
    register("resume/no-verdict", f"{attacks}:NoVerdict", summary="no verdict at all")
    register("resume/same-for-all", f"{attacks}:SameForAll", summary="one verdict for everybody")
    register("resume/personal-reason", f"{attacks}:PersonalReason", summary="the person as a reason")
