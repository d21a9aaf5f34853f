"""BFCL's own files, found through the environment variable GUERDON_DATA: nothing of them is in this repository."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from guerdon.conformance import check_task
from guerdon.types import Rollout
from guerdon_code.tool_calls import line_of
from guerdon_code.tool_examples import gold_accepted, gold_calls
from guerdon_code.tool_prompts import turn
from guerdon_code.tool_rewards import Correctness, ExactCalls, Format, toolrl
from guerdon_code.tool_tasks import KINDS, ToolCalls
from guerdon_code.tool_values import first_of

ALL_KINDS = (
    *KINDS,
    "live_simple",
    "live_parallel",
    "live_parallel_multiple",
    "simple_java",
    "simple_javascript",
)


@pytest.fixture(scope="module")
def task():
    root = os.environ.get("GUERDON_DATA")
    if not root:
        pytest.skip("GUERDON_DATA does not name the folder of real data")
    folder = Path(root) / "tool_use" / "bfcl"
    if not folder.is_dir():
        pytest.skip(f"no tool_use/bfcl in {root}, which GUERDON_DATA names")
    return ToolCalls(root=str(folder), kinds=ALL_KINDS)


@pytest.fixture(scope="module")
def examples(task):
    return [*task.examples("train"), *task.examples("eval")]


def test_every_row_is_read_and_the_splits_share_no_tool(task, examples):
    assert len(examples) > 1000
    assert {example.kind for example in examples} == set(ALL_KINDS)
    check_task(task, Format())
    tools = [{name for each in task.examples(split) for name in each.tools} for split in ("train", "eval")]
    assert tools[0].isdisjoint(tools[1])
    assert 0.2 < len(task.examples("eval")) / len(examples) <= 0.25


@pytest.mark.parametrize("granularity", ["default", "finegrained", "intermediate", "coarse"])
def test_every_reference_earns_the_top(task, examples, granularity):
    rewards = [toolrl(granularity=granularity), toolrl(assignment="optimal", values="typed", accept="any")]
    for example in examples:
        for reward in rewards:
            score = reward(Rollout.of(example, task.reference(example)))
            assert score.value == (4.0 if example.calls else 1.0), (example.id, score)
        assert ExactCalls()(Rollout.of(example, task.reference(example))).value == 1.0


def changed(example, place, parameters=None, name=None):
    """The gold turn with one call changed."""
    lines = list(example.calls)
    call = gold_calls(example.calls)[place]
    lines[place] = line_of(name or call.name, call.parameters if parameters is None else parameters)
    return Rollout.of(example, turn("so", lines, example.response, example.layout))


def test_each_accepted_value_alone_earns_the_top_where_any_is_accepted(examples):
    checked = 0
    for example in examples:
        for place, (call, options) in enumerate(
            zip(gold_calls(example.calls), gold_accepted(example.accepted), strict=True)
        ):
            for key, values in options.items():
                for value in values:
                    parameters = {name: given for name, given in call.parameters.items() if name != key}
                    if value != "":
                        parameters[key] = first_of([value])[0]
                    rollout = changed(example, place, parameters)
                    assert Correctness(accept="any")(rollout).value == 3.0, (example.id, key, value)
                    assert ExactCalls()(rollout).value == 1.0
                    checked += 1
    assert checked > 5000


def test_dropped_renamed_and_extra_parameters_and_another_name_lower_the_score(examples):
    for example in examples:
        for place, call in enumerate(gold_calls(example.calls)):
            worse = [
                changed(example, place, {**call.parameters, "no such parameter": 1}),
                changed(example, place, name="no.such.tool"),
            ]
            for key in call.parameters:
                rest = {name: value for name, value in call.parameters.items() if name != key}
                worse += [
                    changed(example, place, rest),
                    changed(example, place, rest | {f"{key} ": call.parameters[key]}),
                ]
            for rollout in worse:
                assert Correctness()(rollout).value < 3.0, example.id
                assert Correctness(granularity="coarse")(rollout).value == -3.0


def test_the_whole_original_is_no_other_format(task, tmp_path):
    """A copy as one JSON array reads the same: a loader must not depend on how rows are laid out."""
    source = Path(task.root)
    (tmp_path / "possible_answer").mkdir()
    for path in (source / "BFCL_v4_multiple.json", source / "possible_answer" / "BFCL_v4_multiple.json"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        (tmp_path / path.relative_to(source)).write_text(json.dumps(rows), encoding="utf-8")
    one = replace(task, kinds=("multiple",))
    assert list(one.examples("train")) == list(replace(one, root=str(tmp_path)).examples("train"))
