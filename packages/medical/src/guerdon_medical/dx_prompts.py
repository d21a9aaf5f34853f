"""What a diagnostic agent is told: the work flow, its tags, and one patient's chart.

`full` says all of it; `brief` is for small models, which pay for every token: one match, one answer. The work flow is
that of Deep-DxSearch [code]; the words are ours.
"""

from __future__ import annotations

from typing import Literal

from guerdon.types import Message, Prompt
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_layout import Layout, written
from guerdon_medical.dx_scoring import MAX_NAMES, MAX_ROUNDS, comma_list

Length = Literal["full", "brief"]
LENGTHS: tuple[Length, ...] = ("full", "brief")

_FULL = r"""You work out which disease a patient has. You have tools, and you use them before you answer. One call
ends your turn; what the tool finds comes back in the next message.

<{match}>finding, finding, ...</{match}>
  Records of patients with these findings come back in <{records}>. Open the next turn with <{think}>...</{think}>: what
  the records have in common with this patient, and what to ask next. Match 1 to {rounds} times. Do not repeat a query:
  leave out findings that fit everything and take others in, two at least.
<{lookup}>disease, disease, ...</{lookup}>
  The usual findings of up to {names} diseases come back in <{guidelines}>. Look candidates up before you answer.
<{answer}>...</{answer}>
  Ends the work. Name at most 5 diseases, the likeliest first, each as \textbf{{name}}.

Never write <{records}>, <{guidelines}> and their like yourself. A name with a comma stands in single quotes. This is
research: nothing you say is used on a patient."""

_SEARCH = """<{search}>question</{search}>
  Passages of the literature come back in <{passages}>.
"""

_BRIEF_MANY = (
    r"Name the disease. Write <{match}>findings</{match}>, read the records, then <{think}>why</{think}><{answer}>"
    r"\textbf{{name}} \textbf{{name}}</{answer}>: the {names} likeliest, best first."
)
_BRIEF = (
    r"Name the disease. Write <{match}>findings</{match}>, read the records, then "
    r"<{think}>why</{think}><{answer}>\textbf{{name}}</{answer}>."
)


def prompt_of(
    example: DiagnosisExample, layout: Layout, length: Length, *, search: bool = False, names: int = 1
) -> Prompt:
    """System and user message.

    Args:
        example: the patient.
        layout: the tags.
        length: see the module's head.
        search: whether there is a search for passages.
        names: of diseases that a brief prompt asks for; a full one asks for 5 at most.
    """
    tags = vars(layout)
    if length == "brief":
        brief = _BRIEF.format(**tags) if names == 1 else _BRIEF_MANY.format(**tags, names=names)
        return Prompt((Message("system", brief), Message("user", comma_list(example.findings))))
    told = _FULL.format(**tags, rounds=MAX_ROUNDS, names=MAX_NAMES)
    if search:
        before, answer = f"<{layout.answer}>", _SEARCH.format(**tags)
        told = told.replace(before, answer + before, 1)
    return Prompt((Message("system", told), Message("user", chart(example))))


def chart(example: DiagnosisExample) -> str:
    """The patient, as a prompt shows one."""
    lines = [f"Sex: {example.sex.lower()}"] if example.sex in ("FEMALE", "MALE") else []
    lines.append(f"Findings: {comma_list(example.findings)}")
    if example.absent:
        lines.append(f"Looked for and absent: {comma_list(example.absent)}")
    return "\n".join(lines)


def told(
    layout: Layout, length: Length, asked: tuple[str, ...], gold: tuple[str, ...], others: tuple[str, ...] = ()
) -> str:
    """All that the policy says in a short attempt that ends with `gold`, and `others` behind it; of `full` length it
    looks gold up as well.
    """
    names = comma_list(gold)
    text = f"<{layout.match}>{comma_list(asked)}</{layout.match}>"
    thought = f"<{layout.think}>A record of {names} has these findings.</{layout.think}>"
    answer = f"<{layout.answer}>{' '.join(map(written, (*gold, *others)))}</{layout.answer}>"
    if length == "brief":
        return f"{text}{thought}{answer}"
    return f"{text}{thought}<{layout.lookup}>{names}</{layout.lookup}>{answer}"
