"""Recipes: what is written is what is built, and what is wrong is named by its field's path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from guerdon.advantages import streams
from guerdon.errors import ConfigError
from guerdon.judges import Judge, LocalModel, OpenAICompatible, StandIn, number
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import JudgeBackend
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_advantage, build_reward, construct
from guerdon.rewards import Context, Reward, Sum, reward
from guerdon.transforms import Transform, center, chain, clip, scale, standardize
from guerdon.types import Example, Group, Rollout, Score


@reward(name="test/long-v1", bounds=(0.0, 1.0))
def long(rollout):
    return min(1.0, len(rollout.answer) / 10)


@pytest.fixture(autouse=True)
def _offered():
    register_local("rewards", "test/long-v1", long)
    register_local("rewards", "test/asked-v1", Asked)
    yield
    catalog.cache_clear()


def recipe(**fields):
    return {"task": "test/any", "policy": "scripted", "reward": "test/long", **fields}


def test_a_part_that_is_off_is_switched_on_by_one_of_its_fields():
    """A run folder's recipe.yaml writes every default out: `refill: null`."""
    written = {**load_recipe(recipe()).to_mapping()}
    assert written["train"]["refill"] is None
    assert load_recipe(written, ["train.refill.max_rounds=2"]).train.refill.max_rounds == 2


def test_the_name_of_a_further_evaluation_must_do_as_a_file_name():
    with pytest.raises(ConfigError, match=r"evals\.BIRD dev"):
        load_recipe(recipe(evals={"BIRD dev": "test/any"}))
    assert set(load_recipe(recipe(evals={"bird-dev": "test/any"})).evals) == {"bird-dev"}


def test_an_unknown_field_of_an_optional_part_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"'train\.refill\.max_round' is unknown; did you mean 'max_rounds'\?"):
        load_recipe(recipe(train={"refill": {"max_round": 2}}))


# -- parts that are things of their own ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked(Reward, name="test/asked-v1", bounds=(0.0, 1.0)):
    """Half of what a judge answers, at most 1."""

    backend: JudgeBackend
    second: Reward | None = None

    def score(self, rollout):
        (verdict,) = Judge(self.backend, number(0, 2)).ask([rollout.answer])
        return Score(verdict.value / 2)


def judged(backend, **options):
    return recipe(reward={"use": "test/asked", "with": {"backend": backend, **options}})


def built(data):
    return build_reward(load_recipe(data).reward)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("stand-in", StandIn()),
        ({"use": "stand-in", "with": {"answers": ["1.5"]}}, StandIn(answers=("1.5",))),
        (
            {"use": "server", "with": {"base_url": "http://localhost:8000/v1", "model": "m", "timeout_s": 5}},
            OpenAICompatible("http://localhost:8000/v1", "m", timeout_s=5.0),
        ),
        ({"use": "local", "with": {"model": "embedded"}}, LocalModel("embedded")),
    ],
    ids=["by name alone", "stand-in", "server", "local"],
)
def test_a_recipe_names_who_answers_a_judges_questions(backend, expected):
    assert built(judged(backend)) == Asked(expected)


def test_a_judge_named_in_a_recipe_judges():
    """The stand-in always says 1.5, and the reward halves it."""
    asked = built(judged({"use": "stand-in", "with": {"answers": ["1.5"]}}))
    assert asked.score(Rollout.of(Example(id="1"), "anything")).value == 0.75


def test_a_reward_may_take_another_as_an_option_described_like_any_reward():
    second = {"sum": ["test/long", {"use": "test/asked", "weight": 2, "with": {"backend": "stand-in"}}]}
    assert built(judged("stand-in", second=second)) == Asked(StandIn(), long + 2.0 * Asked(StandIn()))
    assert built(judged("stand-in", second=None)) == Asked(StandIn())


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("stand", r"no judge named 'stand' .*Did you mean 'stand-in'\? \(field 'reward.with.backend.use'\)"),
        ({"with": {}}, r"field 'reward.with.backend.use' is missing"),
        ({"use": "stand-in", "wiht": {}}, r"field 'reward.with.backend.wiht' is unknown; did you mean 'with'\?"),
        (
            {"use": "stand-in", "with": {"answer": ["1"]}},
            r"field 'reward.with.backend.with.answer' is unknown; did you mean 'answers'\?",
        ),
        ({"use": "stand-in", "with": {"answers": [1]}}, r"field 'reward.with.backend.with.answers.0' is 1; .*string"),
        ({"use": "server"}, r"field 'reward.with.backend.with' lacks base_url, model; accepted are base_url, model, "),
        (
            {"use": "server", "with": {"base_url": "localhost", "model": "m"}},
            r"(?s)base_url is 'localhost'; an http:// or https:// address.*field 'reward.with.backend.with'",
        ),
        ({"use": "local", "with": {"model": "./nowhere"}}, r"model is './nowhere', and there is no such folder"),
        (3, r"field 'reward.with.backend' is 3; "),
    ],
)
def test_a_wrong_judge_is_named_by_its_field(backend, said):
    with pytest.raises(ConfigError, match=said):
        built(judged(backend))


@dataclass(frozen=True)
class Choosing(Reward, name="test/choosing-v1"):
    word: Literal["first", "second"]


def test_an_option_that_is_lacking_is_told_with_what_it_may_be():
    """Names and words; and not twice where it is the only option."""
    with pytest.raises(ConfigError, match=r"lacks backend \(one of the judges .*stand-in.*\); accepted are backend, "):
        construct(Asked, {}, "reward.with")
    with pytest.raises(ConfigError, match=r"'reward\.with' lacks word \(one of first, second\)$"):
        construct(Choosing, {}, "reward.with")


