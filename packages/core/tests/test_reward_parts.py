"""What a tree can tell of its scores' parts before anything is scored."""

import pytest

from guerdon.advantages import group_relative, returns_to_go, streams, weighted_by, withheld
from guerdon.errors import ConfigError
from guerdon.rewards import Context, reward
from guerdon.rewards.ensembles import ensemble
from guerdon.rewards.parts import known_parts, may_have
from guerdon.rewards.references import References
from guerdon.rewards.shapes import par
from guerdon.transforms import clip
from guerdon.types import Example, Group, Rollout, Score, Stream


@reward(bounds=(0.0, 1.0))
def right(rollout):
    return Score(0.5, parts={"tests": Score(0.25)}, dense={"turn": Stream("rollout", (0.75,))})


@reward(bounds=(0.0, 1.0))
def short(rollout):
    return 0.25


@reward(bounds=(0.0, 1.0))
def kind(rollout):
    return 0.75


class Rated(Example):
    scores: tuple[float, ...] = (0.1, 0.2)


RATED = References(field="scores", kind="rewards")
TREES = [
    0.9 * right + 0.1 * short,
    (0.9 * right + 0.1 * short).gated_by(kind),
    (right + short).then(clip(0.0, 1.0)).named("both") + kind,
    ensemble([right, short]).named("careful") + kind,
    2.0 * (right + short).named("both"),
    short.against(RATED, par(first=None)) + kind.unless(right),
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_every_part_that_a_score_has_is_one_that_it_may_have(tree):
    group = Group.of([Rollout.of(Rated(id="x"), "an answer")])
    (score,) = Context().scores(tree, [group])[0]
    assert score.flat()
    assert [path for path in score.flat() if not may_have(tree, path)] == []
    assert set(known_parts(tree)) <= set(score.flat())


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (0.9 * right + short, "rihgt"),
        ((right + short).gated_by(kind), "tests"),
        (ensemble([right, short]).named("careful") + kind, "careful/disagrement"),
        (ensemble([right, short]), "kind"),
        ((right + short).then(clip(0.0, 1.0)), "kind"),
    ],
)
def test_what_the_algebra_does_not_have_is_known_beforehand(tree, path):
    assert not may_have(tree, path)


@pytest.mark.parametrize(
    ("tree", "path"), [(right, "tests"), (right + short, "right/turn"), (right.then(clip(0.0, 1.0)), "tests")]
)
def test_what_a_reward_of_ones_own_puts_into_its_scores_is_its_own_to_know(tree, path):
    assert may_have(tree, path)


@pytest.mark.parametrize(
    "estimator",
    [
        streams({"right": 1.0, "shrot": 1.0}),
        returns_to_go({"shrot": 1.0}),
        weighted_by("shrot"),
        withheld("right", of=weighted_by("shrot")),
    ],
)
def test_a_misspelt_part_is_said_before_anything_is_sampled(estimator):
    pairing = pytest.importorskip("guerdon.trainer.pairing")
    with pytest.raises(ConfigError, match=r"'shrot', and the scores of sum have none; did you mean 'short'\?"):
        pairing.check_parts(right + short, estimator)


def test_an_estimator_of_values_alone_fits_every_reward():
    pairing = pytest.importorskip("guerdon.trainer.pairing")
    assert group_relative().reads == ()
    pairing.check_parts(right, group_relative())
