"""Files become examples, examples prompts, and the splits share no tool."""

import json

import pytest
from pydantic import ValidationError

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_loaders import NO_TOOL_SERVES, bfcl_examples, jsonl_examples
from guerdon_code.tool_prompts import Piece, chat_prompt, completion, user_text
from guerdon_code.tool_rewards import Correctness, Format, toolrl
from guerdon_code.tool_splits import components, part
from guerdon_code.tool_tasks import ToolCallLines, ToolCalls


def tool(name, **properties):
    schema = {"type": "dict", "properties": properties, "required": [key for key in properties if key != "unit"]}
    return {"name": name, "description": f"About {name}.", "parameters": schema}


def question(number, name, words=None):
    asked = [[{"role": "user", "content": words or f"Question {number} about {name}?"}]]
    return {
        "id": f"simple_{number}",
        "question": asked,
        "function": [tool(name, x={"type": "float"}, unit={"type": "tuple"}, odd={"type": ""})],
    }


def answer(number, name, **options):
    return {"id": f"simple_{number}", "ground_truth": [{name: options}]}


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """Eight questions about eight tools whose names have dots, and four about which nothing is to be called."""
    names = [f"math.f{number}" for number in range(8)]
    write(tmp_path / "BFCL_v4_simple_python.json", [question(n, name) for n, name in enumerate(names)])
    truth = [answer(n, name, x=[n, n + 0.5], unit=["", "m"], odd=["", 7]) for n, name in enumerate(names)]
    write(tmp_path / "possible_answer" / "BFCL_v4_simple_python.json", truth)
    unasked = [question(n, f"other{n}") | {"id": f"irrelevance_{n}"} for n in range(4)]
    write(tmp_path / "BFCL_v4_irrelevance.json", unasked)
    return tmp_path


def bfcl(folder, **options):
    return ToolCalls(root=str(folder), kinds=("simple_python", "irrelevance"), **options)


def test_gold_is_the_first_accepted_value_and_what_may_be_left_out_is(folder):
    """`odd` is required, so its first value that is one."""
    first = bfcl_examples(folder, "simple_python")[3]
    assert json.loads(first.calls[0]) == {"name": "math.f3", "parameters": {"x": 3, "odd": 7}}
    assert json.loads(first.accepted[0]) == {"x": [3, 3.5], "unit": ["", "m"], "odd": ["", 7]}
    assert (first.tools, first.kind, first.layout) == (("math.f3",), "simple_python", "call")


def test_where_nothing_serves_gold_says_so(folder):
    first = bfcl_examples(folder, "irrelevance")[0]
    assert (first.calls, first.response, first.layout) == ((), NO_TOOL_SERVES, "response")


def test_the_newest_version_of_a_kind_is_read(folder):
    write(folder / "BFCL_v10_irrelevance.json", [question(0, "newest")])
    assert bfcl_examples(folder, "irrelevance")[0].tools == ("newest",)


def test_a_folder_makes_a_task_whose_references_earn_the_top(folder):
    task = bfcl(folder)
    check_task(task, Format())
    for split in ("train", "eval"):
        for example in task.examples(split):
            score = toolrl()(Rollout.of(example, task.reference(example)))
            assert score.value == (4.0 if example.calls else 1.0)
            for metric in task.metrics().values():
                assert metric(Rollout.of(example, task.reference(example))).value == 1.0


def test_the_splits_share_no_tool_and_another_seed_parts_otherwise(folder):
    task = bfcl(folder)
    sides = [{name for each in task.examples(split) for name in each.tools} for split in ("train", "eval")]
    assert sides[0].isdisjoint(sides[1])
    assert (len(task.examples("train")), len(task.examples("eval"))) == (9, 3)

    def held_out(seed):
        return [example.id for example in bfcl(folder, seed=seed).examples("eval")]

    assert held_out(0) == held_out(0)
    assert len({tuple(held_out(seed)) for seed in range(6)}) > 1


def test_a_limit_takes_the_first_of_each_split(folder):
    task, whole = bfcl(folder, limit=2), bfcl(folder)
    for split in ("train", "eval"):
        assert list(task.examples(split)) == list(whole.examples(split)[:2])


def turns(*tools_and_words):
    return [ToolExample(id=str(n), user=words, tools=tuple(tools)) for n, (tools, words) in enumerate(tools_and_words)]


