"""`guerdon serve`: rewards over HTTP, for trainers elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guerdon.cli.sources import admit, is_run, naming
from guerdon.counting import counting
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.grading import Grader

_POSITIVE = click.FloatRange(min=0.0, min_open=True)
_COUNT = click.IntRange(min=1)


@click.command("serve")
@click.argument("sources", metavar="[[NAME=]RECIPE]...", nargs=-1)
@click.option("--task", metavar="NAME[k=v,...]", help="With --reward and --name: a task without a recipe.")
@click.option("--reward", "rewards", metavar="[W*]NAME[k=v,...]", multiple=True, help="Several are summed.")
@click.option("--name", help="What task and reward are served as.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option("--token-env", default="GUERDON_SERVE_TOKEN", show_default=True, help="The variable with the token.")
@click.option("--open", "open_to_all", is_flag=True, help="Let others on the network ask without a token.")
@click.option("--lanes", default=2, show_default=True, type=_COUNT, help="Processes, one batch each at a time.")
@click.option("--workers", type=_COUNT, help="Worker processes of each lane.  [default: one per core, at least two]")
@click.option("--deadline", "deadline_s", default=30.0, show_default=True, type=_POSITIVE, help="Of a rollout, in s.")
@click.option("--on-error", type=click.Choice(["raise", "unscored"]), default="raise", help="A bug in a reward.")
@click.option("--queue", default=256, show_default=True, type=_COUNT, help="Batches that may wait; then 429.")
@click.option("--max-rows", default=10_000, show_default=True, type=_COUNT, help="Of a request.")
@click.option("--max-body-mb", default=32.0, show_default=True, type=_POSITIVE, help="Of a request; then 413.")
@click.option("--max-pending-mb", default=256.0, show_default=True, type=_POSITIVE, help="Of all; then 429.")
@click.option("--read-timeout", "read_timeout_s", default=30.0, show_default=True, type=_POSITIVE, help="s; then 408.")
@click.option("--write-timeout", "write_timeout_s", default=60.0, show_default=True, type=_POSITIVE, help="s, unread.")
@click.option("--wait-timeout", "wait_timeout_s", default=120.0, show_default=True, type=_POSITIVE, help="s; then 503.")
@click.option("--timeout", "score_timeout_s", default=300.0, show_default=True, type=_POSITIVE, help="s; then 504.")
@click.option("--grace", "grace_s", default=300.0, show_default=True, type=_POSITIVE, help="s to finish, at the end.")
@click.option("--inline-examples", is_flag=True, help="Take examples' fields, too: they may name files here.")
@click.option("--lane-memory-mb", type=_POSITIVE, help="Of address space, of a lane.  [default: no limit]")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Where rewards keep what they learn.")
@click.option("--openrlhf-fill", type=float, help="Serve OpenRLHF; the number of a sample without a score.")
def command(
    sources: tuple[str, ...],
    task: str | None,
    rewards: tuple[str, ...],
    name: str | None,
    host: str,
    port: int,
    token_env: str,
    open_to_all: bool,
    workers: int | None,
    deadline_s: float,
    on_error: str,
    **limits: Any,
) -> None:
    """Serve the rewards of RECIPEs over HTTP: rows in, one score per row out. docs/serving.md has the routes.

    Each is served as NAME, else as it is registered, or of a file as the `name` in it says. Only what is named here can
    be asked for. SIGTERM ends it when all accepted batches are answered.
    """
    require("fastapi", "uvicorn", "prometheus_client")
    from guerdon.serve.server import serve
    from guerdon.serve.settings import Settings

    options = {"workers": workers, "deadline_s": deadline_s, "on_error": on_error}
    graders = _graders(sources, task, rewards, name, options)

    def ready(url: str) -> None:
        click.echo(
            f"serving {', '.join(sorted(graders))} at {url}; {counting(limits['lanes'], 'lane')}, Ctrl-C ends it"
        )

    token = os.environ.pop(token_env, None) or None  # what the rewards start would have it, too
    serve(
        graders,
        host=host,
        port=port,
        token=token,
        open_to_all=open_to_all,
        settings=Settings(**limits),
        on_ready=ready,
    )
    click.echo("ended; every accepted batch was answered")


def _graders(
    sources: tuple[str, ...], task: str | None, rewards: tuple[str, ...], name: str | None, options: dict[str, Any]
) -> dict[str, Grader]:
    """What is named, by the name it is served as."""
    from guerdon.grading import Grader

    admit("tasks", task)
    admit("rewards", *rewards)
    graders: dict[str, Grader] = {}
    for source in sources:
        given, recipe = _named(source)
        with naming(recipe):
            grader = Grader.of(recipe, **options)
            given = given or _own_name(recipe)
        if given in graders:
            raise ConfigError(f"two rewards are to be served as {given!r}; name them apart: NAME=RECIPE")
        graders[given] = grader
    if task is not None or rewards:
        if not name or name in graders:
            raise ConfigError(f"--task and --reward need a --name of their own to be served as, not {name!r}")
        graders[name] = Grader.of(task=task, reward=rewards, **options)
    if not graders:
        raise ConfigError("nothing to serve: name a recipe (`guerdon list recipes`), or --task, --reward and --name")
    return graders


def _named(source: str) -> tuple[str, str]:
    """The NAME of [NAME=]RECIPE, empty where there is none, and the recipe. A path with a `=` of its own is not cut."""
    from guerdon.serve.service import can_be_served_as

    name, equals, recipe = source.partition("=")
    if not equals or not can_be_served_as(name) or Path(source).exists():
        return "", source
    return name, recipe


def _own_name(source: str) -> str:
    """What is served without a NAME is called: as it is registered; of a file or a run, the `name` in the recipe."""
    from guerdon.recipes import Recipe, load_recipe
    from guerdon.serve.service import can_be_served_as

    path = Path(source) / "recipe.yaml" if is_run(source) else Path(source)
    if not path.is_file():
        return source
    own = load_recipe(path).name
    return own if own != Recipe.model_fields["name"].default and can_be_served_as(own) else source


def require(*modules: str) -> None:
    """Check that the server's libraries are here.

    Raises:
        ConfigError: one is not; the message has the command that installs it.
    """
    from importlib.util import find_spec

    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(
            f"serving needs {', '.join(missing)}, not installed here: python -m pip install 'guerdon[serve]'"
        )
