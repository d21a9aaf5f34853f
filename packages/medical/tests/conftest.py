"""What several test files share: the folder of real data, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder `medical` of the data folder that GUERDON_DATA names."""
    root = os.environ.get("GUERDON_DATA")
    if not root:
        pytest.skip("GUERDON_DATA does not name the folder of real data")
    folder = Path(root) / "medical"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}, which GUERDON_DATA names")
    return folder
