"""What several test files share: the sheet's small database, and the folder of real ones where there is one."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from guerdon_sql.file_states import SETTLED_NS

EMPLOYEES = """
CREATE TABLE dept (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE emp (id INTEGER PRIMARY KEY, name TEXT, dept_id INTEGER, salary INTEGER, city TEXT);
INSERT INTO dept VALUES (1, 'Sales', 'Oslo'), (2, 'R&D', 'Bergen'), (3, 'HR', 'Oslo');
INSERT INTO emp VALUES (1, 'Ann', 1, 50, 'Oslo'), (2, 'Bob', 2, 70, 'Bergen'), (3, 'Cid', 2, 70, 'Oslo'),
    (4, 'Dee', 1, 40, NULL), (5, 'Eve', NULL, 90, 'Bergen');
"""
"""The database of the worked examples of Reasoning-SQL's fact sheet."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder `sql` of the data folder that GUERDON_DATA names."""
    root = os.environ.get("GUERDON_DATA")
    if not root:
        pytest.skip("GUERDON_DATA does not name the folder of real data")
    folder = Path(root) / "sql"
    if not (folder / "questions.jsonl").is_file():
        pytest.skip(f"no questions.jsonl in {folder}, which GUERDON_DATA names")
    return folder


@pytest.fixture(scope="session")
def employees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file of two tables, `dept` and `emp`; whoever changes it breaks every later test."""
    path = tmp_path_factory.mktemp("employees") / "employees.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(EMPLOYEES)
    connection.close()
    time.sleep(SETTLED_NS / 1e9 + 0.02)  # from then on, results on it are kept
    return path
