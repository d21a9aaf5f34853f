"""Without torch, modules that import it are not collected for their examples: scoring needs none."""

import re
from importlib.util import find_spec
from pathlib import Path

_NEEDS_TORCH = re.compile(r"^(import|from) torch\b", re.MULTILINE)
_sources = (Path(__file__).parent / "src").rglob("*.py")

collect_ignore = [] if find_spec("torch") else [str(path) for path in _sources if _NEEDS_TORCH.search(path.read_text())]
