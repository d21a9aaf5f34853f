"""The worked examples of ToolRL's fact sheet, by number, and what every reward promises."""

import json
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.conformance import check_is_a_value, check_reward, hostile_texts
from guerdon.errors import ConfigError
from guerdon.protocols import Task
from guerdon.rewards import Context
from guerdon.types import Example, Group, Prompt, Rollout
from guerdon_code.tool_claim import ADVANTAGE
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_prompts import chat_prompt, completion, turn
from guerdon_code.tool_rewards import Correctness, ExactCalls, Format, NoCall, ThoughtLength, toolrl
from guerdon_code.tool_schedules import SCHEDULES


def call(name, **parameters):
    return json.dumps({"name": name, "parameters": parameters})


def example(*calls, response="", **fields):
    return ToolExample(id="1", user="?", calls=calls, response=response, **fields)


def written(*lines, response=""):
    layout = ("both" if response else "call") if lines else "response"
    return turn("so", lines, response, layout)


def score_at(step, reward, gold, text):
    return Context(step, 600).scores(reward, [Group.of([Rollout.of(gold, text)])])[0][0]


def earned(gold, text, **options):
    """(format, correctness) of the total."""
    score = score_at(0, toolrl(**options), gold, text)
    parts = score.parts["format"].value, score.parts["correctness"].value
    assert score.value == pytest.approx(sum(parts))
    return pytest.approx(parts)


WEATHER = example(call("get_weather", city="Oslo", unit="C"))
RIGHT = call("get_weather", city="Oslo", unit="C")


# -- worked examples -------------------------------------------------------------------------------------------------


def test_example_1_an_exact_call_earns_both():
    assert earned(WEATHER, written(RIGHT)) == (1, 3)


def test_example_2_a_wrong_value_costs_a_quarter():
    """S = 1 + 1 + 1 of 4."""
    assert earned(WEATHER, written(call("get_weather", city="Oslo", unit="F"))) == (1, 1.5)


def test_example_3_a_missing_parameter_costs_its_key_too():
    """S = 1 + 1/2 + 1 of 4."""
    assert earned(WEATHER, written(call("get_weather", city="Oslo"))) == (1, 0.75)


def test_example_4_an_extra_parameter_costs_a_third_of_the_keys():
    """S = 1 + 2/3 + 2 of 4."""
    assert earned(WEATHER, written(call("get_weather", city="Oslo", unit="C", lang="en"))) == (1, 2.5)


def test_example_5_another_tool_earns_the_minimum():
    assert earned(WEATHER, written(call("get_news", city="Oslo", unit="C"))) == (1, -3)


def test_example_6_keys_without_quotes_earn_the_minimum():
    assert earned(WEATHER, written("{name: get_weather, parameters: {city: Oslo, unit: C}}")) == (1, -3)


def test_example_7_tags_without_line_breaks_cost_the_layout_alone():
    assert earned(WEATHER, f"<think> so </think><tool_call>{RIGHT}</tool_call>") == (0, 3)


def test_example_8_a_second_call_costs_half_the_names_and_silence_all():
    """S = 1/2 + 1 + 2 of 4."""
    assert earned(WEATHER, written(RIGHT, RIGHT)) == (1, 2.25)
    assert earned(WEATHER, "") == (0, -3)


def test_example_9_greedy_and_optimal_matching_differ():
    """Greedy 1 + (.5 + 1) + (.5 + 0) = 3 of 6; optimal 1 + (1 + 0) + (1 + 2) = 5 of 6."""
    gold = example(call("f", x=1), call("f", x=1, y=2))
    said = written(call("f", x=1, y=2), call("f", x=9))
    assert earned(gold, said) == (1, 0)
    assert earned(gold, said, assignment="optimal") == (1, 2)


def test_example_10_the_order_of_calls_is_free_and_a_missing_one_is_not():
    """Only A: S = 1/2 + 1 + 1 of 5."""
    gold = example(call("A", city="Oslo"), call("B", tz="CET"))
    assert earned(gold, written(call("B", tz="CET"), call("A", city="Oslo"))) == (1, 3)
    assert earned(gold, written(call("A", city="Oslo"))) == (1, 0)


