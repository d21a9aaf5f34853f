r"""R1-Router's step reward: of a plan, whether it asks the right question of the right base; of an answer, recall.

$$R_{ret} = w\,\cos(E(q), E(q^*)) + (1 - w)\,[\text{exactly one base, and it is } k^*_1],\quad w = 0.5$$

and the recall rules of `guerdon_medical.router_text.answer_value` for an answer; an output without its blocks earns 0.
Each step is on its reference history, so each (trajectory, step) is a group of its own (Step-GRPO). What it cannot
see: another correct decomposition earns about half its cosine, since the reference is one teacher's choice; and a long
list of candidates has full recall.

Source: R1-Router (arXiv 2505.22095) [code]; E is BGE-M3's dense vector there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.errors import RetrievalError
from guerdon.fields import any_share, check_numbers, not_a_text, one_of
from guerdon.protocols import Encoder
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_medical.router_steps import Kind, Malformed, Plan, RouterStep, read_answer, read_plan
from guerdon_medical.router_text import answer_value, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Reading = Literal["repaired", "released"]
BOTH = "a plan and an answer in one output"
_Vectors = Mapping[str, "NDArray[np.float64] | None"]
"""By text: its direction; zeros where the encoder gives no direction, None where it gives what is not finite."""


@dataclass(frozen=True)
class RouterStepReward(Reward, name="medical/router-step-v1", sees="rollout"):
    """A plan's or an answer's, by its step; examples are `RouterStep`.

    `released`: a stop that is none in half (a base for a query None, or the reverse) is scored like any plan.
    `repaired`, the default: it earns 0, as it counts as malformed at inference; so do the similarity of an empty query,
    and a plan and an answer in one output, which would fit either kind of step. In both a query whose vector is not
    finite has similarity 0, and a *reference* whose vector is not finite leaves the step unscored (`infra`). Query and
    reference are compared in lower case.

    A step without a usable reference is `invalid`. All queries of a batch go to the encoder at once, each once.
    """

    encoder: Encoder
    """Gives queries vectors; the paper's is BGE-M3 (1024 tokens)."""
    reading: Reading = "repaired"
    similarity_weight: float = 0.5
    """Of the similarity, in [0, 1]; the rest is the routing's."""
    clip_negative: bool = False
    """Count a negative cosine as 0; released it is not clipped."""
    on: Literal["both", "ret", "ans"] = "both"
    """Abstain on the other kind of step: for metrics."""

    def __post_init__(self) -> None:
        check_numbers(self)
        not_a_text(
            "medical/router-step.encoder", self.encoder, "an encoder, such as guerdon.retrieval.HashedEncoder(),"
        )
        one_of("medical/router-step.reading", self.reading, get_args(Reading))
        one_of("medical/router-step.on", self.on, ("both", *get_args(Kind)))
        any_share("medical/router-step.similarity_weight", self.similarity_weight)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """[0, 1]; from minus the similarity's weight where negative cosines count."""
        return (0.0 if self.clip_negative else 0.0 - self.similarity_weight), 1.0

    def score(self, rollout: Rollout) -> Score:
        """One rollout's; `score_batch` encodes many queries at once and gives the same."""
        return self._scores([rollout])[0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All queries to the encoder at once."""
        found = iter(self._scores([rollout for group in groups for rollout in group.rollouts]))
        return [[next(found) for _ in group.rollouts] for group in groups]

    def _scores(self, rollouts: Sequence[Rollout]) -> list[Score]:
        steps = [rollout.example_as(RouterStep) for rollout in rollouts]
        plans = [self._plan(step, rollout.answer) for step, rollout in zip(steps, rollouts, strict=True)]
        asked = [(plan, step) for plan, step in zip(plans, steps, strict=True) if isinstance(plan, Plan)]
        vectors = self._directions([text.lower() for plan, step in asked for text in (plan.query, step.query)])
        return [
            self._of_plan(plan, step, vectors)
            if isinstance(plan, Plan)
            else plan or self._of_answer(step, rollout.answer)
            for plan, step, rollout in zip(plans, steps, rollouts, strict=True)
        ]

    def _plan(self, step: RouterStep, text: str) -> Plan | Score | None:
        """The plan of a `ret` step, or its score where it is none; None of an `ans` step that is to be scored."""
        if self.on not in ("both", step.step_type):
            return Score.unscored(f"only {self.on} steps are asked about", status="abstain")
        if step.step_type == "ans":
            return None
        if not step.bases or not step.query:
            return Score.unscored(f"step {step.id!r} has no reference query, or no base", status="invalid")
        if self._is_both(text):
            return Score(0.0, BOTH, status="fail")
        try:
            plan = read_plan(text)
        except Malformed as error:
            return Score(0.0, str(error), status="fail")
        if self.reading == "repaired" and not plan.consistent:
            return Score(0.0, f"an inconsistent stop: {plan.query!r:.60} of {', '.join(plan.bases)}", status="fail")
        return plan

    def _of_plan(self, plan: Plan, step: RouterStep, vectors: _Vectors) -> Score:
        query, wanted = plan.query.lower(), step.query.lower()
        if vectors[wanted] is None:
            return Score.unscored(f"the encoder's vector of the reference query of {step.id!r} is not finite")
        similarity = 0.0
        if self.reading == "released" or query:
            similarity = _cosine(query, wanted, vectors)
        if self.clip_negative:
            similarity = max(0.0, similarity)
        routed = float(plan.bases == step.bases[:1])
        value = self.similarity_weight * similarity + (1.0 - self.similarity_weight) * routed
        why = "" if routed else f"routed to {', '.join(plan.bases)}, not {step.bases[0]}"
        return Score(value, why, {"similarity": Score(similarity), "routing": Score(routed)})

    def _is_both(self, text: str) -> bool:
        return self.reading == "repaired" and "<answer>" in text and "<sub-question>" in text

    def _of_answer(self, step: RouterStep, text: str) -> Score:
        references = [one for one in step.answers if tokens(one)]
        if not references:
            return Score.unscored(f"no reference answer of step {step.id!r} has a word", status="invalid")
        if self._is_both(text):
            return Score(0.0, BOTH, status="fail")
        try:
            answer = read_answer(text)
        except Malformed as error:
            return Score(0.0, str(error), status="fail")
        recall = answer_value(answer.lower(), step.answers)
        return Score(recall, "", {"recall": Score(recall)})

    def _directions(self, texts: Sequence[str]) -> _Vectors:
        """Each text's vector, of length 1."""
        import numpy as np

        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        rows = np.asarray(self.encoder.encode(distinct, kind="query"), dtype=np.float64)
        if rows.ndim != 2 or len(rows) != len(distinct):
            raise RetrievalError(f"the encoder {self.encoder.name} gave {rows.shape} for {len(distinct)} texts")
        found: dict[str, NDArray[np.float64] | None] = {}
        for text, row in zip(distinct, rows, strict=True):
            length = float(np.linalg.norm(row))
            found[text] = None if not math.isfinite(length) else row / length if length else row
        return found


def _cosine(query: str, wanted: str, vectors: _Vectors) -> float:
    """In [-1, 1]; 1 for equal texts, whatever rounding says; 0 where one has no direction."""
    mine, theirs = vectors[query], vectors[wanted]
    if mine is None or theirs is None or not (mine.any() and theirs.any()):
        return 0.0
    return 1.0 if query == wanted else min(1.0, max(-1.0, float(mine @ theirs)))
