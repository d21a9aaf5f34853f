"""What several test files share: the folder of real data where there is one, and problems to be answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guerdon.sandbox.wire import pack
from guerdon_code.problems import CheckTest, CodeProblem, StdioTest, ValueTest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder `code` of the data folder that GUERDON_DATA names."""
    root = os.environ.get("GUERDON_DATA")
    if not root:
        pytest.skip("GUERDON_DATA does not name the folder of real data")
    folder = Path(root) / "code"
    if not (folder / "mbpp_sanitized.jsonl").is_file():
        pytest.skip(f"no mbpp_sanitized.jsonl in {folder}, which GUERDON_DATA names")
    return folder


@pytest.fixture(scope="session")
def doubling() -> CodeProblem:
    """`double(x)` by four tests, two of them shown: three values, and a check."""
    values = [ValueTest(call=f"double({x!r})", expected=pack(2 * x)) for x in (2, -3, "ab")]
    near = CheckTest(calls=("double(0.15)",), check="abs(_0 - 0.3) < 1e-6")
    return CodeProblem(
        id="double",
        question="Return x twice.",
        starter="def double(x):\n",
        entry_point="double",
        tests=(*values, near),
        shown=2,
        reference="def double(x):\n    return x + x\n",
    )


@pytest.fixture(scope="session")
def adding() -> CodeProblem:
    """A whole program that adds two numbers, by three runs."""
    runs = tuple(StdioTest(stdin=f"{a}\n{b}\n", stdout=f"{a + b}\n") for a, b in ((1, 2), (0, 0), (-5, 3)))
    return CodeProblem(
        id="add", question="Add two numbers.", tests=runs, shown=1, reference="print(int(input()) + int(input()))\n"
    )