def test_example_11_a_call_without_parameters():
    """ping{x: 1}: S = 1 + 0 of 2."""
    gold = example(call("ping"))
    assert earned(gold, written(call("ping"))) == (1, 3)
    assert earned(gold, written(call("ping", x=1))) == (1, 0)


def test_example_12_gold_that_calls_nothing_judges_the_layout_alone():
    gold = example(response="Hello")
    assert earned(gold, written(response="Anything")) == (1, 0)
    assert earned(gold, written(RIGHT)) == (0, 0)


def test_example_13_values_are_compared_as_python_has_them_unless_told_otherwise():
    """ "1" against 1: S = 1 + 1 + 0 of 3."""
    gold = example(call("f", x=1))
    assert earned(gold, written(call("f", x=True))) == (1, 3)
    assert earned(gold, written(call("f", x="1"))) == (1, 1)
    assert earned(gold, written(call("f", x=True)), values="typed") == (1, 1)
    assert earned(gold, written(call("f", x=1.0)), values="typed") == (1, 1)
    assert earned(gold, written(call("f", x=1.0)), values="json") == (1, 3)


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [("finegrained", (1.5, 0, -3)), ("intermediate", (0, 0, -3)), ("coarse", (-3, -3, -3))],
)
def test_example_14_coarser_credit(granularity, expected):
    said = [
        call("get_weather", city="Oslo", unit="F"),
        call("get_weather", city="Oslo"),
        call("x", city="Oslo", unit="C"),
    ]
    found = [earned(WEATHER, written(line), granularity=granularity) for line in said]
    assert found == [(1, value) for value in expected]
    assert earned(WEATHER, written(RIGHT), granularity=granularity) == (1, 3)


@pytest.mark.parametrize(
    ("said", "default", "finegrained", "intermediate", "coarse"),
    [
        # an extra parameter: 1 + 2/3 + 2 of 4; 1 + 0 + 2 of 4; 1 + 0 of 2
        ([call("get_weather", city="Oslo", unit="C", lang="en")], 2.5, 1.5, 0, -3),
        # the right call twice: 1/2 + 3 of 4; 0 + 3 of 4; 1/2 + 1 of 2
        ([RIGHT, RIGHT], 2.25, 1.5, 1.5, -3),
        # with another tool's before it: the same, since order counts only where lists are compared whole
        ([call("ping"), RIGHT], 2.25, 1.5, 1.5, -3),
    ],
)
def test_coarser_credit_for_too_much(said, default, finegrained, intermediate, coarse):
    expected = {"default": default, "finegrained": finegrained, "intermediate": intermediate, "coarse": coarse}
    for granularity, value in expected.items():
        assert earned(WEATHER, written(*said), granularity=granularity) == (1, value), granularity


@pytest.mark.parametrize(
    ("granularity", "swapped", "alone"),
    [
        ("finegrained", 1.8, -0.6),  # 0 + 2 + 2 of 5; 0 + 2 of 5
        ("intermediate", 3, 0),  # 1 + 1 + 1 of 3; 1/2 + 1 of 3
        ("coarse", -3, -3),
    ],
)
def test_coarser_credit_for_two_calls_swapped_or_one_left_out(granularity, swapped, alone):
    one, other = call("A", city="Oslo"), call("B", tz="CET")
    gold = example(one, other)
    assert earned(gold, written(other, one), granularity=granularity) == (1, swapped)
    assert earned(gold, written(one), granularity=granularity) == (1, alone)


@pytest.mark.parametrize(
    ("step", "layout", "correctness"),
    [(0, (-2, 2), (-2, 2)), (75, (-1, 1.5), (-2.5, 2.5)), (150, (-1, 1), (-3, 3)), (9999, (-1, 1), (-3, 3))],
)
def test_example_15_the_smooth_schedule_reads_the_contexts_step(step, layout, correctness):
    reward = toolrl(schedule="smooth")
    worst, best = score_at(step, reward, WEATHER, ""), score_at(step, reward, WEATHER, written(RIGHT))
    assert (worst.parts["format"].value, best.parts["format"].value) == pytest.approx(layout)
    assert (worst.parts["correctness"].value, best.parts["correctness"].value) == pytest.approx(correctness)


