"""Problems from files: HumanEval's and MBPP's fields, LiveCodeBench's, and our own.

Pure reading. Everything wrong with a file is a `TaskError` that names file, line and field. Whether references pass
their tests is `guerdon_code.proving`'s business.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.sandbox.wire import Untransferable, pack
from guerdon_code.asserts import take_apart
from guerdon_code.problems import CodeProblem, StdioTest, Test, ValueTest


def read_problems(path: Path) -> Iterator[CodeProblem]:
    """The problems of a file, as `guerdon.parsing.rows` reads one; each row's fields say whose form it has.

    Raises:
        TaskError: no such file, or a row is not of a known form; once the problems are asked for.
    """
    for row in read_rows(path, "problems"):
        yield problem_of(row.fields, row.place)


def problem_of(row: Mapping[str, Any], place: str) -> CodeProblem:
    """The problem that a row describes.

    Raises:
        TaskError: a field is missing or not as it should be; `place` says where.
    """
    for form, needed, read in _FORMS:
        if needed <= row.keys():
            try:
                return read(row)
            except ValidationError as error:
                raise FileRow(row, f"{place}, read as {form}").refused(error) from None
            except (ValueError, SyntaxError, KeyError, TypeError) as error:
                raise TaskError(f"{place}, read as {form}: {type(error).__name__}: {error}") from error
    known = "; ".join(f"{form} has {', '.join(sorted(needed))}" for form, needed, _ in _FORMS)
    raise TaskError(f"{place} has the fields {', '.join(row)}, which is no known form: {known}")


def _humaneval(row: Mapping[str, Any]) -> CodeProblem:
    """A prompt that the answer continues, and a function `check(candidate)`."""
    prompt, body = row["prompt"], row["canonical_solution"]
    entry_point = _under_test(prompt + body, row["test"], row["entry_point"])
    taken = take_apart(f"{_imports(prompt + body)}\n{row['test']}", entry_point)
    return CodeProblem(
        id=row["task_id"],
        question=f"Complete the function `{entry_point}`.",
        starter=prompt,
        entry_point=entry_point,
        tests=taken.tests,
        given=taken.given,
        expected=taken.expected,
        reference=_joined(prompt, body),
        source=row["task_id"].partition("/")[0],
    )


def _under_test(code: str, tests: str, named: str) -> str:
    """The function that the tests call: the one named, or else the last of the code's that they mention (sanitized
    MBPP names a helper now and then).
    """
    mentioned = {node.id for node in ast.walk(ast.parse(tests)) if isinstance(node, ast.Name)}
    if named in mentioned or "candidate" in mentioned:
        return named
    return next((name for name in reversed(_defined(code)) if name in mentioned), named)


def _defined(code: str) -> list[str]:
    """The functions at the top of the code, which need not be valid: a broken reference is found by running it."""
    return re.findall(r"^def[ \t]+(\w+)", code, re.MULTILINE)


def _imports(code: str) -> str:
    """The imports at the top of the code: what tests were written beside, and may use."""
    return "\n".join(re.findall(r"^(?:import|from)[ \t][^\n(]+$", code, re.MULTILINE))


def _joined(prompt: str, body: str) -> str:
    """Prompt and body. Where a body is indented otherwise than the prompt's docstring, the docstring is left out."""
    whole = prompt + body
    try:
        compile(whole, "reference", "exec")
    except SyntaxError:
        return _DOCSTRING.sub("", prompt) + body
    return whole


_DOCSTRING = re.compile(r'''^[ \t]+("""|\'\'\').*?\1[ \t]*\n''', re.MULTILINE | re.DOTALL)


def _mbpp(row: Mapping[str, Any]) -> CodeProblem:
    """A sentence, and assert lines."""
    code, lines = row["code"], [*row["test_list"], *row.get("challenge_test_list", ())]
    setup = row.get("test_setup_code") or "\n".join(row.get("test_imports", ()))
    tests = "\n".join([_imports(code), setup, *lines])
    mentioned = {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}
    entry_point = next((name for name in reversed(_defined(code)) if name in mentioned), "")
    taken = take_apart(tests, entry_point)
    return CodeProblem(
        id=f"Mbpp/{row['task_id']}",
        question=row.get("text") or row["prompt"],
        entry_point=entry_point,
        tests=taken.tests,
        shown=1,  # the sentence does not say what the function is called
        given=taken.given,
        expected=taken.expected,
        reference=code,
        source="Mbpp",
    )


