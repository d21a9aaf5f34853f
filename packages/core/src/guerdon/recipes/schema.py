"""What a recipe may say. Checked whole before anything heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from guerdon.trainer.config import Config, TrainConfig

if TYPE_CHECKING:
    from collections.abc import Mapping


class Use(Config):
    """A registered name and its options: `{use: sql/generated, with: {train_size: 400}}`, or the name alone."""

    use: str
    options: dict[str, Any] = Field(default_factory=dict, alias="with")

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"use": value} if isinstance(value, str) else value


class RewardSpec(Config):
    """A node of a reward tree: a registered reward (`use`, `with`) or a `sum` of nodes; its weight, name and gate."""

    use: str | None = None
    options: dict[str, Any] = Field(default_factory=dict, alias="with")
    sum: tuple[RewardSpec, ...] | None = None
    weight: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    name: str | None = None
    """Another name in parts and logs."""
    gated_by: RewardSpec | None = None
    unless: RewardSpec | None = None
    above: float = 0.0
    """The gate's threshold."""
    then: tuple[Use, ...] = ()
    """Transforms by registered name, left to right."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"use": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.use is None) == (self.sum is None):
            raise ValueError("a reward is either {use: NAME} or {sum: [...]}")
        if self.sum is not None and (not self.sum or self.options):
            raise ValueError("a sum has at least one term, and no `with` of its own")
        if self.gated_by is not None and self.unless is not None:
            raise ValueError("give gated_by or unless, not both")
        return self


class Recipe(Config):
    """A whole run: task, policy, reward, credit and schedule. What is only scored or audited needs no policy."""

    name: str = "run"
    summary: str = ""
    task: Use
    policy: Use | None = None
    reward: RewardSpec
    advantage: Use = Use(use="group_relative")
    """`group_relative` (std, ddof, epsilon), `leave_one_out`, `log_mean_exp`, `streams` (weights by name; std, ddof,
    epsilon), `returns_to_go` (weights by name; baseline), or of another of these `weighted_by` (part) and `withheld`
    (part, below)."""
    train: TrainConfig = TrainConfig()
    controllers: tuple[Use, ...] = ()
    """What acts between updates, by registered name: `{use: adaptive-kl, with: {target: 0.1}}`."""
    evals: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")], Use] = Field(default_factory=dict)
    """Further tasks whose held-out split is evaluated whenever the task's own is, by a name in lower case: files of the
    run folder carry it."""
    seed: int = 0

    def to_mapping(self) -> Mapping[str, Any]:
        """The recipe as plain data, every default written out: what a run folder keeps."""
        return self.model_dump(mode="json", by_alias=True)