def test_example_15_half_the_words_earn_half_the_length():
    text = f"<think>{'word ' * 256}</think>"
    assert score_at(0, ThoughtLength(), WEATHER, text).value == 0.5


def test_example_16_advantages_of_a_group():
    """(R - .75) / (2.871410 + 1e-6), the std over n - 1."""
    found = ADVANTAGE.centred([4.0, 1.0, 1.0, -3.0])
    assert found == pytest.approx([1.131504, 0.087039, 0.087039, -1.305582], abs=1e-6)


# -- pitfalls, as the sheet lists them -------------------------------------------------------------------------------


def test_a_tag_mentioned_in_the_thoughts_breaks_the_layout_and_the_block():
    """The first opening tag begins the block, and what follows it there is no call."""
    assert earned(WEATHER, written(RIGHT).replace("so", "I use <tool_call>")) == (0, -3)


def test_junk_before_a_second_closing_of_the_thoughts_passes():
    assert earned(WEATHER, written(RIGHT).replace("</think>", "</think> junk </think>")) == (1, 3)


@pytest.mark.parametrize(
    "block",
    [
        f"{RIGHT}\n\n{RIGHT}",
        json.dumps(json.loads(RIGHT), indent=1),
        '{"name": "get_weather", "parameters": ["Oslo", "C"]}',
        '{"name": "get_weather"}',
    ],
    ids=["a blank line", "pretty-printed", "parameters that are a list", "no parameters"],
)
def test_a_block_that_is_not_one_call_a_line_earns_the_minimum_and_keeps_its_layout(block):
    assert earned(WEATHER, written(block)) == (1, -3)


def test_keys_are_compared_with_their_case():
    """`City` for `city`: S = 1 + 1/3 + 1 of 4."""
    assert earned(WEATHER, written(call("get_weather", City="Oslo", unit="C"))) == (1, 0.5)


def test_of_a_parameter_given_twice_the_last_one_counts():
    pairs = '"city": "Rome", "city": "Oslo", "unit": "C"'
    assert earned(WEATHER, written(f'{{"name": "get_weather", "parameters": {{{pairs}}}}}')) == (1, 3)


def test_a_name_may_have_spaces():
    gold = example(call("Get the weather", city="Oslo"))
    assert earned(gold, written(call("Get the weather", city="Oslo"))) == (1, 3)


@pytest.mark.parametrize("written_out", ["NaN", "Infinity", "[NaN]"])
def test_what_is_no_number_equals_nothing(written_out):
    """S = 1 + 1 + 0 of 3."""
    line = f'{{"name": "f", "parameters": {{"x": {written_out}}}}}'
    assert earned(example(call("f", x=1)), written(line)) == (1, 1)


def test_guessing_each_of_six_values_still_pays_and_reporting_sees_through_it():
    """S = 1/6 + 1 + 1 of 3, so 6 * 13/18 - 3: the published reward takes no more than the names' share."""
    gold = example(call("f", x=4))
    guesses = written(*(call("f", x=value) for value in range(6)))
    assert earned(gold, guesses) == (1, pytest.approx(4 / 3))
    assert score_at(0, ExactCalls(), gold, guesses).value == 0.0


def test_gold_with_calls_and_words_asks_for_both_and_gold_with_neither_for_thoughts():
    both, neither = example(RIGHT, response="Done"), example()
    assert earned(both, written(RIGHT, response="Other words")) == (1, 3)
    assert earned(both, written(RIGHT)) == (0, 3)
    assert earned(both, written(response="Done")) == (0, -3)
    assert earned(neither, "<think> so </think>") == (1, 0)
    assert earned(neither, written(RIGHT)) == (0, 0)


