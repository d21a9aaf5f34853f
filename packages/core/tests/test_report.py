import html
import html.parser
import importlib.util
import math
import re
import time
from pathlib import Path

import pytest

from guerdon.diagnostics.facts import reward_expression, use
from guerdon.diagnostics.report import render
from guerdon.errors import RunError
from guerdon.runs import RunFolder

# Beside this file; loaded by path, since tests are no package.
_spec = importlib.util.spec_from_file_location("made_up_runs", Path(__file__).with_name("made_up_runs.py"))
made_up_runs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_up_runs)
made_up_run = made_up_runs.made_up_run

HOSTILE = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b[31m\ud800\u202egnp.exe & \"'"


class Balance(html.parser.HTMLParser):
    """Checks that every tag is closed in order, and collects what a browser would run or fetch."""

    VOID = ("meta", "br", "img", "path", "i")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.handlers = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "xlink:href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def read(path):
    text = render(path).read_text(encoding="utf-8")
    page = Balance()
    page.feed(text)
    assert page.open == []
    assert page.links == []
    assert page.handlers == []
    assert page.tags.count("script") == 1
    return text


def visible(text):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.split("<main>")[1].split("<footer>")[0]))


def test_the_headline_says_what_the_run_was_and_what_it_gained(tmp_path):
    """Wilson for 179 of 320: 0.5046 to 0.6127, by hand from the formula. `soft_f1` scores every second example."""
    text = html.unescape(visible(read(made_up_run(tmp_path / "run", steps=20))))
    assert "20 RL steps raised held-out execution from 0.447 to 0.559 (+0.112)." in text
    assert "0.505 to 0.613" in text
    assert "Wilson intervals (each example has 0 or 1) of one stage alone" in text
    assert "±0.054 " in text, "half of 0.1082"
    assert ", 160 scored" in text
    assert "3 × sql/execution-v1(mode='bag') + 1 × sql/runs-v1" in text
    assert "cpu, bfloat16" in text
    assert "flights / execution" in text
    for title in ("Reward", "Health", "Updates", "Warm start", "Time", "What it wrote in training", "What was run"):
        assert f" {title} " in text


def test_a_score_is_explained_part_by_part(tmp_path):
    """Worst: schema 0.67 + ngram 0.44 - format 0.5 = 0.61."""
    text = visible(read(made_up_run(tmp_path / "run", steps=20)))
    assert "Worst 0.610" in text
    assert "format no reasoning before the query 1 −0.500 −0.500" in text
    assert "execution 4 of 4 rows agree 3 1.000 +3.000" in text


def evaluated(path, **metrics):
    """A run of one evaluation of four examples, a metric's values given; None where it abstains."""
    with RunFolder.create(path, "task: t", 1, tensorboard=False) as run:
        rows = []
        for number in range(4):
            parts = {name: {"value": values[number], "parts": {}} for name, values in metrics.items()}
            rows.append({"example": str(number), "completion": "", "score": {"value": 0.0, "parts": parts}})
        run.write_rollouts("eval-before", 0, rows)
        known = {name: [value for value in values if value is not None] for name, values in metrics.items()}
        means = {f"eval/{name}": math.fsum(values) / len(values) for name, values in known.items()}
        run.log(0, "eval", {"stage": "before", "eval/count": 4, **means})
    return visible(read(path))


def test_an_interval_counts_the_examples_that_its_metric_scored(tmp_path):
    """Wilson for 0 of 1 ends at 3.8415 / 4.8415 = .7935, half of which is .397; for 0 of 4 at .4899, half .245."""
    text = evaluated(tmp_path / "run", accuracy=[0.0] * 4, recall=[None, 0.0, None, None])
    assert "accuracy 0.000 ±0.245 " in text
    assert "recall 0.000 ±0.397, 1 scored" in text


def test_a_mean_of_other_values_than_0_and_1_has_no_interval_of_a_share(tmp_path):
    """0.5, 1.5, 0.5, 1.3: mean .95, s = .5260, so 3.1824 * .5260 / 2 = .8370 either way. Equal values tell nothing."""
    text = evaluated(tmp_path / "run", share=[0.5, 1.5, 0.5, 1.3], level=[0.4] * 4)
    assert "95 %: 0.113 to 1.787" in text
    assert "Student's t intervals" in html.unescape(text)
    assert "Wilson" not in text
    assert "level 0.400 ±: half" in text


def test_hostile_completions_are_shown_and_never_obeyed(tmp_path):
    text = read(made_up_run(tmp_path / "run", steps=3, hostile=HOSTILE))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\u2400" in text, "NUL is shown as its picture"
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text, "a direction mark could make text read as another"
    assert "[U+202E]" in text


