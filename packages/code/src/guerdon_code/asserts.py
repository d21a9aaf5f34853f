"""Taking assert-style tests apart, so that what they expect stays away from the answer.

An assert is split into *calls*, evaluated with the answer, and a *check* over their values, evaluated without it:

    assert abs(candidate(2.5) - 0.5) < 1e-6    ─▶    calls: candidate(2.5)        check: abs(_0 - 0.5) < 1e-6

What cannot be split (a loop around a call, a call whose argument is made inside a comprehension, an assert about what
an earlier call gave or changed) becomes one `ScriptTest`, of low trust. What calls depend on runs beside the answer: a
table that holds inputs and expected values both, and is used for both, is open to it.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guerdon.sandbox.wire import Untransferable, pack
from guerdon_code.problems import CheckTest, ScriptTest, ValueTest


@dataclass(frozen=True)
class Taken:
    """A check function taken apart."""

    tests: tuple[ValueTest | CheckTest | ScriptTest, ...]
    given: str
    """Statements that the calls depend on."""
    expected: str
    """Statements that the checks depend on."""


def take_apart(source: str, entry_point: str) -> Taken:
    """The tests in the source of a module that holds a function `check(candidate)`, or asserts at its top.

    Args:
        source: test code.
        entry_point: the function under test; `candidate` is another name for it.

    Raises:
        SyntaxError: the source is no Python.
        ValueError: there is not one assert in it.
    """
    module = ast.parse(source)
    if entry_point:
        module = _Namer(entry_point).visit(module)
    check = next((node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    outside = [node for node in module.body if node is not check and not _calls_check(node)]
    body = [*outside, *(check.body if check else ())]
    names = {entry_point or "candidate"}
    tests: list[ValueTest | CheckTest | ScriptTest] = []
    before: list[ast.stmt] = []  # what has nothing to do with the answer
    ran: list[ast.stmt] = []  # that, and all that an assert about `made` or `lent` needs
    made: set[str] = set()  # names that are not without the answer: bound to what it gave, or wrappers around it
    lent: set[str] = set()  # names that an answer was called with, whose values it may have changed
    bound: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.Pass) or _is_docstring(statement):
            continue
        bound |= _binds(statement)
        used = bound & (_names(statement) | _binds(statement))
        about = _mentions(statement, names | made)
        if isinstance(statement, ast.Assert):
            if about and not used & made and (parted := _split(statement, names)) is not None:
                tests.append(parted)
                made |= _binds(statement)
                lent |= used
                if used:
                    ran.append(statement)
            elif about or used & lent:
                tests.append(ScriptTest(script=_source([*(ran if used & (made | lent) else before), statement])))
            continue
        if about:
            if _judges(statement, names):
                tests.append(ScriptTest(script=_source([*(ran if used & (made | lent) else before), statement])))
            made |= used
        else:
            before.append(statement)
            if used & lent:
                lent |= _binds(statement)
        ran.append(statement)
    if not tests:
        raise ValueError("there is no assert about the function under test")
    given = _needed(before, [call for test in tests for call in _calls_of(test)])
    checks = [test.check for test in tests if isinstance(test, CheckTest)]
    return Taken(tuple(tests), _source(given), _source([*_modules(checks), *_needed(before, checks)]))


def _calls_of(test: ValueTest | CheckTest | ScriptTest) -> tuple[str, ...]:
    if isinstance(test, ValueTest):
        return (test.call,)
    return test.calls if isinstance(test, CheckTest) else ()


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _calls_check(node: ast.stmt) -> bool:
    """`check(candidate)` at the top of a module."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


