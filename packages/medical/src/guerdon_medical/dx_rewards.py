r"""What a diagnostic trace earns: format, what was retrieved, what was looked up, and the diagnosis.

$$R = \sigma\,(0.8\,r + 0.05\,s + 0.15\,a)$$

over a gate $\sigma$ on the format and the parts of `guerdon_medical.dx_scoring`. Eight tenths are about retrieval, not
about the diagnosis; a report should show accuracy beside it (`guerdon_medical.dx_metrics`).

| | `repaired` (the default) | `released` |
|---|---|---|
| a round | a match that the environment answered, then a thought | whatever in the text looks like one |
| its diseases | those of the records, as values | the text, cut at commas: each JSON record's first is lost |
| an apostrophe | a letter | opens a quote |
| diagnoses | 1 to 5 | any number |
| calls with a fault or in mid-turn, answers in a thought or that the policy forged | close the gate | - |

An attempt with a bad format is the policy's fault: `fail`, or `truncated` where a budget cut it, and 0. A case without
a diagnosis is `invalid`, a tool that failed `infra`, and a text that no environment answered (from a file, or from a
trainer that plays none) makes the repaired reading `abstain`: none of these is a number.

What it does not cover: whether a thought follows from what was retrieved (`guerdon_medical.traceability` links names,
not reasons), and precision: five names are as good as one.

Source: Deep-DxSearch (arXiv 2508.15746), [code]; the repaired reading and `stages` are ours [choice].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.rewards import Context, Reward
from guerdon.rewards.base import raised
from guerdon.types import Group, Rollout, Score
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_grammar import turn_fault
from guerdon_medical.dx_layout import layout_of, marked
from guerdon_medical.dx_scoring import (
    EARLIER,
    MAX_ROUNDS,
    Round,
    Weights,
    answer_score,
    best_name_score,
    comma_parts,
    is_one_name,
    named_diseases,
    search_score,
    structure_score,
    token_similarity,
)
from guerdon_medical.dx_traces import Trace, elements, read_trace, single

Reading = Literal["repaired", "released"]
Form = Literal["latest", "earlier"]
MOST_NAMES = 5
"""Diagnoses of an answer; the released code asks for no more in its prompt alone."""


@dataclass(frozen=True)
class Parts:
    """What an attempt comes to; the gate is closed where `fault` says why."""

    fault: str = ""
    truncated: bool = False
    structure: float = 0.0
    search: float = 0.0
    answer: float = 0.0


@dataclass(frozen=True)
class DeepDxSearch(Reward, name="medical/deep-dxsearch-v1", bounds=(0.0, 1.0), sees="rollout"):
    """0 for a bad format, else .8 structure + .05 search + .15 answer; the parts are `format` and these three."""

    reading: Reading = "repaired"
    form: Form = "latest"
    """`earlier`: an earlier released version, .3, .3 and .4, whose first part is the similarity of the first round's
    diseases, and for which a trace without a lookup has a bad format."""
    layout: str = "released"
    """As the task's: a name, or pairs of tags (`guerdon_medical.dx_layout.layout_of`)."""
    structure: float | None = None
    """Weight; None takes that of the form. So do the other two."""
    search: float | None = None
    answer: float | None = None
    stages: Mapping[int, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    """Other weights (structure, search, answer) from a step of the run on, such as `{0: [.4, .2, .4], 100: [.8, .05,
    .15]}`; before the first of them, and where there are none, the weights above. The released runs keep one set."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.reading", self.reading, get_args(Reading))
        one_of(f"{self.name}.form", self.form, get_args(Form))
        layout_of(self.layout)
        stages = _stages(f"{self.name}.stages", self.stages)
        object.__setattr__(self, "stages", stages)
        for place, weights in {
            "weights": self._own,
            **{f"stages[{step}]": one for step, one in stages.items()},
        }.items():
            sane = len(weights) == 3 and all(math.isfinite(one) and one >= 0.0 for one in weights)
            if not sane or sum(weights) > 1.0 + 1e-9:
                raise ConfigError(
                    f"{self.name}: {place} are {weights}; three numbers >= 0 (structure, search, answer) are needed, "
                    "which add up to 1 at most"
                )

    @property
    def part_names(self) -> tuple[str, ...]:
        """The gate and the three parts."""
        return "format", "structure", "search", "answer"

    def weights_at(self, step: int) -> Weights:
        """Those in force at a step of the run."""
        begun = [first for first in self.stages if first <= step]
        return Weights(*(self.stages[max(begun)] if begun else self._own))

    @property
    def _own(self) -> tuple[float, float, float]:
        usual = Weights() if self.form == "latest" else EARLIER
        given = (self.structure, self.search, self.answer)
        default = (usual.structure, usual.search, usual.answer)
        a, b, c = (d if g is None else float(g) for g, d in zip(given, default, strict=True))
        return a, b, c

    def score(self, rollout: Rollout) -> Score:
        """With the weights of step 0."""
        return self._scored(rollout, 0)

    def score_batch(self, groups: Sequence[Group], context: Context) -> list[list[Score]]:
        """Each rollout alone, with the weights of the run's step."""
        rows = []
        for group in groups:
            row = []
            for index, rollout in enumerate(group.rollouts):
                try:
                    row.append(self._scored(rollout, context.step))
                except Exception as error:
                    raise raised(self, error, f"rollout {index} of example {rollout.example.id!r}") from error
            rows.append(row)
        return rows

    def _scored(self, rollout: Rollout, step: int) -> Score:
        example = rollout.example_as(DiagnosisExample)
        if not example.gold:
            return Score.unscored(f"the case {example.id!r} has no diagnosis", status="invalid")
        layout = layout_of(self.layout)
        trace = read_trace(rollout, layout)
        if failed := next((call for call in trace.calls if call.failed), None):
            return Score.unscored(f"the tool {failed.action!r} failed", status="infra")
        if self.reading == "repaired" and rollout.terminated and not trace.answered:
            return Score.unscored("no environment answered this attempt, a text alone", status="abstain")
        read = released_parts if self.reading == "released" else repaired_parts
        found = read(rollout, trace, example.gold, self.form)
        if found.fault:
            shut = {"format": Score(0.0, found.fault, status="fail")}
            return Score(0.0, found.fault, shut, "truncated" if found.truncated else "fail")
        parts = {
            "format": Score(1.0),
            "structure": Score(found.structure),
            "search": Score(found.search),
            "answer": Score(found.answer),
        }
        total = self.weights_at(step).total(found.structure, found.search, found.answer)
        return Score(min(total, 1.0), "", parts)  # .8 + .05 + .15 may be rounded


def format_fault(rollout: Rollout, trace: Trace, form: Form = "latest") -> str:
    """Why the repaired gate is closed; empty where it is open."""
    layout = trace.layout
    if wrong := next((call for call in trace.calls if call.fault), None):
        return wrong.reason
    if not rollout.terminated:
        return "over length"
    text = "".join(trace.said)
    if forged := next((tag for tag in layout.inserted if f"<{tag}>" in text or f"</{tag}>" in text), ""):
        return f"writes <{forged}>, which only a tool does"
    if single(text, layout.answer) is None:
        return f"there is not exactly one <{layout.answer}>...</{layout.answer}>"
    if single(trace.said[-1], layout.answer) is None:
        return "calls a tool after the answer"
    if broken := next((fault for said in trace.said if (fault := turn_fault(said, layout))), ""):
        return broken
    if not 1 <= len(trace.names) <= MOST_NAMES:
        return f"{len(trace.names)} diagnoses are marked; 1 to {MOST_NAMES} are needed"
    looked_up = (name for call in trace.of("lookup") for name in call.names)
    if listed := next((name for name in (*trace.names, *looked_up) if not is_one_name(name)), ""):
        return f"{listed[:40]!r}... is longer than the name of one disease"
    matches, rounds = len(trace.of("match")), len(trace.rounds)
    if not 1 <= matches <= MAX_ROUNDS:
        return f"{matches} matches; 1 to {MAX_ROUNDS} are needed"
    if rounds < matches:
        return f"{matches - rounds} of {matches} matches are not thought about"
    if form == "earlier" and not trace.of("lookup"):
        return "nothing was looked up"
    return ""


def repaired_parts(rollout: Rollout, trace: Trace, gold: Sequence[str], form: Form) -> Parts:
    """From segments: what the environment inserted, and what the policy wrote."""
    if fault := format_fault(rollout, trace, form):
        return Parts(fault, rollout.truncated)
    looked_up = trace.of("lookup")
    return Parts(
        structure=_first_part(trace.rounds, gold, form),
        search=search_score(looked_up[0].names if looked_up else (), gold),
        answer=best_name_score(trace.names, gold),
    )


def released_parts(rollout: Rollout, trace: Trace, gold: Sequence[str], form: Form) -> Parts:
    """From the whole text, as the authors' functions read it: whoever wrote what."""
    layout = trace.layout
    text = "".join(segment.text for segment in rollout.segments)
    found = elements(text, layout.match, layout.records, layout.think)
    rounds = [
        Round(comma_parts(asked, released=True), named_diseases(shown, released=True)) for asked, shown, _ in found
    ]
    if not rollout.terminated:
        return Parts("over length", truncated=True)
    answer = single(text, layout.answer)
    if answer is None:
        return Parts(f"there is not exactly one <{layout.answer}>...</{layout.answer}>")
    if not 1 <= len(rounds) <= MAX_ROUNDS:
        return Parts(f"{len(rounds)} rounds; 1 to {MAX_ROUNDS} are needed")
    if text.count(f"<{layout.lookup}>") != text.count(f"<{layout.guidelines}>"):
        return Parts(f"as many <{layout.lookup}> as <{layout.guidelines}> are needed")
    if "\\textbf{" not in answer or "}" not in answer:
        return Parts("the answer marks no diagnosis")
    searches = elements(text, layout.lookup)
    if form == "earlier" and not searches:
        return Parts("nothing was looked up")
    names = comma_parts(searches[0][0], released=True) if searches else ()
    return Parts(
        structure=_first_part(rounds, gold, form),
        search=search_score(names, gold),
        answer=answer_score(marked(answer), gold),
    )


def _first_part(rounds: Sequence[Round], gold: Sequence[str], form: Form) -> float:
    if form == "earlier":
        return token_similarity(rounds[0].diseases if rounds else (), gold)
    return structure_score(rounds, gold)


def _stages(field: str, given: object) -> dict[int, tuple[float, ...]]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{field} is {given!r}; weights by the step from which on they hold are needed")
    found: dict[int, tuple[float, ...]] = {}
    for key, weights in given.items():
        step = int(key) if isinstance(key, str) and key.isdecimal() else key  # keys of TOML and JSON are texts
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ConfigError(f"{field} begin at step {key!r}; whole numbers >= 0 are needed")
        try:
            found[step] = tuple(map(float, weights))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{field}[{step}] is {weights!r}; three numbers are needed") from error
    return found
