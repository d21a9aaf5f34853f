import os
import subprocess
import sys

import pytest

from guerdon import progress as module
from guerdon.progress import progress


class Clock:
    """A monotonic clock that moves when told."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def log(monkeypatch, capsys):
    """What has been written to standard error since it was last asked for."""
    monkeypatch.delenv("GUERDON_PROGRESS", raising=False)
    return lambda: capsys.readouterr().err


def test_a_log_gets_a_line_at_each_tenth_with_the_time_to_go(clock, log):
    """100 items at 1 s each: after 10, 90 s are left."""
    with progress("count", 100) as bar:
        for _ in range(100):
            clock.now += 1.0
            bar.advance()
    lines = log().splitlines()
    assert lines[0] == "count: 10/100 (10 %), 0:10 gone, 1:30 to go"
    assert lines[-1] == "count: 100/100 (100 %), 1:40 gone"
    assert len(lines) == 10


def test_a_log_shows_life_every_ten_seconds_between_tenths(clock, log):
    """1000 items at 1 s: a tenth takes 100 s, so lines come at 10, 20, 30 s."""
    with progress("slow", 1000) as bar:
        for _ in range(30):
            clock.now += 1.0
            bar.advance()
    assert [line.split(":")[1].split("/")[0].strip() for line in log().splitlines()] == ["10", "20", "30"]


def test_quick_work_leaves_no_line(clock, log):
    with progress("quick", 10) as bar:
        for _ in range(10):
            clock.now += 0.1
            bar.advance()
    assert log() == ""


def test_what_was_done_before_a_resume_does_not_count_as_speed(clock, log):
    """90 of 100 stood already; 2 more took 10 s, so the last 8 take 40 s."""
    with progress("again", 100, done=90) as bar:
        clock.now += 10.0
        bar.advance(2)
    assert "92/100 (92 %), 0:10 gone, 0:40 to go" in log()


def test_an_unknown_total_counts_up(clock, log):
    with progress("read", None) as bar:
        clock.now += 10.0
        bar.describe("read · more")
        bar.advance(7)
    assert log() == "read · more: 7, 0:10 gone\n"


def test_off_means_silence(clock, log, monkeypatch):
    monkeypatch.setenv("GUERDON_PROGRESS", "off")
    with progress("count", 2) as bar:
        clock.now += 100.0
        bar.advance()
        bar.describe("nobody reads this")
    assert log() == ""


def test_bars_nest_and_take_any_text(log, monkeypatch):
    monkeypatch.setenv("GUERDON_PROGRESS", "bar")
    with progress("outer [/red]", 2) as outer:
        with progress("inner", 3) as inner:
            inner.advance(3)
            inner.describe("[bold")
        outer.advance(2)
    with progress("next", 1) as bar:
        bar.advance()
    shown = log()
    assert "outer [/red]" in shown
    assert "next" in shown


def test_a_log_costs_no_import_of_rich():
    code = "import sys\nfrom guerdon.progress import progress\nwith progress('x', 1) as p: p.advance()\n"
    code += "print('rich' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "GUERDON_PROGRESS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "False"
