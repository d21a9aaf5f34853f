"""`guerdon show`: what a name stands for, read from what is there."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import click
import pytest
import yaml
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.plugins.catalog import KINDS, Catalog, catalog, register_local
from guerdon.recipes import Recipe, RewardSpec
from guerdon.recipes.building import ESTIMATORS, build_reward
from guerdon.recipes.describing import describe, describe_estimator
from guerdon.recipes.options import accepts, options_of
from guerdon.rewards import Reward, reward
from guerdon.types import Score

ENTRIES = [entry for kind in KINDS for entry in catalog().entries(kind)]


@dataclass(frozen=True)
class Place:
    row: int
    """Counted from 0."""


@dataclass(frozen=True)
class Tidy(Reward, name="test/tidy-v1", bounds=(-2.0, 1.0)):
    """Pays for tidiness.

    And this is a second paragraph.
    """

    parts: Mapping[str, Reward]
    """What is tidied, by name."""
    how: Literal["by hand", "never"] = "never"
    tags: tuple[str, ...] = ("<a>",)
    """What stands
    around it."""
    place: Place | None = None
    _held: dict[str, int] = field(default_factory=dict)

    def score(self, rollout):
        return 0.0


def tidied(parts: tuple[Reward, ...], weight: float = 0.5):
    """Several tidied things.

    Args:
        parts: what is summed, each
            as it comes.
        weight: of all.
    """
    return sum(parts[1:], parts[0])


def made_elsewhere(
    how: 'Literal["often", "never"]' = "never",
    weights: "np.ndarray | None" = None,  # noqa: F821 - known to type checkers alone
) -> "LinearPolicy":  # noqa: F821 - likewise
    """What it returns is imported for type checkers alone, and so is what one of its options takes."""


@dataclass(frozen=True)
class Far(Reward, name="test/far-v1", bounds=(0.0, 1.0)):
    """Has a file."""

    path: str = ""
    """A file, see `guerdon_of_some_length.loaders.read_the_rows_of_a_file`."""

    def score(self, rollout):
        """Nothing."""
        return Score(0.0)


@reward(name="test/lifted-v1", bounds=(0.0, 1.0))
def lifted(rollout):
    """A lifted function's own words."""
    return 1.0


@pytest.fixture(autouse=True)
def _offered():
    register_local("rewards", "test/tidy-v1", Tidy, "tidies")
    register_local("rewards", "test/tidied-v1", tidied)
    register_local("rewards", "test/lifted-v1", lifted)
    register_local("rewards", "test/far-v1", Far)
    yield
    catalog.cache_clear()