def test_examples_hang_together_by_tools_and_by_what_is_asked():
    examples = turns(("ab", "1"), ("c", "2"), ("bd", "3"), ("e", "2 "), ("f", "4"), ("d", "5"))
    assert components(examples, "tools") == [[0, 2, 5], [1, 3], [4]]
    assert components(examples, "examples") == [[0], [1, 3], [2], [4], [5]]


def test_a_component_that_does_not_fit_stays_in_train():
    examples = turns(*[("a", str(n)) for n in range(6)], ("b", "7"), ("c", "8"))
    parted = part(examples, eval_share=0.25, seed=0)
    assert {example.tools for example in parted.eval} == {("b",), ("c",)}


@pytest.mark.parametrize(("count", "share", "held_out"), [(100, 0.29, 29), (30, 0.1, 3), (10, 0.25, 2)])
def test_a_share_is_rounded_down_and_not_by_how_floats_are_written(count, share, held_out):
    """0.29 * 100 is a hair below 29."""
    parted = part(turns(*(([str(n)], str(n)) for n in range(count))), eval_share=share, seed=0)
    assert len(parted.eval) == held_out


def test_examples_that_cannot_be_parted_say_how_they_could(folder):
    rows = [question(n, "same") | {"id": f"irrelevance_{n}"} for n in range(8)]
    for n, row in enumerate(rows):
        row["question"][0][0]["content"] = f"Asked {n}"
    write(folder / "BFCL_v4_irrelevance.json", rows)
    alone = {"root": str(folder), "kinds": ("irrelevance",)}
    with pytest.raises(TaskError, match=r'cannot be parted.*set apart="examples"'):
        ToolCalls(**alone).examples("train")
    assert len(ToolCalls(**alone, apart="examples").examples("eval")) == 2


def test_the_prompt_has_tools_steps_layout_and_the_record(folder):
    task = bfcl(folder)
    system, user = task.prompt(task.examples("train")[0]).messages
    name = task.examples("train")[0].tools[0]
    assert (system.role, user.role) == ("system", "user")
    assert f"1. Name: {name}\nDescription: About {name}.\nParameters: {{" in system.content
    assert '"type": "tuple"' in system.content
    for piece in ("Steps of each turn:\n1. Think", "<tool_call>\n{", "Notes:\n1. "):
        assert piece in system.content
    assert user.content.startswith("Record of the dialogue:\n<user> Question")


def test_a_dialogue_shows_whose_each_piece_is():
    record = [Piece("user", "a"), Piece("tool_call", "{}\n{}"), Piece("obs", "b"), Piece("response", "c")]
    assert user_text(record).split("\n", 1)[1] == (
        "<user> a </user>\n<tool_call>\n{}\n{}\n</tool_call>\n<obs> b </obs>\n<response> c </response>"
    )


# -- what is wrong with a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("live_relevance", r"kind 'live_relevance' has no gold calls: '.*possible_answer.*' is not there"),
        ("simple", r"no questions of kind 'simple' in '.*'; it has the kinds irrelevance, live_relevance, simple_pyt"),
    ],
)
def test_a_kind_that_cannot_be_used_says_why(folder, kind, said):
    write(folder / "BFCL_v4_live_relevance.json", [question(0, "f")])
    with pytest.raises(TaskError, match=said):
        ToolCalls(root=str(folder), kinds=(kind,)).examples("train")


def edited(change):
    row = question(0, "f")
    change(row)
    return row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            edited(lambda row: row.pop("id")),
            "line 1: field 'id' is missing; the row has question, function; a text is needed",
        ),
        (edited(lambda row: row.update(question=[[], []])), r"field 'question' is \[\[\], \[\]\]; a list of one turn"),
        (edited(lambda row: row.update(question=[[3]])), "objects with role and content"),
        (edited(lambda row: row["question"][0][0].update(role="bot")), "a role .system, user, assistant, tool."),
        (edited(lambda row: row.update(function={})), r"field 'function' is \{\}; a list of tools"),
        (edited(lambda row: row.update(function=[{}])), r"each an object with a name"),
    ],
)
def test_a_broken_question_is_named_by_its_line_and_field(folder, row, said):
    write(folder / "BFCL_v4_irrelevance.json", [row])
    with pytest.raises(TaskError, match=said):
        bfcl_examples(folder, "irrelevance")


