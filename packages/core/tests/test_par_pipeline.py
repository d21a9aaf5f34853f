"""PAR's pipeline: its order, its state, that it trains, and that recipes can say all of it."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import yaml

from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import Task
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Context, Reward, reward, walk
from guerdon.rewards.conjunction import Every, log_and
from guerdon.rewards.length import LengthPenalty
from guerdon.rewards.par_pipeline import Method, par_pipeline
from guerdon.rewards.references import Against, References
from guerdon.rewards.shapes import centred, lsc, par
from guerdon.transforms import ceiling, clip_to_spread, min_max, sigmoid, standardize, tanh
from guerdon.types import Example, Group, Prompt, Rollout, Score, Segment

ACTIONS = ("good", "fair", "bad")
METHODS: tuple[Method, ...] = Method.__args__


class Asked(Example):
    sample_rewards: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Asks(Task):
    name: ClassVar[str] = "test/asks-v1"

    def examples(self, split):
        return [Asked(id=f"{split}{n}", sample_rewards=(0.0, 1.0, 2.0)) for n in range(3)]

    def prompt(self, example):
        return Prompt(observation=example.id)

    def reference(self, example):
        return "good"


@dataclass(frozen=True)
class Rm(Reward, name="test/rm-v1"):
    """A reward model's number: what the completion says, or what an action is worth."""

    def score(self, rollout):
        if rollout.completion == "nan":
            return Score.unscored("the model is down")
        if rollout.completion in ACTIONS:
            return Score({"good": 2.0, "fair": 1.0, "bad": -1.0}[rollout.completion])
        return Score(float(rollout.completion))


def batch(*values, tokens=1, references=(1.0,)):
    """One group whose completions are those numbers, of so many tokens each."""
    example = Asked(id="1", sample_rewards=references)
    return [Group.of([Rollout(example, (Segment("policy", str(value), tuple(range(tokens))),)) for value in values])]


def values(shaped, *args, **kwargs):
    return [score.value for score in Context().scores(shaped, batch(*args, **kwargs))[0]]


# -- the order ---------------------------------------------------------------------------------------------------------


def test_it_is_the_tree_one_would_write():
    penalised = Every.of(Rm(), LengthPenalty()).named("rm")
    assert par_pipeline(Rm()) == penalised.against(References(), par(first=10))
    assert par_pipeline(Rm(), "lsc") == penalised.against(References(), lsc(mode="released"))
    assert par_pipeline(Rm(), "vanilla") == penalised
    assert par_pipeline(Rm(), "sigmoid", k=2.0) == penalised.then(sigmoid(2.0))
    assert par_pipeline(Rm(), "tanh") == penalised.then(tanh())
    assert par_pipeline(Rm(), "vanilla", per_token=0.0) == Rm()


def test_the_ceiling_stands_before_the_penalty_and_after_the_middle():
    cut = ceiling(3.0)
    whole = Every.of(Rm().then(cut), LengthPenalty()).named("rm")
    assert par_pipeline(Rm(), "ceiling", ceiling=3.0) == whole.then(cut)
    centre = whole.against(References(), centred(first=10)).then(cut)
    assert par_pipeline(Rm(), "centred", ceiling=3.0) == centre
    assert par_pipeline(Rm(), "min-max", ceiling=3.0) == whole.then(cut).then(min_max())
    moments = standardize(scope="running", ddof=0, epsilon=0.0)
    assert par_pipeline(Rm(), "mean-std", ceiling=3.0) == whole.then(moments).then(cut)
    assert par_pipeline(Rm(), "clip", ceiling=3.0) == whole.then(clip_to_spread()).then(cut)


def test_a_long_answer_that_is_too_good_by_hand():
    """9 is cut to 3, 420 tokens make it 1.8; against -4 that is 5.8, cut to 3 again. Cut once it would be 5 or 5.8."""
    assert values(par_pipeline(Rm(), "centred", ceiling=3.0), 9.0, tokens=420, references=(-4.0,)) == pytest.approx(
        [3.0]
    )


def test_the_sheets_length_example():
    """2.0 with 420 tokens is 0.8; against [1.0], 0.450166."""
    assert values(par_pipeline(Rm()), 2.0, tokens=420) == pytest.approx([0.450166], abs=5e-7)
    assert values(par_pipeline(Rm(), "vanilla"), 2.0, tokens=420) == pytest.approx([0.8])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_nan_bounds_and_its_name(method):
    shaped = par_pipeline(Rm(), method, ceiling=3.0)
    first, missing, second = Context().scores(shaped, batch(2.0, "nan", 0.5, tokens=310))[0]
    assert missing.status == "infra"
    assert shaped.bounds[0] <= second.value <= first.value <= shaped.bounds[1]
    assert shaped.label == "rm"
    check_is_a_value(shaped)


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match=r"par-pipeline\.method is 'mean_std'; accepted are vanilla, centred"):
        par_pipeline(Rm(), "mean_std")
    with pytest.raises(ConfigError, match=r"ceiling is none; give it a number"):
        par_pipeline(Rm(), "ceiling")


