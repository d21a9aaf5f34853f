"""The planner: what it draws has the chances it is trained on; what it writes and reads; files, and refusals."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from guerdon.errors import PolicyError, TaskError
from guerdon.protocols import Sampling
from guerdon.types import Example
from guerdon_driving.examples import DrivingExample
from guerdon_driving.filed_tasks import JsonLines

pytestmark = [
    pytest.mark.skipif(
        find_spec("torch") is None, reason="the planner's network is torch's: pip install 'guerdon[train]'"
    ),
    pytest.mark.model,  # runs where torch is, with the tests of all packages
]
TASK = JsonLines(path="none.jsonl")
"""Asked for prompts alone."""
WRITTEN = "<think> The frame, the speed and the route call for it. </think> <answer> {} </answer>"


@pytest.fixture
def examples(tmp_path) -> list[DrivingExample]:
    """Two frames of noise."""
    from PIL import Image

    made = []
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (128, 128, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        route = ("100m: Straight, 200m: Left", "")[number]
        made.append(
            DrivingExample(id=str(number), image=str(tmp_path / f"{number}.png"), speed=12.0 * number, navigation=route)
        )
    return made


def changed(example: DrivingExample, **fields) -> DrivingExample:
    return example.model_copy(update=fields)


def planner(seed: int = 0):
    from guerdon_driving.planner import FramePlanner

    return FramePlanner(device="cpu", seed=seed)


def by_hand(speed, path):
    """A planner that says the same of every frame: scores of speed, (4,), and of path behind each, (4, 5)."""
    import torch

    made = planner()
    with torch.no_grad():
        made.network.head.weight.zero_()
        made.network.head.bias.copy_(torch.tensor([*speed, *(score for row in path for score in row)]))
    return made


EVEN = [[0.0] * 5] * 4


def test_chances_are_those_by_hand(examples):
    """Speeds as 1 : 2 : 1 : 4; paths even, but behind STOP, where STRAIGHT is 6 to 1 each."""
    log = math.log
    policy = by_hand([0.0, log(2), 0.0, log(4)], [*EVEN[:3], [log(6), 0.0, 0.0, 0.0, 0.0]])
    texts = ("<answer> ACCELERATE, LEFT_TURN </answer>", WRITTEN.format("STOP, STRAIGHT"))
    found = policy.logprobs([policy.reference_rollout(TASK, examples[0], text) for text in texts])
    assert found.lengths == (2, 2)
    assert found.logprobs_N.exp().tolist() == pytest.approx([2 / 8, 1 / 5, 4 / 8, 6 / 10], rel=1e-5)
    assert float(found.entropy_N[1]) == pytest.approx(log(5), rel=1e-5)
    warm = policy.logprobs([policy.reference_rollout(TASK, examples[0], texts[1])], temperature=0.5)
    assert warm.logprobs_N.exp().tolist() == pytest.approx([16 / 22, 36 / 40], rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_it_draws_has_the_chances_that_it_is_trained_on(examples, temperature):
    """Of each frame, whatever else is in the batch."""
    policy = planner()
    groups = policy.sample(TASK, examples, 16, Sampling(temperature=temperature), seed=3)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    told = [each for rollout in rollouts for each in rollout.segments[0].logprobs]
    again = policy.logprobs(rollouts[::-1], temperature=temperature).logprobs_N.reshape(-1, 2).flip(0).flatten()
    assert again.tolist() == pytest.approx(told, abs=1e-5)
    assert policy.cost(rollouts) == 2


def test_plans_come_as_often_as_their_chance(examples):
    """2,000 draws, KEEP half of them and a fifth of those STRAIGHT."""
    policy = by_hand([math.log(3), 0.0, 0.0, 0.0], EVEN)
    (group,) = policy.sample(TASK, examples[:1], 2000, Sampling(), seed=0)
    counts = sum(rollout.completion == WRITTEN.format("KEEP, STRAIGHT") for rollout in group.rollouts)
    assert counts == pytest.approx(200, abs=4 * math.sqrt(2000 * 0.1 * 0.9))


def test_greedy_takes_the_likeliest_and_the_same_seed_draws_the_same(examples):
    policy = by_hand([0.0, 0.0, 1.0, 0.0], [*EVEN[:2], [0.0, 0.0, 0.0, 0.0, 1.0], EVEN[3]])
    (group,) = policy.sample(TASK, examples[:1], 1, Sampling(temperature=0.0), seed=0)
    assert group.rollouts[0].completion == WRITTEN.format("DECELERATE, RIGHT_TURN")
    drawn = [policy.sample(TASK, examples, 8, Sampling(), seed=seed) for seed in (5, 5, 6)]
    texts = [[rollout.completion for group in groups for rollout in group.rollouts] for groups in drawn]
    assert texts[0] == texts[1] != texts[2]


def test_it_sees_the_frame_the_speed_and_the_route(examples):
    """Each changed alone changes the scores, under the same id."""
    policy, (one, other) = planner(), examples
    routes = ("100m: Right, 200m: Left", "100m: Straight, 200m: Right")
    kinds = [one, changed(one, image=other.image), changed(one, speed=20.0)]
    kinds += [changed(one, navigation=route) for route in routes]
    rollouts = [policy.reference_rollout(TASK, each, WRITTEN.format("KEEP, STRAIGHT")) for each in kinds]
    found = policy.logprobs(rollouts, grad=False)
    assert len({round(value, 5) for value in found.logprobs_N[::2].tolist()}) == 5
    assert policy.cost(rollouts) == 5


@pytest.mark.parametrize(
    ("speed", "navigation", "expected"),
    [
        (12.0, "100m: Straight, 200m: Left", [1.2, 0, 0, 0, 0, 1, 1, 0, 0, 0]),
        (0.5, "turn right ahead", [0.05, 1, 0, 1, 0, 0, 0, 0, 0, 0]),
        (0.0, "", [0, 1] + [0] * 8),
    ],
)
def test_facts_are_speed_and_the_words_of_two_instructions(speed, navigation, expected):
    """Speed in 10 m/s, whether it stands, then left, right, u-turn and straight, twice."""
    from guerdon_driving.planner import _facts

    assert _facts(DrivingExample(id="x", speed=speed, navigation=navigation)) == pytest.approx(expected)


def test_weights_are_saved_and_loaded_and_a_copy_is_frozen(examples, tmp_path):
    policy, other = planner(), planner(seed=1)
    policy.updated()
    policy.save(tmp_path)
    rollouts = [policy.reference_rollout(TASK, example, WRITTEN.format("STOP, LEFT_TURN")) for example in examples]
    before = other.logprobs(rollouts, grad=False).logprobs_N
    other.load(tmp_path)
    mine = policy.logprobs(rollouts, grad=False).logprobs_N
    assert other.logprobs(rollouts, grad=False).logprobs_N.equal(mine)
    assert not before.equal(mine)
    assert other.version == 1
    copied = policy.snapshot()
    assert not any(weight.requires_grad for weight in copied.parameters())
    next(iter(policy.parameters())).data.add_(1.0)
    for example in examples:
        Path(example.image).unlink()  # a copy reads no frame again
    assert copied.logprobs(rollouts, grad=False).logprobs_N.equal(mine)
    assert copied.weights().keys() == policy.weights().keys()


@pytest.mark.parametrize("kept", [None, b"", b"text", {"version": 1}, {"weights": {}, "version": 1}])
def test_what_is_no_file_of_a_planner_is_refused_and_changes_nothing(examples, tmp_path, kept):
    import torch

    if isinstance(kept, bytes):
        (tmp_path / "planner.pt").write_bytes(kept)
    elif kept is not None:
        torch.save(kept, tmp_path / "planner.pt")
    policy = planner()
    before = {name: weight.clone() for name, weight in policy.weights().items()}
    with pytest.raises(PolicyError, match=r"planner\.pt' holds no planner"):
        policy.load(tmp_path)
    assert all(weight.equal(before[name]) for name, weight in policy.weights().items())


@pytest.mark.parametrize(
    "text", ["STOP, STRAIGHT", "<answer> STOP </answer>", "<answer> STOP, KEEP, STRAIGHT </answer>"]
)
def test_what_a_planner_cannot_have_written_is_refused(examples, text):
    with pytest.raises(PolicyError, match="one action on each axis is needed"):
        planner().reference_rollout(TASK, examples[0], text)


def test_what_it_cannot_see_is_refused(examples, tmp_path):
    blind = changed(examples[0], image="")
    with pytest.raises(PolicyError, match="looks at frames, and '0' has none"):
        planner().sample(TASK, [blind], 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match="is no DrivingExample but Example"):
        planner().sample(TASK, [Example(id="x")], 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match=r"top_p=1\.0 and top_k=0 are accepted"):
        planner().sample(TASK, examples, 1, Sampling(top_p=0.9), seed=0)
    with pytest.raises(TaskError, match=r"gone\.png' does not exist"):
        planner().sample(TASK, [changed(examples[0], image=str(tmp_path / "gone.png"))], 1, Sampling(), seed=0)


@pytest.mark.slow
def test_a_reward_teaches_it_to_stop_at_red(tmp_path):
    """From nothing, by GRPO: four colours of frames, four speed actions, straight on; chance is 1 of 20."""
    from PIL import Image

    from guerdon.runs import RunFolder
    from guerdon.trainer import Trainer
    from guerdon.trainer.config import EvalConfig, OptimizerConfig, TrainConfig
    from guerdon_driving.rewards import AlphaDrive

    colours = {"KEEP": (0, 160, 0), "ACCELERATE": (0, 0, 200), "DECELERATE": (220, 200, 0), "STOP": (220, 0, 0)}
    rows = []
    for number in range(32):
        action = [*colours][number % 4]
        pixels = np.full((64, 64, 3), colours[action]) + np.random.default_rng(number).integers(0, 30, (64, 64, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append({"image": f"{number}.png", "solution": f"<answer> {action}, STRAIGHT </answer>"})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = JsonLines(path=str(tmp_path / "rows.jsonl"), eval_share=0.25)
    config = TrainConfig(
        steps=40,
        prompts_per_step=12,
        group_size=8,
        optimizer=OptimizerConfig(lr=3e-4),
        eval=EvalConfig(examples=8),
        checkpoint_every=0,
    )
    with RunFolder.create(tmp_path / "run", "name: red\n", 0, {}) as run:
        trainer = Trainer(policy=planner(), task=task, reward=AlphaDrive(), config=config)
        trainer.fit(run)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    reached = [line["eval/planning_accuracy"] for line in lines if line["phase"] == "eval"]
    assert reached[-1] >= 0.75 > 0.5 >= reached[0]
