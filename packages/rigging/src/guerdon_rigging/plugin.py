"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    skintokens = "guerdon_rigging.skintokens_claim:SkinTokensClaim"
    register("skintokens", skintokens, summary="Dice mends sparse skins, few tokens carry a bone, codes are tokens")