@pytest.mark.parametrize(
    "truth", [[], {}, [[]], [{"f": {"x": 1}}], [{"f": [1]}], [{"f": {"x": [1]}, "g": {"x": [1]}}], None]
)
def test_a_broken_answer_says_what_is_needed(folder, truth):
    write(folder / "possible_answer" / "BFCL_v4_simple_python.json", [{"id": "simple_0", "ground_truth": truth}])
    with pytest.raises(TaskError, match=r"line 1: field 'ground_truth' is .*; a list of {function: {parameter: "):
        bfcl_examples(folder, "simple_python")


def test_a_question_without_an_answer_is_named(folder):
    write(folder / "possible_answer" / "BFCL_v4_simple_python.json", [answer(1, "math.f1", x=[1])])
    with pytest.raises(TaskError, match=r"BFCL_v4_simple_python.json', line 1: '.*possible_answer.*' has no answer"):
        bfcl_examples(folder, "simple_python")


def test_an_id_that_comes_twice_names_both_places(folder):
    write(folder / "BFCL_v4_irrelevance.json", [question(0, "f"), question(0, "g")])
    with pytest.raises(TaskError, match=r"line 2: the id 'simple_0' is taken by .* line 1; ids must differ"):
        bfcl_examples(folder, "irrelevance")


def test_two_kinds_must_not_share_an_id(folder):
    write(folder / "BFCL_v4_irrelevance.json", [question(0, "f")])
    with pytest.raises(TaskError, match="the kinds 'simple_python' and 'irrelevance' share the id 'simple_0'"):
        bfcl(folder).examples("train")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ToolCalls(), "root of code/tool-calls-v1 is empty"),
        (lambda: ToolCalls(root="x", kinds=()), r"kinds is \(\); one or more"),
        (lambda: ToolCalls(root="x", eval_share=1.0), "eval_share is 1.0; a number above 0 and below 1"),
        (lambda: ToolCalls(root="x", apart="files"), "apart is 'files'; accepted are 'tools', 'examples'"),
        (lambda: ToolCalls(root="x", limit=0), "limit is 0; a whole number >= 1"),
        (lambda: ToolCallLines(), "path of code/tool-calls-jsonl-v1 is empty"),
    ],
)
def test_a_wrong_option_is_refused_at_the_start(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_root_or_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TaskError, match="which is not a folder"):
        ToolCalls(root=str(tmp_path / "nowhere")).examples("train")
    (tmp_path / "near.jsonl").write_text("")
    with pytest.raises(TaskError, match=r"no examples at '.*far\.jsonl'; that folder has near\.jsonl"):
        ToolCallLines(path=str(tmp_path / "far.jsonl")).examples("train")


# -- JSON lines --------------------------------------------------------------------------------------------------------


def line(number, **fields):
    row = {
        "tools": [tool(f"t{number}", x={})],
        "messages": [{"role": "user", "content": f"Ask {number}"}],
        "calls": [{"name": f"t{number}", "parameters": {"x": number}}],
    }
    return row | fields


def test_a_line_has_tools_messages_calls_and_a_response(tmp_path):
    path = tmp_path / "turns.jsonl"
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ask"},
        {"role": "assistant", "calls": [{"name": "t0", "parameters": {}}]},
        {"role": "tool", "content": "7"},
    ]
    write(
        path,
        [line(0, messages=messages, response="It is 7."), line(1, id="mine", kind="hard", accepted=[{"x": [1, 2]}])],
    )
    first, second = jsonl_examples(path)
    assert (first.id, second.id, second.kind, first.layout) == ("turns-0", "mine", "hard", "both")
    assert first.system.endswith("\n\nBe brief.")
    assert first.user.endswith('<tool_call>\n{"name": "t0", "parameters": {}}\n</tool_call>\n<obs> 7 </obs>')
    text = completion(second).replace('"x": 1', '"x": 2')
    assert Correctness(accept="any")(Rollout.of(second, text)).value == 3.0


