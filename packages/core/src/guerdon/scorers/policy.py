"""Scorers that speak of the policy being trained: as it is, as it was, and a copy that follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from guerdon.errors import ConfigError
from guerdon.fields import any_share, whole_number
from guerdon.protocols import Continuation, HasWeights, ReadsText

if TYPE_CHECKING:
    import torch

    from guerdon.protocols import Policy

Logprobs = tuple[float, ...]


def read(policy: Any, continuations: Sequence[Continuation], *, temperature: float = 1.0) -> list[Logprobs | None]:
    """Log-probs of each text's tokens under a policy that `ReadsText`, without gradients.

    Neighbours with the same turns before them share those turns' cost, as a group's rollouts do in training.
    """
    rollouts = policy.continued(continuations)
    held = [rollout for rollout in rollouts if rollout is not None]
    if not held:
        return [None] * len(rollouts)
    steps = policy.logprobs(held, temperature=temperature, grad=False)
    values = steps.logprobs_N.detach().float().tolist()
    found: list[Logprobs] = []
    start = 0
    for length in steps.lengths:
        found.append(tuple(values[start : start + length]))
        start += length
    each = iter(found)
    return [None if rollout is None else next(each) for rollout in rollouts]


def _known(name: str, policy: Policy | None) -> Any:
    """The policy, if it is there and can read texts."""
    if policy is None:
        raise ConfigError(
            f"the scorer {name!r} speaks of the policy being trained, and here is none (a server, a worker, "
            f"`guerdon score`). Name one that has a model of its own: 'local' or 'server'."
        )
    if not isinstance(policy, ReadsText):
        raise ConfigError(
            f"the scorer {name!r} asks how likely a text is, and {type(policy).__name__} cannot tell; accepted are "
            f"language policies"
        )
    return policy


@dataclass(frozen=True)
class UnderPolicy:
    """The policy being trained, under its present weights. Its gradient is the policy's own (`Reward.targets`)."""

    temperature: float = 1.0
    """Logits are divided by it first; VeriFree's code takes the sampling temperature [code], most take 1."""

    needs_policy: ClassVar[bool] = True
    live: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_temperature("policy", self.temperature)

    @property
    def name(self) -> str:
        """The word "policy", and its temperature."""
        return "policy" if self.temperature == 1.0 else f"policy?temperature={self.temperature:g}"

    def logprobs(self, continuations: Sequence[Continuation], *, policy: Policy | None = None) -> list[Logprobs | None]:
        """See `guerdon.protocols.Scorer`. None where a text does not fit the model's context.

        Raises:
            ConfigError: there is no policy, or one that reads no texts.
        """
        return read(_known("policy", policy), continuations, temperature=self.temperature)


@dataclass(frozen=True)
class UnderMoving:
    """A copy of the policy that goes `mix` of the way to it after every `every`-th training step.

    Weights w' = mix * policy + (1 - mix) * w, in float32. The copy is made when it is first asked: as RL finds the
    policy. It stays with the reward that holds this scorer, and its trained weights (of adapters, those alone) are part
    of every checkpoint.

    Source: the reference model of NOVER, "synchronised with the policy (mix .9)" [code]. That .9 is the policy's share,
    as in TRL's `ref_model_mixup_alpha`, is [memory]; how many steps lie between the sheet does not say: none [choice].
    """

    mix: float = 0.9
    """The policy's share, 0 to 1; 0 never moves."""
    every: int = 1
    """Training steps from one move to the next."""
    temperature: float = 1.0
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """`copy`; `weights`, float32, what it computes with; `steps` counted, the last `step`, `version`; and `kept`,
    weights restored before there is a copy."""

    needs_policy: ClassVar[bool] = True
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_temperature("moving", self.temperature)
        any_share("moving.mix", self.mix)
        whole_number("moving.every", self.every, 1)

    @property
    def name(self) -> str:
        """The word "moving", and its settings."""
        return f"moving?mix={self.mix:g}&every={self.every}&temperature={self.temperature:g}"

    @property
    def version(self) -> int:
        """How often it has moved."""
        return int(self._held.get("version", 0))

    def logprobs(self, continuations: Sequence[Continuation], *, policy: Policy | None = None) -> list[Logprobs | None]:
        """See `guerdon.protocols.Scorer`.

        Raises:
            ConfigError: there is no policy, or one that reads no texts or shows no weights.
        """
        return read(self._copy(policy), continuations, temperature=self.temperature)

    def _copy(self, policy: Policy | None) -> Any:
        if "copy" in self._held:
            return self._held["copy"]
        origin = _known(self._word, policy)
        if not isinstance(origin, HasWeights):
            raise ConfigError(
                f"the scorer {self._word!r} keeps a copy of the policy, and {type(origin).__name__} shows no weights"
            )
        copy = cast(Any, origin).snapshot()
        kept: Mapping[str, torch.Tensor] | None = self._held.pop("kept", None)
        if kept is None:
            weights = {name: values.detach().float().clone() for name, values in origin.weights().items()}
        else:
            device = {name: values.device for name, values in origin.weights().items()}
            weights = {name: values.to(device[name]) for name, values in kept.items()}
            copy.take(weights)
        self._held.update(copy=copy, weights=weights)
        return copy

    @property
    def _word(self) -> str:
        return "moving" if self.mix else "reference"

    def update(self, policy: Policy | None, step: int) -> None:
        """Move, if it is time: called after each scored training batch. Further rounds of one step count once."""
        copy = self._copy(policy)
        if not self.mix or step == self._held.get("step"):
            return
        self._held.update(step=step, steps=self._held.get("steps", 0) + 1)
        if self._held["steps"] % self.every:
            return
        for name, values in _known(self._word, policy).weights().items():
            self._held["weights"][name].lerp_(values.float(), self.mix)
        copy.take(self._held["weights"])
        self._held["version"] = self.version + 1

    def state_dict(self) -> dict[str, Any]:
        """The copy's weights by name; None where there is no copy yet."""
        weights = self._held.get("weights") or self._held.get("kept")
        return {
            "weights": None if weights is None else {name: values.cpu().clone() for name, values in weights.items()},
            "steps": self._held.get("steps", 0),
            "step": self._held.get("step", -1),
            "version": self.version,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where `state_dict` left off; the copy itself is made when a policy is at hand."""
        self._held.clear()
        self._held.update({name: state[name] for name in ("steps", "step", "version")})
        if state["weights"] is not None:
            self._held["kept"] = dict(state["weights"])

    def __reduce__(self) -> tuple[Any, ...]:  # a copy of a model does not travel
        return type(self), (self.mix, self.every, self.temperature)


@dataclass(frozen=True)
class UnderReference(UnderMoving):
    """A frozen copy of the policy, as RL found it: `UnderMoving` that never moves."""

    mix: float = field(default=0.0, init=False, repr=False)
    every: int = field(default=1, init=False, repr=False)

    @property
    def name(self) -> str:
        """The word "reference", and its temperature."""
        return "reference" if self.temperature == 1.0 else f"reference?temperature={self.temperature:g}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.temperature,)


def _check_temperature(scorer: str, temperature: float) -> None:
    if not 0.0 < temperature < float("inf"):
        raise ConfigError(f"{scorer}.temperature is {temperature!r}; a finite number > 0 is needed")
