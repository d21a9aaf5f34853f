"""Tasks of nuggets: made up, from rows, and more from few."""

import json
from collections import Counter
from random import Random

import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Rollout
from guerdon_search.answer_tasks import AnswerFile, NuggetAnswers, ShortAnswers
from guerdon_search.augmentation import augmented, thinned
from guerdon_search.label_formats import SEPARATED
from guerdon_search.lexical import Lexical
from guerdon_search.nugget_rewards import ExactMatch, NuggetCoverage, Verifier
from guerdon_search.nugget_tasks import NuggetFile, Nuggets
from guerdon_search.nuggets import NuggetBlock


@pytest.mark.parametrize("options", [{}, {"reasoning": "optional", "length": "brief", "shapes": ("json",)}])
def test_made_up_blocks_are_in_order_and_their_references_earn_the_top(options):
    task = Nuggets(train_size=40, eval_size=10, **options)
    check_task(task, Verifier(reasoning=task.reasoning))


def test_labels_come_about_equally_often_and_no_name_is_in_both_splits():
    task = Nuggets(train_size=300, eval_size=100)
    counts = Counter(label for block in task.examples("train") for label in block.labels)
    assert all(0.28 < counts[label] / counts.total() < 0.39 for label in counts)
    train, held_out = ({block.query for block in task.examples(split)} for split in ("train", "eval"))
    assert not train & held_out


def test_a_block_states_what_it_supports_and_not_what_it_does_not():
    for block in Nuggets(train_size=50).examples("train"):
        for nugget, label in zip(block.nuggets, block.labels, strict=True):
            if label == "not_support":
                assert nugget not in block.block


def test_one_nugget_is_never_asked_for_in_a_shape_of_separators():
    blocks = Nuggets(train_size=80, nuggets_max=1).examples("train")
    shapes = {block.shape for block in blocks}
    assert not shapes & SEPARATED
    assert len(shapes) == 6


def test_the_prompt_asks_for_the_shape_the_count_and_the_reasoning():
    task = Nuggets(train_size=4, shapes=("xml",), nuggets_min=3, nuggets_max=3)
    system, user = (message.content for message in task.prompt(task.examples("train")[0]).messages)
    assert "<label>support</label>" in system
    assert "<reasoning>" in system
    assert "There are 3 points" in user


def test_the_same_seed_makes_the_same_and_another_does_not():
    one, again, other = (Nuggets(train_size=5, seed=seed).examples("train") for seed in (0, 0, 1))
    assert one == again != other


