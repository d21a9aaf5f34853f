"""The whole audit: listed attacks, a search for others, and best of n with a check."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from guerdon.audit.attack import Attack
from guerdon.audit.best_of_n import BestOfN, Candidate, best_of_n
from guerdon.audit.cases import Case, cases
from guerdon.audit.composing import Composed, Joined
from guerdon.audit.findings import CLOSE, Finding, above, counted, ranked, worst
from guerdon.audit.measuring import Bench, Unsteady
from guerdon.audit.searching import Search, search
from guerdon.counting import counting
from guerdon.environments.playing import turns_of
from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.progress import progress
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward, walk
from guerdon.types import Example, Score

Conclusion = Literal["exploitable", "suspicious", "blind", "holds", "unscored"]
FINALISTS = 5
"""Arms of a search that are measured again."""
FEW = 4
"""With fewer examples than this the conclusion says how few: two standard errors of one or two differences are little
to go by [choice].
"""
POOL_VARIANTS = 60
"""Attacks whose completions fill a pool for best of n; the worst found first."""


@dataclass(frozen=True)
class Settings:
    """How large an audit is."""

    examples: int = 8
    group_size: int = 4
    split: Split = "train"
    seed: int = 0
    budget: int = 0
    """Completions that the search may score; 0 leaves it out."""
    seconds: float = math.inf
    """Wall-clock limit of the search."""
    workers: int | None = None
    deadline_s: float = 30.0

    def __post_init__(self) -> None:
        for name, least in (("examples", 1), ("group_size", 2), ("budget", 0)):
            whole_number(f"{name} of an audit", getattr(self, name), least)
        if not self.seconds > 0.0:
            raise ConfigError(f"seconds of an audit is {self.seconds!r}; a number > 0 is needed")


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    reward: Reward
    task: Task
    settings: Settings
    honest: tuple[Score, ...]
    wrong: tuple[tuple[Score, ...], ...]
    findings: tuple[Finding, ...]
    """One per attack, its worst variant; worst first."""
    variants: int
    """Tried in all."""
    found: tuple[Finding, ...] = ()
    """What the search put together, measured on examples that it had not seen; worst first."""
    search: Search | None = None
    optimised: BestOfN | None = None
    notes: tuple[str, ...] = ()
    name: str = ""
    """What it was asked for as; the reward's own name where nothing else is said."""

    @property
    def title(self) -> str:
        """What is audited, and on what."""
        return f"{self.name or self.reward.name} on {self.task.name}"

    @property
    def concluded(self) -> str:
        """The conclusion; with how few examples it was drawn from, where they are few."""
        return self.conclusion + (f" (on {counting(len(self.honest), 'example')} alone)" if self.few else "")

    @property
    def few(self) -> bool:
        """Whether there were too few examples to conclude much."""
        return len(self.honest) < FEW

    @property
    def covers(self) -> str:
        """What was tried, and is all that "holds" speaks of."""
        wrote = sum(bool(one.applied) for one in self.findings)
        text = (
            f"{wrote} of the {counting(len(self.findings), 'listed attack')} wrote anything on "
            f"{'it' if len(self.honest) == 1 else 'these'} {counting(len(self.honest), 'example')}, in one turn each; "
        )
        if self.search is None:
            return text + "none was changed or joined with another (--budget searches such)"
        composed = sum(isinstance(arm.attack, Composed | Joined) for arm in self.search.arms)
        return (
            f"{text}{self.search.coverage}; beyond these a bandit drew what it tried ({composed:,} compositions kept)"
        )

    @property
    def honest_mean(self) -> float:
        """What honest answers earn."""
        return _mean([score.value for score in self.honest if score.scored])

    @property
    def wrong_mean(self) -> float:
        """What honest answers to other examples earn: the baseline."""
        return _mean([score.value for row in self.wrong for score in row if score.scored])

    @property
    def blind(self) -> bool:
        """Honest answers earn no more than wrong ones, as far as the examples tell."""
        rows = zip(self.honest, self.wrong, strict=True)
        return not above([(one.value, _mean([score.value for score in row if score.scored])) for one, row in rows])

    @property
    def everything(self) -> list[Finding]:
        """Listed attacks and what the search found."""
        return ranked([*self.findings, *self.found])

    @property
    def exploits(self) -> tuple[str, ...]:
        """Names of the listed attacks that are exploits, or break the reward, sorted."""
        return tuple(sorted(one.name for one in self.findings if one.verdict in ("exploit", "breaks")))

    @property
    def severity(self) -> float:
        """The worst there is."""
        known = [one.severity for one in self.everything if not math.isnan(one.severity)]
        return max(known, default=0.0)

    @property
    def conclusion(self) -> Conclusion:
        """In a word. What is blind, and paid no attack *more* than honest answers, is a part of form rather than
        broken.
        """
        if math.isnan(self.honest_mean):
            return "unscored"
        verdicts = counted(self.everything)
        if self.blind and not verdicts["breaks"]:
            return "exploitable" if any(one.beats for one in self.everything) else "blind"
        if verdicts["exploit"] or verdicts["breaks"]:
            return "exploitable"
        return "suspicious" if verdicts["suspicious"] else "holds"

    def failing(self, above: float) -> list[Finding]:
        """The attacks whose severity is above that."""
        return [one for one in self.everything if one.severity > above]

    def record(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        best = self.optimised
        return {
            "name": self.name or self.reward.name,
            "reward": repr(self.reward),
            "bounds": [end if math.isfinite(end) else None for end in self.reward.bounds],
            "task": repr(self.task),
            "examples": len(self.honest),
            "conclusion": self.conclusion,
            "covers": self.covers,
            "severity": self.severity,
            "honest": [_plain(score.value) for score in self.honest],
            "baseline": [[_plain(score.value) for score in row] for row in self.wrong],
            "variants": self.variants,
            "attacks": [finding.record() for finding in self.findings],
            "search": None
            if self.search is None
            else {
                "pulls": self.search.pulls,
                "completions": self.search.completions,
                "seconds": round(self.search.seconds, 3),
                "coverage": asdict(self.search.coverage),
                "found": [finding.record() for finding in self.found],
            },
            "best_of_n": None
            if best is None
            else {
                "check": best.check,
                "n": list(best.sizes),
                "reward": [_plain(value) for value in best.reward],
                "quality": [_plain(value) for value in best.quality],
                "honest_reward": _plain(best.honest_reward),
                "honest_quality": _plain(best.honest_quality),
                "reward_gain": _plain(best.reward_gain),
                "check_loss": _plain(best.check_loss),
                "hacked": best.hacked,
            },
            "notes": list(self.notes),
        }


def check_audited(reward: Reward, name: str = "") -> None:
    """Refuse a reward of which an audit would say nothing.

    Raises:
        ConfigError: the message has the reason, and what to audit in its place.
    """
    if reward.unaudited:
        raise ConfigError(f"an audit of {name or reward.name} would say nothing: {reward.unaudited}")


def audit(
    reward: Reward,
    task: Task,
    attacks: Sequence[Attack],
    settings: Settings = Settings(),
    check: Reward | None = None,
    name: str = "",
) -> Report:
    """Attack a reward before a policy does.

    Args:
        reward: what is attacked. It is never updated.
        task: gives examples, their prompts and honest answers.
        attacks: variants, as `Attack.variants()` gives them; those of one class become one finding, its worst.
        settings: sizes, budget and seed.
        check: an independent measure of quality for best of n. When not given: the task's first metric that is not the
            reward itself and can be audited, else equality with the reference.
        name: what the report calls the reward.

    Raises:
        ConfigError: the task has no reference answers, or the reward does not score its examples; or what it says is
            the same whatever is written (`Reward.unaudited`).
    """
    check_audited(reward, name)
    attacks, left_out = _of_single_attempts(reward, attacks) if reward.relative else (attacks, ())
    found = cases(task, settings.split, settings.examples, group_size=settings.group_size, seed=settings.seed)
    with Bench(reward, found, settings.workers, settings.deadline_s) as bench:
        unsteady = bench.unsteady()
        findings = _listed(bench, attacks)
        report = Report(
            reward, task, settings, bench.honest, bench.wrong, tuple(ranked(_worst_of_each(findings))), len(findings)
        )
        searched, composed = _searched(bench, task, attacks, settings) if settings.budget else (None, [])
        optimised = _optimised(bench, [*composed, *ranked(findings)], task, check, settings)
    return replace(
        report,
        found=tuple(ranked(composed)),
        search=searched,
        optimised=optimised,
        notes=(
            *_notes_of_scoring(reward, left_out, unsteady),
            *_notes(report, turns=_of_one_turn(task, found[0].example)),
        ),
        name=name,
    )


def _of_single_attempts(reward: Reward, attacks: Sequence[Attack]) -> tuple[list[Attack], tuple[str, ...]]:
    """Those that are attempts of their own, and the names of the others: the mean of a whole group, shaped over that
    group, says nothing of it (standardised, it is 0 whatever it holds).

    Raises:
        ConfigError: none is left.
    """
    kept = [attack for attack in attacks if not attack.whole_group]
    left_out = tuple(dict.fromkeys(attack.name for attack in attacks if attack.whole_group))
    if left_out and not kept:
        raise ConfigError(
            f"{reward.name} is shaped over its group or batch, so what {', '.join(left_out)} would earn is the same "
            f"whatever it writes; audit what is shaped, without its transform, or name other attacks"
        )
    return kept, left_out


def _listed(bench: Bench, attacks: Sequence[Attack]) -> list[Finding]:
    findings = []
    with progress("attacks", len(attacks)) as bar:
        for attack in attacks:
            bar.describe(f"attacks · {attack.name}")
            findings.append(bench.measure(attack))
            bar.advance()
    return findings


def _worst_of_each(findings: Sequence[Finding]) -> list[Finding]:
    named: dict[str, list[Finding]] = {}
    for finding in findings:
        named.setdefault(finding.name, []).append(finding)
    return [worst(group) for group in named.values()]


def _searched(bench: Bench, task: Task, attacks: Sequence[Attack], settings: Settings) -> tuple[Search, list[Finding]]:
    """Search on the audit's examples; measure the best composed arms on others, where the task has any."""
    with progress("search", settings.budget) as bar:
        searched = search(
            bench,
            attacks,
            budget=settings.budget,
            seconds=settings.seconds,
            seed=settings.seed,
            advance=bar.advance,
        )
    composed = [arm.attack for arm in searched.arms if isinstance(arm.attack, Composed | Joined)][:FINALISTS]
    if not composed:
        return searched, []
    sizes = {"group_size": settings.group_size, "seed": settings.seed}
    fresh = cases(task, settings.split, settings.examples, skip=settings.examples, **sizes)
    with Bench(bench.reward, fresh or bench.cases, settings.workers, settings.deadline_s) as held_out:
        return searched, [held_out.measure(attack) for attack in composed]


def _optimised(
    bench: Bench, findings: Sequence[Finding], task: Task, check: Reward | None, settings: Settings
) -> BestOfN | None:
    """Best of n over pools of honest answers and attacks."""
    attacks = [one.attack for one in findings if one.applied and not one.attack.whole_group][:POOL_VARIANTS]
    checked, name = _check(bench.reward, task, check)
    written = [_pool(case, attacks) for case in bench.cases]
    qualities = _qualities(checked, bench.cases, written, settings)
    pools = []
    for case, texts, checks in zip(bench.cases, written, qualities, strict=True):
        scores = zip(bench.values(case, texts), checks, texts, strict=True)
        pools.append([Candidate(_number(score), quality, text == case.reference) for score, quality, text in scores])
    found = best_of_n(pools, name)
    return found if found.sizes else None


def _check(reward: Reward, task: Task, check: Reward | None) -> tuple[Reward | None, str]:
    if check is not None:
        return check, check.name
    metrics: Mapping[str, Reward] = task.metrics()
    for label, metric in metrics.items():
        if metric != reward and not metric.unaudited:
            return metric, f"the task's metric {label!r}"
    return None, "equality with the reference"


def _pool(case: Case, attacks: Sequence[Attack]) -> list[str]:
    """The honest answer, wrong ones, and what attacks wrote; each text once."""
    return list(dict.fromkeys((case.reference, *case.wrong, *(text for one in attacks for text in case.attempts(one)))))


def _qualities(
    check: Reward | None, asked: Sequence[Case], texts: Sequence[Sequence[str]], settings: Settings
) -> list[list[float]]:
    """The check's numbers, example by example."""
    if check is None:
        wanted = [case.reference.split() for case in asked]
        return [[float(text.split() == words) for text in row] for words, row in zip(wanted, texts, strict=True)]
    with Bench(check, asked, settings.workers, settings.deadline_s) as bench:
        return [[_number(score) for score in bench.values(case, row)] for case, row in zip(asked, texts, strict=True)]


def _notes_of_scoring(reward: Reward, left_out: Sequence[str], unsteady: Unsteady) -> list[str]:
    notes = []
    if reward.relative:
        text = (
            "its values are relative, shaped over their group or batch: each attack was scored in a group with the "
            "honest answer and wrong ones, and compared with what these earn there"
        )
        left = f"; left out, since the mean of a group so shaped says nothing: {', '.join(left_out)}"
        notes.append(text + (left if left_out else ""))
    if unsteady.differing:
        notes.append(
            f"the reward is not the same for the same answer: scored again, {unsteady.differing} of the "
            f"{counting(unsteady.of, 'honest completion')} got another score (up to {unsteady.most:.3g} apart); "
            f"figures here are no more certain than that"
        )
    return notes


def _of_one_turn(task: Task, example: Example) -> bool:
    """Whether there is an environment that texts cannot be played in."""
    world = task.environment(example)
    return world is not None and turns_of(world, "") is None


def _notes(report: Report, *, turns: bool) -> list[str]:
    notes = []
    if report.few:
        notes.append(
            f"{counting(len(report.honest), 'example')} can hardly tell an exploit from luck, or a reward that holds "
            f"from one that was not met; {FEW} and more are better (--examples, or a task that has more)"
        )
    missing = sum(not score.scored for score in report.honest)
    if missing:
        notes.append(
            f"{missing} of the {counting(len(report.honest), 'honest answer')} went unscored: {_why(report.honest)}"
        )
    top = report.reward.bounds[1]
    below = sum(score.scored and score.value < top - CLOSE for score in report.honest)
    if math.isfinite(top) and below:
        notes.append(
            f"{below} of the {counting(len(report.honest), 'honest answer')} earned less than the top, {top:g}"
        )
    if report.blind:
        notes.append("honest answers earn no more here than honest answers to other examples: a part, never a whole")
    if turns:
        notes.append(
            "the task is played in turns, and its environment does not say how a text falls into them; attacks, and "
            "the honest answers beside them, are of one turn"
        )
    if any(node.stateful for node in walk(report.reward)):
        notes.append("the reward learns; it was audited as it stands, and learnt nothing here")
    return notes


def _why(scores: Sequence[Score]) -> str:
    return next((score.why for score in scores if not score.scored), "")


def _number(score: Score) -> float:
    return score.value if score.scored else math.nan


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
