"""Judges: batched, cached questions to a model, and a strict parser of what it answers. Importing this is light.

| | |
|---|---|
| `Judge` | asks, caches, parses, counts |
| `number(0, 2)`, `choice("yes", "no")` | the form an answer must have |
| `StandIn` | a deterministic backend: a function, or a seeded hash |
| `OpenAICompatible` | any server that speaks chat completions |
| `LocalModel` | a causal model on this machine |
"""

from guerdon.judges.answers import Unparsed, choice, number
from guerdon.judges.judge import Judge, Verdict
from guerdon.judges.local import LocalModel
from guerdon.judges.server import OpenAICompatible
from guerdon.judges.standin import StandIn

__all__ = ["Judge", "LocalModel", "OpenAICompatible", "StandIn", "Unparsed", "Verdict", "choice", "number"]
