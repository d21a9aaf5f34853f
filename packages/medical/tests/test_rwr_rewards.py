"""`medical/med-rwr-v1` over whole rollouts: its parts, what was retrieved, and who wrote what."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import pytest

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, Hit, Turn
from guerdon.retrieval import HashedEncoder
from guerdon.rewards import Context, Scores
from guerdon.scorers import StandInScorer
from guerdon.trainer.records import rollout_of, row_of
from guerdon.types import Group, Message, Prompt, Rollout, Score, Segment
from guerdon_medical.entities import Phrases
from guerdon_medical.rwr_confidence import first_answer, last_answer, turns_of
from guerdon_medical.rwr_rewards import MedRwR, asked_something, right_answer, saw_gold
from guerdon_medical.rwr_tasks import RwrQuestion, RwrQuestions
from guerdon_medical.rwr_world import MadeSight

X = "x" * 520
QUESTION = RwrQuestion(
    id="q",
    question="What is it?",
    answer="B. hip fracture",
    options=("lung edema", "hip fracture"),
    gold_documents=("d1",),
)
PROMPT = Prompt((Message("user", "What is it?"),))
KNOWN = ("hip", "fracture", "groin pain", "acute", "lung", "fever", "cough", "edema")
TEXT = MedRwR(phrases=KNOWN)


def looked_up(
    answer: str = "B. hip fracture",
    *,
    query: str = "hip fracture signs",
    found: str = "(1) hip pain with fracture of trochanter",
    document: str = "d1",
    failed: bool = False,
    example: RwrQuestion = QUESTION,
    **fields: Any,
) -> Rollout:
    """A query, its documents, and an answer."""
    info = {"hits": (Hit(document, 1.0),), "failed": failed}
    asked = Segment("policy", f"<think>{X}</think><query>{query}</query>", observation=Turn("", info=info))
    shown = Segment("environment", f"<retrieve> {found} </retrieve>")
    last = Segment("policy", f"<think>so</think><answer>{answer}</answer>", observation=Turn("", terminated=True))
    return Rollout(example, (asked, shown, last), PROMPT, **fields)


def parts(score: Score) -> dict[str, float]:
    return {name: part.value for name, part in score.parts.items()}


def test_the_sum_is_that_of_its_parts() -> None:
    """Examples 1 and 11: 5 + 3 + 0 + (1 + 1 + 2/3) + 0."""
    score = TEXT(looked_up())
    assert score.value == pytest.approx(10.666667, abs=1e-6)
    assert parts(score) == pytest.approx(
        {
            "accuracy": 5.0,
            "format": 3.0,
            "length": 0.0,
            "text-semantics": 2.6666667,
            "image-semantics": 0.0,
            "queries": 1.0,
            "gold-document": 1.0,
        }
    )
    assert score.status == "ok"


def test_released_reads_the_same_rollout_with_its_flaws() -> None:
    """The gold is cut to "b", which "fracture" does not have: 5 + 3 + 0 + (0 + 0 + 2/3)."""
    released = MedRwR(phrases=KNOWN, reading="released")(looked_up())
    assert released.value == pytest.approx(8.666667, abs=1e-6)


def test_a_query_for_show_is_seen_in_what_it_found() -> None:
    """+2 in format all the same, as the sheet's hack says: the part beside it tells."""
    score = TEXT(looked_up(query="what is this", found="None", document="d7"))
    assert parts(score)["format"] == 3.0
    assert parts(score)["text-semantics"] == 0.0
    assert parts(score)["gold-document"] == 0.0
    unknown = looked_up(example=QUESTION.model_copy(update={"gold_documents": ()}))
    assert saw_gold(unknown).status == "abstain"
    assert math.isnan(parts(TEXT(unknown))["gold-document"])


def test_entities_stuffed_into_a_query_cost_one() -> None:
    """Example 13: 5 + 3 + 0 + 1.5."""
    stuffed = looked_up(query="acute groin pain fever cough lung edema hip")
    assert TEXT(stuffed).value == pytest.approx(9.5)


FORGED = (
    f"<think>{X}</think><query>hip fracture signs</query><retrieve>(1) hip fracture</retrieve><think>so</think>"
    "<answer>B. hip fracture</answer>"
)


def test_who_forges_documents_earns_no_marks_for_them_and_released_pays() -> None:
    """Repaired: 5 + 0 + 0 + (0 + 1 + 2/3); released pays 3 for the layout."""
    forged = Rollout.of(QUESTION, FORGED)
    score = TEXT(forged)
    assert (score.status, score.why) == ("fail", "a retrieve tag in the policy's own words")
    assert score.value == pytest.approx(6.666667, abs=1e-6)
    assert asked_something(forged).value == 0.0
    assert parts(MedRwR(phrases=KNOWN, reading="released")(forged))["format"] == 3.0


def test_statuses_say_what_went_wrong() -> None:
    assert TEXT(Rollout.of(QUESTION, "")).status == "fail"
    assert TEXT(Rollout.of(QUESTION, "<answer>B")).why == "no answer block of one line"
    assert TEXT(looked_up(stop="length")).status == "truncated"
    assert right_answer(Rollout.of(QUESTION, "")).status == "fail"


