"""How far engine and trainer are apart, and how fast each engine is, on the embedded SmolLM2-135M.

Four prompts, 16 completions of at most 48 tokens each, at temperature 1, in bfloat16 and in float32. Each engine's
log-probs are compared with those that the trainer recomputes for the update (packed rows): the mean and the largest
difference in nats, the k3 estimate of KL(engine || trainer), and the share of tokens whose ratio exceeds 2, the default
cap of `train.loss.engine_correction`. Then the seconds that vLLM takes to get the weights.

    python benchmarks/engines.py

vLLM is measured where it is installed: in the environment that `nox -s vllm` makes. One thread, unless OMP_NUM_THREADS
says otherwise. There is no target: the numbers say what a user has to expect.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

import importlib.util
import time
from collections.abc import Sequence

import torch

from guerdon.engines.vllm import Vllm
from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Generation, Sampling
from guerdon.types import Example, Rollout, Segment

COMPLETIONS = 16
SAMPLING = Sampling(max_tokens=48)
QUESTION = "<|im_start|>user\nTell me about the number {}.<|im_end|>\n<|im_start|>assistant\n"


def rollouts(prompts: Sequence[Sequence[int]], drawn: Sequence[Sequence[Generation]]) -> list[Rollout]:
    """What the trainer would be given."""
    return [
        Rollout(Example(id=str(place)), (Segment("policy", "", one.token_ids, one.logprobs),), prompt_ids=tuple(prompt))
        for place, (prompt, group) in enumerate(zip(prompts, drawn, strict=True))
        for one in group
    ]


def measure(policy: LanguagePolicy, name: str, dtype: str) -> None:
    prompts = [list(policy.chat.encode(QUESTION.format(number))) for number in (3, 17, 29, 41)]
    policy.engine.generate(prompts[:1], 2, Sampling(max_tokens=4), seed=1)  # warm
    since = time.perf_counter()
    drawn = policy.engine.generate(prompts, COMPLETIONS, SAMPLING, seed=2)
    seconds = time.perf_counter() - since
    made = rollouts(prompts, drawn)
    own = policy.logprobs(made, grad=False).logprobs_N.double()
    gap = own - torch.tensor([value for rollout in made for value in rollout.logprobs], dtype=torch.float64)
    kl = (gap.exp() - 1 - gap).mean()
    print(
        f"{dtype:9} {name:13} {len(gap) / seconds:6.0f} tokens/s   gap {gap.abs().mean():.2g}, at most "
        f"{gap.abs().max():.2g} nats   KL {kl:.2g}   ratio above 2: {(gap.exp() > 2).double().mean():.2%}"
    )


def main() -> None:
    for dtype in ("bfloat16", "float32"):
        policy = LanguagePolicy.from_pretrained(dtype=dtype)  # type: ignore[arg-type]
        measure(policy, "transformers", dtype)
        if importlib.util.find_spec("vllm") is None:
            print("vLLM is not installed here; `nox -s vllm` makes an environment that has it")
            continue
        policy.generate_with(Vllm(cache_gib=1.0, context=512))
        measure(policy, "vllm", dtype)
        policy.updated()
        since = time.perf_counter()
        policy.hand_over()
        print(f"{dtype:9} vllm          weights handed over in {time.perf_counter() - since:.2f} s")
        policy.engine.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
