"""A policy that writes rigs: what it draws it can weigh, and what the grammar forbids it never says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.errors import ConfigError, PolicyError
from guerdon.protocols import Sampling, Task
from guerdon.types import Example, Prompt
from guerdon_rigging.rigs import Mesh, Skeleton
from guerdon_rigging.tokens import Vocabulary, detokenise, skeleton_tokens, tokenise

pytestmark = pytest.mark.model
torch = pytest.importorskip("torch")


def box(x: float, y: float, z: float) -> Mesh:
    corners = np.array([[i, j, k] for i in (-x, x) for j in (-y, y) for k in (-z, z)], dtype=np.float64)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(corners, np.array([face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))]))


MESHES = {"long": box(1, 0.2, 0.2), "flat": box(1, 0.1, 1), "cube": box(1, 1, 1)}


class Boxes(Task):
    name = "test/boxes-v1"

    def __init__(self, forced: str = "") -> None:
        self.forced = forced

    def examples(self, split):
        return [Example(id=name) for name in MESHES]

    def prompt(self, example):
        return Prompt(observation=MESHES[example.id], forced=self.forced)


@pytest.fixture(scope="module")
def shape():
    from guerdon_rigging.rig_shapes import RigShape

    return RigShape(
        vocabulary=Vocabulary(bins=16, codes=9, length=2),
        width=32,
        layers=2,
        heads=4,
        key_value_heads=2,
        head_width=8,
        mlp_width=64,
        latents=8,
        encoder_width=32,
        encoder_layers=1,
        points=64,
        most_joints=6,
    )


@pytest.fixture(scope="module")
def policy(shape):
    from guerdon_rigging.rig_policy import RigPolicy

    return RigPolicy.of_shape(shape, seed=3)


@pytest.fixture(scope="module")
def rollouts(policy):
    task = Boxes()
    groups = policy.sample(task, task.examples("train"), 5, Sampling(max_tokens=200), seed=7)
    return [rollout for group in groups for rollout in group.rollouts]


def ids(rollout):
    return [int(word) for word in rollout.completion.split()]


def test_every_finished_rollout_is_a_rig_of_no_more_joints_than_allowed(policy, rollouts):
    assert [rollout.stop for rollout in rollouts] == ["stop"] * 15
    for rollout in rollouts:
        found = detokenise(policy.vocabulary, ids(rollout))
        assert 1 <= len(found.skeleton) <= 6
        assert found.codes.shape == (len(found.skeleton), 2)
        assert tuple(ids(rollout)) == rollout.segments[-1].token_ids


def test_log_probs_are_those_that_were_drawn_from(policy, rollouts):
    found = policy.logprobs(rollouts)
    drawn = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    assert found.lengths == tuple(rollout.steps for rollout in rollouts)
    assert torch.allclose(found.logprobs_N, drawn, atol=2e-6)


def test_log_probs_do_not_depend_on_the_neighbours(policy, rollouts):
    together = policy.logprobs(rollouts, grad=False).logprobs_N
    alone = torch.cat([policy.logprobs([rollout], grad=False).logprobs_N for rollout in rollouts])
    assert torch.allclose(together, alone, atol=2e-6)


def test_what_the_grammar_decides_costs_nothing(policy, rollouts):
    """`bos` comes first and `eos_final` last: probability 1 each, entropy 0."""
    found = policy.logprobs(rollouts[:1], grad=False)
    assert found.logprobs_N[0] == 0.0
    assert found.logprobs_N[-1] == 0.0
    assert found.entropy_N[[0, -1]].tolist() == [0.0, 0.0]
    assert float(found.entropy_N.max()) <= np.log(policy.vocabulary.size)


def test_probabilities_of_all_next_ids_sum_to_one(policy):
    """After two of three coordinates 16 bins may follow, and nothing else."""
    task, words = Boxes(), policy.vocabulary
    example = task.examples("train")[0]
    tails = [[bin_, words.eos_skeleton, words.first_code, words.first_code, words.eos_final] for bin_ in range(16)]
    rigs = [[words.bos, words.kind("articulation"), 3, 4, *tail] for tail in tails]
    asked = [policy.reference_rollout(task, example, " ".join(map(str, rig))) for rig in rigs]
    steps = policy.logprobs(asked, grad=False).logprobs_N.reshape(16, -1)
    assert float(steps[:, 4].exp().sum()) == pytest.approx(1.0, abs=1e-5)


def test_the_same_seed_draws_the_same_rigs_whatever_stands_beside_them(policy, rollouts):
    task = Boxes()
    again = policy.sample(task, task.examples("train")[:1], 5, Sampling(max_tokens=200), seed=7)
    assert [ids(one) for one in again[0].rollouts] == [ids(one) for one in rollouts[:5]]
    other = policy.sample(task, task.examples("train")[:1], 5, Sampling(max_tokens=200), seed=8)
    assert [ids(one) for one in other[0].rollouts] != [ids(one) for one in rollouts[:5]]


def test_another_mesh_is_another_distribution(policy, rollouts):
    """The conditioning: the same tokens behind another mesh have other log-probs."""
    other = [replace(one, prompt=Prompt(observation=MESHES["cube"])) for one in rollouts[:5]]
    here = policy.logprobs(rollouts[:5], grad=False).logprobs_N
    assert float((policy.logprobs(other, grad=False).logprobs_N - here).abs().max()) > 1e-3


def test_a_budget_cuts_and_says_so(policy):
    task = Boxes()
    group = policy.sample(task, task.examples("train")[:1], 2, Sampling(max_tokens=4), seed=0)[0]
    assert [(one.stop, one.steps) for one in group.rollouts] == [("length", 4)] * 2


def test_greedy_draws_the_likeliest(policy):
    task = Boxes()
    group = policy.sample(task, task.examples("train")[:1], 2, Sampling(temperature=0.0, max_tokens=200), seed=0)[0]
    assert ids(group.rollouts[0]) == ids(group.rollouts[1])


def test_a_given_skeleton_is_skinned_and_not_learned(policy):
    """Two joints are given; four codes and the end are the policy's."""
    bones = Skeleton(np.array([[0, 0, 0], [0.5, 0, 0.0]]), np.array([-1, 0]))
    begun = skeleton_tokens(policy.vocabulary, bones).tolist()
    task = Boxes(" ".join(map(str, begun)))
    rollout = policy.sample(task, task.examples("train")[:1], 2, Sampling(max_tokens=50), seed=0)[0].rollouts[0]
    assert rollout.steps == 2 * 2 + 1
    assert ids(rollout)[: len(begun)] == begun
    assert detokenise(policy.vocabulary, ids(rollout)).skeleton.parents.tolist() == [-1, 0]
    found = policy.logprobs([rollout], grad=False)
    assert torch.allclose(found.logprobs_N, torch.tensor(rollout.logprobs), atol=2e-6)