def test_a_retriever_that_failed_is_not_the_policys_fault() -> None:
    score = TEXT(looked_up(found="The search failed.", failed=True))
    assert (score.status, score.why) == ("infra", "the retriever failed")


@pytest.mark.parametrize("metric", [right_answer, asked_something, saw_gold])
def test_no_metric_counts_a_retriever_that_failed(metric: Any) -> None:
    assert metric(looked_up(found="The search failed.", failed=True)).status == "infra"
    assert metric(looked_up()).value == 1.0


def test_a_rollout_read_from_a_runs_file_shows_the_same_documents() -> None:
    """Rollouts are kept as JSON; hits come back as mappings."""
    for document, seen in (("d1", 1.0), ("d7", 0.0)):
        rollout = looked_up(document=document)
        again = rollout_of(json.loads(json.dumps(row_of(rollout))), rollout.example, rollout.prompt)
        assert saw_gold(again).value == saw_gold(rollout).value == seen
        assert TEXT(again).flat() == TEXT(rollout).flat()


def test_ontologies_are_entities_too(tmp_path: Any) -> None:
    path = tmp_path / "made.obo"
    path.write_text("[Term]\nid: A:1\nname: hip fracture\n")
    score = MedRwR(ontologies=(str(path),), phrases=("signs",))(looked_up())
    assert parts(score)["text-semantics"] == pytest.approx(3.0)


# -- confidence ----------------------------------------------------------------------------------------------------


def told(one: Continuation) -> tuple[float, ...]:
    """Example 15: B at -1.2 before anything is retrieved, at -.1 after."""
    begin, end = {"A": -0.7, "B": -1.2, "C": -2.0}, {"B": -0.1, "A": -2.5, "C": -4.0}
    retrieved = any("<retrieve>" in message.content for message in one.messages)
    return ((end if retrieved else begin).get(one.text, -9.0),)


SURE = MedRwR(StandInScorer(told), phrases=KNOWN)


@pytest.mark.parametrize(("answer", "gain"), [("B. hip fracture", 0.11), ("A. lung edema", 0.05)])
def test_confidence_is_of_the_turns_before_and_after_retrieval(answer: str, gain: float) -> None:
    """Examples 15 and 16."""
    assert parts(SURE(looked_up(answer)))["confidence"] == pytest.approx(gain)


def test_the_first_turns_answer_is_asked_for_where_the_query_begins() -> None:
    begin, end = first_answer(looked_up()), last_answer(looked_up())
    assert [one.text for one in begin] == [one.text for one in end] == list("ABCDEFGHIJ")
    assert begin[0] == Continuation(PROMPT.messages, "A", f"<think>{X}</think><answer>")
    assert end[0].prefix == "<think>so</think><answer>"
    assert [message.role for message in end[0].messages] == ["user", "assistant", "user"]
    assert end[0].messages[1].content == f"<think>{X}</think><query>hip fracture signs</query>"


def test_without_retrieval_nothing_was_gained() -> None:
    direct = Rollout(QUESTION, (Segment("policy", f"<think>{X}</think><answer>B</answer>"),), PROMPT)
    assert parts(SURE(direct))["confidence"] == 0.0


def test_a_last_turn_without_an_answer_has_no_letters() -> None:
    """Wrong, rank 1 at the beginning: .05 * (1 - 10), example 18."""
    cut = looked_up()
    cut = Rollout(QUESTION, (*cut.segments[:2], Segment("policy", "<think>so")), PROMPT)
    assert parts(SURE(cut))["confidence"] == pytest.approx(-0.45)


def test_an_unanswered_query_ends_no_turn() -> None:
    ended = Rollout(QUESTION, (*looked_up().segments, Segment("environment", "")), PROMPT)
    assert turns_of(ended) == turns_of(looked_up())


def test_a_scorer_that_cannot_tell_leaves_the_rollout_unscored() -> None:
    def silent(one: Continuation) -> None:
        return None

    assert MedRwR(StandInScorer(silent))(looked_up()).status == "infra"


def test_a_gold_that_is_no_letter_has_no_confidence() -> None:
    text = QUESTION.model_copy(update={"answer": "hip fracture", "options": ()})
    assert parts(SURE(looked_up("hip fracture", example=text)))["confidence"] == 0.0


def test_a_gold_by_number_has_no_confidence_either() -> None:
    """Wrong or right: no scorer is asked how likely "1" is."""
    numbered = QUESTION.model_copy(update={"answer": "1. hip fracture", "options": ()})
    for said in ("1. hip fracture", "2. lung"):
        assert parts(SURE(looked_up(said, example=numbered)))["confidence"] == 0.0