def test_hostile_names_are_harmless_everywhere(tmp_path):
    bad = "<img src=x onerror=alert(1)>"
    with RunFolder.create(
        tmp_path / "run", f"task: '{bad}'\nreward: '{bad}'\n", 1, {bad: bad}, tensorboard=False
    ) as run:
        run.log(0, "eval", {"stage": bad, f"eval/{bad}": 0.5})
        run.log(0, "rl", {f"reward/{bad}": 1.0, f"other {bad}": 2.0, f"time/{bad}": 1.0, "reward/total": 1.0})
        part = {"value": 1.0, "why": bad, "status": bad, "parts": {}, "weights": {}}
        score = {"value": 1.0, "why": bad, "status": bad, "parts": {bad: part}, "weights": {bad: 2.0}}
        row = {
            "group": bad,
            "example": bad,
            "prompt": [{"role": bad, "content": bad}],
            "reference": bad,
            "score": score,
        }
        run.write_rollouts("rl", 0, [{**row, "completion": bad, "stop": bad, "advantage": bad}])
    read(tmp_path / "run")


def test_a_megabyte_is_cut_with_a_note(tmp_path):
    text = read(made_up_run(tmp_path / "run", steps=3, hostile="x" * 1_000_000))
    assert re.search(r"… 99\d,\d{3} more characters", text)
    assert len(text) < 1_000_000


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_short_runs_and_runs_without_evaluation_have_a_page(tmp_path, steps):
    text = visible(read(made_up_run(tmp_path / "run", steps=steps, evals=False)))
    assert ("No RL steps yet" if steps == 0 else f"{steps} RL step") in text


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    RunFolder.create(tmp_path / "run", "not: [yaml", 1, {}, tensorboard=False).close()
    assert "not: [yaml" in visible(read(tmp_path / "run"))


def test_all_nan_draws_no_chart_and_breaks_nothing(tmp_path):
    with RunFolder.create(tmp_path / "run", "task: t", 1, tensorboard=False) as run:
        for step in range(3):
            run.log(step, "rl", {"reward/total": math.nan, "reward/std": math.nan, "loss": math.inf, "groups/count": 0})
        run.log(3, "eval", {"stage": "rl", "eval/execution": math.nan, "eval/count": 0})
        score = {"value": None, "why": "", "status": "infra", "parts": {}, "weights": {}}
        run.write_rollouts("rl", 2, [{"group": 0, "index": i, "score": score, "completion": ""} for i in range(2)])
    text = visible(read(tmp_path / "run"))
    assert "Unscored" in text
    assert "nan" not in text.lower()


def test_a_thousand_steps_of_many_metrics_render_fast_and_stay_small(tmp_path, monkeypatch):
    monkeypatch.setattr("guerdon.runs.folder.os.fsync", lambda fd: None)
    path = made_up_run(tmp_path / "run", steps=1000, extra=15, hostile="x" * 5000)
    start = time.process_time()
    page = render(path)
    assert time.process_time() - start < 2.0
    assert page.stat().st_size < 5_000_000


def test_a_page_can_be_made_while_the_run_is_being_written(tmp_path):
    with RunFolder.create(tmp_path / "run", "task: t", 1, tensorboard=False) as run:
        run.log(0, "rl", {"reward/total": 0.5})
        read(tmp_path / "run")
        run.log(1, "rl", {"reward/total": 0.6})
    assert "2 RL steps" in visible(read(tmp_path / "run"))


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(RunError, match="there is no run to report on"):
        render(tmp_path / "nowhere")


def test_a_reward_tree_reads_as_the_algebra_it_builds():
    tree = {
        "sum": [{"use": "a", "weight": 2}, {"use": "b", "gated_by": {"use": "c"}}],
        "then": [{"use": "clip", "with": {"low": 0}}],
        "weight": 0.5,
    }
    assert reward_expression(tree) == "0.5 × (2 × a + 1 × b.gated_by(c)).then(clip(low=0))"
    assert reward_expression("a") == use({"use": "a", "with": {}}) == "a"


PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000")  # how a PNG begins


def test_an_attempt_is_drawn_where_its_task_draws(tmp_path):
    """The page holds the picture itself, and what is no picture stays out."""
    run = made_up_run(tmp_path / "run", steps=20)
    drawn = render(run, lambda record: PIXEL if record["completion"] else b"<script>").read_text(encoding="utf-8")
    assert drawn.count('src="data:image/png;base64,iVBORw0KGgo') >= 2
    assert "<script>" not in drawn.split("<main>")[1].split("<footer>")[0]
    assert "data:image" not in render(run).read_text(encoding="utf-8")
