"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_claims(register: Register) -> None:
    """VeRPO's central claim."""
    register("verpo", "guerdon_code.verpo_claim:Verpo", summary="weighed tests lead past the easy ones")