def test_rows_as_the_authors_release_them_are_read(tmp_path):
    """Their thoughts speak of the tags now and then; gold is what follows them."""
    path = tmp_path / "rlla.json"
    output = '<think> I use <tool_call> </think>\n<tool_call>\n{"name": "Get it", "parameters": {}}\n</tool_call>'
    system = "**Available Tools**\n1. Name: Get it\nDescription: x\nParameters: {}\n2. Name: Other\n"
    rows = [
        {"instruction": system, "input": "<user> a </user>", "output": output},
        {
            "instruction": "No tools",
            "input": "<user> b </user>",
            "output": "<think> . </think>\n<response> Hi </response>",
        },
    ]
    path.write_text(json.dumps(rows))
    first, second = jsonl_examples(path)
    assert (first.tools, first.calls, first.layout) == (
        ("Get it", "Other"),
        ('{"name": "Get it", "parameters": {}}',),
        "call",
    )
    assert (second.response, second.layout) == ("Hi", "response")
    assert chat_prompt(first).messages[0].content == system


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (line(0, calls=[{"name": "t0"}]), "line 1: field 'calls' is .*; a list of calls"),
        (line(0, calls={}), r"field 'calls' is \{\}; a list of calls"),
        (line(0, calls=[{"name": 1, "parameters": {}}]), "a list of calls"),
        (line(0, calls=[{"name": "t0", "parameters": {"x": float("nan")}}]), "has a value that is no JSON"),
        (line(0, messages=[]), r"field 'messages' is \[\]; a list of messages"),
        (line(0, response=3), "field 'response' is 3; a text"),
        (line(0, response="a </response> b"), "field 'response': .*holds the tag </response>"),
        (line(0, accepted=[3]), "field 'accepted' is .3.; a list of"),
        (line(0, accepted=[{}, {}]), "accepted has 2 entries for 1 gold calls"),
        (line(0, accepted=[{"x": 3}]), "entry 1 of accepted is not a mapping of parameters to lists"),
        ({"output": "x", "instruction": ""}, "field 'instruction' is ''; a text"),
        ({"output": "<tool_call>\nx\n</tool_call>"}, "field 'output' holds no calls that can be read: line 1"),
    ],
)
def test_a_broken_line_is_named_by_its_field(tmp_path, row, said):
    path = tmp_path / "turns.jsonl"
    write(path, [row])
    with pytest.raises(TaskError, match=said):
        jsonl_examples(path)


def test_one_file_is_parted_and_two_files_must_not_share(tmp_path):
    write(tmp_path / "a.jsonl", [line(number) for number in range(8)])
    task = ToolCallLines(path=str(tmp_path / "a.jsonl"))
    assert (len(task.examples("train")), len(task.examples("eval"))) == (6, 2)
    check_task(task, Correctness())
    write(tmp_path / "b.jsonl", [line(number, id=f"b{number}") for number in range(8, 10)])
    two = ToolCallLines(path=str(tmp_path / "a.jsonl"), eval_path=str(tmp_path / "b.jsonl"))
    assert (len(two.examples("train")), len(two.examples("eval"))) == (8, 2)
    write(tmp_path / "b.jsonl", [line(3, id="b3")])
    again = ToolCallLines(path=str(tmp_path / "a.jsonl"), eval_path=str(tmp_path / "b.jsonl"))
    with pytest.raises(TaskError, match="share 1 examples by their 'user'"):
        again.examples("train")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"calls": ("{",)}, "gold call 1 is not JSON"),
        ({"calls": ('{"name": "f", "parameters": {"x": NaN}}',)}, "holds NaN"),
        ({"calls": ('{"name": "f", "parameters": {}, "id": 1}',)}, "has members beside name and parameters"),
        ({"calls": ('{"name": "</tool_call>", "parameters": {}}',)}, "holds a line break or a tag"),
        ({"calls": ('{"name": "f",\n"parameters": {}}',)}, "holds a line break or a tag"),
        ({"response": "<think>"}, "holds the tag <think>"),
    ],
)
def test_gold_that_could_not_earn_the_top_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        ToolExample(id="1", **fields)


def test_a_name_that_looks_like_a_tag_is_no_trouble():
    gold = ToolExample(id="1", calls=('{"name": "\\u003c/think>\\n", "parameters": {"a": "\\u003ctool_call>"}}',))
    scores = Context().scores(toolrl(), [Group.of([Rollout.of(gold, completion(gold))])])
    assert scores[0][0].value == 4.0
