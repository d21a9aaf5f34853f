"""The claim of Ctrl-U, shrunk to seconds: a linear generator, and a reward model whose two looks at it may disagree.

The loss is the product's own (`guerdon.losses.uncertainty.weighted_reward`), differentiated by torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress

if TYPE_CHECKING:
    from torch import Tensor

World = Literal["noisy", "consistent"]
"""Where the reward model errs: in each look by itself, or in both alike."""
Arm = Literal["plain", "uniform", "Ctrl-U"]
"""One look; the mean loss of two looks; two looks and the weight."""
TOLD: dict[World, tuple[str, str, str]] = {
    "noisy": (".359", ".357", ".224"),
    "consistent": (".356", ".357", ".355"),
}


@dataclass(frozen=True)
class CtrlU(Claim):
    """Weighing by disagreement against one look and against two looks without weights, in two worlds."""

    name: ClassVar[str] = "ctrl_u"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = (
        "Ctrl-U: Robust Conditional Image Generation via Uncertainty-aware Reward Modeling (2410.11236)"
    )
    statement: ClassVar[str] = (
        "Weighing a reward down where two looks disagree helps when its errors show as disagreement, and only then."
    )

    steps: int = 3000
    batch: int = 32
    learning_rate: float = 0.03
    dimensions: int = 6
    troubled: float = 0.35
    """Share of conditions on which the reward model may err. At 0 no arm is better than another."""
    tau: float = 0.5
    """The weight is exp(-2 U)."""
    penalty: float = 0.1
    """v."""

    most_of_controls: ClassVar[float] = 0.75
    most_apart: ClassVar[float] = 0.03

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """All arms in both worlds; it holds when the means meet the sheet's bounds in both."""
        found: dict[tuple[World, Arm], tuple[float, ...]] = {}
        cases = [(world, arm) for world in get_args(World) for arm in get_args(Arm)]
        for place, (world, arm) in enumerate(cases):
            errors = []
            for offset, seed in enumerate(seeds):
                progress(place * len(seeds) + offset, len(cases) * len(seeds), f"{world}, {arm}, seed {seed}")
                errors.append(self.train(world, arm, seed))
            found[world, arm] = tuple(errors)
        progress(len(cases) * len(seeds), len(cases) * len(seeds), "done")
        measurements = [
            Measurement(
                f"control error, {world}, {arm}", values, "RMS", earlier=str(TOLD[world][get_args(Arm).index(arm)])
            )
            for (world, arm), values in found.items()
        ]
        held = True
        for world in get_args(World):
            for control in ("plain", "uniform"):
                pairs = zip(found[world, "Ctrl-U"], found[world, control], strict=True)
                noisy = world == "noisy"
                ratio = Measurement(
                    f"Ctrl-U / {control}, {world}",
                    tuple(one / other for one, other in pairs),
                    needed=f"<= {self.most_of_controls}" if noisy else f"within {self.most_apart} of 1",
                )
                measurements.append(ratio)
                held = held and (
                    ratio.mean <= self.most_of_controls if noisy else abs(ratio.mean - 1.0) <= self.most_apart
                )
        notes = (
            "A linear generator and made-up errors, no images. The reward model's error does not depend on the output: "
            "both looks have one Jacobian, and U has no gradient here. So the claim tests the weight alone: it holds "
            "as well with the penalty v U negated and a thousand times as large, and with the weight detached; nor is "
            "it sharp, as it holds with U twice as large (each tried on one seed, 1500 steps). Times are all 0: the "
            "time mask is not tested. In the consistent world the weight is 1 everywhere and all arms draw the same "
            "numbers, so they are equal by construction: no disagreement is no correctness. The sheet leaves open "
            "whether the loss is summed over dimensions, and the error measured without the generator's noise; both "
            "are so here, since its figures fit that."
        )
        return self.result(held, measurements, seeds, notes)

    def train(self, world: World, arm: Arm, seed: int) -> float:
        """RMS of A c + b - c over fresh conditions, after training against the reward model."""
        import torch

        # One thread and a generator of its own: the same seed draws the same world for every arm.
        random = torch.Generator().manual_seed(seed)
        matrix = torch.zeros(self.dimensions, self.dimensions, requires_grad=True)
        shift = torch.zeros(self.dimensions, requires_grad=True)
        for _ in range(self.steps):
            conditions_BD = torch.randn(self.batch, self.dimensions, generator=random)
            noise_BD = torch.randn(self.batch, self.dimensions, generator=random)
            made_BD = conditions_BD @ matrix.T + shift + 0.1 * noise_BD
            errors = self._errors(world, random)
            loss = self._loss(arm, conditions_BD, made_BD + errors[0], made_BD + errors[1])
            gradients = torch.autograd.grad(loss, (matrix, shift))
            with torch.no_grad():
                matrix -= self.learning_rate * gradients[0]
                shift -= self.learning_rate * gradients[1]
        fresh_BD = torch.randn(4096, self.dimensions, generator=random)
        with torch.no_grad():
            return float((fresh_BD @ matrix.T + shift - fresh_BD).square().mean().sqrt())

    def _errors(self, world: World, random: object) -> Tensor:
        """(2, B, 1): what each look adds to every dimension of what it sees."""
        import torch

        assert isinstance(random, torch.Generator)
        troubled_B1 = torch.rand(self.batch, 1, generator=random) < self.troubled
        strikes = torch.rand(2, self.batch, 1, generator=random) < 0.5
        return troubled_B1 * (2.0 * strikes if world == "noisy" else torch.ones(2, self.batch, 1))

    def _loss(self, arm: Arm, conditions_BD: Tensor, first_BD: Tensor, second_BD: Tensor) -> Tensor:
        """Summed over dimensions, mean over the batch."""
        import torch

        from guerdon.losses.uncertainty import depth_loss, depth_uncertainty, weighted_reward

        loss_BD = depth_loss(first_BD, conditions_BD)
        if arm == "Ctrl-U":
            times_B = torch.zeros(self.batch)
            terms = weighted_reward(loss_BD, depth_uncertainty(first_BD, second_BD), times_B, tau=self.tau)
            return self.dimensions * terms.total(0, penalty=self.penalty, ramp_steps=0)
        if arm == "uniform":
            loss_BD = (loss_BD + depth_loss(second_BD, conditions_BD)) / 2.0
        return self.dimensions * loss_BD.mean()
