"""Step-GRPO in guerdon's trainer: trajectories of six and seven steps stay whole, and each step learns by itself."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.retrieval import HashedEncoder  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer  # noqa: E402
from guerdon_medical.router_rewards import RouterStepReward  # noqa: E402
from guerdon_medical.router_steps import plan_text  # noqa: E402
from guerdon_medical.router_tasks import MadeRouter  # noqa: E402

pytestmark = pytest.mark.model  # where torch is installed: tests(across)

STOP = plan_text("None", "none", "Enough.")
PLANS = tuple(plan_text("x", base, "Next.") for base in ("text retriever", "table retriever", "text image retriever"))


def test_a_table_learns_to_route_and_to_stop_and_batches_hold_whole_trajectories(tmp_path):
    """Two trajectories a step of four, 30 steps: the likeliest plan names the reference's base on 95 % of `ret` steps
    and more (a table starts at a quarter); `ans` steps earn nothing here, so that they are dead groups.
    """
    task = MadeRouter(train_size=4, eval_size=1)
    policy = TabularPolicy.for_task(task, (STOP, *PLANS), splits=("train",))
    config = {"steps": 30, "prompts_per_step": 13, "group_size": 6, "optimizer": {"lr": 0.3}}
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        reward = RouterStepReward(HashedEncoder())
        Trainer(policy, task, reward, TrainConfig.model_validate(config)).fit(run)
        path = run.path / "rollouts" / "rl-000000.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    whole = {steps[0].trajectory: len(steps) for steps in task.trajectories("train")}
    asked = [row["example"].partition("#")[0] for row in rows if row["index"] == 0]
    assert {name: asked.count(name) for name in asked} == {name: whole[name] for name in asked}
    assert len(set(asked)) == 2
    assert all(len({row["example"] for row in rows if row["group"] == group}) == 1 for group in range(len(asked)))
    steps = [step for step in task.examples("train") if step.step_type == "ret"]
    rows_of = {example.id: place for place, example in enumerate(task.examples("train"))}
    likeliest = policy.logits_SA.detach().argmax(dim=1)
    bases = ("none", "text retriever", "table retriever", "text image retriever")
    right = [bases[likeliest[rows_of[step.id]]] == step.bases[0] for step in steps]
    assert sum(right) / len(right) >= 0.95
