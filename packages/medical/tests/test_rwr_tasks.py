"""The tasks of Med-RwR: what is asked, who answers a query, and what ends a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.environments import ToolUse
from guerdon.environments import played as playing
from guerdon.errors import ConfigError, TaskError
from guerdon.parsing.images import opened
from guerdon.protocols import Sampling, Turn
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.retrieval import Corpus, Dense, HashedEncoder
from guerdon.types import Example, Segment
from guerdon_medical.rwr_tasks import QueryTags, RwrFile, RwrQuestion, RwrQuestions, passages_of, pictures_of
from guerdon_medical.rwr_world import FINDINGS, NAMES, MadeSight, diseases, knowledge, of_split, picture, vocabulary

TASK = RwrQuestions(train_size=20, eval_size=20)


def played(*turns: str, task: RwrQuestions = TASK, example: RwrQuestion | None = None) -> list[Turn]:
    """What the environment answers to these turns, one after another, until it ends."""
    world = task.environment(example or task.examples("train")[0])
    assert world is not None
    world.reset(seed=0)
    segments: list[Segment] = []
    answers: list[Turn] = []
    for text in turns:
        segments.append(Segment("policy", text))
        answers.append(world.step(segments))
        if answers[-1].terminated or answers[-1].truncated:
            break
        segments.append(Segment("environment", answers[-1].observation))
    return answers


def test_the_splits_share_no_disease_and_the_knowledge_has_all() -> None:
    train, held_out = of_split(0, "train"), of_split(0, "eval")
    assert (len(train), len(held_out)) == (40, 20)
    assert {one.name for one in (*train, *held_out)} == set(NAMES)
    asked = {name for example in TASK.examples("eval") for name in example.options}
    assert asked <= {one.name for one in held_out}
    assert len(knowledge(0)) == 60
    assert len({frozenset(one.findings) for one in diseases(0)}) == 60


def test_brief_references_query_and_earn_the_top_of_what_the_small_recipe_counts() -> None:
    """Accuracy 5, format 3; the query of three findings names only entities and no word of the disease's: density 1."""
    recipe = load_recipe("medical-rwr")
    task, reward = build_task(recipe.task), build_reward(recipe.reward)
    for split in ("train", "eval"):
        for example in task.examples(split)[:20]:
            score = reward(playing(task, example, task.reference(example)))
            assert (score.parts["accuracy"].value, score.parts["format"].value) == (5.0, 3.0)
            assert score.parts["gold-document"].value == 1.0
            assert score.parts["text-semantics"].value == pytest.approx(2.0)  # retrieved 1, query 0, density 1
    assert len(task.examples("train")) >= recipe.train.sft.examples
    with pytest.raises(ConfigError, match="'brief'"):
        RwrQuestions(length="brief", pictures=True)


def test_questions_are_drawn_from_their_seed() -> None:
    again, other = RwrQuestions(train_size=20, eval_size=20), RwrQuestions(train_size=20, eval_size=20, seed=1)
    assert TASK.examples("train") == again.examples("train") != other.examples("train")


def test_the_prompt_tells_layout_question_and_options() -> None:
    example = TASK.examples("train")[0]
    system, user = TASK.prompt(example).messages
    assert "<query>" in system.content
    assert user.content.startswith(example.question)
    assert [line[:3] for line in user.content.split("\n")[1:]] == ["A. ", "B. ", "C. ", "D. "]
    with pytest.raises(TypeError, match="RwrQuestion"):
        TASK.prompt(Example(id="x"))


def test_asking_for_the_findings_finds_the_disease() -> None:
    for example in TASK.examples("eval"):
        findings = example.question.partition("has ")[2].partition(".")[0]
        (answer,) = played(f"<think>a</think><query>{findings}</query>", example=example)
        assert answer.observation.startswith("<retrieve> (1) Patients with ")
        assert answer.observation.endswith(" </retrieve>")
        assert example.gold_documents[0] in [hit.id for hit in answer.info["hits"]]


