"""What a run folder says about itself: its recipe in a few words, its evaluations, its metrics as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.runs import read_metrics, read_rollouts, rollout_files

STAGES = {"before": "Before training", "sft": "After the warm start", "rl": "After RL"}
_BOOKKEEPING = frozenset({"count", "time_s"})


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one task's held-out examples."""

    stage: str
    step: int
    values: Mapping[str, float]
    """Metric to mean, in the order they were logged."""
    count: int
    """Examples asked; a metric may have scored fewer."""
    task: str = ""
    """The further task it is of; "" for the run's own."""


@dataclass(frozen=True)
class Facts:
    """A run folder, read."""

    path: Path
    recipe_text: str
    recipe: Mapping[str, Any]
    """Empty where the text is not a YAML mapping."""
    versions: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Facts:
        """Read everything but the rollouts; what is missing or unreadable beside the metrics is empty."""
        recipe_text = _text(path / "recipe.yaml")
        return cls(
            path,
            recipe_text,
            _mapping(recipe_text, "yaml"),
            _mapping(_text(path / "versions.json"), "json"),
            read_metrics(path),
        )

    def phase(self, name: str) -> list[Mapping[str, Any]]:
        """The lines of one phase, by step."""
        return sorted(
            (line for line in self.metrics if line.get("phase") == name), key=lambda line: line.get("step") or 0
        )

    def evaluations(self, task: str = "") -> list[Evaluation]:
        """The evaluations of the run's own task, or of the further task `task`, in order."""
        prefix = f"eval/{task}/" if task else "eval/"
        found = []
        for line in self.metrics:
            if line.get("phase") != "eval":
                continue
            values = {
                key.removeprefix(prefix): _number(value)
                for key, value in line.items()
                if key.startswith(prefix) and "/" not in key.removeprefix(prefix)
            }
            shown = {key: value for key, value in values.items() if key not in _BOOKKEEPING}
            if shown:
                count = values.get("count", 0.0)
                found.append(
                    Evaluation(
                        str(line.get("stage", "")),
                        line.get("step") or 0,
                        shown,
                        int(count) if count == count else 0,
                        task,
                    )
                )
        return found

    def example_values(self, evaluation: Evaluation) -> dict[str, list[float]]:
        """Each metric's values of one evaluation, example by example, as its rollouts were kept; without what a metric
        left unscored, and empty where none were kept.
        """
        phase = f"eval-{evaluation.stage}" + (f"-{evaluation.task}" if evaluation.task else "")
        values: dict[str, list[float]] = {}
        for named, step, path in rollout_files(self.path):
            if (named, step) == (phase, evaluation.step):
                for record in read_rollouts(path):
                    for name, part in _mapping_in(_mapping_in(record, "score"), "parts").items():
                        value = _number(part.get("value")) if isinstance(part, Mapping) else math.nan
                        if math.isfinite(value):
                            values.setdefault(name, []).append(value)
        return values

    def eval_tasks(self) -> list[str]:
        """The further tasks that were evaluated."""
        keys = [key for line in self.metrics if line.get("phase") == "eval" for key in line]
        return list(dict.fromkeys(key.split("/")[1] for key in keys if key.startswith("eval/") and key.count("/") == 2))

    def duration_s(self) -> float:
        """Seconds the run took, pauses left out."""
        times = [_number(line.get("time_s")) for line in self.metrics]
        return max((time for time in times if math.isfinite(time)), default=0.0)

    def machine(self) -> str:
        """Device and number format, where the run says."""
        found = []
        for key in ("device", "dtype"):
            value = self.versions.get(key) or self.recipe.get(key) or _options(self.recipe.get("policy")).get(key)
            if value:
                found.append(str(value))
        return ", ".join(found)


def last_by_stage(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Each stage's last evaluation, in the order of training."""
    last = {evaluation.stage: evaluation for evaluation in evaluations}
    order = [*STAGES, *(stage for stage in last if stage not in STAGES)]
    return [last[stage] for stage in order if stage in last]


def column(lines: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """One metric over lines; NaN where it is missing or null."""
    return [_number(line.get(name)) for line in lines]


def numeric_names(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the metrics with at least one finite value, in order of appearance."""
    names = dict.fromkeys(name for line in lines for name in line if name not in ("step", "phase", "time_s"))
    return [name for name in names if any(math.isfinite(_number(line.get(name))) for line in lines)]


def use(node: Any) -> str:
    """A recipe's `{use: name, with: {...}}` in one line.

    >>> use({"use": "sql/generated", "with": {"seed": 1}}), use("sql/generated")
    ('sql/generated(seed=1)', 'sql/generated')
    """
    if not isinstance(node, Mapping):
        return "" if node is None else str(node)
    name = str(node.get("use") or node.get("name") or json.dumps(node))
    options = ", ".join(f"{key}={value!r}" for key, value in _options(node).items())
    return f"{name}({options})" if options else name


def reward_expression(node: Any) -> str:
    """A recipe's reward tree as the algebra that it builds.

    >>> reward_expression({"sum": [{"use": "a", "weight": 2.0}, {"use": "b", "gated_by": {"use": "c"}}]})
    '2 × a + 1 × b.gated_by(c)'
    """
    if not isinstance(node, Mapping):
        return use(node)
    if isinstance(node.get("sum"), list):
        text = " + ".join(
            f"{_weight(term)} × {reward_expression({**term, 'weight': 1.0} if isinstance(term, Mapping) else term)}"
            for term in node["sum"]
        )
        simple = not any(node.get(key) for key in ("gated_by", "unless", "then")) and node.get("weight", 1.0) == 1.0
        text = text if simple else f"({text})"
    else:
        text = use(node)
    for key in ("gated_by", "unless"):
        if node.get(key):
            text += f".{key}({reward_expression(node[key])})"
    for transform in node.get("then") or ():
        text += f".then({use(transform)})"
    return text if node.get("weight", 1.0) == 1.0 else f"{_weight(node)} × {text}"


def _weight(node: Any) -> str:
    weight = node.get("weight", 1.0) if isinstance(node, Mapping) else 1.0
    return f"{weight:g}" if isinstance(weight, int | float) else str(weight)


def _options(node: Any) -> Mapping[str, Any]:
    options = node.get("with") if isinstance(node, Mapping) else None
    return options if isinstance(options, Mapping) else {}


def _mapping_in(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _mapping(text: str, kind: str) -> Mapping[str, Any]:
    try:
        if kind == "json":
            value = json.loads(text)
        else:
            import yaml

            value = yaml.safe_load(text)
    except Exception:  # noqa: BLE001 - a report is a view: a recipe it cannot parse is shown as text, never fatal
        return {}
    return value if isinstance(value, Mapping) else {}
