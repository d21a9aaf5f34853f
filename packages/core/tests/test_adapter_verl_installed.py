"""The installed verl itself, as far as it goes without a GPU: its configuration, data set, reward workers and managers.

`nox -s "adapters(verl)"` runs this, with verl, Ray, guerdon-sql and guerdon-code installed.
"""

import asyncio
import importlib.util
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("verl", "guerdon_sql", "guerdon_code")),
        reason="verl, guerdon-sql or guerdon-code is not installed: nox -s 'adapters(verl)'",
    ),
]

from guerdon.adapters.ray.cluster import ALONE  # noqa: E402 - after the mark
from guerdon.grading import Grader  # noqa: E402 - after the mark

os.environ.update(ALONE)  # verl imports Ray, which reads then whether to listen on the loopback address alone

PAGE = Path(__file__).parents[3] / "docs" / "adapters" / "verl.md"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def overrides(command):
    """The settings of a command line, as its shell would pass them."""
    return [word for word in shlex.split(command.replace("\\\n", " ")) if "=" in word]


def configuration(*settings):
    from hydra import compose, initialize_config_module
    from verl.experimental.reward_loop import migrate_legacy_reward_impl

    with initialize_config_module("verl.trainer.config", version_base=None):
        return migrate_legacy_reward_impl(compose("ppo_trainer", overrides=list(settings)))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A tokenizer of bytes, saved where verl's workers load it from."""
    spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
    tiny_models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny_models)
    folder = tmp_path_factory.mktemp("tokenizer")
    made = tiny_models.byte_tokenizer()
    made.save_pretrained(folder)
    tiny_models.tiny_llama().config.save_pretrained(folder)
    return made, str(folder)


@pytest.fixture(scope="module")
def cluster():
    from guerdon.adapters.ray.cluster import connected

    ray = connected(2)
    yield ray
    ray.shutdown()


@pytest.fixture
def workers(cluster, tokenizer):
    """verl's own reward workers, as actors, for the given settings; ended with the test."""
    from verl.experimental.reward_loop import RewardLoopManager

    started = []

    def start(*settings):
        config = configuration(f"actor_rollout_ref.model.path={tokenizer[1]}", "reward.num_workers=2", *settings)
        started.append(RewardLoopManager(config))
        return started[-1]

    yield start
    for manager in started:
        for worker in manager.reward_loop_workers:
            cluster.kill(worker)


def sample(tokenizer, text, row, *, width=400, **fields):
    """One finished rollout, as the v1 agent loop hands it to a reward worker, with its response padded."""
    import numpy as np
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    prompt, response = [5, 6, 7], [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    pad = [tokenizer.pad_token_id] * (width - len(response))
    tensors = {
        "prompts": torch.tensor([prompt]),
        "responses": torch.tensor([response + pad]),
        "attention_mask": torch.tensor([[1] * (3 + len(response)) + [0] * len(pad)]),
    }
    columns = {**row, "__num_turns__": 2, "global_steps": 3, **fields}
    arrays = {name: np.array([value], dtype=object) for name, value in columns.items()}
    return DataProto(batch=TensorDict(tensors, batch_size=1), non_tensor_batch=arrays)


PLAIN = "code/generated[prefill=false]"
"""The problems of the recipe `code`, without the beginning that it puts into the policy's mouth."""
VERPO = (
    "reward.reward_manager.name=guerdon",
    "+reward.reward_kwargs.recipe=code",
    f"+reward.reward_kwargs.task='{PLAIN}'",
)


def exported(recipe, split="train", count=3, task=None):
    from guerdon.adapters.exporting import Source, verl_rows

    grader = Grader.of(recipe, task=task, workers=1)
    return grader, list(verl_rows(Source(grader.task, split, grader.task.name, count)))


# -- names and configuration -------------------------------------------------------------------------------------------


def test_importing_verl_registers_the_manager_when_it_is_looked_for_and_not_before():
    code = (
        "import sys, verl; r = 'verl.experimental.reward_loop.reward_manager.registry'; early = r in sys.modules; "
        "from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls as get; "
        "print(early, get('guerdon').__name__, get('naive').__name__)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False GuerdonRewardManager NaiveRewardManager"


def test_the_documented_command_is_a_configuration_of_verls():
    from verl.trainer.ppo.reward import resolve_reward_manager_cls

    config = configuration(*overrides(blocks("sh")[1]))
    assert resolve_reward_manager_cls(config).__name__ == "GuerdonRewardManager"
    assert config.reward.reward_kwargs.recipe == "sql"


def test_the_documented_function_is_found_by_verl_and_scores():
    from verl.trainer.ppo.reward import get_custom_reward_fn

    function = get_custom_reward_fn(configuration(*overrides(blocks("sh")[2])))
    grader, [row, *_] = exported("sql")
    reference = grader.task.reference(grader.example(row["extra_info"]["example"]))
    told = function(
        data_source=row["data_source"], solution_str=reference, ground_truth="", extra_info=row["extra_info"]
    )
    [score] = grader.grade([{"example": row["extra_info"]["example"], "completion": reference}])
    assert told["score"] == score.value == grader.reward.bounds[1]


def test_the_documented_path_leads_to_the_manager_without_the_plugin():
    from verl.trainer.ppo.reward import resolve_reward_manager_cls

    settings = overrides(re.search(r"`(reward.reward_manager.source=importlib.*?)`", PAGE.read_text())[1])
    assert resolve_reward_manager_cls(configuration(*settings)).__name__ == "GuerdonRewardManager"


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (("trainer.total_training_steps=12",), 12),
        ((), 24),
        (("trainer.v1.trainer_mode=separate_async",), 6),  # whose default is 4 updates to a step
        (("trainer.v1.trainer_mode=separate_async", "trainer.use_v1=False"), 24),
    ],
)
def test_the_length_of_the_run_is_found_where_verls_trainer_writes_it_down(settings, steps):
    from guerdon.adapters.verl.manager import _total_steps

    config = configuration(*settings)
    config.actor_rollout_ref.actor.optim.total_training_steps = 24  # as PPOTrainer._init_dataloader does
    assert _total_steps(config) == steps
    assert _total_steps(configuration()) == 0