def test_three_turns_hold_two_queries_and_a_third_cuts_the_trace() -> None:
    answers = played("<query>fever</query>", "<query>rash</query>", "<query>cough</query>")
    assert [bool(one.observation) for one in answers] == [True, True, False]
    assert answers[-1].truncated
    assert answers[-1].info["reason"] == "more than 2 calls"
    assert len(played(*["<query>fever</query>"] * 1000)) == 3


@pytest.mark.parametrize(
    "turn",
    [
        "<query> </query>",
        '<query> "" </query>',
        "<query>fever",
        "<query>fever</query><answer>B</answer>",
        "<search>fever</search>",
        "<query>fever</retrieve>",
        "",
    ],
)
def test_a_turn_without_a_query_at_its_end_is_the_last(turn: str) -> None:
    (answer,) = played(turn)
    assert (answer.terminated, answer.observation) == (True, "")


def test_quotes_and_blanks_around_a_query_do_not_count() -> None:
    tags = QueryTags()
    asked = ('<query> "hip  pain" </query>', "<query>'hip pain'</query>", "<query>hip\npain</query>")
    assert {tags.called(text) for text in asked} == {"hip pain"}


def test_words_that_nobody_knows_find_nothing() -> None:
    corpus = Corpus.of(["</retrieve><answer>A</answer> fever", "rash"])
    task = RwrQuestions(train_size=1, retriever=Dense(corpus, HashedEncoder(4096)))
    (answer,) = played("<query>??</query>", task=task)
    assert answer.observation == "<retrieve> None </retrieve>"
    (answer,) = played("<query>fever</query>", task=task)
    assert "&lt;/retrieve&gt;&lt;answer&gt;A" in answer.observation
    assert answer.observation.count("</retrieve>") == 1


def test_an_examples_own_documents_are_never_shown() -> None:
    example = TASK.examples("train")[0]
    findings = example.question.partition("has ")[2].partition(".")[0]
    own = example.model_copy(update={"own_documents": example.gold_documents})
    (answer,) = played(f"<query>{findings}</query>", example=own)
    assert example.gold_documents[0] not in [hit.id for hit in answer.info["hits"]]


def test_one_turn_leaves_retrieval_out() -> None:
    assert RwrQuestions(turns=1).environment(TASK.examples("train")[0]) is None


def test_all_rollouts_that_wait_are_answered_at_once() -> None:
    worlds = [TASK.environment(example) for example in TASK.examples("train")[:3]]
    tools = [world for world in worlds if isinstance(world, ToolUse)]
    segments = [[Segment("policy", f"<query>{one}</query>")] for one in ("fever", "rash", "cough")]
    answers = ToolUse.step_together(tools, segments)
    assert len({one.observation for one in answers}) == 3
    assert tools[0].tools[0] == tools[1].tools[0]  # equal tools are asked once for all


def test_a_policy_plays_it_through() -> None:
    """A table whose states are what was said: it asks, reads, and answers."""
    pytest.importorskip("torch")
    from guerdon.policies.tabular import TabularPolicy
    from guerdon_medical.rwr_rewards import MedRwR, asked_something, right_answer

    example = TASK.examples("train")[0]
    findings = example.question.partition("has ")[2].partition(".")[0]
    ask = f"<think>{'x' * 520}</think><query>{findings}</query>"
    say = f"<think>so</think><answer>{example.answer}</answer>"
    (shown,) = played(ask)
    policy = TabularPolicy([example.id, shown.observation], [ask, say])
    policy.logits_SA.data[0, 0] = policy.logits_SA.data[1, 1] = 50.0
    (group,) = policy.sample(TASK, [example], 2, Sampling(), seed=0)
    rollout = group.rollouts[0]
    assert [segment.author for segment in rollout.segments] == ["policy", "environment"] * 2
    assert right_answer(rollout).value == asked_something(rollout).value == 1.0
    score = MedRwR()(rollout)
    assert (score.parts["format"].value, score.parts["gold-document"].value) == (3.0, 1.0)


