"""The command line, `guerdon`. One module per command, imported when that command runs.

Help shows the summaries that commands were registered with, so that `guerdon --help` imports none of them.

Exit codes: 0 done; 1 a check or a claim failed, or a run in which nothing was scored; 2 something asked for is wrong
(one clean message; the traceback with `guerdon --debug ...`); 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import os
import warnings
from pathlib import PurePath
from typing import Any, TextIO

import click

from guerdon.errors import GuerdonError
from guerdon.plugin import COMMANDS

FAILED = 1
WRONG = 2
INTERRUPTED = 130


def say_wrong(message: str) -> None:
    """One message on standard error."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(message, err=True)


def say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """In place of `warnings.showwarning`: one message on standard error, above a progress bar.

    What guerdon warns of says itself what it is about. Warnings of others, and all under --debug, keep their place.
    """
    context = click.get_current_context(silent=True)
    ours = any(part == "guerdon" or part.startswith("guerdon_") for part in PurePath(filename).parts)
    debug = context is not None and context.find_root().params.get("debug")
    where = "" if ours and not debug else f" ({category.__name__}, {filename}:{lineno})"
    click.secho("warning: ", fg="yellow", bold=True, nl=False, err=True)
    click.echo(f"{message}{where}", err=True)


class Commands(click.Group):
    """Core's commands and those that plugins add, each loaded on invocation."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Core's in the order of a working day, then the plugins' by name."""
        return list(self._summaries())

    def _summaries(self) -> dict[str, str]:
        from guerdon.plugins.catalog import catalog

        summaries = {name: summary for name, (_, summary) in COMMANDS.items()}
        for entry in catalog().entries("commands"):
            summaries.setdefault(entry.name, entry.summary)
        return summaries

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; core's own are found even when the plugin system is in trouble."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            found = getattr(importlib.import_module(module), attribute)
        else:
            from guerdon.plugins.catalog import catalog

            names = self.list_commands(ctx)
            if cmd_name not in names:
                near = difflib.get_close_matches(cmd_name, names, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
                ctx.fail(f"no command {cmd_name!r}. {hint}")
            found = catalog().load("commands", cmd_name)
        if not isinstance(found, click.Command):
            raise GuerdonError(f"the command {cmd_name!r} is a {type(found).__name__}, and a click.Command is needed")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, from their summaries alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries().items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what it raises on purpose into one message and an exit code."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = say_warning
                return super().invoke(ctx)
        except GuerdonError as error:
            if ctx.params.get("debug"):
                raise
            say_wrong("\n".join([str(error), *getattr(error, "__notes__", ())]))
            ctx.exit(WRONG)
        except EOFError as error:  # click takes it for the end of what somebody types, and says `Aborted!` alone
            raise RuntimeError(f"a file or a pipe ended too early: {error}") from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        click.echo(f"guerdon {version('guerdon')}")
        ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def main(debug: bool) -> None:
    """Tailored rewards for RL post-training: score, train, evaluate, and hold papers to their claims."""
    # Torch's threads spin while they wait. Beside another job on the same cores they then take each other's turns, and
    # a step takes many times as long. OpenMP reads this when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
