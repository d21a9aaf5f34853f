"""Prompts, and frames from files in AlphaDrive's row layout."""

import json

import PIL.Image
import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Example
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import format_fault
from guerdon_driving.examples import DrivingExample
from guerdon_driving.filed_tasks import JsonLines
from guerdon_driving.prompts import completion_of, prompt_of
from guerdon_driving.rewards import AlphaDrive, PlanExact

FRAME = DrivingExample(
    id="1",
    image="/frames/1.png",
    speed=12.345,
    navigation="100m: Straight, 200m: Straight",
    solution="<answer> ACCELERATE, STRAIGHT </answer>",
)

# -- prompts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["alphadrive", "short"])
def test_a_prompt_says_all_that_a_plan_needs(layout):
    (message,) = prompt_of(FRAME, layout).messages
    assert "12.3 m/s" in message.content
    assert FRAME.navigation in message.content
    for word in ("<think>", "</think>", "<answer>", "</answer>", *SPEED_ACTIONS, *PATH_ACTIONS):
        assert word in message.content
    assert [image.path for image in message.images] == ["/frames/1.png"]


def test_the_full_prompt_asks_for_three_seconds_and_shows_one_right_format():
    text = prompt_of(FRAME).messages[0].content
    assert "next three seconds" in text
    assert format_fault(text[text.index("<think> reasoning") :]) == ""


def test_the_short_prompt_is_less_than_half_as_long():
    lengths = [len(prompt_of(FRAME, layout).messages[0].content) for layout in ("short", "alphadrive")]
    assert lengths[0] < lengths[1] / 2


def test_the_terse_prompt_gives_the_speed_as_limits_are_posted():
    """12.345 m/s are 44.4 km/h."""
    (message,) = prompt_of(FRAME, "terse").messages
    assert message.content == "Speed 44 km/h. Route 100m: Straight, 200m: Straight."
    assert [image.path for image in message.images] == ["/frames/1.png"]


def test_the_reasoning_prompt_gives_the_true_plan_and_asks_why():
    text = prompt_of(FRAME, "reasoning").messages[0].content
    assert "ACCELERATE, STRAIGHT" in text
    assert "why" in text
    assert "<answer>" not in text
    with pytest.raises(TaskError, match="'1'"):
        prompt_of(FRAME.model_copy(update={"solution": "KEEP"}), "reasoning")


def test_a_rows_own_prompt_comes_first_and_a_blind_frame_has_no_image():
    example = DrivingExample(id="1", prompt="What now?", solution=FRAME.solution)
    assert prompt_of(example).messages[0].content == "What now?"
    assert prompt_of(example).images == ()
    assert "STRAIGHT" in prompt_of(example, "reasoning").messages[0].content


def test_an_unknown_layout_is_told():
    with pytest.raises(ConfigError, match="layout is 'long'; accepted are 'alphadrive', 'short', 'terse', 'reasoning'"):
        prompt_of(FRAME, "long")


@pytest.mark.parametrize("thinking", ["", "the road is clear", "<think> the road is clear </think>\n"])
def test_the_reference_keeps_the_layout(thinking):
    assert format_fault(completion_of(FRAME.model_copy(update={"thinking": thinking}))) == ""


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path):
    """Ten rows with pictures, as AlphaDrive has them."""
    (tmp_path / "frames").mkdir()
    found = []
    for number in range(10):
        PIL.Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "frames" / f"{number}.png")
        plan = f"{SPEED_ACTIONS[number % 4]}, {PATH_ACTIONS[number % 5]}"
        found.append(
            {
                "image": f"frames/{number}.png",
                "problem": f"Speed {number} m/s. Plan?",
                "solution": f"<answer> {plan} </answer>",
                "thinking": f"<think> frame {number} </think>",
            }
        )
    return found