# -- state -------------------------------------------------------------------------------------------------------------


def learned(shaped, *batches):
    for each in batches:
        groups = batch(*each)
        scores = Context().scores(shaped, groups)
        for node in walk(shaped):
            if node.stateful:
                node.update(groups, scores, Context())
    return shaped


@pytest.mark.parametrize("method", ["mean-std", "clip", "min-max"])
def test_running_state_comes_back_from_a_trainers_checkpoint(tmp_path, method):
    pytest.importorskip("torch")
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.runs import RunFolder
    from guerdon.trainer import TrainConfig, checkpoints
    from guerdon.trainer.controlling import Controls

    config, policy = TrainConfig(), TabularPolicy(["s"], ACTIONS)
    shaped = learned(par_pipeline(Rm(), method), (1.0, 2.0, 3.0, 4.0), (5.0, 5.0))
    expected = values(shaped, 2.0, 2.5, 4.5)
    assert expected != values(par_pipeline(Rm(), method), 2.0, 2.5, 4.5)
    fresh = par_pipeline(Rm(), method)
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        checkpoints.save(run, checkpoints.Position(True, 0, 2), policy, shaped, None, Controls.of((), config, shaped))
        checkpoints.restore(run, policy, fresh, Controls.of((), config, fresh))
    assert values(fresh, 2.0, 2.5, 4.5) == expected
    assert [node.version for node in walk(fresh) if node.stateful] == [2]


@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        ("mean-std", [-1.341641, -0.447214, 0.447214, 1.341641], [1.118034, 1.118034]),
        ("clip", [1.381966, 2.0, 3.0, 3.618034], [4.824045, 4.824045]),
        ("min-max", [0.0, 1 / 3, 2 / 3, 1.0], [1.0, 1.0]),
    ],
)
def test_the_sheets_batches_through_the_whole_tree(method, first, second):
    shaped = par_pipeline(Rm(), method)
    assert values(shaped, 1.0, 2.0, 3.0, 4.0) == pytest.approx(first, abs=5e-7)
    learned(shaped, (1.0, 2.0, 3.0, 4.0))
    assert values(shaped, 5.0, 5.0) == pytest.approx(second, abs=5e-7)


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_table_learns_from_every_shaping(tmp_path, method):
    torch = pytest.importorskip("torch")
    from guerdon.advantages import group_relative
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.runs import RunFolder
    from guerdon.trainer import TrainConfig, Trainer

    policy = TabularPolicy.for_task(Asks(), ACTIONS)
    config = TrainConfig.model_validate(
        {"steps": 30, "prompts_per_step": 3, "group_size": 8, "optimizer": {"lr": 0.3}, "checkpoint_every": 0}
    )
    shaped = par_pipeline(Rm(), method, ceiling=5.0)
    trainer = Trainer(policy, Asks(), shaped, config, group_relative(std=False))
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        trainer.fit(run)
        metrics = run.metrics()
    learned = policy.action_probabilities(["train0", "train1", "train2"])
    assert torch.all(learned.argmax(dim=1) == 0)
    assert "reward/length-penalty" in metrics[-1] or "reward/rm/length-penalty" in metrics[-1]
    if method == "par":
        assert 0.0 <= metrics[-1]["reward/saturated"] <= 1.0
        assert metrics[-1]["reward/reference"] == pytest.approx(1.0)


# -- recipes -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def names():
    register_local("rewards", "test/rm-v1", Rm)
    yield
    catalog.cache_clear()


