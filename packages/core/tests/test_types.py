import copy
import dataclasses
import math
import pickle

import pytest
from pydantic import ValidationError

from guerdon.types import Example, Group, Image, Prompt, Rollout, Score, Segment, Stream


class Sum(Example):
    total: int


def test_a_misspelt_field_of_an_example_is_refused():
    with pytest.raises(ValidationError, match="totl"):
        Sum(id="1", total=2, totl=3)


def test_an_example_is_a_value():
    assert Sum(id="1", total=2) == Sum(id="1", total=2)
    assert len({Sum(id="1", total=2), Sum(id="1", total=2)}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        Sum(id="1", total=2).total = 3


def test_completion_is_all_but_the_environments_words_and_answer_what_follows_them():
    segments = (
        Segment("forced", "<think>"),
        Segment("policy", "look up", token_ids=(1, 2), logprobs=(-0.5, -1.0)),
        Segment("environment", "42", token_ids=(3,)),
        Segment("policy", "it is 42", token_ids=(4, 5, 6), logprobs=(-0.1, -0.2, -0.3)),
    )
    rollout = Rollout(Example(id="1"), segments)
    assert rollout.completion == "<think>look upit is 42"
    assert rollout.answer == "it is 42"
    assert rollout.steps == 5
    assert rollout.logprobs == (-0.5, -1.0, -0.1, -0.2, -0.3)


def test_a_single_turn_is_its_own_answer():
    rollout = Rollout.of(Example(id="1"), "hello", stop="length")
    assert rollout.completion == rollout.answer == "hello"
    assert rollout.truncated
    assert not rollout.terminated
    assert rollout.steps == 0


@pytest.mark.parametrize(
    ("example", "text", "told"), [("1", "x", "an Example is needed"), (None, 5, "a text is needed")]
)
def test_a_rollout_of_what_is_no_example_or_no_text_says_what_is_needed(example, text, told):
    with pytest.raises(TypeError, match=told):
        Rollout.of(example or Example(id="1"), text)


def test_segments_and_rollouts_are_frozen_values_with_every_field_where_it_was_put():
    segment = Segment("policy", "a", (1,), (-0.5,), "seen", "done", (Image("b.png"),))
    rollout = Rollout(Example(id="1"), (segment,), Prompt(forced="f"), (7,), "length", 3, 4)
    told = "Segment(author='policy', text='a', token_ids=(1,), logprobs=(-0.5,), observation='seen', action='done', "
    assert repr(segment) == f"{told}images=(Image(path='b.png'),))"
    assert Segment("policy").images == ()
    assert repr(rollout).endswith("forced='f'), prompt_ids=(7,), stop='length', policy_version=3, index=4)")
    for value in (segment, rollout):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == dataclasses.replace(value) == value
    assert dataclasses.replace(rollout, index=5) != rollout
    assert Rollout(Example(id="1")) == Rollout(Example(id="1"), (), Prompt(), (), "stop", 0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        segment.text = "b"


def test_an_action_without_tokens_is_one_step():
    assert Segment("policy", action=3).steps == 1
    assert Segment("environment", token_ids=(1, 2)).steps == 0


def test_a_rollout_of_another_kind_of_example_is_named():
    with pytest.raises(TypeError, match="scores Sum, was given Example '1'"):
        Rollout.of(Example(id="1"), "x").example_as(Sum)


def test_a_group_takes_its_key_from_its_example():
    group = Group.of([Rollout.of(Example(id="q"), "a"), Rollout.of(Example(id="q"), "b")])
    assert group.key == "q"
    assert len(group) == 2


@pytest.mark.parametrize(
    "score",
    [Score(1.0), Score(0.5, "half", {"a": Score(0.5, "why")}, "fail", {"steps": Stream("step", (0.1, 0.2))})],
    ids=["bare", "full"],
)
def test_a_score_copies_pickles_and_compares_by_value(score):
    for again in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score), dataclasses.replace(score)):
        assert again == score
        assert (again.why, dict(again.parts), again.status, dict(again.dense)) == (
            score.why,
            dict(score.parts),
            score.status,
            dict(score.dense),
        )
    assert score != score.with_value(9.0)
    assert score.with_value(9.0).why == score.why


def test_a_score_cannot_be_changed_nor_can_what_it_shares_with_others():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Score(1.0).value = 2.0
    with pytest.raises(TypeError):
        Score(1.0).parts["x"] = Score(1.0)


@pytest.mark.parametrize("status", ["abstain", "invalid", "infra"])
def test_no_number_is_nan_with_a_reason(status):
    score = Score.unscored("because", status=status)
    assert math.isnan(score.value)
    assert not score.scored
    assert score.why == "because"


@pytest.mark.parametrize("status", ["ok", "fail", "timeout", "rejected", "truncated"])
def test_the_policys_faults_are_numbers(status):
    assert Score(0.0, status=status).scored


def test_parts_flatten_to_paths():
    score = Score(1.5, parts={"a": Score(1.0, parts={"b": Score(0.25)}), "c": Score(0.5)})
    assert score.flat() == {"a": 1.0, "a/b": 0.25, "c": 0.5}


def test_a_score_prints_its_evidence():
    assert repr(Score(1.0)) == "Score(1.0)"
    shown = repr(Score(0.25, "half right", {"a": Score(0.5)}, "fail"))
    assert shown == "Score(0.25, why='half right', status='fail', parts={a: 0.5})"


def test_the_turns_of_a_rollout_are_the_policys_own_segments():
    spoken = [("forced", "a"), ("policy", "b"), ("environment", "c"), ("policy", "d")]
    rollout = Rollout(Example(id="x"), tuple(Segment(author, text) for author, text in spoken))
    assert [turn.text for turn in rollout.turns] == ["b", "d"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("token", (1.0,)), "Stream.per is 'token'; accepted are 'rollout', 'turn', 'step'"),
        (("rollout", (1.0, 2.0)), "one value, not 2"),
        (("turn", (1.0, math.inf)), "finite"),
    ],
)
def test_a_wrong_stream_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        Stream(*wrong)
