"""The hooks a plugin may implement: one per kind of thing it can offer.

Each is called once with a `register(name, target, summary="")` that takes strings only. `target` is "module:attribute";
it is imported when somebody asks for that name, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon.plugins import hookspec

if TYPE_CHECKING:
    from guerdon.plugins.catalog import Register


@hookspec
def guerdon_rewards(register: Register) -> None:
    """Offer rewards: a `Reward` class, a function lifted by `@reward`, or a function that returns a `Reward`."""


@hookspec
def guerdon_transforms(register: Register) -> None:
    """Offer transforms: functions that return a `Transform`."""


@hookspec
def guerdon_shapes(register: Register) -> None:
    """Offer shapings by reference rewards: `Shape` classes, or functions that return one (`guerdon.rewards.shapes`)."""


@hookspec
def guerdon_tasks(register: Register) -> None:
    """Offer tasks: `Task` classes, or functions that return a `Task`."""


@hookspec
def guerdon_policies(register: Register) -> None:
    """Offer policies: classes, or functions that return a `Policy`."""


@hookspec
def guerdon_engines(register: Register) -> None:
    """Offer engines that language policies generate with: `EngineMaker` classes, or functions that return one."""


@hookspec
def guerdon_judges(register: Register) -> None:
    """Offer those who answer a judge's questions: `JudgeBackend` classes, or functions that return one."""


@hookspec
def guerdon_scorers(register: Register) -> None:
    """Offer those who tell how likely a given text is: `Scorer` classes, or functions that return one."""


@hookspec
def guerdon_retrievers(register: Register) -> None:
    """Offer those who find documents: `Retriever` classes, or functions that return one."""


@hookspec
def guerdon_encoders(register: Register) -> None:
    """Offer those who give texts vectors: `Encoder` classes, or functions that return one."""


@hookspec
def guerdon_controllers(register: Register) -> None:
    """Offer what acts between updates: `Controller` classes, or functions that return one."""


@hookspec
def guerdon_tools(register: Register) -> None:
    """Offer tools that a policy may call in the middle of a rollout."""


@hookspec
def guerdon_recipes(register: Register) -> None:
    """Offer recipes for `guerdon train NAME`."""


@hookspec
def guerdon_claims(register: Register) -> None:
    """Offer claims for `guerdon claims run NAME`: `Claim` classes."""


@hookspec
def guerdon_attacks(register: Register) -> None:
    """Offer attacks with which a reward can be audited."""


@hookspec
def guerdon_commands(register: Register) -> None:
    """Offer subcommands of `guerdon`: click commands. Their `summary` is what `guerdon --help` shows."""


@hookspec
def guerdon_checks(register: Register) -> None:
    """Offer checks for `guerdon doctor`: functions without arguments that return, or yield, each `Finding`
    (`guerdon.diagnostics.findings`).
    """