def built(text):
    return build_reward(RewardSpec.model_validate(yaml.safe_load(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{use: against-v1, with: {reward: test/rm}}", Against(Rm())),
        (
            """
            use: against-v1
            with:
              reward: {use: test/rm, weight: 2.0}
              references: {field: refs, kind: answers}
              shape: {use: lsc, with: {quantile: 0.5, mode: released, first: 4}}
            """,
            (2.0 * Rm()).against(References("refs", kind="answers"), lsc(0.5, mode="released", first=4)),
        ),
        (
            "{use: against-v1, with: {reward: test/rm, references: {file: refs.jsonl}, shape: centred}}",
            Rm().against(References(file="refs.jsonl"), centred()),
        ),
        (
            """
            use: log-and-v1
            with:
              rewards:
                helpful: {use: against-v1, with: {reward: test/rm, references: {field: helpful}, shape: lsc}}
                harmless: {use: against-v1, with: {reward: test/rm, references: {field: harmless}, shape: lsc}}
            """,
            log_and({name: Rm().against(References(name), lsc()) for name in ("helpful", "harmless")}),
        ),
        (
            "{use: every-v1, with: {rewards: {rm: test/rm, length: {use: length-penalty-v1, with: {free: 100}}}}}",
            Every.of(Rm().named("rm"), LengthPenalty(free=100).named("length")),
        ),
        (
            "{use: par-pipeline-v1, with: {reward: test/rm, references: {field: refs}, k: 2, ceiling: 4}}",
            par_pipeline(Rm(), references=References("refs"), k=2.0, ceiling=4.0),
        ),
        ("{use: par-pipeline-v1, with: {reward: test/rm, method: mean-std}}", par_pipeline(Rm(), "mean-std")),
        (
            "{use: test/rm, then: [{use: ceiling, with: {at: 3}}, clip_to_spread, min_max, tanh, {use: sigmoid}]}",
            None,
        ),
    ],
)
def test_a_recipe_says_it(text, expected):
    found = built(text)
    check_is_a_value(found)
    if expected is not None:
        assert found == expected
    Context().scores(found, []) if found.sees == "batch" else None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{use: against-v1, with: {reward: test/rm, shape: {use: par, with: {kk: 2}}}}",
            r"'reward\.with\.shape\.with\.kk' is unknown; did you mean 'k'\?",
        ),
        ("{use: against-v1, with: {reward: test/rm, shape: pra}}", r"no shape named 'pra'.*Did you mean 'par'\?"),
        ("{use: against-v1, with: {reward: test/rm, references: {fields: x}}}", r"reward\.with\.references"),
        ("{use: against-v1, with: {reward: test/rm, references: {kind: texts}}}", r"reward\.with\.references"),
        ("{use: against-v1}", r"lacks reward"),
        ("{use: log-and-v1, with: {rewards: {}}}", r"has none: give it at least one"),
        ("{use: log-and-v1, with: {rewards: {raw: test/rm}}}", r"'raw' .* log-probability"),
        ("{use: par-pipeline-v1, with: {reward: test/rm, method: mean_std}}", r"reward\.with\.method' is 'mean_std'"),
    ],
)
def test_what_is_wrong_with_it_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        built(text)


def test_a_shape_of_ones_own_can_be_named():
    """A third party registers it as a transform is registered."""
    from guerdon.rewards.shapes import Shape

    @dataclass(frozen=True)
    class above(Shape):  # noqa: N801
        margin: float = 0.0
        bounds = (0.0, 1.0)

        def curve(self, references):
            best = max(self.used(references)) + self.margin
            return lambda value: float(value > best)

    register_local("shapes", "test/above", above)
    found = built("{use: against-v1, with: {reward: test/rm, shape: {use: test/above, with: {margin: 0.5}}}}")
    assert values(found, 2.4, 2.6, references=(1.0, 2.0)) == [0.0, 1.0]


def test_a_name_that_is_no_shape_is_refused():
    register_local("shapes", "test/none", reward)
    register_local("shapes", "test/wrong", lambda: 3)
    with pytest.raises(ConfigError, match="'test/wrong' is a int, not a shape"):
        built("{use: against-v1, with: {reward: test/rm, shape: test/wrong}}")


def test_guerdon_train_runs_a_recipe_of_it(tmp_path):
    """From YAML to a report, with a running transform whose state lies in the checkpoint."""
    pytest.importorskip("torch")
    import torch

    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import run_recipe

    register_local("tasks", "test/asks-v1", Asks)
    text = """
    name: shaped
    task: test/asks
    policy: {use: tabular, with: {states: [train0, train1, train2], actions: [good, fair, bad]}}
    reward:
      sum:
        - {use: par-pipeline-v1, with: {reward: test/rm}, name: beats}
        - {use: par-pipeline-v1, with: {reward: test/rm, method: mean-std}, name: stands, weight: 0.5}
    advantage: {use: leave_one_out}
    train: {steps: 4, prompts_per_step: 2, group_size: 4, optimizer: {lr: 0.1}}
    """
    path = tmp_path / "shaped.yaml"
    path.write_text(text)
    result = run_recipe(load_recipe(str(path)), tmp_path / "run")
    assert result.report.is_file()
    assert not result.unscored
    (kept,) = sorted((result.path / "checkpoints").glob("*/rewards.pt"))[-1:]
    (each,) = torch.load(kept, weights_only=True)["rewards"]
    state = each["state"]
    assert state["version"] == 4
    assert state["state"][0] == 4 * 2 * 4  # values seen: steps, prompts, attempts