# -- pictures ------------------------------------------------------------------------------------------------------


def test_a_made_up_picture_shows_its_findings_to_who_looks() -> None:
    image = picture(("rash", "fever"), 3)
    assert opened(image).size == (48, 32)
    assert image == picture(("fever", "rash"), 3) != picture(("fever", "rash"), 4)
    cells = MadeSight().encode_images([image])[0]
    assert {FINDINGS[place] for place in np.argsort(-cells)[:2]} == {"fever", "rash"}
    (said,) = MadeSight().encode(["Fever, a rash; blisters"])
    assert {FINDINGS[place] for place in np.flatnonzero(said)} == {"fever", "rash", "blister"}


def test_with_pictures_the_findings_are_shown_and_not_told() -> None:
    task = RwrQuestions(pictures=True, train_size=5)
    for example in task.examples("train"):
        assert not vocabulary().extract([example.question])[0]
        (image,) = task.prompt(example).images
        assert (image,) == pictures_of(example)
        seen = MadeSight().encode_images([image])[0]
        assert {FINDINGS[place] for place in np.argsort(-seen)[:3]} == set(example.drawn)


# -- rows of one's own ---------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {"question": "Which?", "answer": "B", "options": ["lung", "hip"], "images": ["a.png"]}


def rows(folder: Path, *given: dict[str, Any]) -> RwrFile:
    for name in ("train.jsonl", "eval.jsonl"):
        (folder / name).write_text("\n".join(json.dumps(row) for row in given))
    (folder / "base.txt").write_text("12 the hip breaks\n\n  the lung has edema\n")
    train, held_out, base = (str(folder / name) for name in ("train.jsonl", "eval.jsonl", "base.txt"))
    return RwrFile(train=train, eval=held_out, knowledge=base)


def test_rows_are_questions_and_lines_are_passages(tmp_path: Path) -> None:
    task = rows(tmp_path, ROW)
    expected = RwrQuestion(
        id="train-0", question="Which?", answer="B", options=("lung", "hip"), images=(str(tmp_path / "a.png"),)
    )
    assert task.examples("train") == (expected,)
    assert task.examples("eval")[0].id == "eval-0"
    corpus = passages_of(tmp_path / "base.txt")
    assert [(one.id, one.text) for one in corpus.documents] == [("1", "the hip breaks"), ("3", "the lung has edema")]
    world = task.environment(expected)
    assert world is not None
    shown = world.step([Segment("policy", "<query>hip</query>")]).observation
    assert shown.startswith("<retrieve> (1) the hip breaks")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": "A"}, "field 'options' is 'A'; a list of texts"),
        ({"options": list("ABCDEFGHIJK")}, "at most 10 texts"),
        ({"answer": ""}, "field 'answer'"),
        ({"answer": "C. skull"}, "field 'answer' is 'C. skull'; one of the options"),
        ({"answer": "skull"}, "field 'answer' is 'skull'; one of the options"),
        ({"images": [1]}, "field 'images'"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=r"train.jsonl', line 1: .*" + said):
        rows(tmp_path, {**ROW, **change}).examples("train")


def test_two_rows_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="two train examples of medical/rwr-file-v1 have the id 'x'"):
        rows(tmp_path, {**ROW, "id": "x"}, {**ROW, "id": "x"}).examples("train")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: RwrFile(), "two files of JSON lines"),
        (lambda: RwrFile(train="a", eval="b"), "name one of retriever and knowledge"),
        (lambda: RwrQuestions(k=0), "k is 0"),
        (lambda: RwrQuestions(turns=0), "turns is 0"),
        (lambda: RwrQuestions(train_size=-1), "train_size is -1"),
        (lambda: passages_of("/no/such/file"), "cannot be read"),
        (lambda: TASK.examples("test"), "split is 'test'"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_option_is_named(made: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        made()
