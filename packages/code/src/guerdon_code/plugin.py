"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """ToolRL's rewards."""
    tools = "guerdon_code.tool_rewards"
    register("code/toolrl-v1", f"{tools}:toolrl", summary="ToolRL's total for a tool-calling turn, -3 to 4")
    register("code/toolrl-format-v1", f"{tools}:Format", summary="the gold turn's layout is kept, 0 or 1")
    register("code/toolrl-correctness-v1", f"{tools}:Correctness", summary="agreement with the gold calls, -3 to 3")
    register("code/toolrl-length-v1", f"{tools}:ThoughtLength", summary="words of thought by 512, in [0, 1]")
    register("code/no-call-v1", f"{tools}:NoCall", summary="-1 for a call where gold has none, else 0")
    register("code/tool-exact-v1", f"{tools}:ExactCalls", summary="exactly the gold calls, 0 or 1; for reporting")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Tool-calling turns from files."""
    tools = "guerdon_code.tool_tasks"
    register("code/tool-calls-v1", f"{tools}:ToolCalls", summary="a folder of BFCL's single-turn files")
    register("code/tool-calls-jsonl-v1", f"{tools}:ToolCallLines", summary="tool-calling turns from JSON lines")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """ToolRL's central claim."""
    register("toolrl", "guerdon_code.tool_claim:ToolRl", summary="partial credit learns where all-or-nothing does not")