def shown(*arguments, code=0):
    result = CliRunner().invoke(main, ["show", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def told(name):
    return describe(catalog().find("rewards", name))


def test_what_only_type_checkers_know_does_not_hide_the_other_options():
    assert {one.name: one.accepts for one in options_of(made_elsewhere)} == {
        "how": "often | never",
        "weights": "anything",
    }


def test_a_rewards_options_say_what_they_take_their_default_and_what_their_author_says():
    piece = told("test/tidy")
    assert (piece.name, piece.summary, piece.about) == ("test/tidy-v1", "tidies", "Pays for tidiness.")
    assert [(one.name, one.accepts, one.default, one.about) for one in piece.options] == [
        ("parts", "mapping of names to: reward", "required", "What is tidied, by name."),
        ("how", '"by hand" | never', "never", ""),
        ("tags", "list of: text", '["<a>"]', "What stands around it."),
        ("place", "mapping with row, or null", "null", ""),
        ("place.row", "whole number", "required", "Counted from 0."),
    ]
    assert piece.facts == {"bounds": "-2 to 1", "sees": "rollout"}
    assert piece.use == (
        "reward: {use: test/tidy, with: {parts: {NAME: REWARD}}}",
        "guerdon audit 'test/tidy[parts={NAME: REWARD}]'",
    )


def test_a_long_name_in_an_options_words_is_not_cut():
    """At 80 columns its own column has 24: the name goes on in the next line."""
    assert "read_the_rows_of_a_file" in "".join(part.strip() for part in shown("test/far").split())


def test_a_functions_options_come_from_its_signature_and_args():
    assert [(one.name, one.accepts, one.default, one.about) for one in told("test/tidied").options] == [
        ("parts", "list of: reward", "required", "what is summed, each as it comes."),
        ("weight", "number", "0.5", "of all."),
    ]


def test_a_lifted_function_takes_none_and_says_its_own_words():
    piece = told("test/lifted")
    assert (piece.about, piece.options, piece.use[0]) == ("A lifted function's own words.", (), "reward: test/lifted")
    assert piece.facts["bounds"] == "0 to 1"
    assert "It takes no options." in shown("test/lifted")


def test_a_docstring_that_sends_its_reader_to_the_modules_head_brings_it():
    assert told("process").head.startswith("Process rewards whose sum a policy cannot inflate")
    assert told("tag-format").head == ""


def test_what_a_reward_sees_and_its_bounds_are_told_as_far_as_they_are_known():
    """The class tells what it sees; bounds that follow from options need a reward as it comes: -inf to 0 is one's."""
    assert told("nover").facts["sees"] == "group"
    assert told("against").facts == {"bounds": "computed from its options", "sees": "computed from its options"}
    assert told("length-penalty").facts["bounds"] == "-inf to 0"
    assert told("occupancy-penalty").facts["learns"].startswith("yes")
    assert told("constrained").facts["learns"] == "as its options say"
    assert "learns" not in told("length-penalty").facts


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_offered_piece_is_described(entry):
    """Class, use and, as everywhere, no option without what it takes."""
    if entry.kind == "policies":
        pytest.importorskip("torch")
    piece = describe(entry)
    assert piece.use
    assert piece.target == entry.target
    assert all(option.accepts and option.default for option in piece.options)
    for line in piece.use:
        if not line.startswith("guerdon "):
            (name,) = yaml.safe_load(line)
            assert name in Recipe.model_fields


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_advantage_estimator_is_described(name):
    assert yaml.safe_load(describe_estimator(name).use[0])["advantage"]


@pytest.mark.parametrize(
    "name",
    [
        entry.name
        for entry in ENTRIES
        if entry.kind == "rewards" and not any(one.default == "required" for one in describe(entry).options)
    ],
)
def test_a_line_without_capitals_builds_the_reward_as_it_stands(name):
    line = told(name).use[0]
    assert isinstance(build_reward(RewardSpec.model_validate(yaml.safe_load(line)["reward"])), Reward)


def test_a_name_of_several_kinds_shows_them_all_unless_one_is_asked_for():
    assert [piece["kind"] for piece in json.loads(shown("server", "--json"))] == [
        *("engine", "judge", "scorer", "retriever")
    ]
    assert [piece["kind"] for piece in json.loads(shown("server", "--kind", "judge", "--json"))] == ["judge"]


def test_an_old_version_is_used_by_its_whole_name():
    register_local("rewards", "test/lifted-v2", lifted)
    assert told("test/lifted-v1").use[0] == "reward: test/lifted-v1"
    assert told("test/lifted").use[0] == "reward: test/lifted"


def test_a_group_of_commands_shows_what_is_in_it():
    sow = click.Command("sow", help="Put seed into the ground. It grows.")
    register_local("commands", "farm", click.Group("farm", commands=[sow], help="What farmers do."))
    lines = shown("farm").splitlines()
    assert "sow Put seed into the ground." in lines
    assert "  guerdon farm sow --help" in lines
    assert "It takes no options." not in lines


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("test/tidi",), "no piece named 'test/tidi' among the"),
        (("test/tidi",), "Did you mean 'test/tid"),
        (("group-relative",), "Did you mean 'group_relative'"),
        (("lsc", "--kind", "rewards"), "no reward named 'lsc'"),
        (("lsc", "--kind", "claim", "--json"), '"kind": "claim"'),
    ],
)
def test_a_near_miss_gets_the_nearest(asked, said):
    assert said in shown(*asked, code=0 if said.startswith('"') else 2)


def test_only_the_piece_asked_for_is_imported():
    """Not a neighbour in its own package, and no torch."""
    code = (
        "import sys\nfrom guerdon.cli import main\nmain(['show', 'tag-format'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name == 'torch' or name.startswith('guerdon.rewards.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "guerdon.rewards.tags" in loaded
    assert "torch" not in loaded
    assert "guerdon.rewards.occupancy" not in loaded


def test_an_options_words_follow_its_annotation():
    assert accepts(float | None) == "number, or null"
    assert accepts(tuple[float, float]) == "list of 2: number, number"
    assert [one.name for one in options_of(lifted)] == []


# -- names of what is not installed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sql/execution", "driving/progress-v1", "code"])
def test_a_name_of_a_distribution_that_is_not_installed_says_what_to_install(name):
    """A catalog of nobody's plugins: nothing is installed."""
    domain = name.partition("/")[0]
    with pytest.raises(LookupError, match=f"not installed: python -m pip install guerdon-{domain}$"):
        Catalog([]).find("rewards", name)


def test_a_wrong_name_of_an_installed_distribution_gets_the_nearest_instead():
    catalogued = Catalog([])
    with pytest.raises(LookupError) as found:
        catalogued.find("rewards", "shop/right")
    assert "pip install" not in str(found.value)
    pytest.importorskip("guerdon_sql")
    with pytest.raises(LookupError, match=r"Did you mean 'sql/execution-v1'\?$"):
        catalog().find("rewards", "sql/exection-v1")


def test_what_a_fresh_one_pays_nothing_for_is_not_offered_to_an_audit():
    """Every multiplier of `constrained` starts at 0: its run can be audited, and its components."""
    recipe, command = describe(catalog().find("rewards", "constrained")).use
    assert recipe.startswith("reward: {use: constrained,")
    assert command == "guerdon audit RUN  # of a run that trained on it; before, audit each component by itself"
