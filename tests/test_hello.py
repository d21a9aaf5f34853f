"""A whole distribution from outside, installed by pip, is picked up like our own."""

import json
from importlib.metadata import PackageNotFoundError, version

import pytest
from click.testing import CliRunner

from guerdon.cli import main

try:
    version("guerdon-hello")
except PackageNotFoundError:
    pytest.skip("guerdon-hello is not installed: pip install ./examples/guerdon-hello", allow_module_level=True)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_its_reward_and_its_task_are_listed_with_its_name():
    listed = json.loads(run("list", "--json"))
    for kind, name in (("rewards", "hello/greets-v1"), ("tasks", "hello/strangers-v1")):
        (entry,) = [entry for entry in listed[kind] if entry["name"] == name]
        assert entry["distribution"] == "guerdon-hello"
    assert not [problem for problem in listed["problems"] if "hello" in problem["distribution"]]


def test_its_reward_scores_its_task_from_the_command_line():
    """A greeting without the name earns half, by the reward's own rule."""
    scored = run(
        "score",
        "--task",
        "hello/strangers",
        "--reward",
        "hello/greets",
        "--example",
        "ada",
        "--text",
        "Hello!",
        "--json",
    )
    assert json.loads(scored)["score"]["value"] == 0.5


def test_options_reach_its_reward():
    scored = run(
        "score",
        "--task",
        "hello/strangers",
        "--reward",
        "hello/greets[nameless=0.25]",
        "--example",
        "ada",
        "--text",
        "Hi",
        "--json",
    )
    assert json.loads(scored)["score"]["value"] == 0.25