# -- variants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "layout", "correctness"), [(0, (0, 1), (-1, 1)), (29, (0, 1), (-1, 1)), (30, (0, 0.5), (-3, 3))]
)
def test_two_stages_first_teach_the_layout(step, layout, correctness):
    reward = toolrl(schedule="two_stage")
    worst, best = score_at(step, reward, WEATHER, ""), score_at(step, reward, WEATHER, written(RIGHT))
    assert (worst.parts["format"].value, best.parts["format"].value) == layout
    assert (worst.parts["correctness"].value, best.parts["correctness"].value) == correctness


def test_the_printed_smooth_schedule_differs_where_the_layout_is_broken():
    """p = 0.5: [-2 + p, 2 - p], not [-2 + 2p, 2 - p]; correctness is the same, [-2 - p, 2 + p]."""
    for step in (0, 75, 150, 9999):
        for text in ("", written(RIGHT)):
            printed, released = (Correctness(schedule=schedule) for schedule in ("smooth_printed", "smooth"))
            assert score_at(step, printed, WEATHER, text).value == score_at(step, released, WEATHER, text).value
    assert score_at(75, Format(schedule="smooth_printed"), WEATHER, written(RIGHT)).value == 1.5
    assert score_at(75, Format(schedule="smooth_printed"), WEATHER, "").value == -1.5
    assert score_at(75, Format(schedule="smooth"), WEATHER, "").value == -1.0
    assert score_at(9999, Format(schedule="smooth_printed"), WEATHER, "").value == -1.0


def test_a_schedule_can_be_as_long_as_the_run():
    assert score_at(5, Correctness(schedule="smooth", steps=10), WEATHER, written(RIGHT)).value == 2.5
    assert score_at(10, Correctness(schedule="two_stage", steps=10), WEATHER, written(RIGHT)).value == 3.0
    parts = score_at(5, toolrl(schedule="smooth", steps=10), WEATHER, written(RIGHT)).parts
    assert (parts["format"].value, parts["correctness"].value) == (1.5, 2.5)


def test_equal_max_puts_correctness_on_the_scale_of_the_layout():
    """Example 2 has S = 3 of 4: 2 * 0.75 - 1."""
    said = written(call("get_weather", city="Oslo", unit="F"))
    assert earned(WEATHER, said, correctness_max=1.0) == (1, 0.5)
    assert toolrl(correctness_max=1.0).bounds == (-1.0, 2.0)


@pytest.mark.parametrize(("step", "value"), [(0, 0.67), (105, 0.4), (210, round(256 / 896, 2))])
def test_the_dynamic_length_asks_for_more_as_the_run_goes_on(step, value):
    """256 words of 384, of 640, and of 896."""
    assert score_at(step, ThoughtLength("dynamic"), WEATHER, f"<think>{'w ' * 256}</think>").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0.0),
        ("<think>" + "w " * 600, 0.0),
        ("w " * 600 + "</think>", 0.0),
        ("<think></think>" + "w " * 600, 0.0),
        ("<think>" + "w " * 300 + "</think>", 0.59),  # 0.5859
        ("<think>" + "w\n\t" * 512 + "</think>", 1.0),
        ("<think>" + "w " * 600 + "</think>", 1.0),
    ],
)
def test_length_ends_at_one_and_needs_its_tags(text, value):
    assert score_at(0, ThoughtLength(), WEATHER, text).value == value


def test_the_total_with_length_adds_up():
    text = turn("w " * 256, [RIGHT], "", "call")
    score = score_at(0, toolrl(length="fixed"), WEATHER, text)
    assert score.value == 4.5
    assert {name: part.value for name, part in score.parts.items()} == {"format": 1, "correctness": 3, "length": 0.5}
    assert toolrl(length="fixed").bounds == (-3.0, 5.0)