# -- the data set ------------------------------------------------------------------------------------------------------


def test_the_documented_export_is_read_by_verls_data_set(tokenizer, tmp_path, monkeypatch):
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    monkeypatch.chdir(tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", blocks("sh")[0]], check=True, env={**os.environ, "PATH": path})
    grader, [row, *_] = exported("sql")
    settings = {"max_prompt_length": 4096, "cache_dir": str(tmp_path / "cache"), "filter_overlong_prompts": False}
    config = OmegaConf.create(settings)
    data = RLHFDataset(str(tmp_path / "train.parquet"), tokenizer[0], config)
    assert len(data) == len(grader.task.examples("train"))
    assert list(data[0]["raw_prompt"]) == row["prompt"]
    assert data[0]["extra_info"] == row["extra_info"]
    assert data[0]["reward_model"] == row["reward_model"]
    assert sorted(path.name for path in tmp_path.glob("*.parquet*")) == ["eval.parquet", "train.parquet"]


# -- verl's reward workers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        ("reward.reward_manager.name=guerdon", "+reward.reward_kwargs.recipe=sql"),
        (
            "reward.custom_reward_function.path=pkg://guerdon.adapters.verl",
            "+reward.custom_reward_function.reward_kwargs.recipe=sql",
        ),
    ],
    ids=["manager", "function in verl's naive manager"],
)
def test_a_batch_in_verls_workers_earns_what_the_grader_gives(workers, tokenizer, settings):
    """References, a query of nothing and no query: totals, and the parts that add up to them."""
    from verl import DataProto

    grader, three = exported("sql")
    texts = [grader.task.reference(grader.example(three[0]["extra_info"]["example"])), "```sql\nSELECT 1\n```", "no"]
    data = DataProto.concat([sample(tokenizer[0], text, row) for text, row in zip(texts, three, strict=True)])
    found = workers(*settings).compute_rm_score(data)
    scores = grader.grade(
        [{"example": row["extra_info"]["example"], "completion": t} for row, t in zip(three, texts, strict=True)]
    )
    assert found.batch["rm_scores"].sum(1).tolist() == pytest.approx([score.value for score in scores])
    last = data.batch["attention_mask"][:, 3:].sum(1) - 1
    assert found.batch["rm_scores"].nonzero()[:, 1].tolist() == [int(last[i]) for i, s in enumerate(scores) if s.value]
    parts = [name for name in found.meta_info["reward_extra_keys"] if name.startswith("part/")]
    assert sorted(parts) == sorted(f"part/{name}" for name in grader.part_names)
    for place, score in enumerate(scores):
        assert sum(found.non_tensor_batch[name][place] for name in parts) == pytest.approx(score.value)


def test_siblings_on_several_workers_are_compared_as_one_group(workers, tokenizer, cluster):
    """VeRPO weighs tests by how many attempts pass them: alone, each attempt would earn something else."""
    grader, [row, *_] = exported("code", task=PLAIN)
    assert grader.reward.sees == "group"
    example = row["extra_info"]["example"]
    reference = grader.task.reference(grader.example(example))
    texts = [reference, "```python\ndef solve(numbers):\n    return 0\n```", "no idea", reference]
    manager = workers(*VERPO, "actor_rollout_ref.rollout.n=4")
    rng = random.Random(0)
    asked = [
        rng.choice(manager.reward_loop_workers).compute_score.remote(
            sample(tokenizer[0], text, row, uid=uid, session_id=session)
        )
        for uid in ("one", "two")
        for session, text in enumerate(texts)
    ]
    found = [told["reward_score"] for told in cluster.get(asked, timeout=300)]
    whole = [score.value for score in grader.grade([{"example": example, "completion": text} for text in texts])]
    alone = [grader.grade([{"example": example, "completion": text}])[0].value for text in texts]
    assert found == pytest.approx(whole + whole)
    assert whole != pytest.approx(alone), "or the test shows nothing"