def test_references_are_rigs_of_this_language(policy):
    task = Boxes()
    example = task.examples("train")[0]
    bones = Skeleton(np.array([[0, 0, 0], [0.5, 0, 0.0]]), np.array([-1, 0]))
    text = " ".join(map(str, tokenise(policy.vocabulary, bones, np.array([[0, 1], [2, 3]]))))
    rollout = policy.reference_rollout(task, example, text)
    assert rollout.completion == text
    assert rollout.steps == len(text.split())
    for wrong in ("17 18", "", text + " 0", text.rsplit(" ", 1)[0]):
        with pytest.raises(PolicyError, match="no whole rig"):
            policy.reference_rollout(task, example, wrong)
    with pytest.raises(PolicyError, match="no integers"):
        policy.reference_rollout(task, example, "a b")


def test_a_rollout_that_the_grammar_forbids_is_refused(policy, rollouts):
    tokens = list(rollouts[0].segments[0].token_ids)
    tokens[3] = policy.vocabulary.eos_final
    broken = replace(rollouts[0], segments=(replace(rollouts[0].segments[0], token_ids=tuple(tokens)),))
    with pytest.raises(PolicyError, match="grammar"):
        policy.logprobs([broken])


@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_ids_of_another_vocabulary_are_refused(policy, rollouts, wrong):
    tokens = (*rollouts[0].segments[0].token_ids[:-1], wrong)
    broken = replace(rollouts[0], segments=(replace(rollouts[0].segments[0], token_ids=tokens),))
    with pytest.raises(PolicyError, match="this policy's are 0 to"):
        policy.logprobs([broken])


