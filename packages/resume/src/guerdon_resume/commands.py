"""`guerdon screen`: resumes ranked for a job; `guerdon resume`: how good and how fair a screener is."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from guerdon_resume.ads import Job
    from guerdon_resume.answers import Layout
    from guerdon_resume.fairness import Flips, Injected
    from guerdon_resume.keywords import Screener
    from guerdon_resume.prompts import Shown
    from guerdon_resume.ranking import Placed

_PERSON = "A ranking is no decision: a person decides, and looks at each resume that has no score."


_by = [
    click.option("--run", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Ask this run's policy."),
    click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint of RUN.  [default: the latest]"),
    click.option(
        "--matching",
        type=click.Choice(["literal", "synonyms"]),
        default="literal",
        show_default=True,
        help="Without --run: the job's own words alone, or other words for a skill too.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
]


def _asking(command: Any) -> Any:
    """The options that say who is asked."""
    for option in reversed(_by):
        command = option(command)
    return command


@click.command("screen")
@click.argument("job", type=click.Path(path_type=Path))
@click.argument("resumes", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--skills", help="What the job asks for, with commas, in place of what JOB says.")
@click.option(
    "--now",
    type=click.IntRange(1950, 2200),
    help="The year that '2019 - present' ends in, and the last that counts.  [default: this one]",
)
@_asking
def screen(
    job: Path,
    resumes: tuple[Path, ...],
    skills: str | None,
    now: int | None,
    run: Path | None,
    checkpoint: Path | None,
    matching: str,
    as_json: bool,
) -> None:
    """Rank RESUMES (text, PDF, Word; a folder stands for its own files) for the JOB (an ad, or JSON), with reasons.

    By default by keywords, as an applicant-tracking system does; with --run by a trained policy. Resumes that speak to
    the screener or hide text get no score. The exit code is 1 where a file could not be read.
    """
    import time

    from guerdon.errors import ConfigError
    from guerdon.progress import progress
    from guerdon_resume.ads import job_of
    from guerdon_resume.documents import read_document
    from guerdon_resume.ranking import placed

    wanted = [each.strip() for each in (skills or "").split(",") if each.strip()]
    if skills is not None and not wanted:
        raise ConfigError(f"--skills is {skills!r}; skills with commas between them are needed, such as 'SQL, Excel'")
    asked = job_of(job, wanted)
    files: dict[str, Path] = {}  # a file that is named twice is read once
    for path in resumes:
        for file in _files(path):
            files.setdefault(os.path.realpath(file), file)
    files.pop(os.path.realpath(job), None)  # the ad may lie among them
    inside = [str(folder) for path in resumes for folder in _folders(path)]
    below = f"folders in a folder are not read, name them too: {_shown(', '.join(inside))}" if inside else ""
    if not files:
        raise ConfigError("; ".join(filter(None, (f"there are no resumes in {', '.join(map(str, resumes))}", below))))
    if below:
        click.echo(f"note: {below}", err=True)
    year = now or time.localtime().tm_year
    screener, layout = _screener(run, checkpoint, matching, now=year)
    documents = []
    with progress("reading resumes", len(files)) as bar:
        for file in files.values():
            documents.append(read_document(file))
            bar.advance()
    found = placed(asked, documents, screener, layout=layout, now=year)
    if nobody := _nobody_has(asked, found):
        click.echo(f"note: no resume has {_shown(', '.join(nobody))}: name what you want with --skills", err=True)
    if as_json:
        told = {"title": asked.title, "skills": list(asked.skills), "resumes": [asdict(one) for one in found]}
        text = json.dumps(told, indent=2, ensure_ascii=False)
        click.echo(text.encode("utf-8", "backslashreplace").decode())  # names of files may be no text
    else:
        _print(_table(asked, found))
    if any(one.status == "UNREADABLE" for one in found):
        raise click.exceptions.Exit(1)


def _nobody_has(job: Job, found: Sequence[Placed]) -> list[str]:
    """Skills that every ranked resume lacks: rather a way to say it that nobody has than a skill that nobody has."""
    from guerdon_resume.ranking import RANKED

    lacking = [set(one.lacking) for one in found if one.status in RANKED]
    return [skill for skill in job.skills if lacking and all(skill in each for each in lacking)]


def _files(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))


def _folders(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _screener(
    run: Path | None, checkpoint: Path | None, matching: str, *, now: int | None = None, shown: Shown | None = None
) -> tuple[Screener, Layout]:
    from guerdon.errors import ConfigError

    if run is not None:
        from guerdon_resume.trained import screener_of

        return screener_of(run, checkpoint, shown=shown)
    if checkpoint is not None or shown is not None:
        raise ConfigError(f"--{'shown' if checkpoint is None else 'checkpoint'} is of a run; name it with --run")
    from guerdon_resume.keywords import Keywords

    return Keywords(matching, now=now), "reasons"  # type: ignore[arg-type]  # one of its choices


def _table(job: Job, found: Sequence[Placed]) -> Table:
    from rich import box
    from rich.table import Table

    from guerdon_resume.ranking import RANKED

    title = ": ".join(filter(None, (job.title, ", ".join(job.skills))))
    table = Table(
        title=_plain(title), caption=_PERSON, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD
    )
    for heading in ("", "resume", "verdict", "score", "skills", "years", "why"):
        right = heading in ("", "score", "years")
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=heading in ("", "verdict", "score", "years")
        )
    names = [Path(one.file).name for one in found]
    for place, one in enumerate(found, 1):
        name = names[place - 1]
        ranked = one.status in RANKED
        share = f"{len(one.skills)} of {len(job.skills)}" if ranked else ""
        why = [f"lacks {', '.join(one.lacking)}"] if one.lacking else []
        cells = (
            str(place) if ranked else "",
            one.file if names.count(name) > 1 else name,
            one.status,
            "" if one.score is None else f"{one.score:g}",
            share,
            "" if one.years is None else f"{one.years:g}",
            "; ".join((*why, *one.notes)),
        )
        table.add_row(*map(_plain, cells))
    return table


@click.group("resume")
def command() -> None:
    """How good and how fair a screener of resumes is."""


@command.command("fairness")
@click.option("--count", type=click.IntRange(min=1), default=200, show_default=True, help="How many resumes are made.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one, other resumes.")
@click.option(
    "--shown",
    type=click.Choice(["facts", "whole"]),
    help="With --run: show the policy facts alone, or whole resumes.  [default: as RUN was trained]",
)
@_asking
def fairness(
    count: int,
    seed: int,
    shown: Shown | None,
    run: Path | None,
    checkpoint: Path | None,
    matching: str,
    as_json: bool,
) -> None:
    """Swap name, gender, age, break and school and count changed verdicts; plant instructions and count what they do.

    Beside them: share selected by gender, and the usual measures. A policy that is shown facts alone sees none of what
    is swapped: `--shown whole` asks what it makes of the resumes themselves.
    """
    from guerdon_resume.answers import SELECTED, read
    from guerdon_resume.fairness import flips, four_fifths, injected, selection_rates
    from guerdon_resume.metrics import measured
    from guerdon_resume.tasks import Screening

    screener, layout = _screener(run, checkpoint, matching, shown=shown)
    examples = Screening(train_size=0, eval_size=count, seed=seed).examples("eval")
    verdicts = [read(text, layout) for text in screener(examples)]
    found, planted = flips(screener, examples, layout=layout, seed=seed), injected(screener, examples, layout=layout)
    chosen = [not one.fault and one.status == SELECTED for one in verdicts]
    rates = selection_rates(chosen, [one.person.gender for one in examples])
    quality = asdict(measured(verdicts, examples))
    ratio = four_fifths(rates)
    if as_json:
        told = {
            "flips": [{**asdict(one), "rate": one.rate} for one in found],
            "injections": [asdict(one) for one in planted],
            "selected_by_gender": {group: {"selected": k, "of": n} for group, (k, n) in rates.items()},
            "four_fifths": ratio,
            "measured": quality,
        }
        click.echo(json.dumps(_numbers(told), indent=2))
        return
    _print(_flip_table(found))
    _print(_injection_table(planted))
    shares = ", ".join(f"{group} {chosen} of {number}" for group, (chosen, number) in rates.items())
    click.echo(f"selected by gender: {shares}; least by greatest share {ratio:.2f}")
    click.echo("(below 0.80 is an alarm by the four-fifths rule; with few of a group it is noise)")
    confusion = quality.pop("confusion")
    click.echo(" · ".join(f"{name} {value:.3g}" for name, value in quality.items()))
    click.echo(" · ".join(f"{name} {value}" for name, value in confusion.items()))


def _flip_table(found: Sequence[Flips]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title="the same resume, by another person", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("swapped", "pairs", "verdicts changed", "95 %", "scores changed", "at most", "unread", "skipped"):
        table.add_column(heading, justify="left" if heading == "swapped" else "right")
    for one in found:
        low, high = one.interval
        most = "" if math.isnan(one.most) else f"{one.most:g}"
        cells = (one.pairs, f"{one.flipped} ({one.rate:.1%})", f"{low:.1%} to {high:.1%}", one.moved, most)
        table.add_row(one.attribute, *map(str, (*cells, one.unread, one.skipped)))
    return table


def _injection_table(found: Sequence[Injected]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title="bad candidates who tell the screener what to say", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("planted", "resumes", "came out better", "noticed", "better and unnoticed", "unread"):
        table.add_column(heading, justify="left" if heading == "planted" else "right")
    for one in found:
        table.add_row(one.injection, *map(str, (one.count, one.raised, one.flagged, one.silent, one.unread)))
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table)


def _plain(text: str) -> str:
    """The text with what rich would read as mark-up, and what a terminal would obey, made harmless."""
    return _shown(text).replace("[", r"\[")


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _numbers(value: Any) -> Any:
    """The data with None for NaN, which JSON has not."""
    if isinstance(value, Mapping):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
