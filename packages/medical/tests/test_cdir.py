"""CDIR: who looks again, at which case, and that the second answer is final."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from guerdon.errors import ConfigError, PolicyError, RetrievalError
from guerdon.protocols import Resumption, Sampling
from guerdon.types import Rollout, Segment
from guerdon_medical.cdir import QUERY, THOUGHT, SecondLook, rates, second_looks
from guerdon_medical.rwr_confidence import confidences
from guerdon_medical.rwr_rewards import MedRwR
from guerdon_medical.rwr_tasks import RwrQuestions
from guerdon_medical.rwr_traces import trace_of
from guerdon_medical.rwr_world import MadeSight, picture
from guerdon_medical.sight import cosines
from guerdon_medical.similar_cases import SeenCase, SimilarCases

torch = pytest.importorskip("torch")

TASK = RwrQuestions(pictures=True, turns=1, train_size=4)
EXAMPLE = TASK.examples("train")[0]
OTHER = TASK.examples("train")[1]
GUESS = "<think>a guess</think><answer>X. none</answer>"
FINAL = "<think>as in that case</think><answer>Y. other</answer>"


def case(name: str, findings: tuple[str, ...], seed: int, source: str = "") -> SeenCase:
    return SeenCase(name, picture(findings, seed), f"It was {name} <b>", source)


CASES = SimilarCases((case("same", EXAMPLE.drawn, 1), case("other", OTHER.drawn, 2)), MadeSight())
BLOCK = "<retrieve> (1) It was same &lt;b&gt; </retrieve>"


def table(chance: float = 0.5) -> Any:
    """It guesses with this probability, and says FINAL where it has read the similar case."""
    from guerdon.policies.tabular import TabularPolicy

    policy = TabularPolicy([EXAMPLE.id, BLOCK], [GUESS, FINAL])
    policy.logits_SA.data[0, 0] = math.log(chance / (1.0 - chance))
    policy.logits_SA.data[1, 1] = 50.0
    return policy


def guessed(policy: Any) -> Rollout:
    drawn = policy.sample(TASK, [EXAMPLE], 32, Sampling(), seed=0)[0].rollouts
    return next(one for one in drawn if one.segments[-1].text == GUESS)  # type: ignore[no-any-return]


def test_an_unsure_answer_is_replaced_by_one_that_saw_a_similar_case() -> None:
    policy = table()
    (look,) = second_looks(policy, [guessed(policy)], CASES, Sampling())
    assert look.confidence == pytest.approx(0.5)
    assert look.case == CASES.cases[0]
    assert look.answer == "Y. other"
    assert look.second is not None
    assert look.second.prompt == TASK.prompt(EXAMPLE)
    assert [(one.author, one.text, one.images) for one in look.second.segments] == [
        ("forced", f"<think>a guess</think>{THOUGHT}{QUERY}", ()),  # a table's action is chosen whole or not at all
        ("environment", BLOCK, (CASES.cases[0].image,)),
        ("policy", FINAL, ()),
    ]
    assert look.trace == look.second
    assert look.trace.example == EXAMPLE
    assert rates([look]) == {"queried": 0.0, "looked again": 1.0, "changed": 1.0}


def test_the_threshold_is_strict() -> None:
    """Example 19 over whole rollouts."""
    sure, unsure = table(0.9001), table(0.8999)
    assert second_looks(sure, [guessed(sure)], CASES, Sampling())[0].second is None
    assert second_looks(unsure, [guessed(unsure)], CASES, Sampling())[0].second is not None
    exact = replace(guessed(sure).segments[0], logprobs=(math.log(0.9),))
    rollout = replace(guessed(sure), segments=(exact,))
    told = confidences(sure, [rollout])[0]
    assert second_looks(sure, [rollout], CASES, Sampling(), threshold=told)[0].second is None


def test_the_joined_trace_is_graded_like_any_other() -> None:
    """The forced query is a query, and the case a document of the environment's: think, think, query and retrieve,
    think, answer is valid, and pays 1 where the answer is wrong."""
    policy = table()
    look = second_looks(policy, [guessed(policy)], CASES, Sampling())[0]
    score = MedRwR(counted=("accuracy", "format"))(look.trace)
    assert score.parts["queries"].value == 1.0
    assert score.parts["format"].value == 1.0


def test_an_answer_before_an_earlier_query_is_not_the_final_one() -> None:
    early = Segment("policy", "<think>a</think><answer>Z. early</answer><query>fever</query>")
    found, guess = Segment("environment", "<retrieve> (1) fever </retrieve>"), Segment("policy", GUESS)
    first = Rollout(EXAMPLE, (early, found, guess), TASK.prompt(EXAMPLE))
    before = len("<think>a guess</think>")
    (second,) = table().resumed([Resumption(first, before, THOUGHT + QUERY, BLOCK)], Sampling(), seed=0)
    look = SecondLook(first, 0.5, CASES.cases[0], second)
    assert second.segments[:2] == (early, found)
    assert look.answer == trace_of(look.trace).prediction == "Y. other"
    assert look.trace.segments[0].text == "<think>a</think><query>fever</query>"


def test_no_answer_counts_as_unsure_and_no_picture_as_nothing_to_look_for() -> None:
    policy = table(0.99)
    silent = replace(guessed(policy), segments=(Segment("policy", "<think>a", logprobs=(0.0,), action=0),))
    assert confidences(policy, [silent]) == [0.0]
    assert second_looks(policy, [silent], CASES, Sampling())[0].second is not None
    unseen = replace(silent, prompt=replace(silent.prompt, messages=()))
    assert second_looks(policy, [unseen], CASES, Sampling())[0].second is None


def test_an_example_is_never_shown_its_own_case() -> None:
    policy = table()
    rollout = guessed(policy)
    alone = SimilarCases((CASES.cases[0],), MadeSight())
    (look,) = second_looks(policy, [rollout], alone, Sampling(), own=lambda example: {"same"})
    assert (look.case, look.second, look.trace) == (None, None, rollout)


def test_a_policy_of_several_steps_that_reads_no_text_cannot_tell() -> None:
    segment = Segment("policy", "<answer>B</answer>", logprobs=(0.0, 0.0))
    with pytest.raises(PolicyError, match="cannot be told"):
        confidences(table(), [Rollout(EXAMPLE, (segment,))])
    with pytest.raises(ConfigError, match=r"threshold is 1\.5"):
        second_looks(table(), [], CASES, Sampling(), threshold=1.5)
    with pytest.raises(ConfigError, match="no second looks"):
        rates([])


def _beside(name: str) -> Any:
    place = Path(__file__).parents[2] / "core" / "tests" / f"{name}.py"
    if not place.is_file():
        pytest.skip("core's tests are not beside these")
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl"])
def test_a_model_that_sees_is_shown_the_late_picture(kind: str, tmp_path: Path) -> None:
    """One rollout with two pictures; the log-probs of both its turns read back are those they were sampled with."""
    pytest.importorskip("transformers")
    made = getattr(_beside("tiny_sighted"), kind)
    policy = made() if kind == "llava" else made(tmp_path)
    (group,) = policy.sample(TASK, [EXAMPLE], 1, Sampling(max_tokens=6), seed=0)
    (look,) = second_looks(policy, group.rollouts, CASES, Sampling(max_tokens=6), seed=1)
    assert look.confidence == 0.0  # random weights give no answer
    assert look.second is not None
    assert look.second.images == (*TASK.prompt(EXAMPLE).images, CASES.cases[0].image)
    assert look.second.prompt_ids == group.rollouts[0].prompt_ids
    first, forced, shown, last = look.second.segments
    assert (first.token_ids, first.logprobs) == (group.rollouts[0].segments[0].token_ids, group.rollouts[0].logprobs)
    assert (forced.text, shown.text) == (THOUGHT + QUERY, BLOCK)
    assert look.second.steps == len(first.token_ids) + len(last.token_ids)
    read = policy.logprobs([look.second], grad=False).logprobs_N.tolist()
    assert read == pytest.approx(look.second.logprobs, abs=1e-4)


def test_a_policy_that_does_not_go_on_is_named() -> None:
    policy = table()

    class Once:
        logprobs, sample = policy.logprobs, policy.sample

    with pytest.raises(PolicyError, match="Once does not go on behind an attempt"):
        second_looks(Once(), [guessed(policy)], CASES, Sampling())  # type: ignore[arg-type]


def test_a_language_models_confidence_is_its_own_log_softmax() -> None:
    pytest.importorskip("transformers")
    from guerdon.policies.language import LanguagePolicy
    from guerdon.types import Message, Prompt

    tiny = _beside("tiny_models")
    policy = LanguagePolicy(tiny.tiny_llama(), tiny.byte_tokenizer())
    rollout = Rollout(EXAMPLE, (Segment("policy", "<answer>Be</answer>"),), Prompt((Message("user", "Hi"),)))
    ids = policy.tokenizer.encode("[user]Hi<end>[assistant]<answer>", add_special_tokens=False)
    with torch.no_grad():
        table_V = policy.model(input_ids=torch.tensor([ids])).logits[0, -1].float().softmax(-1)
    (letter,) = policy.tokenizer.encode("B", add_special_tokens=False)
    assert confidences(policy, [rollout])[0] == pytest.approx(float(table_V[letter]), rel=1e-3)


# -- similar cases -------------------------------------------------------------------------------------------------


def test_a_case_is_not_its_own_neighbour_nor_is_one_of_its_source() -> None:
    fever, rash = ("fever", "cough", "chills"), ("rash", "edema", "blister")
    cases = SimilarCases(
        (
            case("a", fever, 1, "patient 1"),
            case("b", fever, 2, "patient 1"),
            case("c", fever, 3, "patient 2"),
            case("d", rash, 4),
            case("e", rash, 5),
        ),
        MadeSight(),
    )
    assert cases.table() == {"a": "c", "b": "c", "c": cases.table()["c"], "d": "e", "e": "d"}
    assert cases.table()["c"] in ("a", "b")
    assert SimilarCases((case("a", fever, 1),), MadeSight()).table() == {}
    assert cases.nearest([]) == []
    with pytest.raises(ConfigError, match="cases is empty"):
        SimilarCases((), MadeSight())


class Broken(MadeSight):
    def encode_images(self, images: Any) -> npt.NDArray[np.float32]:
        return np.full((len(images), 24), np.nan, dtype=np.float32)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(RetrievalError, match="not finite"):
        SimilarCases(CASES.cases, Broken()).nearest([CASES.cases[0].image])


class Narrow(MadeSight):
    def encode_images(self, images: Any) -> npt.NDArray[np.float32]:
        return np.ones((len(images), 3), dtype=np.float32)


def test_spaces_of_two_widths_and_zero_vectors() -> None:
    with pytest.raises(RetrievalError, match="images 3 dimensions and texts 24"):
        cosines(Narrow(), [CASES.cases[0].image], ["fever"])
    assert cosines(MadeSight(), [CASES.cases[0].image], ["nothing known"]).tolist() == [[0.0]]


def test_a_look_that_was_not_taken_is_the_rollout_itself() -> None:
    rollout = Rollout(EXAMPLE, (Segment("policy", GUESS),))
    assert SecondLook(rollout, 1.0).trace is rollout
    assert SecondLook(rollout, 1.0).answer == "X. none"