@dataclass(frozen=True)
class Several(Reward, name="test/several-v1"):
    """What holds other things in tuples."""

    rewards: tuple[Reward, ...]
    shaping: tuple[Transform, ...] = ()
    cap: Transform | None = None


def test_an_option_may_be_several_rewards_or_transforms_each_described_like_any():
    options = {"rewards": ["test/long", {"use": "test/asked", "with": {"backend": "stand-in"}}]}
    shaped = {
        "shaping": [{"use": "clip", "with": {"low": 0, "high": 1}}],
        "cap": {"use": "scale", "with": {"factor": 2}},
    }
    built_one = construct(Several, options | shaped, "with")
    assert built_one == Several((long, Asked(StandIn())), (clip(0.0, 1.0),), scale(2.0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rewards": ["test/long", "test/lomg"]}, r"(?s)no reward named 'test/lomg'.*field 'with.rewards.1.use'"),
        ({"rewards": [], "cap": "test/long"}, r"no transform named 'test/long'"),
        ({"rewards": 3}, r"field 'with.rewards' is 3"),
    ],
)
def test_what_is_wrong_with_one_of_several_is_named_by_its_place(options, said):
    with pytest.raises(ConfigError, match=said):
        construct(Several, options, "with")


def test_a_reward_without_options_refuses_them():
    with pytest.raises(ConfigError, match=r"field 'reward.sum.1.with' is \{'limit': 3\}; 'test/long' takes no options"):
        built(recipe(reward={"sum": ["test/long", {"use": "test/long", "with": {"limit": 3}}]}))


# -- shaping ---------------------------------------------------------------------------------------------------------


def test_a_recipe_chains_transforms_over_any_node_of_the_tree():
    """Item by item what `.then(chain(...))` says in Python, on a term and on the whole."""
    shape = [{"use": "center", "with": {"decay": 0.9}}, {"use": "clip", "with": {"low": -1, "high": 1}}]
    tree = {"sum": [{"use": "test/long", "then": ["standardize"]}], "then": shape}
    expected = Sum.of(long.then(chain(standardize()))).then(chain(center(decay=0.9), clip(-1.0, 1.0)))
    assert built(recipe(reward=tree)) == expected
    assert repr(built(recipe(reward=tree))) == repr(expected)


def test_the_chain_shapes_left_to_right():
    """Four times 0.5 and 1 are 2 and 4, and 3 is the most; clipped first, they would be 2 and 4."""
    tree = {
        "use": "test/long",
        "then": [{"use": "scale", "with": {"factor": 4}}, {"use": "clip", "with": {"low": 0, "high": 3}}],
    }
    group = Group.of([Rollout.of(Example(id="1"), "x" * length) for length in (5, 10)])
    assert [score.value for score in Context().scores(built(recipe(reward=tree)), [group])[0]] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (["clip"], r"field 'reward.then.0.with' lacks low, high"),
        (["standardize", "clap"], r"no transform named 'clap' .*Did you mean 'clip'\? \(field 'reward.then.1.use'\)"),
        (
            [{"use": "clip", "with": {"low": 0, "hihg": 1}}],
            r"'reward.then.0.with.hihg' is unknown; did you mean 'high'\?",
        ),
        ("clip", r"field 'reward.then' is 'clip'; "),
    ],
)
def test_a_wrong_transform_is_named_by_its_place_in_the_chain(then, said):
    with pytest.raises(ConfigError, match=said):
        built(recipe(reward={"use": "test/long", "then": then}))


# -- advantages ------------------------------------------------------------------------------------------------------


def test_a_recipe_names_streams_and_their_weights():
    credit = {"use": "streams", "with": {"weights": {"trajectory": 1, "turn": 0.5}, "std": True}}
    read = load_recipe(recipe(advantage=credit), ["advantage.with.weights.turn=2"])
    assert build_advantage(read.advantage) == streams({"trajectory": 1.0, "turn": 2.0}, std=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weights": {"turn": "much"}}, r"'advantage\.with\.weights\.turn' is 'much'"),
        ({"weights": {}}, r"streams\.weights is empty"),
        ({}, r"'advantage\.with' lacks weights"),
        ({"weight": {"turn": 1.0}}, r"did you mean 'weights'\?"),
    ],
)
def test_wrong_streams_are_named_by_their_field(options, said):
    with pytest.raises(ConfigError, match=said):
        build_advantage(load_recipe(recipe(advantage={"use": "streams", "with": options})).advantage)


@pytest.mark.parametrize(
    ("asked", "near"), [("sequence_chi", "; did you mean 'sequence_chi2'?"), ("k33", "; did you mean 'k3'?"), ("x", "")]
)
def test_a_misspelt_word_of_a_choice_is_told_with_all_that_are_accepted(asked, near):
    """And once, by the field's path, whatever the annotation is made of."""
    with pytest.raises(ConfigError) as told:
        load_recipe(recipe(train={"loss": {"divergence": asked, "kl_weight": 0.1}}))
    accepted = "'k3', 'sequence_kl', 'sequence_chi2' or 'sequence_sqrt_chi2'"
    said = f"field 'train.loss.divergence' is {asked!r}; input should be {accepted}{near}"
    assert str(told.value).partition(": ")[2] == said or str(told.value).endswith(said)
    assert "literal" not in str(told.value)


def test_an_option_that_is_one_of_several_words_is_told_the_same_way():
    with pytest.raises(
        ConfigError, match=r"field 'with.scope' is 'grup'; input should be 'sample', .* did you mean 'group'"
    ):
        construct(standardize, {"scope": "grup"}, "with")
