"""Charts as inline SVG: lines and stacked areas over steps.

The drawing stretches with the page (a 100 x 100 box, strokes unscaled); labels are HTML laid over it, so that text
keeps its size on a phone. The points a pointer may ask about travel in a `data-chart` attribute.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from guerdon.diagnostics.markup import number, safe

MAX_POINTS = 240
"""Points drawn per chart, about one per two pixels; extremes are kept."""
FLAT = 1e-4
"""A line that rises and falls by no more of its size is drawn flat: labels on its scale would not tell it apart."""
FEW = 12
"""Up to so many points are marked one by one."""


def line_chart(
    title: str,
    steps: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    domain: tuple[float, float] | None = None,
    spread: Sequence[float] | None = None,
    smooth: bool = True,
    axis: str = "step",
) -> str:
    """One line per series over the same steps; "" where nothing is finite.

    Args:
        title: what is shown.
        steps: N ascending positions.
        series: N values each; NaN leaves a gap.
        domain: the ends of the y axis; fitted to the values when not given.
        spread: N half-widths of a band around the first series, such as a standard deviation.
        smooth: draw the values faintly and their moving mean over them, where there are enough.
        axis: what the x axis counts.
    """
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    if not finite:
        return ""
    window = max(1, len(steps) // 16) if smooth else 1
    chosen = thin(series, MAX_POINTS)
    band = _band(next(iter(series.values())), spread, chosen) if spread is not None else []
    reach = [*finite, *(end for _, *pair in band for end in pair)]
    low, high = domain or (min(reach), max(reach))
    ticks = nice_ticks(low, high)
    bottom, top = (domain or (min(low, ticks[0]), max(high, ticks[-1])))  # fmt: skip
    frame = _Frame(steps[0], steps[-1], bottom, top)
    marks = [frame.band(steps, band)]
    ends = []
    for place, values in enumerate(series.values()):
        mean = moving_mean(values, window)
        if window > 1:
            marks.append(frame.line(steps, values, chosen, f"raw s{place}"))
        marks.append(frame.line(steps, mean, chosen, f"s{place}"))
        known = [value for value in mean if math.isfinite(value)]
        ends.append((known[0], known[-1]) if known else (math.nan, math.nan))
    if len(series) == 1:
        first, last = (number(end) for end in ends[0])
        summary = f'<span class="ends">{f"{first} → " if len(finite) > 1 else ""}<b>{last}</b></span>'
    else:
        summary = _legend(series)
    spoken = "; ".join(f"{name} from {number(a)} to {number(b)}" for name, (a, b) in zip(series, ends, strict=True))
    notes = [f"bold: mean of {window} steps"] if window > 1 else []
    notes += ["band: one standard deviation"] if band else []
    return _figure(title, summary, spoken, frame, marks, ticks, axis, _data(steps, series, chosen), ", ".join(notes))


def stacked_chart(title: str, steps: Sequence[float], series: Mapping[str, Sequence[float]], *, unit: str = "") -> str:
    """The series piled up, one column per step, many of them averaged into one; "" where nothing is finite."""
    clean = {
        name: [value if math.isfinite(value) else 0.0 for value in values]
        for name, values in series.items()
        if any(math.isfinite(value) for value in values)
    }
    if not clean or not steps:
        return ""
    count = min(len(steps), MAX_POINTS // 2)
    edges = [len(steps) * i // count for i in range(count + 1)]
    columns = {name: [_mean(values[a:b]) for a, b in pairwise(edges)] for name, values in clean.items()}
    top = max(sum(column) for column in zip(*columns.values(), strict=True)) or 1.0
    ticks = nice_ticks(0.0, top)
    frame = _Frame(0, count, 0.0, max(top, ticks[-1]))
    below = [0.0] * count
    marks = []
    for place, values in enumerate(columns.values()):
        above = [a + b for a, b in zip(below, values, strict=True)]
        marks.append(frame.steps(below, above, f"area a{place}"))
        below = above
    frame = _Frame(steps[0], steps[-1], frame.bottom, frame.top)
    total = sum(map(sum, clean.values())) or 1.0
    spoken = "; ".join(f"{name} {100 * sum(values) / total:.0f} %" for name, values in clean.items())
    starts = [steps[a] for a in edges[:-1]]
    data = _data(starts, columns, range(count))
    return _figure(
        title + (f" ({unit})" if unit else ""), _legend(clean, area=True), spoken, frame, marks, ticks, "step", data, ""
    )


def interval_strip(value: float, low: float, high: float, bounds: tuple[float, float]) -> str:
    """A dot with its interval on the scale `bounds`, for numbers that are compared with their neighbours."""
    width = (bounds[1] - bounds[0]) or 1.0
    a, b, c = (round(100 * (x - bounds[0]) / width, 2) for x in (low, high, value))
    return (
        f'<svg class="strip" viewBox="0 0 100 10" preserveAspectRatio="none" role="img">'
        f"<title>{number(value)}, 95 % interval {number(low)} to {number(high)}</title>"
        f'<path class="rail" d="M0 5H100"/><path class="reach" d="M{a} 5H{b}"/><path class="dot" d="M{c} 5h0"/></svg>'
    )


def nice_ticks(low: float, high: float, target: int = 4) -> list[float]:
    """About `target` round values that cover [low, high]; a flat line gets room above and below, on its side of 0, and
    one from 0 to 1, as shares are, none above 1.

    >>> nice_ticks(0.03, 0.91), nice_ticks(5.0, 5.0), nice_ticks(2.63805, 2.63805)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0])
    >>> nice_ticks(0.0, 0.0), nice_ticks(1.0, 1.0)
    ([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])
    """
    if high - low <= FLAT * max(abs(low), abs(high)):
        most = 0.0 if high < 0.0 else 1.0 if high <= 1.0 else math.inf
        size = 10.0 ** math.floor(math.log10(abs(low))) if low else 1.0
        low, high = (low - size if low else 0.0), min(high + size, most)
    rough = (high - low) / (target - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= rough * 0.8)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [_tidy(index * step) for index in range(first, last + 1)]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """The ticks in one notation, with no more decimals than they need.

    >>> tick_labels([0.0, 0.25, 0.5]), tick_labels([0, 5e-06, 1e-05]), tick_labels([0, 1000, 20000])
    (['0', '0.25', '0.5'], ['0', '5e−6', '1e−5'], ['0', '1k', '20k'])
    """
    size = max(abs(tick) for tick in ticks)
    if size >= 10_000:
        unit, letter = (1e6, "M") if size >= 1e6 else (1e3, "k")
        texts = [f"{tick / unit:g}{letter}" if tick else "0" for tick in ticks]
    elif 0 < size < 1e-3:
        texts = []
        for tick in ticks:
            mantissa, exponent = f"{tick:.1e}".split("e")
            texts.append(f"{float(mantissa):g}e{int(exponent)}" if tick else "0")
    else:
        texts = [f"{tick:.6g}" for tick in ticks]
    return [text.replace("-", "−") for text in texts]


def thin(series: Mapping[str, Sequence[float]], points: int) -> list[int]:
    """Indices to draw: all, or the first, the last, and each bucket's extremes of every series.

    >>> thin({"a": [0, 9, 0, 0, -9, 0]}, 4)
    [0, 1, 4, 5]
    """
    length = max(map(len, series.values()))
    if length <= points:
        return list(range(length))
    buckets = max(1, points // (2 * len(series)) - 1)
    chosen = {0, length - 1}
    for bucket in range(buckets):
        span = range(length * bucket // buckets, length * (bucket + 1) // buckets)
        for values in series.values():
            known = [i for i in span if math.isfinite(values[i])]
            if known:
                chosen |= {min(known, key=values.__getitem__), max(known, key=values.__getitem__)}
            else:
                chosen |= set(span[:1])
    return sorted(chosen)


def moving_mean(values: Sequence[float], window: int) -> list[float]:
    """The centred mean of the finite values within a window (shorter at the ends); NaN where there are none.

    >>> moving_mean([0.0, 3.0, 6.0, 9.0], 3)
    [1.5, 3.0, 6.0, 7.5]
    """
    if window <= 1:
        return list(values)
    sums, counts = [0.0], [0]
    for value in values:
        known = math.isfinite(value)
        sums.append(sums[-1] + (value if known else 0.0))
        counts.append(counts[-1] + known)
    half, result = window // 2, []
    for i in range(len(values)):
        a, b = max(0, i - half), min(len(values), i + half + 1)
        count = counts[b] - counts[a]
        result.append((sums[b] - sums[a]) / count if count else math.nan)
    return result


class _Frame:
    """The plot's own coordinates: x and y to the 100 x 100 box."""

    def __init__(self, left: float, right: float, bottom: float, top: float) -> None:
        self.left, self.right, self.bottom, self.top = left, right, bottom, top

    def x(self, value: float) -> float:
        return round(100 * (value - self.left) / (self.right - self.left), 2) if self.right > self.left else 50.0

    def y(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom) if self.top > self.bottom else 0.5
        return round(100 - 100 * min(1.0, max(0.0, share)), 2)

    def line(self, steps: Sequence[float], values: Sequence[float], chosen: Sequence[int], kind: str) -> str:
        """A path, broken where values are missing; a lone point is a dot."""
        pieces: list[str] = []
        pen = "M"
        for i in chosen:
            if math.isfinite(values[i]):
                pieces.append(f"{pen}{self.x(steps[i])} {self.y(values[i])}")
                pen = "L"
            else:
                pen = "M"
        path = "".join(pieces)
        few = f'<path class="dots {kind}" d="{path.replace("L", "h0M")}h0"/>' if path and len(chosen) <= FEW else ""
        lone = " lone" if path.count("M") and "L" not in path else ""
        return f'<path class="line {kind}{lone}" d="{path}{"h0" if lone else ""}"/>{few}'

    def band(self, steps: Sequence[float], band: Sequence[tuple[int, float, float]]) -> str:
        """The area between the lower and the upper ends at the given indices."""
        there = [f"{self.x(steps[i])} {self.y(high)}" for i, _, high in band]
        back = [f"{self.x(steps[i])} {self.y(low)}" for i, low, _ in reversed(band)]
        return f'<path class="band" d="M{"L".join(there + back)}Z"/>' if band else ""

    def steps(self, low: Sequence[float], high: Sequence[float], kind: str) -> str:
        """The area between two staircases, one stair per column."""
        there = "".join(f"L{self.x(i)} {self.y(v)}H{self.x(i + 1)}" for i, v in enumerate(high))
        back = "".join(f"L{self.x(i + 1)} {self.y(low[i])}H{self.x(i)}" for i in range(len(low) - 1, -1, -1))
        return f'<path class="{kind}" d="M{there[1:]}{back}Z"/>'


