"""The recipes that the package ships, as files that can be copied and changed."""

from __future__ import annotations

from importlib.resources import files


def sql() -> str:
    """Reasoning-SQL's partial rewards on the embedded 135M model: minutes on two cores."""
    return files(__package__).joinpath("sql.yaml").read_text(encoding="utf-8")
