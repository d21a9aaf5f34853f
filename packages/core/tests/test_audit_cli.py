"""`guerdon audit`: finds a task, prints, writes a page, and exits as asked."""

import json
from dataclasses import dataclass
from typing import ClassVar, get_args

import pytest
from click.testing import CliRunner

from guerdon.audit.attack import Category
from guerdon.audit.school_of_reward_hacks.rewards import SchoolRows
from guerdon.audit.tables import printable
from guerdon.cli import main
from guerdon.cli.audit import CATEGORIES
from guerdon.errors import ConfigError, TaskError
from guerdon.plugins.catalog import catalog
from guerdon.protocols import Task
from guerdon.recipes import fitting
from guerdon.recipes.building import build_reward
from guerdon.recipes.fitting import fitting_task
from guerdon.recipes.schema import Use
from guerdon.recipes.spelling import reward_spec


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_a_reward_is_audited_on_a_task_found_for_it():
    shown = run("school/metric", "--attack", "metric/gaming", "--examples", "4").output
    assert "school/metric on school/rows-v1" in shown
    assert "metric/gaming" in shown
    assert "honest answers earn" in shown


def test_a_recipes_reward_is_audited_on_its_own_task(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "task: {use: school/rows, with: {kinds: [citations]}}\n"  # and no policy: nothing is trained
        "reward: {sum: [{use: school/metric}, {use: school/quality, weight: 0.5}]}\n"
    )
    told = json.loads(run(str(recipe), "--attack", "metric/gaming[kind=citations]", "--json").stdout)
    assert "kinds=('citations',)" in told["task"]
    assert told["attacks"][0]["verdict"] == "exploit"
    assert set(told["attacks"][0]["sample"]["parts"]) == {"metric", "quality"}


def test_rewards_are_summed_and_another_task_may_be_named():
    some = ("--reward", "school/quality", "--reward", "0.5*school/metric", "--task", "school/rows[seed=3]")
    shown = run(*some, "--attack", "degenerate/empty", "--examples", "4").output
    assert "school/quality + 0.5*school/metric on school/rows-v1" in shown.replace("\n", " ")


def test_json_has_every_figure():
    told = json.loads(run("school/quality", "--attack", "degenerate/empty", "--examples", "4", "--json").stdout)
    (attack,) = told["attacks"]
    assert (attack["attack"], attack["verdict"], attack["mean"]) == ("degenerate/empty", "resisted", 0.0)
    assert told["honest"] == [1.0] * 4
    assert told["task"].startswith("SchoolRows(")
    assert told["best_of_n"]["n"]


def test_a_severe_attack_fails_a_check_that_asks_for_it():
    some = ("school/metric", "--attack", "degenerate/single-token", "--examples", "16", "--seed", "1")
    run(*some)
    failed = run(*some, "--fail-above", "0.1", code=1)
    assert "severity above 0.1, degenerate/single-token first" in failed.stderr


def test_a_reward_that_resists_passes_the_same_check():
    run("school/quality", "--attack", "degenerate/empty", "--examples", "4", "--fail-above", "0", code=0)


def test_nothing_scored_is_a_failure():
    from guerdon.rewards import reward
    from guerdon.types import Score

    @reward(name="test/mute-v1")
    def mute(rollout):
        return Score.unscored("not today", status="abstain")

    catalog().register_local("rewards", "test/mute-v1", mute)
    shown = run("test/mute", "--task", "school/rows", "--attack", "degenerate/empty", code=1).output
    assert "unscored" in shown