def test_other_accepted_values_are_right_only_on_request():
    """Gold Oslo, C. Accepted as well: celsius, no unit, and a language."""
    accepted = {"city": ["Oslo", "Oslo, Norway"], "unit": ["C", "celsius", ""], "lang": ["", "en"]}
    gold = example(RIGHT, accepted=(json.dumps(accepted),))
    for line in (
        call("get_weather", city="Oslo, Norway", unit="celsius"),
        call("get_weather", city="Oslo"),
        call("get_weather", city="Oslo", unit="C", lang="en"),
    ):
        for granularity in ("default", "finegrained", "intermediate", "coarse"):
            assert earned(gold, written(line), accept="any", granularity=granularity) == (1, 3)
        assert score_at(0, Correctness(), gold, written(line)).value < 3
        assert score_at(0, ExactCalls(), gold, written(line)).value == 1
        assert score_at(0, ExactCalls(accept="gold"), gold, written(line)).value == 0
    wrong = written(call("get_weather", city="Rome", lang="en"))  # 1 + 1 + 1 of 4, once put in gold's words
    assert earned(gold, wrong, accept="any") == (1, 1.5)


@pytest.mark.parametrize(
    ("text", "value"), [("", 0), (written(response="No"), 0), (written(RIGHT), -1), ("<tool_call>", -1)]
)
def test_a_needless_call_costs_a_point_where_that_is_asked_for(text, value):
    gold = example(response="Hello")
    assert score_at(0, NoCall(), gold, text).value == value
    assert score_at(0, NoCall(), WEATHER, text).value == 0
    total = toolrl() + NoCall()
    assert score_at(0, total, gold, text).value == score_at(0, toolrl(), gold, text).value + value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (written(RIGHT, call("ping")), 1),
        (written(call("ping"), RIGHT), 1),
        (written(RIGHT), 0),
        (written(RIGHT, call("ping"), call("ping")), 0),
        ("", 0),
    ],
)
def test_exact_calls_come_in_any_order_and_no_more_of_them(text, value):
    assert score_at(0, ExactCalls(), example(RIGHT, call("ping")), text).value == value


def test_exact_calls_are_matched_whichever_way_all_of_them_fit():
    """The first gold call accepts 1 and 2, the second 1 alone: the first must not take the 1."""
    gold = example(call("f", x=1), call("f", x=1), accepted=('{"x": [1, 2]}', '{"x": [1]}'))
    for said in (written(call("f", x=1), call("f", x=2)), written(call("f", x=2), call("f", x=1))):
        assert score_at(0, ExactCalls(), gold, said).value == 1
    assert score_at(0, ExactCalls(), gold, written(call("f", x=2), call("f", x=2))).value == 0


def test_a_call_with_members_beside_name_and_parameters_is_not_exact():
    assert score_at(0, ExactCalls(), WEATHER, written(RIGHT[:-1] + ', "id": 1}')).value == 0


def test_exactly_no_call_where_gold_has_none():
    assert score_at(0, ExactCalls(), example(response="Hello"), "whatever").value == 1
    assert score_at(0, ExactCalls(), example(response="Hello"), written(RIGHT)).value == 0


# -- evidence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        (written(RIGHT), "ok", "as gold (default)"),
        ("", "rejected", "no <tool_call>"),
        (written("{"), "rejected", "line 1 of the block is not JSON"),
        (
            written(call("get_weather", city="Rome", lang="en")),
            "fail",
            "'get_weather' lacks 'unit', adds 'lang', differs",
        ),
        (written(call("news")), "fail", "nothing for gold's 'get_weather'; 0 of 4 (default, greedy)"),
        (written(RIGHT, RIGHT), "fail", "2 calls, gold has 1; names agree by 0.5; 3.5 of 4"),
    ],
)
def test_a_score_says_what_was_missed(text, status, why):
    score = score_at(0, Correctness(), WEATHER, text)
    assert score.status == status
    assert score.why.startswith(why)


def test_what_is_accepted_is_not_told_as_missed():
    """Another word for the city and no unit, both accepted; only the language is wrong: 1 + 2/3 + 2 of 4."""
    accepted = {"city": ["Oslo", "Oslo, Norway"], "unit": ["C", ""], "lang": ["en", ""]}
    gold = example(RIGHT, accepted=(json.dumps(accepted),))
    score = score_at(0, Correctness(accept="any"), gold, written(call("get_weather", city="Oslo, Norway", lang="no")))
    assert score.why == "'get_weather' adds 'lang'; 3.667 of 4 (default, greedy)"


