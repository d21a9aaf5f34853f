"""Retro*'s reward in guerdon's trainer: pairs stay together, and the relevant document of each comes out above."""

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer  # noqa: E402
from guerdon_search.relevance_rewards import RetroStar  # noqa: E402
from guerdon_search.relevance_tasks import Relevance  # noqa: E402

pytestmark = pytest.mark.model  # where torch is installed: tests(across)

SCORES = ("<score>10</score>", "<score>50</score>", "<score>90</score>")


@pytest.mark.parametrize("refill", [None, {"max_rounds": 2}])
def test_a_table_learns_which_document_of_a_pair_is_relevant(tmp_path, refill):
    """Six pairs, three scores: after 25 steps the likeliest score of the relevant one is above the other's."""
    task = Relevance(train_size=12, eval_size=2)
    policy = TabularPolicy.for_task(task, SCORES)
    config = {"steps": 25, "prompts_per_step": 4, "group_size": 8, "optimizer": {"lr": 0.2}, "refill": refill}
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        Trainer(policy, task, RetroStar(alpha=0.25), TrainConfig.model_validate(config)).fit(run)
        lines = [line for line in run.metrics() if line["phase"] == "rl"]
    assert all(line.get("groups/unscored", 0.0) == 0.0 for line in lines)
    likeliest = policy.logits_SA.detach().argmax(dim=1).tolist()[:12]
    assert all(good > bad for good, bad in zip(likeliest[::2], likeliest[1::2], strict=True))
