"""`guerdon claims`: what papers claim, and whether it holds when shrunk to this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog

if TYPE_CHECKING:
    from guerdon.claims import Claim, ClaimResult


@click.group("claims", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the claims; `guerdon claims run NAME` puts one to the test."""
    if ctx.invoked_subcommand is None:
        from guerdon.cli import listing

        ctx.invoke(listing.command, kind="claims", as_json=as_json)