def test_the_page_is_written_escaped_and_asks_nothing_of_the_network(tmp_path):
    page = tmp_path / "audit.html"
    attack = "degenerate/repeated[unit='<script>alert(1)</script> thank you ', times=5]"
    run("school/metric", "--attack", attack, "--examples", "16", "--budget", "40", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "default-src 'none'" in text
    assert "http" not in text.partition("</style>")[2].partition("<script>")[0]


def test_nothing_hostile_reaches_the_terminal():
    assert printable("a\x1b[31mb\u202ec\nd\ud800") == "a\ufffd[31mb\ufffdc␤d\ufffd"
    assert printable("x" * 10, 4) == "xxxx … 6 more characters"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a reward, a recipe or a run folder"),
        (("school/metrik",), "Did you mean 'school/metric"),
        (("school/metric", "--attack", "degenerate/emty"), "Did you mean 'degenerate/empty'?"),
        (("school/metric", "--category", "tampering", "--attack", "degenerate/empty[colour=1]"), "colour"),
        (("nowhere.yaml",), "cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_message(arguments, told):
    assert told in run(*arguments, code=2).stderr


def test_a_reward_that_no_task_fits_says_which_were_tried():
    from guerdon.rewards import reward
    from guerdon.types import Example

    class Odd(Example):
        pass

    @reward(name="test/odd-v1")
    def odd(rollout):
        rollout.example_as(Odd)
        return 1.0

    catalog().register_local("rewards", "test/odd-v1", odd)
    with pytest.raises(ConfigError, match=r"no installed task fits test/odd-v1: .*school/rows-v1"):
        fitting_task(odd, ["test/odd-v1"])


def test_a_reward_of_which_an_audit_says_nothing_is_told_so_before_any_task_is_tried():
    from guerdon.rewards.environment_return import EnvironmentReturn

    with pytest.raises(ConfigError, match="an audit of environment-return-v1 would say nothing: "):
        fitting_task(EnvironmentReturn(), ["environment-return"])


def test_a_task_that_makes_much_first_is_not_tried_for_rewards_of_other_domains(monkeypatch):
    """In its own domain it is; there its examples, of another kind, are the reason."""

    class Frames(Task):
        name = "test/frames-v1"
        makes = "frames, which takes minutes"

        def examples(self, split):
            raise TaskError("they were made")

        def prompt(self, example):
            raise AssertionError

    use, reward = Use(use="test/frames"), build_reward(reward_spec(["school/quality"]))
    monkeypatch.setattr(fitting, "build_task", lambda use: Frames())
    for tiers, told in (
        ([[], [use]], r"Not tried, .*test/frames \(it would make frames, which takes minutes\)"),
        ([[use], []], "does not score the examples of test/frames. The first reason: they were made"),
    ):
        monkeypatch.setattr(fitting, "_candidates", lambda names, tiers=tiers: iter(tiers))
        with pytest.raises(ConfigError, match=told):
            fitting_task(reward, ["school/quality"])


def test_a_task_that_makes_much_makes_few_for_an_audit_that_named_none(monkeypatch):
    @dataclass(frozen=True)
    class Frames(SchoolRows):
        name: ClassVar[str] = "test/frames-v1"
        makes: ClassVar[str] = "frames, which takes minutes"
        few: ClassVar[dict] = {"size": 40}
        size: int = 2000

    use, reward = Use(use="test/frames"), build_reward(reward_spec(["school/quality"]))
    monkeypatch.setattr(fitting, "build_task", lambda use: Frames())
    monkeypatch.setattr(fitting, "_candidates", lambda names: iter([[use], []]))
    assert fitting_task(reward, ["school/quality"]).size == 40
    assert fitting_task(reward, ["school/quality"], [use]).size == 2000, "who names it gets what it is"


def test_only_the_tasks_named_are_asked(monkeypatch):
    reward = build_reward(reward_spec(["school/quality"]))
    monkeypatch.setattr(fitting, "_candidates", lambda names: pytest.fail("others were asked"))
    assert fitting_task(reward, ["school/quality"], [Use(use="school/rows")]).name == "school/rows-v1"


def test_the_task_that_pays_honest_answers_best_is_taken():
    reward = build_reward(reward_spec(["school/quality"]))
    assert fitting_task(reward, ["school/quality"]).name == "school/rows-v1"


def test_every_category_can_be_asked_for():
    assert set(CATEGORIES) == set(get_args(Category)) - {"composed"}


def test_help_names_the_command():
    assert "Attack a reward before a policy does." in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize("limit", ["nan", "inf", "-0.5", "much"])
def test_a_limit_that_never_strikes_is_refused(limit):
    asked = ["school/metric", "--attack", "degenerate/empty"]
    assert "Invalid value for '--fail-above'" in run(*asked, "--fail-above", limit, code=2).stderr
    compared = CliRunner().invoke(main, ["compare", *asked[:1], *asked[:1], "--fail-above", limit])
    assert (compared.exit_code, "Invalid value for '--fail-above'" in compared.stderr) == (2, True)


def test_one_is_one():
    shown = run("school/quality", "--attack", "degenerate/empty", "--examples", "1").output.replace("\n", " ")
    assert "1 attack, " in shown
    assert "(1 example)" in shown
    assert "(on 1 example alone)" in shown
    failed = run("school/metric", "--attack", "metric/gaming", "--fail-above", "0", code=1)
    assert failed.stderr.strip().endswith("1 attack with a severity above 0, metric/gaming first")
