"""A harness of verifiers for tasks that need no tools: one chat completion per turn, in this process.

Their own tool-less harness starts a program, with packages of its own, in a runtime for every turn. All of it serves
programs that run what the policy writes; a guerdon task does that itself, in its sandbox, when it scores.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import verifiers.v1 as vf

_GO_ON = {"continue_final_message": True, "add_generation_prompt": False}
"""vLLM's and SGLang's words for: the last message is the beginning of the answer."""


@cache
def chat() -> type[vf.Harness]:
    """A `Harness` class to export beside a `taskset()`, which then is the default of its tasks.

    A prompt that ends in an assistant's message (a task's forced prefix) is sent with vLLM's and SGLang's options to go
    on with it. A server that answers afresh instead, and repeats the prefix, is scored alike.
    """
    import verifiers.v1 as vf
    from verifiers.v1.dialects.chat import message_to_wire

    class Chat(vf.Harness[vf.HarnessConfig]):
        """Asks the model, and returns."""

        APPENDS_SYSTEM_PROMPT = True
        SUPPORTS_RESUME = True
        EXECUTES_CODE = False
        NEEDS_CONTAINER = False

        async def launch(
            self,
            ctx: vf.ModelContext,
            trace: vf.Trace,
            runtime: vf.Runtime,
            endpoint: str,
            secret: str,
            mcp_urls: dict[str, str],
            data: vf.TaskData,
        ) -> vf.ProgramResult:
            from openai import AsyncOpenAI

            system, prompt = self.resolve_prompt(data)
            messages: list[Any] = [{"role": "system", "content": system}] if system else []
            if isinstance(prompt, str):
                messages.append({"role": "user", "content": prompt})
            else:
                messages += [message_to_wire(message) for message in prompt or ()]
            extra = _GO_ON if messages[-1]["role"] == "assistant" else None
            async with AsyncOpenAI(base_url=endpoint, api_key=secret) as client:
                await client.chat.completions.create(model=ctx.model, messages=messages, extra_body=extra)
            return vf.ProgramResult(exit_code=0, stdout="", stderr="")  # the trace is the record of what was said

    return Chat
