"""A policy may ask for the case whose picture is most like its question's, and is shown that picture."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from guerdon.environments import Search, played
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Image
from guerdon_medical.image_tools import ASKED, SearchOrCase
from guerdon_medical.rwr_rewards import saw_gold
from guerdon_medical.rwr_tasks import QueryTags, RwrFile, RwrQuestion, RwrQuestions, pictures_of
from guerdon_medical.rwr_world import MadeSight, diseases, knowledge, picture, seen_cases
from guerdon_medical.similar_cases import SeenCase, SimilarCases

TASK = RwrQuestions(train_size=4, eval_size=12, pictures=True, cases=3)
FEVER, RASH = picture(("fever",), 1), picture(("rash",), 2)
CASES = SimilarCases((SeenCase("f", FEVER, "Fever <b>high</b>.", "paper"), SeenCase("r", RASH, "Rash.")), MadeSight())


@dataclass(frozen=True)
class Counted:
    """Counts how often pictures are encoded."""

    batches: list[int] = field(default_factory=list, hash=False)
    name: str = "counted"

    def encode(self, texts: Any, *, kind: str = "passage") -> Any:
        return MadeSight().encode(texts)

    def encode_images(self, images: Any) -> Any:
        self.batches.append(len(images))
        return MadeSight().encode_images(images)


def tool(shown: Image, *excluded: str, cases: SimilarCases = CASES) -> SearchOrCase:
    from guerdon.retrieval import Dense, HashedEncoder

    search = Search(Dense(knowledge(0), HashedEncoder(1024)), 1, QueryTags(), exclude_ids=excluded)
    return SearchOrCase(search, cases, shown)


def test_the_fixed_words_show_the_nearest_case_with_its_picture_and_others_search() -> None:
    asked = tool(picture(("fever",), 9))
    case, passage = asked.call([f" {ASKED.title()} ", f"Patients with {diseases(0)[7].name}"])
    assert (case.text, case.images) == ("(1) Fever &lt;b&gt;high&lt;/b&gt;.", (FEVER,))
    assert [hit.id for hit in case.info["hits"]] == ["f"]
    assert [hit.id for hit in passage.info["hits"]] == [diseases(0)[7].name]
    assert passage.images == ()


@pytest.mark.parametrize("own", ["f", "paper"])
def test_a_case_that_is_the_examples_own_is_not_shown(own: str) -> None:
    (call,) = tool(picture(("fever",), 9), own).call([ASKED])
    assert [hit.id for hit in call.info["hits"]] == ["r"]
    (nothing,) = tool(picture(("fever",), 9), own, "r").call([ASKED])
    assert (nothing.text, nothing.images, nothing.info["hits"]) == ("None", (), ())


def test_a_case_is_cut_like_any_document() -> None:
    (call,) = tool(FEVER, cases=SimilarCases((SeenCase("f", FEVER, "x" * 5_000_000),), MadeSight())).call([ASKED])
    assert len(call.text) == len("(1) ") + 1000
    assert call.images == (FEVER,)


def test_the_examples_own_ids_are_hidden_from_both(monkeypatch: pytest.MonkeyPatch) -> None:
    (example, *_) = TASK.examples("train")
    mine = SeenCase(example.id, picture(example.drawn, 3), "It is mine.")
    monkeypatch.setitem(vars(TASK), "similar", SimilarCases((mine, *seen_cases(0, 1)), MadeSight()))
    name = example.gold_documents[0]
    hidden = example.model_copy(update={"own_documents": (name,)})
    said = f"<think>a</think><query>{ASKED}</query><think>b</think><query>{name}</query><answer>A</answer>"
    first, second = (one.text for one in played(TASK, hidden, said).segments if one.author == "environment")
    assert "It is mine." not in first
    assert f"Patients with {name}" not in second


def test_a_batch_looks_at_its_pictures_once() -> None:
    """Two cases are encoded, and then the three pictures that are asked about, together."""
    encoder = Counted()
    tools = [tool(picture((one,), 9), cases=replace(CASES, encoder=encoder)) for one in ("fever", "rash", "fever")]
    tools = [replace(one, cases=tools[0].cases) for one in tools]
    calls = SearchOrCase.call_together(tools, [ASKED] * 3)
    assert [call.info["hits"][0].id for call in calls] == ["f", "r", "f"]
    assert sorted(encoder.batches) == [2, 3]


def test_the_made_questions_cases_show_what_it_is() -> None:
    """A picture of the same three findings is nearer than any other: all 12 are found, held out as they are."""
    for example in TASK.examples("eval"):
        said = f"<think>a</think><query>{ASKED}</query><think>b</think><answer>{example.answer}</answer>"
        rollout = played(TASK, example, said)
        assert rollout.turns[0].observation is not None
        assert len(rollout.segments[1].images) == 1
        assert saw_gold(rollout).value == 1.0


def test_the_prompt_tells_the_words_where_there_are_cases() -> None:
    (example, *_) = TASK.examples("train")
    assert ASKED in TASK.prompt(example).messages[0].content
    assert ASKED not in replace(TASK, cases=0).prompt(example).messages[0].content
    assert ASKED not in replace(TASK, turns=1).prompt(example).messages[0].content


def test_cases_are_drawn_from_their_seed_and_no_two_pictures_are_alike() -> None:
    cases = seen_cases(0, 3)
    assert len(cases) == 180 == len({case.image.data for case in cases})
    assert cases == seen_cases(0, 3) != seen_cases(1, 3)
    with pytest.raises(ConfigError, match="pictures is false"):
        RwrQuestions(cases=3)


def test_rows_of_ones_own_have_cases_of_ones_own(tmp_path: Path) -> None:
    for name, shown in (("f.png", FEVER), ("r.png", RASH), ("asked.png", picture(("rash",), 5))):
        (tmp_path / name).write_bytes(shown.data or b"")
    row = {"question": "What is it?", "answer": "rash", "images": ["asked.png"], "own_documents": ["paper 9"]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    seen = [{"id": "f", "image": "f.png", "text": "Fever."}, {"id": "r", "image": "r.png", "text": "Rash."}]
    seen.append({"id": "own", "image": "asked.png", "text": "This one.", "source": "paper 9"})
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in seen))
    (tmp_path / "passages.txt").write_text("1 A rash is seen.\n")
    files = {name: str(tmp_path / "rows.jsonl") for name in ("train", "eval")}
    settings = {**files, "knowledge": str(tmp_path / "passages.txt"), "cases": str(tmp_path / "cases.jsonl")}
    task = RwrFile(**settings, sight=MadeSight())
    (example,) = task.examples("train")
    assert isinstance(example, RwrQuestion)
    assert len(pictures_of(example)) == 1
    rollout = played(task, example, f"<think>a</think><query>{ASKED}</query><answer>rash</answer>")
    assert rollout.segments[1].text == "<retrieve> (1) Rash. </retrieve>"
    with pytest.raises(ConfigError, match="an encoder that sees is needed"):
        RwrFile(**settings)
    (tmp_path / "cases.jsonl").write_text(json.dumps({"id": "f", "image": "none.png", "text": "Fever."}) + "\n")
    broken = RwrFile(**settings, sight=MadeSight())
    with pytest.raises(TaskError, match="a file beside the rows"):
        broken.prompt(example)
    with pytest.raises(ConfigError, match="two of them are 'f'"):
        SimilarCases((CASES.cases[0], CASES.cases[0]), MadeSight())
