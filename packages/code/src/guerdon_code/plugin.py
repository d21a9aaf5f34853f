"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What programs earn, and ToolRL's rewards of tool calls."""
    rewards = "guerdon_code.rewards"
    register("code/outcome-v1", f"{rewards}:Outcome", summary="every test passes, 0 or 1")
    register("code/pass-rate-v1", f"{rewards}:PassRate", summary="share of the tests that pass, in [0, 1]")
    register("code/compiles-v1", f"{rewards}:Compiles", summary="it is Python, 0 or 1")
    register("code/format-v1", f"{rewards}:Format", summary="one closed block of code, 0 or 1")
    register("code/verpo-v1", "guerdon_code.verpo_reward:Verpo", summary="tests weighed by difficulty, turn by turn")
    tools = "guerdon_code.tool_rewards"
    register("code/toolrl-v1", f"{tools}:toolrl", summary="ToolRL's total for a tool-calling turn, -3 to 4")
    register("code/toolrl-format-v1", f"{tools}:Format", summary="the gold turn's layout is kept, 0 or 1")
    register("code/toolrl-correctness-v1", f"{tools}:Correctness", summary="agreement with the gold calls, -3 to 3")
    register("code/toolrl-length-v1", f"{tools}:ThoughtLength", summary="words of thought by 512, in [0, 1]")
    register("code/no-call-v1", f"{tools}:NoCall", summary="-1 for a call where gold has none, else 0")
    register("code/tool-exact-v1", f"{tools}:ExactCalls", summary="exactly the gold calls, 0 or 1; for reporting")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Problems made up, HumanEval's, and from files; tool-calling turns from files."""
    tasks = "guerdon_code.tasks"
    register("code/generated-v1", f"{tasks}:Generated", summary="small functions over lists of numbers, made up")
    register("code/humaneval-v1", f"{tasks}:HumanEval", summary="OpenAI's 164 problems, for evaluation")
    register("code/jsonl-v1", f"{tasks}:JsonLines", summary="HumanEval's, MBPP's, LiveCodeBench's or our own form")
    tools = "guerdon_code.tool_tasks"
    register("code/tool-calls-v1", f"{tools}:ToolCalls", summary="a folder of BFCL's single-turn files")
    register("code/tool-calls-jsonl-v1", f"{tools}:ToolCallLines", summary="tool-calling turns from JSON lines")
    register("code/tool-calls-made-v1", f"{tools}:MadeToolCalls", summary="requests to a dozen tools, made up")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train code` and `guerdon train code-turns` start."""
    recipes = "guerdon_code.recipes"
    register("code", f"{recipes}:code", summary="small Python functions with VeRPO's rewards on a 135M model")
    register("code-turns", f"{recipes}:code_turns", summary="the same in two turns, with feedback from the tests")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """VeRPO's and ToolRL's central claims."""
    register("verpo", "guerdon_code.verpo_claim:Verpo", summary="weighed tests lead past the easy ones")
    register("toolrl", "guerdon_code.tool_claim:ToolRl", summary="partial credit learns where all-or-nothing does not")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of programs and of tool calls can be audited with, beside core's."""
    programs, tools = "guerdon_code.attacks", "guerdon_code.tool_attacks"
    register("code/tampering", f"{programs}:Tampering", summary="a program that goes for the grader")
    register("code/constant-program", f"{programs}:ConstantProgram", summary="the same value, whatever is given")
    register("code/visible-tests", f"{programs}:VisibleTests", summary="a table of the tests that are shown")
    register("code/hollow-program", f"{programs}:HollowProgram", summary="code that compiles and does nothing")
    register("code/empty-calls", f"{tools}:EmptyCalls", summary="calls that name a tool and nothing else")
    register("code/every-call", f"{tools}:EveryCall", summary="every call that any other turn made")
    register("code/long-thought", f"{tools}:LongThought", summary="words of thought, and a wrong call")
