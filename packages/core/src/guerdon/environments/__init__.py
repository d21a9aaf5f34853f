"""Environments of no domain: the other side of rollouts in which a policy calls tools. Importing this is light.

| | |
|---|---|
| `Tool` | what can be called: from texts to texts, a whole batch at once |
| `Tags` | how a call and its answer are written |
| `ToolUse` | an environment that answers a policy's calls until it makes none |
| `Search` | a retriever as a tool |
| `alike`, `escaped` | for tools of your own: what goes out as one batch, and text that opens no tag |
"""

from guerdon.environments.searching import Search
from guerdon.environments.tools import Call, Tags, Tool, ToolUse, alike, escaped

__all__ = ["Call", "Search", "Tags", "Tool", "ToolUse", "alike", "escaped"]
