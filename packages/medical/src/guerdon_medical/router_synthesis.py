"""Step data sets made by a teacher: it plans, the bases answer, it answers; kept is what ends in the right answer.

```
questions ──▶ episodes with a chat model as speaker (two tries a plan, three rounds) ──▶ final recall is 1? ──▶ steps
```

Any chat model will do that core's judges can be backed by (a server, a local model, recorded replies). The final step's
reference is the gold answer, the other references are the teacher's words: another correct decomposition would do as
well, and will earn less. Source: R1-Router (arXiv 2505.22095), data synthesis [code]: DeepSeek-R1-Distill-Qwen-32B and
Qwen2.5-VL-7B as teachers, ten passages retrieved and five shown, 1,000 questions of each of three sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guerdon.protocols import Retriever
from guerdon_medical.router_episodes import UNKNOWN, Episode, Limits
from guerdon_medical.router_inference import Speaker, play
from guerdon_medical.router_prompts import Wording
from guerdon_medical.router_steps import NONE, RouterQuestion, RouterStep, read_answer, read_plan
from guerdon_medical.router_text import best_recall


@dataclass(frozen=True)
class Synthesis:
    """What was made."""

    trajectories: tuple[tuple[RouterStep, ...], ...]
    """For `guerdon.parsing.trajectories.write_trajectories`, with `router_steps.answer_row`."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Questions left out, by reason: `no answer` (from the teacher), `a look-up failed`, `malformed plan`, `malformed
    answer`, `wrong answer`."""


@dataclass(frozen=True)
class Synthesiser:
    """Makes trajectories of questions with known answers."""

    teacher: Speaker
    """`router_inference.written_by(backend)`, or `spoken_by(policy)` for a policy."""
    retriever: Retriever
    """A router over the bases."""
    limits: Limits = field(default_factory=lambda: Limits(remind_after=1, give_up_after=2))
    """Two tries a plan."""
    wording: Wording = field(default_factory=Wording)

    def made(self, questions: Sequence[RouterQuestion], *, seed: int = 0) -> Synthesis:
        """Trajectories of those questions that the teacher answers rightly, in their order; all are played at once."""
        episodes = [Episode(question, self.limits, self.wording) for question in questions]
        play(episodes, self.teacher, self.retriever, seed=seed)
        faults = [self._fault(episode) for episode in episodes]
        kept = [steps_of(one) for one, fault in zip(episodes, faults, strict=True) if not fault]
        return Synthesis(tuple(kept), dict(Counter(fault for fault in faults if fault)))

    def _fault(self, episode: Episode) -> str:
        """Why an episode is no example; empty where it is one."""
        if episode.failed:
            return "no answer"
        if any(one.failed for one in episode.look_ups):
            return "a look-up failed"
        if episode.gave_up:
            return "malformed plan"
        if any(answer == UNKNOWN for _, answer in episode.history):
            return "malformed answer"
        return "" if best_recall(episode.answer, episode.question.answers) == 1.0 else "wrong answer"


def steps_of(episode: Episode) -> tuple[RouterStep, ...]:
    """A finished episode as reference steps: what it said is what is to be said; only the final answer is the gold one.

    A plan that came after malformed ones is shown without them and without the reminder.
    """
    question = episode.question
    steps: list[RouterStep] = []
    history: list[tuple[str, str]] = []
    answered = iter(episode.history)
    for asked, text in episode.said:
        reference: dict[str, object] = {}
        if asked.step_type == "ret":
            plan = read_plan(text)
            asked = episode.wording.plan(question.question, history)
            reference = {"query": NONE if plan.stops else plan.query, "bases": plan.bases[:1]}
        elif asked.final:
            reference = {"answers": question.answers}
        else:
            reference = {"answers": (read_answer(text),)}
            history.append(next(answered))
        steps.append(
            RouterStep.model_validate(
                {
                    "id": RouterStep.name_of(question.id, len(steps)),
                    "trajectory": question.id,
                    "step": len(steps),
                    "step_type": asked.step_type,
                    "system": asked.system,
                    "problem": asked.problem,
                    "images": question.images,
                    **reference,
                }
            )
        )
    return tuple(steps)
