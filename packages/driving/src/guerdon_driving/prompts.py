"""How a frame becomes a prompt, and how a right answer looks.

| layout | for |
|---|---|
| `alphadrive` | AlphaDrive's: role, speed, navigation, question, tags, both lists of words, one example of the format |
| `short` | the same demands in as few words as they take, for small models that pay per token |
| `terse` | speed and route alone, where a warm start on reference answers teaches the rest |
| `reasoning` | asking a strong model *why* the true plan is right: what stage 1 distils reasoning with |

The image, where there is one, comes before the text. The content follows the released prompts; the words are ours.

Source: AlphaDrive (arXiv 2503.07608), released prompts.
"""

from __future__ import annotations

from typing import Literal, get_args

from guerdon.errors import TaskError
from guerdon.fields import one_of
from guerdon.types import Image, Message, Prompt
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import THINK_CLOSE, THINK_OPEN, first_block
from guerdon_driving.examples import DrivingExample

PlanLayout = Literal["alphadrive", "short", "terse"]
"""Those that ask for a plan."""
PromptLayout = Literal[PlanLayout, "reasoning"]

_ROLE = "You are an expert driver's assistant."
_NO_ROUTE = "none"


def prompt_of(example: DrivingExample, layout: str = "alphadrive") -> Prompt:
    """What a policy is shown: one user message, the image before the text.

    A row's own prompt, where its file has one, stands in place of all but `reasoning`.

    Args:
        example: its speed is told in m/s with one decimal; in `terse` in km/h without.
        layout: one of `PromptLayout`.

    Raises:
        ConfigError: no such layout.
        TaskError: `reasoning` of an example whose solution has no answer block.
    """
    one_of("layout", layout, get_args(PromptLayout))
    if layout == "reasoning":
        text = _why(example)
    elif example.prompt:
        text = example.prompt
    else:
        text = {"alphadrive": _full, "short": _short, "terse": _terse}[layout](example)
    images = (Image(path=example.image),) if example.image else ()
    return Prompt((Message("user", text, images),))


def completion_of(example: DrivingExample) -> str:
    """The completion that earns the top: the example's reasoning, or one plain sentence, then its solution.

    >>> print(completion_of(DrivingExample(id="1", solution="<answer> KEEP, STRAIGHT </answer>")))
    <think> The speed and the route call for it. </think> <answer> KEEP, STRAIGHT </answer>
    """
    thinking = example.thinking.strip() or "The speed and the route call for it."
    if not thinking.startswith(THINK_OPEN):
        thinking = f"{THINK_OPEN} {thinking} {THINK_CLOSE}"
    return f"{thinking} {example.solution.strip()}"


def _full(example: DrivingExample) -> str:
    return (
        f"{_ROLE} You drive at {example.speed:.1f} m/s, and the navigation says: {_route(example)}. Going by the "
        "driving scene and the navigation, what is your plan for the next three seconds? Put your reasoning in <think> "
        "</think> tags and then the plan in <answer> </answer> tags. The plan is one SPEED action and one PATH action. "
        f"SPEED is one of {', '.join(SPEED_ACTIONS)}. PATH is one of {', '.join(PATH_ACTIONS)}. An answer in the right "
        "format: <think> reasoning about the plan </think> <answer> KEEP, LEFT_TURN </answer>"
    )


def _short(example: DrivingExample) -> str:
    """65 tokens of SmolLM2's with a one-word route; the nine words alone are 37."""
    return (
        f"Speed {example.speed:.1f} m/s. Route {_route(example)}.\n"
        f"<think> why </think> <answer> {'|'.join(SPEED_ACTIONS)}, {'|'.join(PATH_ACTIONS)} </answer>"
    )


def _terse(example: DrivingExample) -> str:
    """In km/h, as limits are posted: a small model compares numbers and converts none."""
    return f"Speed {3.6 * example.speed:.0f} km/h. Route {_route(example)}."


def _why(example: DrivingExample) -> str:
    decision = (first_block(example.solution) or "").strip()
    if not decision:
        raise TaskError(f"the solution of {example.id!r} is {example.solution!r}; an answer block is needed to ask why")
    return (
        f"{_ROLE} You drive at {example.speed:.1f} m/s, and the navigation says: {_route(example)}. Your decision for "
        f"the next three seconds is {decision}. Going by the driving scene, say in one or two sentences why you "
        "decided so."
    )


def _route(example: DrivingExample) -> str:
    return example.navigation.strip() or _NO_ROUTE
