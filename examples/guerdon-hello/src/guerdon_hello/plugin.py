"""The names this distribution offers. Strings only, so that listing them imports none of what they point at."""

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """Offer the reward."""
    register("hello/greets-v1", "guerdon_hello.rewards:Greets", summary="greets, and by name, in [0, 1]")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Offer the task."""
    register("hello/strangers-v1", "guerdon_hello.tasks:Strangers", summary="greet somebody by name")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """Offer the attack."""
    register("hello/roll-call", "guerdon_hello.attacks:RollCall", summary="greets everybody it ever heard of")