def written(folder, rows, name="plans.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def loaded(folder, rows, **options):
    return JsonLines(path=written(folder, rows), **options)


def test_rows_become_examples_and_their_references_are_right(tmp_path, rows):
    task = loaded(tmp_path, rows, eval_share=0.3)
    check_task(task, PlanExact())
    train, held_out = task.examples("train"), task.examples("eval")
    assert (len(train), len(held_out)) == (7, 3)
    prompt = task.prompt(train[0])
    assert prompt.messages[0].content == train[0].prompt
    assert prompt.images[0].path.startswith(str(tmp_path / "frames"))
    assert next(iter(task.metrics())) == "planning_accuracy"
    assert AlphaDrive().bounds == (0.0, 3.0)


def test_a_row_needs_no_more_than_a_solution(tmp_path):
    task = loaded(tmp_path, [{"solution": "<answer> KEEP, STRAIGHT </answer>", "speed": n} for n in range(4)])
    check_task(task, PlanExact())
    assert "speed" in task.prompt(task.examples("train")[0]).messages[0].content.lower()


def test_frames_of_one_picture_stay_on_one_side(tmp_path, rows):
    for seed in range(4):
        task = loaded(tmp_path, [*rows, *rows], eval_share=0.4, seed=seed)
        sides = [{example.image for example in task.examples(split)} for split in ("train", "eval")]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == 4


def test_another_seed_is_another_split_and_the_same_seed_the_same(tmp_path, rows):
    def held_out(seed):
        return [example.id for example in loaded(tmp_path, rows, eval_share=0.3, seed=seed).examples("eval")]

    assert held_out(0) == held_out(0)
    assert len({tuple(held_out(seed)) for seed in range(8)}) > 1


def test_the_eval_split_may_have_a_file_of_its_own_that_shares_nothing(tmp_path, rows):
    other = written(tmp_path, rows[6:], "held_out.jsonl")
    task = loaded(tmp_path, rows[:6], eval_path=other)
    assert (len(task.examples("train")), len(task.examples("eval"))) == (6, 4)
    with pytest.raises(TaskError, match="share 1 examples by their 'image'"):
        loaded(tmp_path, rows[:7], eval_path=other).examples("eval")


def test_a_limit_reads_no_further(tmp_path, rows):
    rows[5]["solution"] = "nothing"
    assert len(loaded(tmp_path, rows, limit=4).examples("train")) == 3


@pytest.mark.parametrize("images", ["decoded", "present"])
def test_a_missing_image_names_file_and_row(tmp_path, rows, images):
    (tmp_path / "frames" / "3.png").unlink()
    with pytest.raises(TaskError, match=r"plans.jsonl', line 4: field 'image': .*3\.png' does not exist"):
        loaded(tmp_path, rows, images=images).examples("train")


def test_a_corrupt_image_names_file_and_row_unless_only_looked_for(tmp_path, rows):
    whole = (tmp_path / "frames" / "3.png").read_bytes()
    (tmp_path / "frames" / "3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TaskError, match=r"plans.jsonl', line 4: field 'image': .*3\.png' cannot be read"):
        loaded(tmp_path, rows).examples("train")
    assert loaded(tmp_path, rows, images="present").examples("train")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"solution": "KEEP, STRAIGHT"}, "field 'solution' is 'KEEP, STRAIGHT'; an answer block with a speed action"),
        ({"solution": "<answer> KEEP </answer>"}, "and a path action is needed"),
        ({"solution": None}, "field 'solution' is None; a text is needed"),
        ({"image": 3}, "field 'image' is 3; a text is needed"),
        ({"speed": "fast"}, "field 'speed': "),
        ({"speed": float("nan")}, "field 'speed': .*not negative"),
        ({"speed": -5}, "field 'speed': .*not negative"),
        ({"speed": True}, "field 'speed': .*not negative"),
        ({"speed": "-5"}, "field 'speed': .*not negative"),
        ({"speed": "nan"}, "field 'speed': .*not negative"),
        ({"future": [[1.0, 0.0]]}, "field 'future.0"),
        ({"future": [[1.0, 0.0, float("inf")]]}, "field 'future': .*finite"),
        ({"future": "ahead"}, "field 'future': "),
        ({"scene": "scenes/none.npz"}, r"field 'scene': .*none\.npz' does not exist"),
        ({"scene": 3}, "field 'scene' is 3; a text is needed"),
        ({"sped": 3.0}, "the field 'sped' is unknown; accepted are id, image"),
        ({"thinking": "<think> so </think> hence"}, "break the layout"),
        ({"thinking": "<think> <answer> STOP, LEFT_TURN </answer> </think>"}, "another answer block"),
        ({"id": "plans-0"}, "the id 'plans-0' is taken by"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_place(tmp_path, rows, changes, told):
    rows[2] |= changes
    with pytest.raises(TaskError, match=rf"plans\.jsonl', line 3: .*{told}"):
        loaded(tmp_path, rows).examples("train")


def test_what_cannot_be_parted_is_told(tmp_path, rows):
    with pytest.raises(TaskError, match="share one image"):
        loaded(tmp_path, rows[:1] * 3).examples("train")
    with pytest.raises(TaskError, match="holds no examples"):
        loaded(tmp_path, []).examples("train")
    with pytest.raises(TaskError, match="no driving examples at"):
        JsonLines(path=str(tmp_path / "none.jsonl")).examples("train")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "path of driving/jsonl-v1 is empty"),
        ({"path": "x", "layout": "reasoning"}, "layout is 'reasoning'; accepted are 'alphadrive', 'short', 'terse'"),
        ({"path": "x", "images": "no"}, "images is 'no'"),
        ({"path": "x", "eval_share": 1.0}, "eval_share is 1.0"),
        ({"path": "x", "eval_share": float("nan")}, "eval_share is nan"),
        ({"path": "x", "limit": 0}, "limit is 0"),
    ],
)
def test_a_wrong_option_is_told(options, told):
    with pytest.raises(ConfigError, match=told):
        JsonLines(**options)


def test_other_splits_and_examples_are_refused(tmp_path, rows):
    task = loaded(tmp_path, rows)
    with pytest.raises(ConfigError, match="split is 'test'"):
        task.examples("test")
    with pytest.raises(TypeError, match="DrivingExample"):
        task.prompt(Example(id="1"))