def _band(values: Sequence[float], spread: Sequence[float], chosen: Sequence[int]) -> list[tuple[int, float, float]]:
    """(index, lower end, upper end), where both are known."""
    known = [i for i in chosen if math.isfinite(values[i]) and math.isfinite(spread[i])]
    return [(i, values[i] - spread[i], values[i] + spread[i]) for i in known]


def _figure(
    title: str,
    summary: str,
    spoken: str,
    frame: _Frame,
    marks: Sequence[str],
    ticks: Sequence[float],
    axis: str,
    data: str,
    note: str,
) -> str:
    inside = [tick for tick in ticks if frame.bottom - 1e-12 <= tick <= frame.top + 1e-12]
    grid = "".join(f'<path class="grid" d="M0 {frame.y(tick)}H100"/>' for tick in inside)
    labels = "".join(
        f'<span class="y" style="top:{frame.y(tick)}%">{text}</span>'
        for tick, text in zip(inside, tick_labels(inside), strict=True)
    )
    for tick in step_ticks(frame.left, frame.right):
        place = frame.x(tick)
        edge = " first" if place < 4 and frame.right > frame.left else " last" if place > 96 else ""
        labels += f'<span class="x{edge}" style="left:{place}%">{tick:,}</span>'
    return (
        f'<figure class="chart"><figcaption><span class="name">{safe(title, 80)}</span>{summary}</figcaption>'
        f'<div class="plot" data-chart="{html.escape(data)}">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img">'
        f"<title>{safe(title, 80)}: {safe(spoken, 300)}</title>"
        f"{grid}{''.join(marks)}</svg>{labels}</div>"
        f'<div class="axis"><span>{safe(note)}</span><span>{safe(axis)}</span></div></figure>'
    )


