"""A fixed work flow in a policy's place: match all findings, look the most frequent diseases up, answer them.

It is what a trained agent has to beat (the sheet's best fixed flow is of this kind), and what `guerdon dx` runs where
no run is named. It sees what tools found as values, as rewards do, and writes what a policy would write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from guerdon.environments import acted
from guerdon.types import Rollout, Segment
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_layout import Layout, written
from guerdon_medical.dx_rewards import MOST_NAMES
from guerdon_medical.dx_scoring import comma_list, normalised
from guerdon_medical.dx_tasks import Patients
from guerdon_medical.dx_traces import read_trace


def fixed_workflow(task: Patients, example: DiagnosisExample) -> Rollout:
    """One match, one lookup, and up to five answers: the diseases that most of the records shown have; of equally many
    the one shown first. Without any record there is no answer, and the trace says so.

    Args:
        task: gives the tools.
        example: a patient with findings.
    """
    layout = task.tags

    def say(segments: Sequence[Segment]) -> str | None:
        trace = read_trace(Rollout(example, tuple(segments)), layout)
        if not trace.calls:
            return f"<{layout.match}>{comma_list(example.findings)}</{layout.match}>"
        votes = most_frequent([name for call in trace.of("match") for one in call.sources for name in one.diseases])
        if not votes:
            return f"<{layout.think}>No record is like this patient.</{layout.think}>"
        told = ", ".join(f"{name} ({count})" for name, count in votes)
        thought = f"<{layout.think}>Records by disease: {told}.</{layout.think}>"
        if not trace.of("lookup"):
            return f"{thought}<{layout.lookup}>{comma_list(name for name, _ in votes)}</{layout.lookup}>"
        return _answer([name for name, _ in votes], layout)

    return acted(example, task.prompt(example), task.environment(example), say)


def most_frequent(names: Sequence[str], most: int = MOST_NAMES) -> list[tuple[str, int]]:
    """The names that stand most often, with how often, as they are written first; equal ones in their order.

    >>> most_frequent(["Measles", "Rubella", "measles"])
    [('Measles', 2), ('Rubella', 1)]
    """
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        key = normalised(name)
        first.setdefault(key, name)
        counts[key] += 1
    return [(first[key], count) for key, count in counts.most_common(most)]


def _answer(names: Sequence[str], layout: Layout) -> str:
    return f"<{layout.answer}>{' '.join(map(written, names))}</{layout.answer}>"
