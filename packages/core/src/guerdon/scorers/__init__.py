"""Scorers: how likely a given text is, token by token. Importing this is light.

| name | class | under what |
|---|---|---|
| `policy` | `UnderPolicy` | the policy being trained, as it is now |
| `reference` | `UnderReference` | a frozen copy of the policy as RL found it |
| `moving` | `UnderMoving` | a copy that follows the policy, a share of the way at a time |
| `local` | `LocalScorer` | any causal model on this machine |
| `server` | `ServedScorer` | a model behind an OpenAI-compatible server that tells a prompt's log-probs (vLLM) |
| `stand-in` | `StandInScorer` | nobody: a function, or a hash |

All of them cut the text's tokens as they are in its place behind the prefix, and take log-softmax in float32; see
`guerdon.protocols.Scorer` and `Continuation`.
"""

from guerdon.scorers.local import LocalScorer
from guerdon.scorers.policy import UnderMoving, UnderPolicy, UnderReference
from guerdon.scorers.server import ServedScorer
from guerdon.scorers.standin import StandInScorer

__all__ = ["LocalScorer", "ServedScorer", "StandInScorer", "UnderMoving", "UnderPolicy", "UnderReference"]
