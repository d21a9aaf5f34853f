"""No praise for what breaks a rule."""

import pytest

from guerdon.advantages import group_relative, leave_one_out, withheld
from guerdon.errors import ConfigError
from guerdon.recipes.building import build_advantage
from guerdon.recipes.schema import Use
from guerdon.types import Example, Group, Rollout, Score, Segment

PLAIN = group_relative(std=False)


def group(*scores, steps=1):
    segments = tuple(Segment("policy", action=0) for _ in range(steps))
    return Group.of([Rollout(Example(id="x"), segments, index=i) for i in range(len(scores))])


def line(value, level):
    return Score(value, parts={"gate": Score(value, parts={"bottom_line": Score(level)})})


def estimate(scores, **options):
    options = {"part": "gate/bottom_line", "of": PLAIN, **options}
    return withheld(**options).estimate([group(*scores, steps=2)], [scores])


def test_a_violating_answer_is_never_pushed_up_and_still_pushed_down():
    """Rewards .5, .25, .75, mean .5. The third breaks the rule: its .25 becomes 0; the second's -.25 stays."""
    found = estimate([line(0.5, 1.0), line(0.25, 0.0), line(0.75, 0.0)])
    assert found.values == [[[0.0, 0.0], [-0.25, -0.25], [0.0, 0.0]]]
    assert found.dead == [False]


def test_where_all_break_the_rule_the_best_of_them_is_not_reinforced():
    found = estimate([line(0.75, 0.2), line(0.25, 0.2)])
    assert found.values == [[[0.0, 0.0], [-0.25, -0.25]]]


def test_the_limit_decides_what_breaks_it():
    scores = [line(0.75, 0.2), line(0.25, 0.2)]
    assert estimate(scores, below=0.2).values == [[[0.25, 0.25], [-0.25, -0.25]]]


def test_an_unscored_part_breaks_nothing_that_is_known_of():
    scores = [Score(0.75, parts={"gate": Score(0.75, parts={"bottom_line": Score.unscored("?")})}), line(0.25, 1.0)]
    assert estimate(scores).values[0][0] == [0.25, 0.25]


def test_an_unscored_rollout_stays_out():
    found = estimate([line(0.75, 1.0), line(0.25, 1.0), Score.unscored("down")])
    assert found.scored == [[True, True, False]]
    assert found.values[0][2] == [0.0, 0.0]


def test_a_dead_group_stays_dead():
    assert estimate([line(0.5, 0.0), line(0.5, 0.0)]).dead == [True]
    assert estimate([line(0.5, 0.0)]).dead == [True]


def test_a_part_that_no_score_has_is_named_but_a_closed_gate_is_not_an_error():
    with pytest.raises(ConfigError, match="'safe'; the scores' parts are gate, gate/bottom_line"):
        estimate([line(0.5, 1.0), line(0.25, 1.0)], part="safe")
    assert estimate([Score(0.0), Score(0.0)]).dead == [True]


def test_a_recipe_names_what_is_withheld_from_whom():
    options = {"part": "bottom_line", "below": 0.5, "of": {"use": "group_relative", "with": {"std": False}}}
    built = build_advantage(Use.model_validate({"use": "withheld", "with": options}))
    assert built == withheld("bottom_line", 0.5, PLAIN)
    assert build_advantage(
        Use.model_validate({"use": "withheld", "with": {"part": "b", "of": "leave_one_out"}})
    ) == withheld("b", of=leave_one_out())


def test_a_group_known_as_text_alone_is_dead_only_where_it_was():
    """No policy steps, and so no values to be all 0: the spread of the scores still says that there is a preference."""
    from guerdon.advantages import weighted_by
    from guerdon.types import Example, Group, Rollout, Score

    group = Group.of([Rollout.of(Example(id="x"), "t", index=index) for index in range(2)])
    for values, dead in (((1.0, 0.0), False), ((1.0, 1.0), True)):
        rows = [[Score(value, parts={"p": Score(1.0)}) for value in values]]
        assert withheld("p").estimate([group], rows).dead == [dead]
        assert weighted_by("p").estimate([group], rows).dead == [dead]


def test_a_group_whose_weights_are_all_zero_is_dead():
    from guerdon.advantages import weighted_by
    from guerdon.types import Example, Group, Rollout, Score, Segment

    group = Group.of([Rollout(Example(id="x"), (Segment("policy", action=0),), index=index) for index in range(2)])
    rows = [[Score(value, parts={"p": Score(0.0)}) for value in (1.0, 0.0)]]
    assert weighted_by("p").estimate([group], rows).dead == [True]
