"""Process rewards, ensembles and weighed rewards where others train: TRL's kind of call, a reward server's records."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from guerdon.adapters.trl import reward_funcs
from guerdon.grading import Grader
from guerdon.rewards import ProcessReward, Repetition, StepScores, UncertaintyWeighted, ensemble, reward
from guerdon.trainer.records import score_of, score_record

TEXTS = ("1+1=2\n\nso it is", "1+1=3", "", "on and on and on")


@reward(name="kit/sums-v1", bounds=(0.0, 1.0))
def sums(rollout):
    return float("=2" in rollout.answer)


@reward(name="kit/plus-v1", bounds=(0.0, 1.0))
def plus(rollout):
    return 0.5 * ("+" in rollout.answer)


KIT = (
    ProcessReward(StepScores(sums), "delta", 0.5)
    + UncertaintyWeighted(ensemble([sums, plus], "mean", spread="range"), penalty=0.2)
    + Repetition(n=2)
)
TOTALS = [0.5 + 0.65, 0.15, 0.0, -0.5]
"""Delta pays the first of two steps half of 1. Looks (1, 0.5), (0, 0.5), (0, 0), (0, 0): their mean less 0.2 times what
they are apart. Of four pairs of neighbouring words in the last, two stood there before."""


def test_trls_call_gets_the_totals_and_logs_each_term():
    logged = []
    (function,) = reward_funcs(KIT)
    found = function(
        prompts=["?"] * 4,
        completions=list(TEXTS),
        completion_ids=[[1, 2]] * 4,
        trainer_state=SimpleNamespace(global_step=0, max_steps=10, epoch=0.0),
        log_metric=lambda name, value: logged.append((name, value)),
        log_extra=lambda name, values: None,
        id=["1"] * 4,
    )
    assert found == pytest.approx(TOTALS)
    assert ("rewards/sum/process/mean", 0.5) in logged
    assert ("rewards/sum/uncertainty/mean", 0.65) in logged


def test_a_servers_records_carry_every_part_and_span():
    with Grader(KIT) as grader:
        scores = grader.grade([{"example": {"id": "1"}, "completion": text} for text in TEXTS])
    assert [score.value for score in scores] == pytest.approx(TOTALS)
    again = [score_of(json.loads(json.dumps(score_record(score, {}), allow_nan=False))) for score in scores]
    assert [repr(one.flat()) for one in again] == [repr(score.flat()) for score in scores]  # NaN is not equal to itself
    for one, score in zip(again, scores, strict=True):
        assert one.parts["process"].dense == dict(score.parts["process"].dense)


def test_what_is_measured_beside_the_value_has_names_that_are_known_beforehand():
    with Grader(KIT) as grader:
        (score, *_) = grader.grade([{"example": {"id": "1"}, "completion": text} for text in TEXTS])
    for term in KIT.children[:2]:
        assert set(term.part_names) <= score.parts[term.label].parts.keys()
    assert set(KIT.children[1].reward.part_names) == score.parts["uncertainty"].parts["ensemble"].parts.keys()
