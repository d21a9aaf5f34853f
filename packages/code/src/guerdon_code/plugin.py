"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What programs earn."""
    rewards = "guerdon_code.rewards"
    register("code/outcome-v1", f"{rewards}:Outcome", summary="every test passes, 0 or 1")
    register("code/pass-rate-v1", f"{rewards}:PassRate", summary="share of the tests that pass, in [0, 1]")
    register("code/compiles-v1", f"{rewards}:Compiles", summary="it is Python, 0 or 1")
    register("code/format-v1", f"{rewards}:Format", summary="one closed block of code, 0 or 1")
    register("code/verpo-v1", "guerdon_code.verpo_reward:Verpo", summary="tests weighed by difficulty, turn by turn")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Problems made up, HumanEval's, and from files."""
    tasks = "guerdon_code.tasks"
    register("code/generated-v1", f"{tasks}:Generated", summary="small functions over lists of numbers, made up")
    register("code/humaneval-v1", f"{tasks}:HumanEval", summary="OpenAI's 164 problems, for evaluation")
    register("code/jsonl-v1", f"{tasks}:JsonLines", summary="HumanEval's, MBPP's, LiveCodeBench's or our own form")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train code` and `guerdon train code-turns` start."""
    recipes = "guerdon_code.recipes"
    register("code", f"{recipes}:code", summary="small Python functions with VeRPO's rewards on a 135M model")
    register("code-turns", f"{recipes}:code_turns", summary="the same in two turns, with feedback from the tests")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """VeRPO's central claim."""
    register("verpo", "guerdon_code.verpo_claim:Verpo", summary="weighed tests lead past the easy ones")
