import sqlite3
from random import Random

import pytest

from guerdon_sql.claims import ReasoningSql
from guerdon_sql.slots import ROWS, SLOTS, SlotPolicy, make_database, make_questions, text_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("slots") / "slots.sqlite"
    random = Random(0)
    make_database(path, random)
    return path, make_questions(path, 60, random)


def test_the_world_is_three_tables_of_thirty_rows_and_sixty_questions_with_answers(world):
    path, questions = world
    connection = sqlite3.connect(path)
    assert [connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in SLOTS[0]] == [ROWS] * 3
    assert len({question.gold for question in questions}) == 60
    for question in questions:
        rows = connection.execute(question.gold[0]).fetchall()
        assert any(any(row) for row in rows)
        assert text_of(question.choice) == question.gold[0]
    connection.close()


def test_the_policy_starts_uniform_and_a_good_attempt_becomes_likelier(world):
    question = world[1][0]
    policy = SlotPolicy()
    assert policy.probabilities(question)[0] == [1 / 3] * 3
    rollout = policy.attempts(question, 1, Random(1))[0]
    table = rollout.segments[0].action[0]
    policy.reinforce([(rollout, 1.0)], learning_rate=0.5)
    # One-hot minus p is 2/3 for the chosen table, -1/3 for the others, in each of 7 active rows: logits 7 * 0.5 * that.
    from math import exp

    expected = exp(7 / 3) / (exp(7 / 3) + 2 * exp(-7 / 6))
    assert policy.probabilities(question)[0][table] == pytest.approx(expected)


def test_the_same_seed_measures_the_same_and_another_does_not():
    small = ReasoningSql(steps=15)
    first, again, other = small.measure("partial", 0), small.measure("partial", 0), small.measure("partial", 1)
    assert first == again != other


def test_the_claim_can_fail_where_the_policy_starts_near_the_solution():
    result = ReasoningSql(steps=5, head_start=6.0).run((0,))
    assert not result.held
    values = {measurement.name: measurement.values for measurement in result.measurements}
    assert values["train EX, execution only"] == values["train EX, partial rewards"] == (1.0,)


@pytest.mark.claim
def test_partial_rewards_beat_execution_alone_by_the_sheets_margins():
    done = []
    result = ReasoningSql().run((0, 1, 2, 3), lambda *at: done.append(at))
    assert result.held, result
    assert done[-1][:2] == (8, 8)
    values = {measurement.name: measurement for measurement in result.measurements}
    assert values["margin in train EX"].mean >= 0.25
    assert values["margin in held-out EX"].mean >= 0.1
    assert values["margin in dead groups"].mean >= 0.4
