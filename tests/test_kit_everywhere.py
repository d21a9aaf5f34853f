"""Each piece of the reward engineer's kit, wherever a reward is used: in the trainer (and a killed run that goes on),
by TRL's contract and its checkpoints, and on a reward server.

`kit_pieces.yaml` has the pieces, as a recipe says them.
"""

import importlib.util
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")
pytest.importorskip("transformers", reason="a reward model needs transformers, of guerdon[train]")

sys.path.insert(0, str(Path(__file__).parent))
from kit_pieces import ANSWERS, PIECES, Words, built  # noqa: E402

from guerdon.adapters.trl import RewardState, reward_funcs  # noqa: E402
from guerdon.grading import Grader  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.recipes.building import build_advantage  # noqa: E402
from guerdon.recipes.schema import Use  # noqa: E402
from guerdon.rewards import Context  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.serve.client import Client  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402

_models = Path(__file__).parents[1] / "packages/core/tests/tiny_models.py"
_spec = importlib.util.spec_from_file_location("tiny_models", _models)
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

SERVER = """
import sys
from pathlib import Path
from kit_pieces import graders
from guerdon.serve.server import serve
from guerdon.serve.settings import Settings
learning = sys.argv[1:]
state = {"state": Path(learning[0]), "lanes": 1} if learning else {}
serve(graders(learning=bool(learning)), port=0, settings=Settings(**state), on_ready=lambda url: print(url, flush=True))
"""
each_piece = pytest.mark.parametrize("piece", PIECES)
ROWS = [{"example": f"train-{n % 3}", "completion": ANSWERS[n % 4]} for n in range(12)]


@pytest.fixture(scope="module", autouse=True)
def checkpoint(tmp_path_factory):
    """A reward model of random weights, and its mean on a held-out set that nobody drew, for `CHECKPOINT`."""
    from transformers import LlamaForSequenceClassification

    folder = tmp_path_factory.mktemp("reward-model") / "tiny"
    config = tiny_models.tiny_llama(max_position_embeddings=256).config
    config.num_labels, config.reward_mean, config.reward_std = 1, 0.25, 2.0
    torch.manual_seed(0)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tiny_models.byte_tokenizer().save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIT_CHECKPOINT", str(folder))
        yield folder


def numbers(values):
    """Numbers that can be compared, NaN included."""
    return [None if math.isnan(value) else value for value in values]


# -- the trainer -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for kill -9."""


def trained(folder, piece, *, resume=False):
    policy = TabularPolicy.for_task(Words(), ANSWERS)
    config = TrainConfig.model_validate(
        {"steps": 4, "prompts_per_step": 3, "group_size": 4, "checkpoint_every": 2, "eval": {"examples": 0}}
        | {"sampling": {"max_tokens": 1}, "optimizer": {"lr": 0.1}}
    )
    advantage = build_advantage(Use.model_validate(PIECES[piece].get("advantage", "group_relative")))
    trainer = Trainer(policy, Words(), built(piece), config, advantage)
    opened = (
        RunFolder.open(folder, tensorboard=False)
        if resume
        else RunFolder.create(folder, "name: t", 0, tensorboard=False)
    )
    with opened as run:
        trainer.fit(run, resume=resume)
        lines = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return repr(lines), policy.logits_SA.detach()


@each_piece
def test_a_killed_run_goes_on_to_the_same_numbers(piece, tmp_path, monkeypatch):
    straight, table = trained(tmp_path / "straight", piece)
    update, calls = loop.reinforce, iter(range(9))

    def dies_in_the_fourth_step(*args, **kwargs):
        if next(calls) == 3:
            raise Killed
        return update(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "reinforce", dies_in_the_fourth_step)
        with pytest.raises(Killed):
            trained(tmp_path / "killed", piece)
    resumed, resumed_table = trained(tmp_path / "killed", piece, resume=True)
    assert resumed == straight
    assert torch.equal(resumed_table, table)


@each_piece
def test_it_teaches_something(piece, tmp_path):
    """A piece that gives every attempt the same would pass the test above."""
    _, table = trained(tmp_path / "run", piece)
    assert table.abs().sum() > 0


@each_piece
def test_it_goes_to_a_worker_and_back(piece):
    reward = built(piece)
    assert pickle.loads(pickle.dumps(reward)) == reward


# -- TRL's contract ----------------------------------------------------------------------------------------------------


class Trl:
    """What the adapter looks at of a GRPOTrainer, under TRL's names: three prompts, four completions each."""

    def __init__(self, functions):
        self.reward_funcs, self.num_generations = list(functions), 4
        self.model = SimpleNamespace(training=True)
        self.args = SimpleNamespace(seed=0)
        self.eos_token_ids = [2]
        self.callback_handler = SimpleNamespace(callbacks=[SimpleNamespace(keeps=tuple(functions))])

    def log_metric(self, name, value):
        pass

    def log_extra(self, name, values):
        pass

    def step(self, number):
        rows = [(example, answer) for example in Words().examples("train") for answer in ANSWERS]
        [function] = self.reward_funcs
        return function(
            prompts=[[{"role": "user", "content": example.id}] for example, _ in rows],
            completions=[[{"role": "assistant", "content": answer}] for _, answer in rows],
            completion_ids=[[5, 2] for _ in rows],
            example=[example.id for example, _ in rows],
            trainer_state=SimpleNamespace(global_step=number, max_steps=9, epoch=0.0),
            log_metric=self.log_metric,
            log_extra=self.log_extra,
        )


@each_piece
def test_trl_is_given_what_the_grader_gives_and_its_checkpoint_goes_on(piece, tmp_path):
    rows = [
        {"example": example.id, "completion": answer} for example in Words().examples("train") for answer in ANSWERS
    ]
    functions = reward_funcs(built(piece), Words())
    trl, grader = Trl(functions), Grader(built(piece), Words())
    for number in range(2):
        expected = [score.value for score in grader.grade(rows, Context(number, 9, 0), learn=True)]
        assert trl.step(number) == numbers(expected)

    state = SimpleNamespace(global_step=2, is_world_process_zero=True)
    args = SimpleNamespace(output_dir=str(tmp_path))
    (tmp_path / "checkpoint-2").mkdir()
    RewardState(functions).on_save(args, state, None)
    later = reward_funcs(built(piece), Words())
    RewardState(later).on_train_begin(args, state, None)
    assert Trl(later).step(2) == trl.step(2)


# -- the server --------------------------------------------------------------------------------------------------------


class Served:
    """A reward server in a process of its own."""

    def __init__(self, *state):
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *map(str, state)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self.client = Client(self.process.stdout.readline().strip())

    def end(self):
        self.client.close()
        self.process.terminate()
        assert self.process.wait(30) == 0


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """For the pieces that do not learn, and for those that do."""
    pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")
    both = [Served(), Served(tmp_path_factory.mktemp("learnt"))]
    yield both
    for server in both:
        server.end()


@pytest.mark.parametrize("piece", [piece for piece in PIECES if PIECES[piece].get("served", True)])
def test_it_is_served_as_the_grader_gives_it(piece, servers):
    grader = Grader(built(piece), Words())
    server = servers[bool(grader.learning)]
    for number in range(2):
        expected = grader.grade(ROWS, Context(number), learn=True)
        found = server.client.grade(ROWS, piece, Context(number), learn=True)
        assert numbers(score.value for score in found) == numbers(score.value for score in expected)
        assert [score.flat().keys() for score in found] == [score.flat().keys() for score in expected]
