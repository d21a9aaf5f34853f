"""What a training run can be told. Every field is checked at start; names are the field's usual ones."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guerdon.losses.averaging import Average
from guerdon.losses.correction import CorrectionKind
from guerdon.losses.occupancy import SequenceKind
from guerdon.losses.surrogate import SurrogateKind
from guerdon.protocols import Sampling

Schedule = Literal["constant", "linear", "cosine"]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Config(BaseModel):
    """Frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingConfig(Config):
    """How rollouts are drawn in training."""

    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    max_tokens: Positive = 256
    stop: tuple[str, ...] = ()

    def sampling(self, *, greedy: bool = False) -> Sampling:
        """The same budget and stops, greedy for evaluation."""
        if greedy:
            return Sampling(temperature=0.0, max_tokens=self.max_tokens, stop=self.stop)
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_tokens, self.stop)


class OptimizerConfig(Config):
    """AdamW and its learning-rate schedule."""

    lr: Annotated[float, Field(gt=0.0)] = 1e-5
    schedule: Schedule = "constant"
    """After the warm-up: flat, or falling towards `final_lr_share` of `lr`, reached one step after the last."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final_lr_share: Share = 0.0
    betas: tuple[Share, Share] = (0.9, 0.99)
    epsilon: Annotated[float, Field(gt=0.0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    grad_clip: Annotated[float, Field(gt=0.0)] | None = 1.0
    """Largest global L2 norm of the gradient; null does not clip."""
    frozen: tuple[str, ...] = ()
    """Modules of the policy, by name, that this optimiser leaves as they are: what sees, in RL after a warm start."""


class CorrectionConfig(Config):
    """Importance weights for rollouts of an engine whose log-probs are not the trainer's (`losses.correction`)."""

    kind: CorrectionKind = "truncate"
    """`truncate`: min(ratio, cap) per step; `mask`: the ratio within [floor, cap], 0 outside."""
    cap: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 2.0
    floor: Annotated[float, Field(ge=0.0)] = 0.0
    """Of `mask` only."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.floor > self.cap:
            raise ValueError(f"floor {self.floor:g} is above cap {self.cap:g}")
        if self.floor and self.kind != "mask":
            raise ValueError("floor belongs to kind: mask; truncate has a cap alone")
        return self


class LossConfig(Config):
    """The clipped surrogate's choices."""

    kind: SurrogateKind = "ppo"
    """What the ratio is of and how it is clipped (`losses.surrogate`): `ppo` per token, as PPO, GRPO and DAPO; `gspo`
    and `gspo_token` per sequence, with clips of about 3e-4; `cispo` clips the weight and keeps every token's gradient.
    """
    average: Average = "token"
    clip_low: Share = 0.2
    clip_high: Annotated[float, Field(ge=0.0)] = 0.2
    dual_clip: Annotated[float, Field(gt=1.0)] | None = None
    max_log_ratio: Annotated[float, Field(gt=0.0)] | None = None
    """Log-ratios to the old policy and to the reference are held within this of 0; null holds none."""
    max_kl: Annotated[float, Field(gt=0.0)] | None = None
    """The k3 of a step is held below this; null holds none."""
    kl_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the divergence from the frozen policy that RL started from; 0 keeps no reference."""
    divergence: Literal["k3"] | SequenceKind = "k3"
    """`k3`, averaged over steps as the rest of the loss; or one of whole responses (`losses.occupancy`), in which all
    responses count alike. `sequence_sqrt_chi2` reads each batch once more, without gradients."""
    engine_correction: CorrectionConfig | None = None
    """Weigh each step by how much likelier the trainer finds it than the engine that drew it; null trusts the engine.
    For engines that compute apart from the trainer (vLLM): see `sampler_gap` and `sampler_kl` in the metrics."""

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.divergence != "k3" and not self.kl_weight:
            raise ValueError(f"divergence {self.divergence} has no effect with kl_weight 0; give it a weight")
        if self.kind == "cispo" and self.dual_clip is not None:
            raise ValueError("dual_clip has no effect with kind cispo, whose weight is clipped on both sides")
        if self.max_kl is not None and self.divergence != "k3":
            raise ValueError(f"max_kl is of divergence k3, and has no effect on {self.divergence}")
        return self


class AlignmentConfig(Config):
    """Before the warm start of a policy that sees: its vision tower and projector learn, without the language model,
    which words the references hold (`guerdon.policies.alignment`).
    """

    examples: Positive | None = None
    """How many training examples to learn from, those of the warm start among them; null takes those alone. A step here
    costs a small part of a warm start's, so more of them pay.
    """
    epochs: Positive = 20
    batch_size: Positive = 32
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, schedule="cosine", warmup_steps=50, weight_decay=0.01)


class SftConfig(Config):
    """A supervised warm start on the task's reference completions."""

    examples: Annotated[int, Field(ge=0)] = 0
    """How many training examples to use; 0 skips the warm start."""
    epochs: Positive = 1
    batch_size: Positive = 16
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4)
    alignment: AlignmentConfig | None = None
    """Of policies that see: what comes before; null leaves it out."""


