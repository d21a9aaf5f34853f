"""Rollouts as chat messages: what a reward that reads whole conversations is given."""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.errors import ConfigError
from guerdon.types import Message, Role, Rollout


def conversation(rollout: Rollout) -> tuple[Message, ...]:
    """A rollout as complete turns that end with the response: the prompt's, then who wrote what.

    What the environment says is the user's (as a language policy reads it); what it says after the policy's last word
    is left out. An empty response is an empty turn.

    Raises:
        ConfigError: the prompt has no messages.
    """
    if not rollout.prompt.messages:
        raise ConfigError(f"a conversation is needed, and the prompt of example {rollout.example.id!r} has no messages")
    said = list(rollout.prompt.messages)
    segments = list(rollout.segments)
    while segments and segments[-1].author == "environment":
        segments.pop()
    for segment in segments:
        speaker: Role = "user" if segment.author == "environment" else "assistant"
        if said[-1].role == speaker == "assistant":  # a forced beginning, or one that stands in the prompt
            said[-1] = Message(speaker, said[-1].content + segment.text)
        else:
            said.append(Message(speaker, segment.text, segment.images))
    if said[-1].role != "assistant":
        said.append(Message("assistant", ""))
    return tuple(said)


def dialogue(utterances: Sequence[str]) -> tuple[Message, ...]:
    """Bare utterances, the last one the response, as alternating turns after which the user speaks.

    Where that would make the assistant open the conversation, its first utterance is dropped, as in the authors' code
    (which counts the follow-up with the others and drops the first of an even number).

    Raises:
        ConfigError: there is no request before the response.

    >>> [f"{turn.role}: {turn.content}" for turn in dialogue(["Welcome.", "2 + 2?", "4"])]
    ['user: 2 + 2?', 'assistant: 4']
    """
    if len(utterances) < 2:
        raise ConfigError(f"a dialogue is {list(utterances)!r}; a request and a response are needed at least")
    kept = utterances[len(utterances) % 2 :]
    return tuple(Message("assistant" if place % 2 else "user", text) for place, text in enumerate(kept))


def shortened(messages: Sequence[Message], characters: int) -> tuple[tuple[Message, ...], bool]:
    """The end of a conversation, and whether its beginning had to go.

    Earlier turns are left out whole, the first that is kept loses its own beginning. Where that is the assistant's, an
    empty user turn goes before it, since chat templates want one.

    >>> kept, cut = shortened([Message("user", "2 + 2?"), Message("assistant", "four")], 7)
    >>> [message.content for message in kept], cut
    ([' 2?', 'four'], True)
    """
    if sum(len(message.content) for message in messages) <= characters:
        return tuple(messages), False
    kept: list[Message] = []
    for message in reversed(messages):
        room = characters - sum(len(each.content) for each in kept)
        if kept and room <= 0:
            break
        kept.append(Message(message.role, message.content[-room:]))
    if kept[-1].role == "assistant":
        kept.append(Message("user", ""))
    return tuple(reversed(kept)), True
