"""R1-Router's recipe, as a file that can be copied and changed."""

from __future__ import annotations

from importlib.resources import files


def medical_router() -> str:
    """R1-Router's steps on the embedded 135M model."""
    return files(__package__).joinpath("medical-router.yaml").read_text(encoding="utf-8")
