"""The recipe of Med-RwR, as a file that can be copied and changed."""

from __future__ import annotations

from importlib.resources import files


def medical_rwr_gpu() -> str:
    """The text of `medical_rwr_gpu.yaml`."""
    return files(__package__).joinpath("medical_rwr_gpu.yaml").read_text(encoding="utf-8")