def _judges(statement: ast.stmt, names: set[str]) -> bool:
    """Whether it may find fault with what the answer did, itself or by a function that it calls."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.Expr):
        return not _is_call(statement.value, names)
    return any(isinstance(node, ast.Assert | ast.Raise | ast.Try | ast.With) for node in ast.walk(statement))


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _mentions(node: ast.AST, names: Iterable[str]) -> bool:
    return not _names(node).isdisjoint(names)


def _split(statement: ast.Assert, names: set[str]) -> ValueTest | CheckTest | None:
    """The assert as calls and a check; None where a call cannot be moved."""
    taker = _Taker(names)
    check = taker.visit(ast.Expression(copy.deepcopy(statement.test)))
    if taker.stuck or _mentions(check, names):
        return None
    denied = isinstance(check.body, ast.UnaryOp) and isinstance(check.body.op, ast.Not)
    if isinstance(check.body.operand if denied else check.body, ast.Name):
        # Its truth is asked for, of whatever type it is; and alike, for the answer sees how, and must not see which.
        return ValueTest(call=f"bool({taker.calls[0]})", expected=pack(not denied))
    if (expected := _equals_literal(check.body)) is not None:
        return ValueTest(call=taker.calls[0], expected=expected, types=False)
    return CheckTest(calls=tuple(taker.calls), check=ast.unparse(check))


class _Taker(ast.NodeTransformer):
    """Puts `_0`, `_1`, ... in place of the outermost calls of the function under test."""

    def __init__(self, names: set[str]) -> None:
        self.calls: list[str] = []
        self.stuck = False
        self._names = names
        self._bound: list[set[str]] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not _is_call(_unwrapped(node), self._names):
            return self.generic_visit(node)
        bound = set(itertools.chain.from_iterable(self._bound))
        if bound and _mentions(node, bound):
            self.stuck = True
        self.calls.append(ast.unparse(node))
        return ast.Name(f"_{len(self.calls) - 1}", ast.Load())

    def _within(self, node: ast.AST) -> ast.AST:
        arguments = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        targets = {
            name.id
            for each in ast.walk(node)
            if isinstance(each, ast.comprehension)
            for name in ast.walk(each.target)
            if isinstance(name, ast.Name)
        }
        self._bound.append(arguments | targets)
        found = self.generic_visit(node)
        self._bound.pop()
        return found

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_Lambda = _within


def _is_call(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


_READERS = ("dict", "frozenset", "len", "list", "set", "sorted", "str", "sum", "tuple")


def _unwrapped(node: ast.expr) -> ast.expr:
    """What stands in `list(...)` and the like: of a generator, say, only the list can leave the answer's process."""
    while (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _READERS
        and len(node.args) == 1
        and not node.keywords
    ):
        node = node.args[0]
    return node


def _equals_literal(check: ast.expr) -> str | None:
    """The packed value, where the check is `_0 == literal` or the reverse."""
    if not (isinstance(check, ast.Compare) and len(check.ops) == 1 and isinstance(check.ops[0], ast.Eq)):
        return None
    for call, literal in ((check.left, check.comparators[0]), (check.comparators[0], check.left)):
        if isinstance(call, ast.Name) and call.id == "_0":
            try:
                return pack(ast.literal_eval(literal))
            except (ValueError, Untransferable, TypeError, MemoryError, RecursionError):
                return None
    return None


class _Namer(ast.NodeTransformer):
    """Names `candidate` as the answer names it."""

    def __init__(self, entry_point: str) -> None:
        self._entry_point = entry_point

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._entry_point, node.ctx) if node.id == "candidate" else node


def _needed(statements: Sequence[ast.stmt], expressions: Sequence[str]) -> list[ast.stmt]:
    """Those statements that bind a name which the expressions use, or which a statement so needed uses."""
    wanted = {name for source in expressions for name in _names(ast.parse(source))}
    kept: list[ast.stmt] = []
    for statement in reversed(statements):
        if _binds(statement) & wanted:
            kept.append(statement)
            wanted |= _names(statement)
    return kept[::-1]


def _modules(checks: Sequence[str]) -> list[ast.stmt]:
    """Imports of what checks use and data sets forget to import, since the reference beside them did it."""
    named = {name for check in checks for name in _names(ast.parse(check))}
    return [
        ast.Import([ast.alias(name)]) for name in ("cmath", "collections", "itertools", "math", "re") if name in named
    ]


def _binds(statement: ast.stmt) -> set[str]:
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names -= {
        name for node in ast.walk(statement) if isinstance(node, ast.comprehension) for name in _names(node.target)
    }
    if isinstance(statement, ast.Import | ast.ImportFrom):
        names |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        names.add(statement.name)
    return names


def _source(statements: Sequence[ast.stmt]) -> str:
    return ast.unparse(ast.Module(list(statements), [])) if statements else ""
