"""TokenRig's policy: a mesh goes in, a rig's tokens come out; implements `guerdon.protocols.Policy`.

```
task.prompt(example).observation (a mesh) ─ points ─▶ latents ─ grammar, cache ─▶ tokens ─▶ Rollout
```
A rollout's text is its ids with spaces between, which rewards read (`guerdon_rigging.answers`). Log-probs are those of
the distribution that is drawn from: what the grammar forbids has none.

Axes: B meshes, R rollouts, T tokens, N policy steps laid end to end, L latents, D width, V ids.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from guerdon.errors import ConfigError, PolicyError
from guerdon.fields import one_of
from guerdon.policies.dtypes import Dtype, device_named, dtype_named
from guerdon.policies.masters import Masters
from guerdon.progress import progress
from guerdon.protocols import Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Prompt, Rollout, Segment
from guerdon_rigging.grammar import Grammar, Phase
from guerdon_rigging.rig_networks import RigTransformer
from guerdon_rigging.rig_shapes import SHAPES, RigShape
from guerdon_rigging.rig_sources import known_mesh
from guerdon_rigging.rig_writing import Writer
from guerdon_rigging.rigs import Mesh, RigError
from guerdon_rigging.sampling import surface_points

if TYPE_CHECKING:
    from guerdon.protocols import Policy

FILE = "rig_policy.safetensors"
KIND = "guerdon/rig-policy-v1"
LOGITS_AT_ONCE = 1 << 23
"""Entries of the (N, V) table that one micro-batch holds: 32 MB in float32."""
_POINTS_SEED = 0
_KEPT = 4096
"""Meshes whose points are kept: 24 KB each at 1024 points."""


class RigPolicy:
    """A network that writes rigs.

    Args:
        network: taken over; its parameters are converted in place and trained.
        dtype: what it computes in; trainable weights are kept in float32 either way.
    """

    def __init__(self, network: RigTransformer, *, dtype: torch.dtype = torch.float32) -> None:
        self.network, self.shape, self.version = network, network.shape, 0
        self.vocabulary = network.shape.vocabulary
        self.grammar = Grammar(self.vocabulary, network.shape.fewest_joints, network.shape.most_joints)
        self.masters = Masters(network, dtype)
        self.network.eval()
        self._tables = self.grammar.put(lambda array: torch.as_tensor(array, device=self.device))
        self._points: dict[Mesh | str, Tensor] = {}

    @classmethod
    def of_shape(
        cls,
        shape: str | RigShape = "small",
        *,
        start: str = "",
        dtype: Dtype = "float32",
        device: str = "auto",
        seed: int = 0,
    ) -> RigPolicy:
        """With the weights that training starts from.

        Args:
            shape: a name of `rig_shapes.SHAPES`, or sizes.
            start: a saved policy, or a run's folder for its latest checkpoint; it is gone on with and has to be of
                this shape. Empty: random weights.
            dtype: compute type; `auto` is bfloat16 where the hardware is fast at it.
            device: `cpu`, `cuda`, ...; `auto` is CUDA where there is one.
            seed: of the weights.

        Raises:
            ConfigError: no such shape or dtype.
            PolicyError: `start` cannot be read, or has another shape.
        """
        if isinstance(shape, str):
            one_of("shape", shape, tuple(SHAPES))
            shape = SHAPES[shape]
        place = device_named(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = RigTransformer(shape)
        policy = cls(network.to(place), dtype=dtype_named(dtype, place))
        if start:
            policy.load(Path(start))
        return policy

    @classmethod
    def from_file(cls, path: Path | str, *, dtype: Dtype = "float32", device: str = "auto") -> RigPolicy:
        """What `save` wrote: the file, its folder, a checkpoint's folder, or a run's for its latest.

        Raises:
            PolicyError: no such file, or not one of a rigging policy.
        """
        file = _saved(Path(path))
        shape, _, _ = _read(file)
        policy = cls.of_shape(shape, dtype=dtype, device=device)
        policy.load(file)
        return policy

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    # -- sampling --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`. A prompt's forced text is ids that the rig begins with: a skeleton.

        Raises:
            PolicyError: a prompt shows no mesh, or forces what is no beginning of a rig.
        """
        prompts = [task.prompt(example) for example in examples]
        given = [self._ids(prompt.forced, example) for prompt, example in zip(prompts, examples, strict=True)]
        for begun, example in zip(given, examples, strict=True):
            if begun and bool(self.grammar.after(begun).done[0]):
                raise PolicyError(f"the prompt of {example.id!r} forces tokens that no rig begins with")
        prefix = self._prefix([self._shown(prompt, one) for prompt, one in zip(prompts, examples, strict=True)])
        writer = Writer(self.network, self.grammar)
        with ExitStack() as stack:
            bar = stack.enter_context(progress("sampling", n * len(examples)))
            done = 0

            def advance(finished: int) -> None:
                nonlocal done
                bar.advance(finished - done)
                done = finished

            written = writer.write(prefix, given, n, sampling, seed=seed, on_token=advance)
        groups = []
        for example, prompt, begun, attempts in zip(examples, prompts, given, written, strict=True):
            forced = (Segment("forced", prompt.forced, tuple(begun)),) if begun else ()
            rollouts = [
                Rollout(
                    example,
                    (*forced, Segment("policy", _text(one.tokens, begun), one.tokens, one.logprobs)),
                    prompt,
                    stop="stop" if one.finished else "length",
                    policy_version=self.version,
                    index=index,
                )
                for index, one in enumerate(attempts)
            ]
            groups.append(Group.of(rollouts))
        return groups

    # -- learning --------------------------------------------------------------------------------------------------

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; a mesh is encoded once, and 0 (greedy) means 1.

        Raises:
            PolicyError: a rollout holds no tokens or no mesh, or says what the grammar forbids.
        """
        shown = [self._shown(rollout.prompt, rollout.example) for rollout in rollouts]
        meshes = list(dict.fromkeys(shown))
        whole = [[token for segment in rollout.segments for token in segment.token_ids] for rollout in rollouts]
        lengths = tuple(rollout.steps for rollout in rollouts)
        longest = max(map(len, whole), default=0)
        tokens_RT = torch.full((len(whole), longest), self.vocabulary.pad, dtype=torch.long)
        own_RT = torch.zeros(len(whole), longest, dtype=torch.bool)
        for row, (rollout, tokens) in enumerate(zip(rollouts, whole, strict=True)):
            if not tokens or not rollout.steps or len(tokens) < rollout.steps:
                raise PolicyError(f"a rollout of {rollout.example.id!r} holds no tokens; see reference_rollout")
            if not 0 <= min(tokens) <= max(tokens) < self.vocabulary.size:
                raise PolicyError(
                    f"a rollout of {rollout.example.id!r} has the ids {min(tokens)} to {max(tokens)}; "
                    f"this policy's are 0 to {self.vocabulary.size - 1}: it was written by another one"
                )
            tokens_RT[row, : len(tokens)] = torch.tensor(tokens)
            own_RT[row, len(tokens) - rollout.steps : len(tokens)] = True
        tokens_RT, own_RT = tokens_RT.to(self.device), own_RT.to(self.device)
        phases_RT = self._phases(tokens_RT)
        # The first token is `bos` by the grammar; it is read from nothing, and costs nothing.
        chosen_RT = own_RT.clone()
        chosen_RT[:, :1] = False
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            prefix = self._prefix(meshes)
            rows = torch.tensor([meshes.index(one) for one in shown], device=self.device)
            hidden_RTD = self.network.hidden(prefix[rows], tokens_RT[:, :-1])
            found, entropy = self._chosen(
                hidden_RTD[chosen_RT[:, 1:]], phases_RT[chosen_RT], tokens_RT[chosen_RT], temperature or 1.0
            )
            logprobs_RT = found.new_zeros(own_RT.shape).masked_scatter(chosen_RT, found)
            entropy_RT = found.new_zeros(own_RT.shape).masked_scatter(chosen_RT, entropy)
        return StepLogprobs(logprobs_RT[own_RT], entropy_RT[own_RT].detach(), lengths)

    def _chosen(
        self, hidden_ND: Tensor, phases_N: Tensor, targets_N: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """Log-probs and entropies under what each phase allows, (N,) float32 each."""
        logprobs, entropies = [], []
        size = max(1, LOGITS_AT_ONCE // self.vocabulary.size)
        parts = (torch.split(each, size) for each in (hidden_ND, phases_N, targets_N))
        for hidden, phases, targets in zip(*parts, strict=True):
            logits = self.network.logits(hidden) / temperature + self._tables.penalty[phases]
            table = torch.log_softmax(logits, -1)
            logprobs.append(table.gather(1, targets[:, None])[:, 0])
            with torch.no_grad():
                entropies.append(-(table.exp() * table.clamp(min=-1e30)).sum(-1))
        if not logprobs:
            empty = hidden_ND.new_zeros(0, dtype=torch.float32)
            return empty, empty
        found = torch.cat(logprobs)
        if not bool(torch.isfinite(found).all()):
            raise PolicyError("a rollout says what the grammar of this policy forbids: it was written by another one")
        return found, torch.cat(entropies)

    @torch.no_grad()
    def _phases(self, tokens_RT: Tensor) -> Tensor:
        """Of each token, the phase it was drawn in, (R, T)."""
        states = self.grammar.start(len(tokens_RT), lambda array: torch.as_tensor(array, device=self.device))
        phases = []
        for tokens_R in tokens_RT.T:
            phases.append(states.phase)
            states = self.grammar.advance(states, tokens_R, self._tables)
        return torch.stack(phases, dim=1)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """The float32 trainable parameters, in a stable order."""
        return self.masters.parameters()

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """Places of the padded batch that `logprobs` would read, latents included."""
        sizes = [sum(len(segment.token_ids) for segment in rollout.segments) for rollout in rollouts]
        return len(sizes) * (self.shape.latents + max(sizes, default=0))

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """See `guerdon.protocols.Policy.reference_rollout`; `text` is ids with spaces between.

        Raises:
            PolicyError: it is no rig in this policy's grammar, or does not begin with what the prompt forces.
        """
        prompt = task.prompt(example)
        begun, ids = self._ids(prompt.forced, example), self._ids(text, example)
        if ids[: len(begun)] != begun:
            ids = begun + ids
        if not bool((self.grammar.after(ids).phase == Phase.DONE).all()):
            raise PolicyError(
                f"the reference of {example.id!r} is no whole rig of at most {self.shape.most_joints} joints in a "
                f"vocabulary of {self.vocabulary.bins} bins and {self.vocabulary.codes} codes"
            )
        own = tuple(ids[len(begun) :])
        forced = (Segment("forced", prompt.forced, tuple(begun)),) if begun else ()
        segments = (*forced, Segment("policy", _text(own, begun), own))
        return Rollout(example, segments, prompt, policy_version=self.version)

    # -- copies and files ------------------------------------------------------------------------------------------

    def weights(self) -> Mapping[str, Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        return self.masters.state()

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.masters.take(self.network, weights)

    def updated(self) -> None:
        """Round the masters into the compute weights and count the update."""
        self.masters.hand_down()
        self.version += 1

    def snapshot(self) -> Policy:
        """A frozen copy that computes alike, without masters or gradients."""
        frozen = copy.copy(self)
        frozen.network = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        frozen.masters = Masters(frozen.network, next(self.network.parameters()).dtype)
        return frozen

    def save(self, path: Path) -> None:
        """Write `rig_policy.safetensors` into the folder: float32 weights, with shape and version.

        Raises:
            PolicyError: the folder cannot be written.
        """
        self.write(path / FILE)

    def write(self, file: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write one file; half precision halves it.

        Raises:
            PolicyError: it cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        held = dict(self.network.named_parameters()) | dict(self.masters.state())
        state = {name: value.detach().to(dtype).cpu().contiguous().clone() for name, value in held.items()}
        told = {"kind": KIND, "shape": json.dumps(self.shape.plain()), "version": str(self.version)}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file(state, str(file), metadata=told)
        except (OSError, SafetensorError) as error:
            raise PolicyError(f"the policy cannot be written to {str(file)!r}: {error}") from error

    def load(self, path: Path) -> None:
        """Read what `save` wrote: float32 weights bit for bit, and the version.

        Raises:
            PolicyError: no such file, or weights of another shape.
        """
        file = _saved(path)
        shape, version, state = _read(file)
        if shape != self.shape:
            raise PolicyError(f"{str(file)!r} holds a policy of another shape: {shape}")
        self.take(state)
        self.version = version

    # -- what a prompt shows ---------------------------------------------------------------------------------------

    def _prefix(self, shown: Sequence[Mesh | str]) -> Tensor:
        points = torch.stack([self._seen(mesh) for mesh in shown]).to(self.device)
        return self.network.prefix(points.to(next(self.network.parameters()).dtype))

    def _seen(self, shown: Mesh | str) -> Tensor:
        """(P, 6), drawn once for each mesh, and kept for the latest few thousand.

        Of a key whose mesh cannot be read, zeros: every reward says of it that the example is invalid, and why, and a
        run does not stop because one file of a folder is broken.
        """
        if shown in self._points:
            return self._points[shown]
        try:
            mesh = known_mesh(shown) if isinstance(shown, str) else shown
        except RigError:
            return torch.zeros(self.shape.points, 6)
        drawn = surface_points(mesh, self.shape.points, np.random.default_rng(_POINTS_SEED))
        seen = torch.as_tensor(np.concatenate([drawn.points, drawn.normals], axis=1), dtype=torch.float32)
        if len(self._points) >= _KEPT:
            del self._points[next(iter(self._points))]
        self._points[shown] = seen
        return seen

    @staticmethod
    def _shown(prompt: Prompt, example: Example) -> Mesh | str:
        found = prompt.observation
        if not isinstance(found, Mesh | str):
            raise PolicyError(
                f"the prompt of {example.id!r} shows a {type(found).__name__}; this policy reads a "
                "guerdon_rigging.rigs.Mesh within [-1, 1]^3, or the key of one (guerdon_rigging.rig_sources)"
            )
        return found

    def _ids(self, text: str, example: Example) -> list[int]:
        try:
            return [int(word) for word in text.split()]
        except ValueError as error:
            raise PolicyError(f"the tokens of {example.id!r} are no integers with spaces between: {error}") from error


def _text(own: Sequence[int], begun: Sequence[int]) -> str:
    return (" " if begun else "") + " ".join(map(str, own))


def _saved(path: Path) -> Path:
    """The file that is meant by itself, its folder, a checkpoint's folder, or a run's: the latest checkpoint's."""
    if not path.is_dir():
        return path
    steps = [each for each in path.glob("checkpoints/step-*") if each.name[5:].isdigit()]
    path = max(steps, key=lambda each: int(each.name[5:]), default=path)
    return path / "policy" / FILE if (path / "policy").is_dir() else path / FILE


def _read(file: Path) -> tuple[RigShape, int, dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), "pt") as opened:
            told = opened.metadata() or {}
            if told.get("kind") != KIND:
                raise PolicyError(f"{str(file)!r} holds {told.get('kind', 'something unnamed')!r}")
            state = {name: opened.get_tensor(name).float() for name in opened.keys()}  # noqa: SIM118
            return RigShape.of(json.loads(told["shape"])), int(told["version"]), state
    except (OSError, SafetensorError, KeyError, ValueError, ConfigError) as error:
        raise PolicyError(f"no rigging policy can be read from {str(file)!r}: {error}") from error