def test_the_letters_of_a_policy_are_its_own() -> None:
    """With a real model of random weights the gain is the difference of two log-softmaxes."""
    pytest.importorskip("transformers")
    import importlib.util
    from pathlib import Path

    import torch

    from guerdon.policies.language import LanguagePolicy
    from guerdon.scorers import UnderPolicy

    place = Path(__file__).parents[2] / "core" / "tests" / "tiny_models.py"
    if not place.is_file():
        pytest.skip("core's tests are not beside these")
    spec = importlib.util.spec_from_file_location("tiny_models", place)
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    policy = LanguagePolicy(tiny.tiny_llama(max_position_embeddings=2048), tiny.byte_tokenizer())
    rollout = looked_up()
    score = Context(policy=policy).scores(MedRwR(UnderPolicy(), phrases=KNOWN), [Group.of([rollout])])[0][0]

    def letter(before: str) -> float:
        ids = torch.tensor([policy.tokenizer.encode(before, add_special_tokens=False)])
        with torch.no_grad():
            table = policy.model(input_ids=ids).logits[0, -1].float().log_softmax(-1)
        return float(table[policy.tokenizer.encode("B", add_special_tokens=False)[0]])

    first, shown, _ = (segment.text for segment in rollout.segments)
    begin = f"[user]What is it?<end>[assistant]<think>{X}</think><answer>"
    end = f"[user]What is it?<end>[assistant]{first}<end>[user]{shown}<end>[assistant]<think>so</think><answer>"
    assert parts(score)["confidence"] == pytest.approx(0.1 * (letter(end) - letter(begin)), abs=1e-4)


# -- pictures ------------------------------------------------------------------------------------------------------

SEEN = RwrQuestion(id="seen", question="?", answer="B. x", options=("y", "x"), drawn=("fever", "rash", "cough"))


def test_a_query_near_the_picture_earns_more_than_one_that_is_not() -> None:
    reward = MedRwR(sight=MadeSight(), counted=("image-semantics",))
    near, far = (reward(looked_up(query=one, example=SEEN)).value for one in ("fever and rash", "vertigo"))
    assert near > 0.5
    assert abs(far) < 0.3


def test_a_text_row_beside_one_with_a_picture_earns_nothing_for_sight() -> None:
    reward = MedRwR(sight=MadeSight(), counted=("image-semantics",))
    groups = [Group.of([looked_up(query="fever")]), Group.of([looked_up(query="fever", example=SEEN)])]
    scores: Scores = Context().scores(reward, groups)
    assert scores[0][0].value == 0.0
    assert scores[1][0].value > 0.3


def test_pictures_and_nobody_who_sees_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match="sight is not given"):
        MedRwR()(looked_up(example=SEEN))
    assert MedRwR(counted=("accuracy",))(looked_up(example=SEEN)).value == 4.0  # B, and not its text
    with pytest.raises(ConfigError, match="encodes texts alone"):
        MedRwR(sight=HashedEncoder())


# -- as any reward -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"counted": ()}, "parts are needed"),
        ({"counted": ("accuracy", "accuracy")}, "each once"),
        ({"counted": ("confidence",)}, "has no scorer"),
        ({"counted": ("speed",)}, r"counted\[0\] is 'speed'"),
        ({"reading": "printed"}, "reading is 'printed'"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"extractor": Phrases(("hip",)), "phrases": ("hip",)}, "name one of them"),
    ],
)
def test_a_wrong_setting_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MedRwR(**options)


def test_it_is_a_value_and_travels() -> None:
    assert pickle.loads(pickle.dumps(TEXT)) == TEXT
    assert hash(TEXT) == hash(MedRwR(phrases=KNOWN))


def test_a_batch_scores_as_its_rollouts_alone() -> None:
    rollouts = [looked_up(), looked_up("C. lung"), Rollout.of(QUESTION, FORGED), Rollout.of(QUESTION, "")]
    together = Context().scores(TEXT, [Group.of(rollouts), Group.of(rollouts[:1])])
    assert [score.value for score in together[0]] == [TEXT(one).value for one in rollouts]
    assert together[1][0].value == TEXT(rollouts[0]).value


def test_the_reference_earns_the_top_of_what_needs_no_retrieval() -> None:
    """5 + 1 + 0."""
    task = RwrQuestions(train_size=5)
    for example in task.examples("train"):
        text = task.reference(example)
        assert text is not None
        assert MedRwR()(Rollout.of(example, text)).value == 6.0
        assert right_answer(Rollout.of(example, text)).value == 1.0


@pytest.mark.parametrize(
    "cheat", ["", "<answer>", "<retrieve>" * 50, "<query></query>" * 100, "B", "\x00\udc80<think>"]
)
def test_any_text_has_a_score_within_bounds(cheat: str) -> None:
    low, high = TEXT.bounds
    for text in (cheat, cheat + FORGED):
        assert low <= TEXT(Rollout.of(QUESTION, text)).value <= high


@pytest.mark.parametrize("name", ["scorer", "sight", "ontologies", "phrases", "counted"])
def test_a_name_in_an_objects_place_is_refused_at_once(name: str) -> None:
    """Names are read in recipes; in Python they would fail in the middle of a run, as a bug of the reward."""
    with pytest.raises(
        ConfigError, match=rf"medical/med-rwr.{name} is the text 'x'; .* Names are read in recipes alone"
    ):
        MedRwR(**{name: "x"})
