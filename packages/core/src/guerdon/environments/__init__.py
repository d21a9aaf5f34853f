"""Environments of no domain: the other side of rollouts in which a policy calls tools. Importing this is light.

| | |
|---|---|
| `Tool` | what can be called: from texts to texts, a whole batch at once |
| `Tags` | how a call and its answer are written |
| `ToolUse` | an environment that answers a policy's calls until it makes none |
| `stops` | where generation has to stop for some tools |
| `played` | the rollout of a policy that says a given text, answered by the task's environment |
| `acted` | the same of a program that sees what was answered |
| `Search` | a retriever as a tool |
| `alike`, `escaped` | for tools of your own: what goes out as one batch, and text that opens no tag |
"""

from guerdon.environments.playing import acted, played
from guerdon.environments.searching import Search
from guerdon.environments.tools import Call, Tags, Tool, ToolUse, alike, escaped, stops

__all__ = ["Call", "Search", "Tags", "Tool", "ToolUse", "acted", "alike", "escaped", "played", "stops"]
