r"""`driving/planner`: a small convolutional network that plans from frames, in place of a vision-language model.

It sees the frame, scaled to 96 x 96 pixels, the speed, and the next two instructions of the route, and draws a speed
action, then a path action given that:

$$P(a_{speed}, a_{path} \mid x) = \mathrm{softmax}(u(x))_{a_{speed}} \; \mathrm{softmax}(v_{a_{speed}}(x))_{a_{path}}$$

It writes what a language model writes, a think block and an answer block, so that every reward of plans scores it; the
thought is always the same. Nine tenths of a million weights, so that SFT and GRPO take minutes of one core.

Source: "tiny vision encoder" of the AlphaDrive sheet's small version; the network is ours. Group normalisation (Wu and
He 2018) in place of batch normalisation: what is drawn has the chances that it is trained on, whatever the batch.

Axes: B frames, R rollouts, N decisions laid end to end (two a rollout), S speed actions, P path actions, F facts of
speed and route.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from guerdon.errors import PolicyError
from guerdon.fields import whole_number
from guerdon.parsing.images import opened
from guerdon.policies.choosing import drawn, refuse_cuts
from guerdon.policies.dtypes import device_named
from guerdon.protocols import Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Image, Rollout, Segment
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import laid_out, read_plan
from guerdon_driving.examples import DrivingExample

if TYPE_CHECKING:
    import numpy.typing as npt

SIDE = 96
"""Pixels of what it sees."""
_KEPT = 20_000
"""Frames kept as it sees them, 28 kB each and 0.55 GB in all: training looks at each more than once, and reading one
takes longer."""
THOUGHT = "The frame, the speed and the route call for it."
_ROUTE = ("left", "right", "u-turn", "straight")
_AHEAD = 2
"""Instructions of the route that are read."""
_FACTS = 2 + _AHEAD * len(_ROUTE)
_Shown = tuple[str, float, str]
"""Image, speed and route."""
_BATCH = 64
"""Frames that go through together where nothing is learnt."""
_FILE = "planner.pt"


class FramePlanner:
    """A convolutional planner; implements `guerdon.protocols.Policy`. Top-p and top-k make no sense here.

    Args:
        device: `cpu`, `cuda`, ...; `auto` is CUDA where there is one.
        seed: of the weights.

    Raises:
        ConfigError: no such device, or a seed that is none.
    """

    def __init__(self, *, device: str = "auto", seed: int = 0) -> None:
        whole_number("seed", seed, 0)
        self.device, self.version = device_named(device), 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = _Network().to(self.device)
        self._seen: OrderedDict[str, npt.NDArray[np.uint8]] = OrderedDict()

    # -- sampling --------------------------------------------------------------------------------------------------

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`.

        Raises:
            PolicyError: an example has no frame, or top-p or top-k is asked for.
            TaskError: a frame cannot be read.
        """
        refuse_cuts(sampling, "a planner draws from all plans")
        shown = [_frame(example) for example in examples]
        logprobs_of = self._logprobs_of(shown, sampling.temperature)
        groups = []
        for number, (example, logprobs) in enumerate(zip(shown, logprobs_of, strict=True)):
            random, prompt = np.random.default_rng([seed, number]), task.prompt(example)
            rollouts = []
            for index in range(n):
                segment = _segment(*_drawn(*logprobs, sampling.temperature, random))
                rollouts.append(Rollout(example, (segment,), prompt, policy_version=self.version, index=index))
            groups.append(Group.of(rollouts))
        return groups

    def _logprobs_of(self, shown: Sequence[DrivingExample], temperature: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each frame the log-probs of speed actions, (S,), and of path actions behind each, (S, P)."""
        found: list[tuple[np.ndarray, np.ndarray]] = []
        with torch.no_grad():
            for start in range(0, len(shown), _BATCH):
                speed_BS, path_BSP = self._read(shown[start : start + _BATCH], temperature)
                found += zip(speed_BS.double().cpu().numpy(), path_BSP.double().cpu().numpy(), strict=True)
        return found

    def _read(self, shown: Sequence[DrivingExample], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probs (B, S) and (B, S, P) of frames."""
        pixels = torch.from_numpy(np.stack([self._pixels(example.image) for example in shown]))
        facts_BF = torch.tensor([_facts(example) for example in shown], device=self.device)
        speed_BS, path_BSP = self.network(pixels.to(self.device).permute(0, 3, 1, 2), facts_BF)
        temperature = temperature or 1.0
        return torch.log_softmax(speed_BS / temperature, dim=-1), torch.log_softmax(path_BSP / temperature, dim=-1)

    def _pixels(self, path: str) -> npt.NDArray[np.uint8]:
        if path in self._seen:
            self._seen.move_to_end(path)
            return self._seen[path]
        import PIL.Image

        scaled = opened(Image(path=path)).resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
        found = self._seen[path] = np.asarray(scaled, np.uint8)
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return found

    # -- learning --------------------------------------------------------------------------------------------------

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; temperature 0 (greedy) means 1. A frame is seen once.

        Raises:
            PolicyError: a rollout is none that a planner could have written, or has no frame.
            TaskError: a frame cannot be read.
        """
        place: dict[_Shown, int] = {}
        shown: list[DrivingExample] = []
        at, chosen = [], []
        for rollout in rollouts:
            example = _frame(rollout.example)
            if (key := _shown(example)) not in place:
                place[key] = len(shown)
                shown.append(example)
            at.append(place[key])
            chosen.append(_choices(rollout))
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            speed_BS, path_BSP = self._read(shown, temperature)
            row_R = torch.tensor(at, device=self.device)
            speed_R, path_R = torch.tensor(chosen, device=self.device).T
            speed_RS, path_RP = speed_BS[row_R], path_BSP[row_R, speed_R]
            taken = [speed_RS.gather(1, speed_R[:, None]), path_RP.gather(1, path_R[:, None])]
            logprobs_N = torch.cat(taken, dim=1).flatten()
        entropy = [-(logs.detach().exp() * logs.detach()).sum(dim=1) for logs in (speed_RS, path_RP)]
        return StepLogprobs(logprobs_N, torch.stack(entropy, dim=1).flatten(), (2,) * len(rollouts))

    def parameters(self) -> list[nn.Parameter]:
        """The network's."""
        return list(self.network.parameters())

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """One per frame: the rollouts of one share its cost."""
        return len({_shown(_frame(rollout.example)) for rollout in rollouts})

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout that planned as this text does; its reasoning is left aside.

        Raises:
            PolicyError: the text is no plan of one speed and one path action, or the example has no frame.
        """
        shown, prompt = _frame(example), task.prompt(example)
        segment = _segment(*_choices(Rollout.of(shown, text)), ())
        return Rollout(shown, (segment,), prompt, policy_version=self.version)

    # -- copies and files ------------------------------------------------------------------------------------------

    def snapshot(self) -> FramePlanner:
        """A frozen copy, which shares the frames that were read."""
        copied = copy.copy(self)
        copied.network = copy.deepcopy(self.network).requires_grad_(False)
        return copied

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        return {name: weight.detach() for name, weight in self.network.named_parameters()}

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.network.load_state_dict(weights)

    def updated(self) -> None:
        """Count the update."""
        self.version += 1

    def save(self, path: Path) -> None:
        """Write `planner.pt` into the folder.

        Raises:
            PolicyError: it cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            torch.save({"weights": dict(self.weights()), "version": self.version}, path / _FILE)
        except (OSError, RuntimeError) as error:
            raise PolicyError(f"{str(path / _FILE)!r} cannot be written: {error}") from error

    def load(self, path: Path) -> None:
        """Read what `save` wrote; where it cannot be, nothing is changed.

        Raises:
            PolicyError: there is no such file, or it is none of a planner.
        """
        try:
            kept = torch.load(path / _FILE, weights_only=True, map_location=self.device)
            weights, version = kept["weights"], int(kept["version"])
            shapes = {name: weight.shape for name, weight in weights.items()}
        # Of a foreign file torch's reader raises what it pleases.
        except Exception as error:
            raise PolicyError(f"{str(path / _FILE)!r} holds no planner: {error}") from error
        if shapes != {name: weight.shape for name, weight in self.weights().items()}:
            raise PolicyError(f"{str(path / _FILE)!r} holds no planner: its weights have other names or shapes")
        self.take(weights)
        self.version = version


class _Network(nn.Module):
    """Frames (B, 3, 96, 96) of bytes and facts (B, F) to scores of speed (B, S) and of path given speed (B, S, P)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(3, 24, 5, 2), (24, 32, 3, 1), (32, 48, 3, 2), (48, 64, 3, 1), (64, 96, 3, 2), (96, 96, 3, 2)]
        layers: list[nn.Module] = []
        for before, behind, width, stride in sizes:
            layers += [nn.Conv2d(before, behind, width, stride, width // 2), nn.GroupNorm(8, behind), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        self.trunk = nn.Sequential(nn.Linear(96 * (SIDE // 16) ** 2 + _FACTS, 192), nn.ReLU())
        self.head = nn.Linear(192, len(SPEED_ACTIONS) * (1 + len(PATH_ACTIONS)))

    def forward(self, pixels: torch.Tensor, facts_BF: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores, not normalised."""
        seen = self.encoder(pixels.float() / 127.5 - 1)
        scores = self.head(self.trunk(torch.cat([seen, facts_BF], dim=1)))
        speeds = len(SPEED_ACTIONS)
        return scores[:, :speeds], scores[:, speeds:].unflatten(1, (speeds, len(PATH_ACTIONS)))


def _frame(example: Example) -> DrivingExample:
    if not isinstance(example, DrivingExample):
        raise PolicyError(
            f"a planner reads frames of driving; {example.id!r} is no DrivingExample but {type(example).__name__}"
        )
    if not example.image:
        raise PolicyError(f"a planner looks at frames, and {example.id!r} has none")
    return example


def _shown(example: DrivingExample) -> _Shown:
    """What a planner sees of an example, which is what tells it from others."""
    return example.image, example.speed, example.navigation


def _facts(example: DrivingExample) -> list[float]:
    """(F,): the speed in 10 m/s, whether it stands, and which words each of the next instructions holds."""
    told = [one.rpartition(":")[2].lower() for one in example.navigation.split(",")[:_AHEAD]]
    told += [""] * (_AHEAD - len(told))
    return [example.speed / 10, float(example.speed < 1), *(float(word in one) for one in told for word in _ROUTE)]


def _drawn(
    speed_S: np.ndarray, path_SP: np.ndarray, temperature: float, random: np.random.Generator
) -> tuple[int, int, tuple[float, float]]:
    """A speed and a path action, and the log-prob of each; at temperature 0 the likeliest speed, then path."""
    speed = int(drawn(speed_S, temperature, random))
    path = int(drawn(path_SP[speed], temperature, random))
    return speed, path, (float(speed_S[speed]), float(path_SP[speed, path]))


def _segment(speed: int, path: int, logprobs: tuple[float, ...]) -> Segment:
    """What was written; the two decisions stand as its tokens."""
    text = laid_out(THOUGHT, f"{SPEED_ACTIONS[speed]}, {PATH_ACTIONS[path]}")
    return Segment("policy", text, token_ids=(speed, path), logprobs=logprobs)


def _choices(rollout: Rollout) -> tuple[int, int]:
    """The decisions behind a plan."""
    plan = read_plan(rollout.completion)
    speed = [place for place, action in enumerate(SPEED_ACTIONS) if action in plan.speed]
    path = [place for place, action in enumerate(PATH_ACTIONS) if action in plan.path]
    if len(speed) != 1 or len(path) != 1:
        raise PolicyError(f"no plan of a planner, for {rollout.example.id!r}: one action on each axis is needed")
    return speed[0], path[0]
