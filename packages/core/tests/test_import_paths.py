"""What a command line names by `module:attribute`, with no plugin and no PYTHONPATH."""

import json
import sys

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.errors import ConfigError, UnknownName
from guerdon.plugins.catalog import Catalog, catalog
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec

MODULE = '''
from dataclasses import dataclass
from guerdon import Example, Message, Prompt, Score, reward
from guerdon.audit.attack import Attack
from guerdon.protocols import Task
from guerdon.rewards import Reward


@dataclass(frozen=True)
class Greetings(Task):
    """Greets somebody."""

    who: str = "Ann"
    name = "mine/greetings-v1"

    def examples(self, split):
        return [Example(id=f"{self.who} {n}") for n in range(4)]

    def prompt(self, example):
        return Prompt((Message("user", f"Greet {example.id}."),))

    def reference(self, example):
        return f"Hello {example.id}!"


greetings = Greetings("Bob")


@reward(bounds=(0.0, 1.0))
def polite(rollout):
    return float(rollout.answer == f"Hello {rollout.example.id}!")


@dataclass(frozen=True)
class Elsewhere(Reward, bounds=(0.0, 1.0), runs_in="processes"):
    """Scored in worker processes, which must find this module, too."""

    top: float = 1.0

    def score(self, rollout):
        return Score(self.top * polite(rollout).value)


def bare(rollout):
    return 1.0


class Silence(Attack):
    name, exploits, knows, source = "mine/silence", "degenerate", "nothing", "mine"

    def attempt(self, target):
        return ("",)
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a module in it that nothing else leads to."""
    (tmp_path / "mine_by_path.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    yield tmp_path
    sys.modules.pop("mine_by_path", None)
    catalog.cache_clear()


def run(*arguments, code=0):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.mark.parametrize("reward", ["mine_by_path:polite", "mine_by_path:Elsewhere[top=0.5]"])
def test_score_takes_reward_and_task_by_path(reward, here):
    given = ("--task", "mine_by_path:Greetings[who=Cleo]", "--reward", f"2*{reward}")
    said = run("score", *given, "--example", "Cleo 1", "--text", "Hello Cleo 1!", "--json").stdout
    assert json.loads(said)["score"]["value"] == (1.0 if "top" in reward else 2.0)


def test_an_object_stands_for_itself_and_takes_no_options(here):
    given = ("score", "--reward", "mine_by_path:polite", "--example", "Bob 0", "--text", "Hello Bob 0!", "--json")
    assert json.loads(run(*given, "--task", "mine_by_path:greetings").stdout)["score"]["value"] == 1.0
    assert "takes no options" in run(*given, "--task", "mine_by_path:greetings[who=Ann]", code=2).stderr


def test_audit_takes_all_three_by_path(here):
    given = ("--task", "mine_by_path:Greetings", "--attack", "mine_by_path:Silence", "--json")
    told = json.loads(run("audit", "mine_by_path:polite", *given).stdout)
    assert (told["conclusion"], [one["attack"] for one in told["attacks"]]) == ("holds", ["mine/silence"])


def test_compare_and_export_take_a_task_by_path(here):
    found = json.loads(
        run(
            "compare", "mine_by_path:polite", "mine_by_path:polite", "--task", "mine_by_path:Greetings", "--json"
        ).stdout
    )
    assert found["prompts"] == 4
    assert '"example": "Ann 0"' in run("export", "mine_by_path:Greetings", "--limit", "1").stdout


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ("mine_by_path:absent", "the reward 'mine_by_path:absent' cannot be imported: AttributeError"),
        ("no_such_module:x", "cannot be imported: ModuleNotFoundError"),
        ("mine_by_path:bare", "is a function of a rollout; decorate it with @guerdon.reward"),
        ("mine_by_path:greetings", "is a Greetings, not a reward"),
        ("a:b:c", "'a:b:c' is no import path"),
    ],
)
def test_what_cannot_be_one_is_said(reward, said, here):
    given = ("--task", "mine_by_path:Greetings", "--example", "Ann 0", "--text", "x")
    assert said in run("score", "--reward", reward, *given, code=2).stderr


def test_a_recipe_imports_nothing_that_nobody_named(here):
    """Reading somebody's recipe must not run code of their choosing."""
    with pytest.raises(UnknownName, match="An import path stands on a command line"):
        build_reward(RewardSpec.model_validate("mine_by_path:polite"))
    assert "mine_by_path" not in sys.modules


def test_what_one_catalog_admitted_another_does_not_know(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    first = Catalog([])
    first.admit("rewards", "mine_by_path:polite")
    assert first.load("rewards", "mine_by_path:polite").bounds == (0.0, 1.0)
    with pytest.raises(ConfigError):
        Catalog([]).load("rewards", "mine_by_path:polite")


def test_show_tells_of_what_stands_at_a_path(here):
    assert "guerdon audit mine_by_path:polite" in run("show", "mine_by_path:polite").output
    told = run("show", "mine_by_path:Greetings").output
    assert "guerdon export 'mine_by_path:Greetings[who=Ann]'" in told
    assert "task: " not in told, "a recipe cannot name an import path"
    assert (
        "a function; one of a rollout is a reward once it is decorated"
        in run("show", "mine_by_path:bare", code=2).stderr
    )


def test_a_misspelt_attribute_gets_the_nearest_one(here):
    said = run("audit", "mine_by_path:polit", "--task", "mine_by_path:Greetings", code=2).stderr
    assert "has no attribute 'polit'. Did you mean 'polite'?" in said


def test_a_module_that_raises_is_told_of_by_file_and_line(here):
    (here / "broken_by_path.py").write_text("def half(n):\n    return n / 0\n\n\nhalf(1)\n")
    said = run("audit", "broken_by_path:x", code=2).stderr
    assert f"ZeroDivisionError: division by zero ({here / 'broken_by_path.py'}, line 2)" in said


def test_an_example_named_as_the_task_is_called_what_it_is(here):
    (here / "mine_by_path.py").write_text(MODULE + "\n\nclass Letter(Example):\n    text: str\n")
    said = run("audit", "mine_by_path:polite", "--task", "mine_by_path:Letter", code=2).stderr
    assert "is an Example, Letter, not a Task: one problem, of which a Task gives many" in said
    assert "is an Example, Letter, not a Task" in run("show", "mine_by_path:Letter", code=2).stderr