@pytest.mark.parametrize(
    "options",
    [
        {"shapes": ()},
        {"shapes": ("jason",)},
        {"nuggets_max": 9},
        {"nuggets_min": 0},
        {"train_size": -1},
        {"length": "x"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError, match=r"needed|accepted"):
        Nuggets(**options)


def test_long_answers_show_passages_and_no_nugget_list():
    """Pitfall: nuggets must not be shown to the policy, beyond what passages say."""
    task = NuggetAnswers(train_size=20, eval_size=5)
    check_task(task, NuggetCoverage(Lexical()))
    shown = task.prompt(task.examples("train")[0]).messages
    assert "support" not in shown[0].content + shown[1].content


def test_short_answers_match_exactly():
    check_task(ShortAnswers(train_size=20, eval_size=5), ExactMatch())


RAW = {
    "qid": "7",
    "query": "Who?",
    "block_text": "Ann did.",
    "nuggets_list": [{"text": "Ann did.", "match": "support"}, {"text": "Bob did.", "match": None}],
}
EVAL = {
    "qid": "8",
    "query": "Who?",
    "block": ["Ann did.", ["doc1"]],
    "block_nuggets_assignment": [
        {"text": f"{number} did.", "assignment": "not_support", "importance": "vital", "docids": []}
        for number in range(12)
    ],
}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_rows_of_both_kinds_are_read_and_cut_into_batches(tmp_path):
    """The raw row keeps the nugget that has a label; the other has 12 nuggets, 10 and 2."""
    lines(tmp_path / "train.jsonl", RAW, EVAL)
    lines(tmp_path / "eval.jsonl", RAW)
    task = NuggetFile(root=str(tmp_path))
    assert [len(block.nuggets) for block in task.examples("train")] == [1, 10, 2]
    assert task.examples("train")[0].labels == ("support",)
    check_task(task, Verifier())


TRAINING = {
    "data_source": "nuggetverifier",
    "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "1. a 2. b"}],
    "reward_model": {"ground_truth": "support,not_support"},
    "extra_info": {"nuggets_count": 2, "prompt_format_hint": "csv"},
}


def test_training_rows_bring_their_prompt_and_their_shape(tmp_path):
    answered = {**TRAINING, "messages": [*TRAINING["messages"], {"role": "assistant", "content": "support,support"}]}
    for name in ("train.jsonl", "eval.jsonl"):
        lines(tmp_path / name, TRAINING, answered)
    task = NuggetFile(root=str(tmp_path), reasoning="optional", batch_size=1)
    first, second = task.examples("train")
    assert (first.labels, first.shape) == (("support", "not_support"), "csv")
    assert [message.content for message in task.prompt(second).messages] == ["Judge.", "1. a 2. b"]
    check = Verifier(reasoning="optional")
    assert check(Rollout.of(first, task.reference(first))).value == 1.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**RAW, "nuggets_list": "x"}, "nuggets_list"),
        ({**RAW, "nuggets_list": [{"text": "", "match": "support"}]}, "no text"),
        ({**RAW, "nuggets_list": [{"text": "x"}]}, "'match'"),
        ({**RAW, "query": " "}, "query"),
        ({**EVAL, "block": []}, "block"),
        ({**TRAINING, "messages": []}, "messages"),
        ({**TRAINING, "messages": [{"role": "judge", "content": "x"}]}, "messages"),
        ({**TRAINING, "reward_model": {}}, "ground_truth"),
        ({**TRAINING, "extra_info": None}, "extra_info"),
        ({**TRAINING, "extra_info": {"nuggets_count": 3, "prompt_format_hint": "csv"}}, "nuggets_count is 3"),
        ({**TRAINING, "extra_info": {"nuggets_count": 2, "prompt_format_hint": "toml"}}, "toml"),
    ],
)
def test_a_broken_row_is_named(tmp_path, row, said):
    lines(tmp_path / "train.jsonl", row)
    with pytest.raises(TaskError, match=said) as raised:
        NuggetFile(root=str(tmp_path)).examples("train")
    assert "line 1" in str(raised.value)


def test_questions_of_ones_own_are_read(tmp_path):
    row = {"query": "Who?", "nuggets": [{"text": "Ann did.", "importance": "okay"}], "reference": "Ann did."}
    lines(tmp_path / "train.jsonl", row)
    lines(tmp_path / "eval.jsonl", {**row, "nuggets": [{"text": "x", "weight": "heavy"}]})
    task = AnswerFile(root=str(tmp_path))
    assert task.examples("train")[0].nuggets[0].worth == 0.5
    with pytest.raises(TaskError, match=r"eval.jsonl', line 1: field 'nuggets\.0\.weight': Input should be a valid"):
        task.examples("eval")


@pytest.mark.parametrize("name", [7, "seven"])
def test_two_examples_of_one_id_are_refused(tmp_path, name):
    row = {"id": name, "query": "Who?", "nuggets": [{"text": "Ann did."}]}
    lines(tmp_path / "train.jsonl", row, {**row, "query": "What?"})
    with pytest.raises(TaskError, match=rf"line 2: the id '{name}' is that of .*train\.jsonl', line 1 too"):
        AnswerFile(root=str(tmp_path)).examples("train")


