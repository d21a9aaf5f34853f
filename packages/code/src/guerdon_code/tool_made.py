"""Tool-calling requests made up from a seed: a dozen tools, one call each, or none where no tool serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from guerdon_code.tool_calls import line_of
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_prompts import Piece, system_text, user_text

OFFERED = 4
"""Tools on offer in one request."""
NONE = 8
"""Every so many requests is one that no tool on offer serves."""


class Tool(NamedTuple):
    """A tool, how one asks for it, and the values its parameters are drawn from."""

    name: str
    request: str
    values: Mapping[str, Sequence[Any]]


_CITIES = ("Oslo", "Lima", "Cairo", "Quito", "Tunis", "Riga")
TOOLS = (
    Tool("get_weather", "What is the weather in {city} in {days} days?", {"city": _CITIES, "days": range(1, 8)}),
    Tool("set_alarm", "Wake me at {hour}:{minute}.", {"hour": range(5, 11), "minute": (10, 15, 30, 45)}),
    Tool("convert_money", "How much is {amount} {source} in {target}?",
         {"amount": (10, 25, 80, 120), "source": ("EUR", "USD"), "target": ("JPY", "NOK", "CHF")}),
    Tool("find_train", "Find a train from {start} to {end}.", {"start": _CITIES[:3], "end": _CITIES[3:]}),
    Tool("play_song", "Play {title} at volume {volume}.",
         {"title": ("Greensleeves", "Bolero", "Summertime"), "volume": range(1, 10)}),
    Tool("add_note", "Note down: buy {text}.", {"text": ("milk", "stamps", "two lamps", "bread and salt")}),
    Tool("send_mail", "Tell {to} that I am {minutes} minutes late.",
         {"to": ("Ann", "Bo", "Cem"), "minutes": (5, 10, 20)}),
    Tool("set_light", "Dim the light in the {room} to {percent} percent.",
         {"room": ("kitchen", "hall"), "percent": (10, 40, 70)}),
    Tool("book_table", "Book a table for {people} in {city}.", {"people": range(2, 9), "city": _CITIES}),
    Tool("translate", "How does one say {word} in {language}?",
         {"word": ("tree", "river", "thanks"), "language": ("Finnish", "Thai")}),
    Tool("measure_route", "How far is it from {start} to {end} by {means}?",
         {"start": _CITIES[:3], "end": _CITIES[3:], "means": ("car", "bike")}),
    Tool("start_timer", "Start a timer of {seconds} seconds.", {"seconds": (30, 45, 90, 600)}),
)  # fmt: skip
_UNSERVED = (
    "Sing me to sleep.",
    "Who will win tomorrow?",
    "Water the plants on the balcony.",
    "What am I thinking of?",
)
REPLY = "None of my tools can do that."


def made_examples(count: int, seed: int) -> list[ToolExample]:
    """Up to `count` examples, each request once, with fresh ids; the same for the same seed."""
    random = Random(f"guerdon-code tools {seed}")
    found: dict[str, ToolExample] = {}
    for number in range(count):
        example = _unserved(number, random) if number % NONE == NONE - 1 else _served(number, random)
        found.setdefault(example.user, example)
    return list(found.values())


def _served(number: int, random: Random) -> ToolExample:
    offered = random.sample(TOOLS, OFFERED)
    tool = random.choice(offered)
    values = {name: random.choice(list(options)) for name, options in tool.values.items()}
    call = line_of(tool.name, values)
    return _example(number, tool.request.format(**values), offered, (call,), "")


def _unserved(number: int, random: Random) -> ToolExample:
    return _example(number, random.choice(_UNSERVED), random.sample(TOOLS, OFFERED), (), REPLY)


def _example(number: int, request: str, offered: Sequence[Tool], calls: tuple[str, ...], response: str) -> ToolExample:
    described = [
        {"name": tool.name, "parameters": {name: _type(options) for name, options in tool.values.items()}}
        for tool in offered
    ]
    return ToolExample(
        id=f"made-{number}",
        system=system_text(described),
        user=user_text([Piece("user", request)]),
        tools=tuple(tool.name for tool in offered),
        calls=calls,
        response=response,
        kind="made",
    )


def _type(options: Sequence[Any]) -> dict[str, str]:
    return {"type": "integer" if isinstance(options[0], int) else "string"}
