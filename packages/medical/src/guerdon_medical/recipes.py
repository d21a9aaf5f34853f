"""The recipes that the package ships, as files that can be copied and changed."""

from __future__ import annotations

from importlib.resources import files


def medical() -> str:
    """A diagnostic agent of short traces on the embedded 135M model."""
    return files(__package__).joinpath("medical.yaml").read_text(encoding="utf-8")


def medical_gpu() -> str:
    """Deep-DxSearch at its published size, on one GPU with published cases."""
    return files(__package__).joinpath("medical_gpu.yaml").read_text(encoding="utf-8")


def medical_cases() -> str:
    """Published cases and short traces on the embedded 135M model, minutes on one GPU."""
    return files(__package__).joinpath("medical_cases.yaml").read_text(encoding="utf-8")


def medical_rwr() -> str:
    """Med-RwR in short traces on the embedded 135M model."""
    return files(__package__).joinpath("medical_rwr.yaml").read_text(encoding="utf-8")


def medical_rwr_gpu() -> str:
    """Med-RwR's first stage, texts, by GRPO as published, on one GPU."""
    return files(__package__).joinpath("medical_rwr_gpu.yaml").read_text(encoding="utf-8")


def medical_rwr_images_gpu() -> str:
    """Med-RwR's second stage, pictures, from a checkpoint of the first."""
    return files(__package__).joinpath("medical_rwr_images_gpu.yaml").read_text(encoding="utf-8")


def medical_router() -> str:
    """R1-Router's steps on the embedded 135M model."""
    return files(__package__).joinpath("medical_router.yaml").read_text(encoding="utf-8")