NUGGETS = [{"text": "Ann did."}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"query": "Who?", "nuggets": []}, r"field 'nuggets' is \[\]; at least one nugget, or a gold answer"),
        ({"query": "Who?"}, "field 'nuggets' is missing"),
        ({"query": "Who?", "answers": ["."]}, "field 'nuggets' is missing"),
        (
            {"query": "Who?", "nugets": NUGGETS, "answers": ["Ann"]},
            "field 'nugets' is .*; one of the fields id, query, ",
        ),
        (
            {"query": "Who?", "nuggets": [{"text": "Ann did.", "wieght": 2}]},
            r"field 'nuggets\.0\.wieght': Extra inputs",
        ),
        ({"query": "Who?", "nuggets": [{"text": " "}]}, r"field 'nuggets\.0\.text': String should match"),
        ({"query": "Who?", "nuggets": "Ann did."}, "field 'nuggets': Input should be a valid tuple"),
        ({"query": "Who?", "nuggets": 3}, "field 'nuggets': Input should be a valid tuple"),
        ({"query": "Who?", "nuggets": NUGGETS, "id": True}, "field 'id' is True; a text or a whole number"),
        ({"query": "Who?", "nuggets": NUGGETS, "id": {}}, "field 'id' is"),
    ],
)
def test_a_broken_question_is_named_by_its_field_in_one_line(tmp_path, row, said):
    lines(tmp_path / "train.jsonl", row)
    with pytest.raises(TaskError, match=rf"train\.jsonl', line 1: {said}") as raised:
        AnswerFile(root=str(tmp_path)).examples("train")
    assert "\n" not in str(raised.value)
    assert "pydantic" not in str(raised.value)


def test_where_there_are_no_passages_the_prompt_speaks_of_none(tmp_path):
    row = {"query": "Who?", "nuggets": NUGGETS}
    lines(tmp_path / "train.jsonl", row, {**row, "passages": ["Ann did it."]})
    task = AnswerFile(root=str(tmp_path))
    without, shown = [task.prompt(one).messages[0].content for one in task.examples("train")]
    assert "passage" not in without
    assert "from the passages" in shown


def test_rows_without_an_id_are_numbered(tmp_path):
    rows = ({"id": None, "query": "Who?"}, {"query": "What?"}, {"id": 0, "query": "When?"})
    lines(tmp_path / "train.jsonl", *({**row, "answers": ["Ann"]} for row in rows))
    assert [one.id for one in AnswerFile(root=str(tmp_path)).examples("train")] == ["train-0", "train-1", "0"]


def test_a_folder_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="root"):
        NuggetFile()
    with pytest.raises(TaskError, match="not a folder"):
        AnswerFile(root="nowhere")


def test_a_block_has_a_label_for_each_nugget():
    with pytest.raises(ValueError, match="as many of each"):
        NuggetBlock(id="x", query="q", block="b", nuggets=("one",), labels=())


def test_augmentation_makes_every_mixture_and_keeps_a_tenth():
    """2 support and 1 not_support: sizes 1 to 3 give S, N; SS, SN; SSN: 5 mixtures, no two the same."""
    block = NuggetBlock(
        id="b", query="q", block="b", nuggets=("a", "b", "c"), labels=("support", "support", "not_support")
    )
    made = augmented([block], Random(0), keep=1.0)
    assert made[0] is block
    assert sorted(Counter(str(sorted(one.labels)) for one in made[1:]).values()) == [1] * 5
    assert len(augmented([block], Random(0), keep=0.2)) == 2
    truth = dict(zip(block.nuggets, block.labels, strict=True))
    assert all(dict(zip(one.nuggets, one.labels, strict=True)).items() <= truth.items() for one in made)


def test_a_batch_that_is_mostly_not_support_loses_a_fifth_of_those():
    """8 nuggets, 5 not_support: one goes. 4 of 8 is not more than half."""
    pairs = [(str(number), "not_support") for number in range(5)] + [(str(number), "support") for number in (5, 6, 7)]
    assert len(thinned(pairs)) == 7
    assert len(thinned([*pairs[1:], ("8", "support")])) == 8
    assert len(thinned(pairs[:5])) == 5