def _livecodebench(row: Mapping[str, Any]) -> CodeProblem:
    """A statement, and cases in JSON within JSON: public ones, shown, and private ones."""
    cases = _cases(row["public_test_cases"])
    shown = len(cases)
    cases += _cases(row.get("private_test_cases") or "[]")
    metadata = row.get("metadata") or {}
    function = (json.loads(metadata) if isinstance(metadata, str) else metadata).get("func_name", "")
    starter = row.get("starter_code") or ""
    call = f"Solution().{function}" if "class Solution" in starter else function
    return CodeProblem(
        id=str(row["question_id"]),
        question=row["question_content"],
        starter=starter,
        entry_point=function,
        tests=tuple(_case(case, call) for case in cases),
        shown=shown,
        level=row.get("difficulty") or "",
        source=str(row.get("platform", "livecodebench")),
    )


def _cases(text: Any) -> list[Any]:
    try:
        cases = json.loads(text) if isinstance(text, str) else text
    except json.JSONDecodeError:
        # The published form is a pickle, zipped: reading one runs whatever it says.
        raise ValueError("test cases that are not JSON; unpack them with the data set's own tools first") from None
    if not isinstance(cases, list):
        raise ValueError(f"test cases are {type(cases).__name__}; a list is needed")
    return cases


def _case(case: Mapping[str, Any], call: str) -> Test:
    if case.get("testtype", "stdin") == "stdin":
        return StdioTest(stdin=case["input"], stdout=case["output"])
    if not call:
        raise ValueError("a case of a function, but the row's metadata has no func_name")
    arguments = ", ".join(repr(json.loads(line)) for line in case["input"].split("\n") if line.strip())
    expected = pack(json.loads(case["output"]))
    return ValueTest(call=f"{call}({arguments})", expected=expected, types=False, tuples_are_lists=True)  # its own rule


def _own(row: Mapping[str, Any]) -> CodeProblem:
    """`CodeProblem`'s fields; a test may say `value` (any JSON) in place of `expected`, and asserts may be lines."""
    fields = dict(row)
    lines = fields.pop("asserts", None)
    if unknown := [name for name in fields if name not in CodeProblem.model_fields]:
        accepted = ", ".join(["asserts", *CodeProblem.model_fields])
        raise ValueError(f"the field {unknown[0]!r} is unknown; accepted are {accepted}")
    if lines is not None and not isinstance(lines, list):
        raise ValueError(f"asserts is {type(lines).__name__}; a list of texts is needed")
    tests = [_own_test(test) for test in fields.pop("tests", ())]
    if lines is not None:
        taken = take_apart("\n".join(lines), fields.get("entry_point", ""))
        tests += [test.model_dump() for test in taken.tests]
        fields = {"given": taken.given, "expected": taken.expected} | fields
    if not tests:
        raise ValueError("tests or asserts is empty; a problem needs one test at least")
    return CodeProblem.model_validate(fields | {"tests": tests})


def _own_test(test: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(test)
    if "value" in fields:
        try:
            fields |= {"kind": "value", "expected": pack(fields.pop("value")), "tuples_are_lists": True}
        except Untransferable as error:
            raise ValueError(str(error)) from error
    if "stdin" in fields:
        fields.setdefault("kind", "stdio")
    return fields


_FORMS: tuple[tuple[str, frozenset[str], Callable[[Mapping[str, Any]], CodeProblem]], ...] = (
    ("HumanEval's form", frozenset({"task_id", "prompt", "canonical_solution", "test", "entry_point"}), _humaneval),
    ("MBPP's form", frozenset({"task_id", "code", "test_list"}), _mbpp),
    ("LiveCodeBench's form", frozenset({"question_id", "question_content", "public_test_cases"}), _livecodebench),
    ("guerdon's own form", frozenset({"id", "question"}), _own),
)