def test_the_layouts_fault_is_said():
    score = score_at(0, Format(), WEATHER, f"<think>a</think> {RIGHT}")
    assert (score.value, score.status) == (0.0, "fail")
    assert score.why == "has <tool_call> 0 times, not once (layout: call)"


# -- promises --------------------------------------------------------------------------------------------------------

REWARDS = {
    "total": toolrl(),
    "two stage": toolrl(schedule="two_stage", length="fixed"),
    "smooth": toolrl(schedule="smooth", granularity="finegrained", assignment="optimal", length="dynamic"),
    "smooth printed": toolrl(schedule="smooth_printed", granularity="intermediate", values="typed"),
    "equal max": toolrl(correctness_max=1.0, granularity="coarse", accept="any", values="json"),
    "odd scale": Correctness(low=-0.3, high=0.1, schedule="two_stage"),
    "positive scale": Correctness(low=0.5, high=0.7),
    "no call": NoCall(),
    "exact": ExactCalls(),
}
GOLD = [
    WEATHER,
    example(call("f", x=1), call("f", x=1, y=[1, {"a": None}]), call("g"), response="Done"),
    example(response="Hello"),
    example(),
]
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
some_calls = st.builds(
    lambda name, parameters: json.dumps({"name": name, "parameters": parameters}),
    st.sampled_from(["f", "g", "get_weather", "\ud800"]),
    st.dictionaries(st.sampled_from(["x", "y", "city", "unit"]), values, max_size=4),
)
NO_GOLD = ("\\ud800", "NaN", "Infinity")
tags = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<response>", "</response>", "\n", "{}", "[", '"', " "]
texts = (
    st.text(st.characters())
    | st.lists(st.sampled_from(tags) | some_calls | st.text(max_size=5), max_size=15).map("".join)
    | st.builds(
        turn,
        st.text(),
        st.lists(some_calls | st.text(max_size=5), max_size=5),
        st.text(),
        st.sampled_from(["call", "response", "both", "think"]),
    )
)
steps = st.sampled_from([-1, 0, 1, 29, 30, 75, 149, 150, 151, 10**9])


@pytest.mark.parametrize("name", REWARDS)
@given(text=texts, step=steps, place=st.integers(0, 3))
def test_no_text_raises_or_leaves_the_bounds_and_asked_again_it_earns_the_same(name, text, step, place):
    reward = REWARDS[name]
    low, high = reward.bounds
    score = score_at(step, reward, GOLD[place], text)
    assert low <= score.value <= high
    assert score.scored
    again = score_at(step, pickle.loads(pickle.dumps(reward)), GOLD[place], text)
    assert (again.value, again.status, again.why) == (score.value, score.status, score.why)
    for part in score.parts.values():
        part.why.encode()


@given(text=texts, place=st.integers(2, 3))
def test_without_a_gold_call_the_total_is_the_layouts(text, place):
    assert score_at(0, toolrl(), GOLD[place], text).value == score_at(0, Format(), GOLD[place], text).value


@given(text=texts, place=st.integers(0, 3))
def test_optimal_matching_earns_at_least_what_greedy_earns(text, place):
    greedy, optimal = (
        score_at(0, Correctness(assignment=assignment), GOLD[place], text).value for assignment in ("greedy", "optimal")
    )
    assert optimal >= greedy - 1e-9


@given(
    st.lists(some_calls.filter(lambda line: not any(word in line for word in NO_GOLD)), max_size=4),
    st.sampled_from(["", "Done"]),
)
def test_the_gold_turn_earns_the_top(lines, response):
    gold = example(*lines, response=response)
    for granularity in ("default", "finegrained", "intermediate", "coarse"):
        for assignment in ("greedy", "optimal"):
            reward = toolrl(granularity=granularity, assignment=assignment, values="typed")
            assert score_at(0, reward, gold, completion(gold)).value == (4.0 if lines else 1.0)
    assert score_at(0, ExactCalls(), gold, completion(gold)).value == 1.0


@pytest.mark.parametrize("name", REWARDS)
def test_hostile_texts_inside_and_outside_the_block_are_numbers(name):
    low, high = REWARDS[name].bounds
    for text in hostile_texts():
        for whole in (text, written(text), f"<think>{text}</think>"):
            assert low <= score_at(7, REWARDS[name], GOLD[1], whole).value <= high


@dataclass(frozen=True)
class Two(Task):
    """Two gold turns, each one on either side."""

    name = "two"

    def examples(self, split):
        return [gold.model_copy(update={"id": f"{split}-{number}"}) for number, gold in enumerate(GOLD[:2])]

    def prompt(self, example: Example) -> Prompt:
        return chat_prompt(example)

    def reference(self, example):
        return completion(example)


@pytest.mark.parametrize("reward", [toolrl(), Correctness(), ExactCalls(), Correctness(assignment="optimal")])
def test_the_four_questions_every_reward_answers(reward):
    cheats = ["", "<think></think>\n<tool_call>\n\n</tool_call>", written("{}"), written(call("nothing"))]
    nothing = {"sum": -2.0, "code/tool-exact-v1": 0.0}.get(reward.name, -3.0)
    check_reward(reward, Two(), cheats=cheats, nothing=nothing)


@pytest.mark.parametrize("reward", [Format(), NoCall(), ThoughtLength("dynamic"), *REWARDS.values()])
def test_every_reward_is_a_value_that_sees_one_rollout(reward):
    check_is_a_value(reward)
    assert reward.sees == "rollout"


def test_one_rollout_alone_is_scored_at_step_0():
    rollout = Rollout.of(WEATHER, written(RIGHT))
    assert Correctness(schedule="smooth").score(rollout).value == 2.0
    assert Correctness(schedule="smooth")(rollout).value == 2.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_bounds_are_those_that_a_run_reaches(schedule):
    expected = {
        "constant": ((0, 1), (-3, 3)),
        "two_stage": ((0, 1), (-3, 3)),
        "smooth": ((-2, 2), (-3, 3)),
        "smooth_printed": ((-2, 2), (-3, 3)),
    }[schedule]
    assert (Format(schedule=schedule).bounds, Correctness(schedule=schedule).bounds) == expected


def test_a_task_of_another_kind_is_a_wrong_setting_and_no_bug():
    with pytest.raises(ConfigError, match="scores ToolExample, and the task gives Example '7'"):
        score_at(0, Format(), Example(id="7"), "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: toolrl(granularity="fine"), "granularity is 'fine'; accepted are 'default'"),
        (lambda: toolrl(assignment="best"), "assignment is 'best'; accepted are 'greedy', 'optimal'"),
        (lambda: toolrl(values="strict"), "values is 'strict'; accepted are 'python', 'json', 'typed'"),
        (lambda: toolrl(schedule="linear"), "schedule is 'linear'; accepted are 'constant', 'two_stage'"),
        (lambda: toolrl(length="on"), "length is 'on'; accepted are 'off', 'fixed', 'dynamic'"),
        (lambda: toolrl(accept="all"), "accept is 'all'; accepted are 'gold', 'any'"),
        (lambda: toolrl(correctness_max=0), "correctness_max is 0; a number above 0"),
        (lambda: toolrl(correctness_max=1.0, schedule="smooth"), "the schedule 'smooth' does not heed"),
        (lambda: Correctness(low=3, high=3), "low < high is needed"),
        (lambda: Correctness(high=float("nan")), "high is nan; a finite number is needed"),
        (lambda: Format(steps=-1), "steps is -1; a whole number >= 0"),
        (lambda: ThoughtLength(words=0), "words is 0; a whole number >= 1"),
    ],
)
def test_a_wrong_option_is_refused_at_the_start(make, said):
    with pytest.raises(ConfigError) as caught:
        make()
    assert said in str(caught.value)