def test_a_file_that_cannot_be_read_stops_no_run(policy, tmp_path):
    """A folder's task keeps it as an example, whose every score is invalid and says why."""
    from guerdon_rigging.rewards import TokenRig
    from guerdon_rigging.rig_tasks import Folder

    for name in ("a.glb", "b.glb", "c.glb"):
        (tmp_path / name).write_bytes(b"no glTF")
    task = Folder(folder=str(tmp_path), skin=False, bins=16)
    (group, other) = policy.sample(task, task.examples("train"), 2, Sampling(max_tokens=200), seed=0)
    scores = [TokenRig()(rollout) for rollout in (*group.rollouts, *other.rollouts)]
    assert [score.status for score in scores] == ["invalid"] * 4
    assert "b.glb" in scores[0].why
    assert bool(torch.isfinite(policy.logprobs(group.rollouts, grad=False).logprobs_N).all())


@pytest.mark.parametrize(
    "wrong",
    [{"encoder_heads": 0}, {"points": 0}, {"most_joints": 0}, {"oversampling": 0}, {"heads": 3}, {"layers": 1.5}],
)
def test_a_shape_that_cannot_be_built_is_refused(shape, wrong):
    with pytest.raises(ConfigError, match="RigShape"):
        replace(shape, **wrong)


def test_a_prompt_without_a_mesh_is_refused(policy):
    class Wordy(Boxes):
        def prompt(self, example):
            return Prompt(observation=3)

    with pytest.raises(PolicyError, match="shows a int"):
        policy.sample(Wordy(), Wordy().examples("train"), 1, Sampling(), seed=0)


def test_a_saved_policy_comes_back_bit_for_bit(policy, rollouts, tmp_path):
    from guerdon_rigging.rig_policy import RigPolicy

    policy.save(tmp_path)
    again = RigPolicy.from_file(tmp_path)
    assert again.shape == policy.shape
    same = again.logprobs(rollouts, grad=False).logprobs_N == policy.logprobs(rollouts, grad=False).logprobs_N
    assert bool(same.all())
    with pytest.raises(PolicyError, match="can be read"):
        RigPolicy.from_file(tmp_path / "none.safetensors")


def test_a_run_and_a_checkpoint_can_be_gone_on_with_by_their_folders(policy, tmp_path):
    """The layout is that of core's trainer: checkpoints/step-000009/policy; the latest is by number, not by name."""
    from guerdon_rigging.rig_policy import RigPolicy

    versions = {"step-000009": 9, "step-1000000": 1_000_000, "step-000010": 10}
    before = policy.version
    for name, policy.version in versions.items():
        (folder := tmp_path / "checkpoints" / name / "policy").mkdir(parents=True)
        policy.save(folder)
    policy.version = before
    (tmp_path / "checkpoints" / "step-000011.partial").mkdir()
    assert RigPolicy.of_shape(policy.shape, start=str(tmp_path)).version == 1_000_000
    assert RigPolicy.from_file(tmp_path / "checkpoints" / "step-000010").version == 10
    assert RigPolicy.from_file(tmp_path / "checkpoints" / "step-000009" / "policy").version == 9


def test_gradients_reach_the_mesh_encoder_and_a_step_imitates(shape, rollouts):
    """A few steps on one rollout make it likelier; a snapshot from before does not move."""
    from guerdon_rigging.rig_policy import RigPolicy

    policy = RigPolicy.of_shape(shape, seed=4)
    before = policy.snapshot()
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-2)
    likely = [float(policy.logprobs(rollouts[:1], grad=False).logprobs_N.mean())]
    for _ in range(5):
        loss = -policy.logprobs(rollouts[:1]).logprobs_N.mean()
        loss.backward()
        assert all(one.grad is not None for one in policy.parameters())
        optimizer.step()
        optimizer.zero_grad()
        policy.updated()
    likely.append(float(policy.logprobs(rollouts[:1], grad=False).logprobs_N.mean()))
    assert likely[1] > likely[0] + 0.3
    assert policy.version == 5
    assert float(before.logprobs(rollouts[:1], grad=False).logprobs_N.mean()) == pytest.approx(likely[0], abs=1e-6)
    policy.take(before.weights() or dict(before.network.named_parameters()))
    assert float(policy.logprobs(rollouts[:1], grad=False).logprobs_N.mean()) == pytest.approx(likely[0], abs=1e-6)