def step_ticks(left: float, right: float) -> list[int]:
    """Whole round steps within [left, right], with the first and the last.

    >>> step_ticks(0, 99), step_ticks(3, 3)
    ([0, 50, 99], [3])
    """
    first, last = round(left), round(right)
    if first == last:
        return [first]
    room = (last - first) * 0.12  # labels closer to an end than this would touch
    inner = [round(tick) for tick in nice_ticks(first, last, 4) if tick == round(tick)]
    return [first, *(tick for tick in inner if first + room < tick < last - room), last]


def _legend(series: Mapping[str, object], *, area: bool = False) -> str:
    keys = "".join(
        f'<span><i class="key {"a" if area else "s"}{place}"></i>{safe(name, 40)}</span>'
        for place, name in enumerate(series)
    )
    return f'<span class="legend">{keys}</span>'


def _data(steps: Sequence[float], series: Mapping[str, Sequence[float]], chosen: Sequence[int]) -> str:
    """What the pointer reads, four significant digits each."""
    columns = [
        [float(f"{values[i]:.4g}") if math.isfinite(values[i]) else None for i in chosen] for values in series.values()
    ]
    names = [str(name)[:40] for name in series]
    return json.dumps({"x": [steps[i] for i in chosen], "n": names, "y": columns}, separators=(",", ":"))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _tidy(value: float) -> float:
    """Without the rounding of a multiplication: 0.30000000000000004 is 0.3."""
    return float(f"{value:.10g}")