def test_without_a_sibling_that_failed_the_rest_of_the_group_is_scored(workers, tokenizer, cluster):
    grader, [row, *_] = exported("code", task=PLAIN)
    manager = workers(*VERPO, "+reward.reward_kwargs.siblings_s=5.0", "actor_rollout_ref.rollout.n=3")
    cluster.get([worker.__ray_ready__.remote() for worker in manager.reward_loop_workers], timeout=300)
    texts = [grader.task.reference(grader.example(row["extra_info"]["example"])), "no idea"]
    asked = [
        worker.compute_score.remote(sample(tokenizer[0], text, row, uid="three", session_id=session))
        for session, (text, worker) in enumerate(zip(texts, manager.reward_loop_workers, strict=True))
    ]
    found = [told["reward_score"] for told in cluster.get(asked, timeout=300)]
    rows = [{"example": row["extra_info"]["example"], "completion": text} for text in texts]
    assert found == pytest.approx([score.value for score in grader.grade(rows)])


def test_a_name_that_is_wrong_stops_the_run_at_its_start(workers, tokenizer, cluster):
    manager = workers("reward.reward_manager.name=guerdon", "+reward.reward_kwargs.recipe=sqll")
    _, [row, *_] = exported("sql")
    with pytest.raises(Exception, match="Did you mean 'sql'"):
        cluster.get(manager.reward_loop_workers[0].compute_score.remote(sample(tokenizer[0], "no", row)), timeout=300)


@pytest.mark.parametrize("manager", ["naive", "dapo", "gdpo"])
def test_what_verls_managers_call_a_function_with_is_what_ours_takes(tokenizer, manager):
    """With a reward model's server, so that all that verl ever adds is there: more would be taken for an option."""
    import inspect

    from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls

    from guerdon.adapters.verl import compute_score
    from guerdon.adapters.verl.options import THEIRS, Options

    called = []

    def recording(**given):
        called.append(given)
        return {"score": 1.0}

    row = {"data_source": "s", "reward_model": {"ground_truth": "5"}, "extra_info": {}}
    made = get_reward_manager_cls(manager)(configuration(), tokenizer[0], recording, "127.0.0.1:1", tokenizer[0])

    async def run():
        made.loop = asyncio.get_running_loop()
        return await made.run_single(sample(tokenizer[0], "5", row))

    assert asyncio.run(run())["reward_score"] == 1.0
    ours = {name for name, of in inspect.signature(compute_score).parameters.items() if of.kind is not of.VAR_KEYWORD}
    [given] = called
    assert given.keys() - ours == THEIRS
    assert ours <= given.keys()
    assert not THEIRS & set(Options.__dataclass_fields__)


# -- what the manager makes of a response ------------------------------------------------------------------------------


def managing(tokenizer, **rollout):
    from omegaconf import OmegaConf

    from guerdon.adapters.verl.manager import Managing

    kwargs = {"reward": ["sql/format"], "task": "sql/generated"}
    config = {
        "reward": {"reward_kwargs": kwargs},
        "trainer": {"use_v1": True},
        "actor_rollout_ref": {"rollout": {"n": 1, "response_length": 8, "val_kwargs": {"n": 1}, **rollout}},
    }
    return Managing(OmegaConf.create(config), tokenizer)


def test_special_tokens_stay_and_the_end_goes(tokenizer):
    data = sample(tokenizer[0], "a<bos>b", {}, width=12)
    assert managing(tokenizer[0])._written(data[0].batch) == ("a<bos>b", "stop")


def test_a_response_that_fills_the_budget_without_an_end_was_cut(tokenizer):
    import torch

    batch = {"responses": torch.tensor([70] * 8), "attention_mask": torch.tensor([1] * 11)}
    text, stop = managing(tokenizer[0])._written(batch)
    assert (len(text), stop) == (8, "length")


def test_with_a_mask_a_tools_words_are_not_the_policys(tokenizer):
    import torch

    ids = tokenizer[0].encode("abcTd", add_special_tokens=False)
    batch = {
        "responses": torch.tensor(ids),
        "attention_mask": torch.tensor([1] * 8),
        "response_mask": torch.tensor([1, 1, 1, 0, 1]),
    }
    said, _ = managing(tokenizer[0])._written(batch)
    assert said == [
        {"role": "assistant", "content": "abc"},
        {"role": "tool", "content": "T"},
        {"role": "assistant", "content": "d"},
    ]


def test_what_the_manager_is_told_twice_is_the_same_and_the_row_is_left_alone(tokenizer):
    _, [row, *_] = exported("sql")
    data = sample(tokenizer[0], "```sql\nSELECT 1\n```", row)
    before = dict(data[0].non_tensor_batch["extra_info"])
    told = [asyncio.run(managing(tokenizer[0]).told(data[0].batch, data[0].non_tensor_batch)) for _ in range(2)]
    assert told[0] == told[1]
    assert data[0].non_tensor_batch["extra_info"] == before