class EvalConfig(Config):
    """Greedy evaluation on the held-out split."""

    examples: Annotated[int, Field(ge=0)] = 0
    """How many held-out examples; 0 skips evaluation."""
    every: Annotated[int, Field(ge=0)] = 0
    """Also every so many RL steps; 0 evaluates before, after the warm start and after RL only."""
    batch_size: Positive = 32
    max_tokens: Positive | None = None
    """Budget of an evaluated completion; null takes the training budget."""


class RefillConfig(Config):
    """Dynamic sampling: a group that teaches nothing leaves the update, and another prompt is asked in its place.

    A group stays if the advantage estimator finds a preference in it (`group_relative`: its scored values differ) and
    the mean of its scored values lies strictly between `above` and `below`. Those that leave also leave what the loss
    is averaged over; a step of which none stays moves nothing. Batch rewards, and transforms of scope `batch`, see each
    round as a batch of its own.
    """

    max_rounds: Annotated[int, Field(ge=0)] = 3
    """At most so many further rounds of sampling a step, each as large as what is missing, none asking a prompt again.
    What is missing after the last one stays missing; 0 drops groups and asks nothing in their place."""
    dead: Literal["drop", "keep"] = "drop"
    """What becomes of groups without a preference. `keep` leaves the choice to the mean alone, as the online filter of
    DAPO's released trainers does: a group whose values are all 0.145 stays, and has no gradient."""
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _drops_something(self) -> Self:
        if self.dead == "keep" and self.above is None and self.below is None:
            raise ValueError("dead: keep without above or below leaves nothing out; null (no refill) does the same")
        return self


class TrainConfig(Config):
    """A run: warm start, then `steps` of group-based policy gradient."""

    steps: Annotated[int, Field(ge=0)] = 100
    prompts_per_step: Positive = 8
    group_size: Annotated[int, Field(ge=2)] = 8
    updates_per_batch: Positive = 1
    """Passes over one sampled batch (GRPO's mu); from the second on the ratio leaves 1 and clipping bites."""
    refill: RefillConfig | None = None
    """Replace groups that teach nothing before the update; null trains on whatever was sampled."""
    sampling: SamplingConfig = SamplingConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    loss: LossConfig = LossConfig()
    sft: SftConfig = SftConfig()
    eval: EvalConfig = EvalConfig()
    tokens_per_microbatch: Positive = 8192
    """Tokens one forward and backward pass may hold; smaller needs less memory and gives the same gradient."""
    checkpoint_every: Annotated[int, Field(ge=0)] = 10
    """Steps between checkpoints (each phase's end is always one). Steps after the last one are replayed from the stored
    rollouts on resume, so a killed run loses at most the step in hand; 0 keeps only the phases' ends."""
    keep_checkpoints: Positive = 2
    on_reward_error: Literal["raise", "unscored"] = "raise"
    """What a bug in a reward does: stop the run and name the sample, or leave that rollout out, counted and shown."""
