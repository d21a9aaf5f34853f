"""`guerdon rig`: a skeleton and a skin for a mesh, pictures of rigs, and what they are worth."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import click

if TYPE_CHECKING:
    from guerdon_rigging.rigs import Mesh, Rig, Skeleton

FILE = click.Path(path_type=Path, dir_okay=False)
BASELINES = "closest-bone, smoothed, inverse-distance, heat, voxel-geodesic or bounded-biharmonic"
"""The names of `guerdon_rigging.baselines`, which is not imported for a help text."""
SEEN = {
    "joints": "their number",
    "direct": "the shortest tree that joins them, over the bones' length",
    "used": "share of joints that own vertices",
    "even": "share of joints that the weight is shared among",
    "near": "share of weight on bones that are near",
    "rank": "of the skin, over the largest there can be",
}
"""What `guerdon_rigging.rewards.diagnostics` counts beside the four rewards, none of which is paid for by itself."""
SHORT = "mesh"
"""What `guerdon rig` does when no other of its commands is named."""


class Rigger(Protocol):
    """What is asked of `guerdon_rigging.rigger.Rigger`; meshes are welded and normalised."""

    def rig(self, mesh: Mesh, seed: int, attempts: int) -> Rig:
        """A skeleton and a skin."""

    def skin(self, mesh: Mesh, skeleton: Skeleton, seed: int, attempts: int) -> Rig:
        """A skin for a skeleton."""


class RigCommands(click.Group):
    """`guerdon rig FILE` is short for `guerdon rig mesh FILE`: whatever does not name a command is a mesh."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the short form's command in."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            if near and not Path(args[0]).suffix and not Path(args[0]).exists():
                ctx.fail(f"no command and no file is named {args[0]!r}; did you mean {near[0]!r}?")
            args = [SHORT, *args]
        return super().parse_args(ctx, args)


@click.group("rig", cls=RigCommands)
def command() -> None:
    """Rig a mesh: give it a skeleton and a skin.

    `guerdon rig MESH -o OUT.glb` is short for `guerdon rig mesh MESH -o OUT.glb`; a file named like a command below is
    written ./score.
    """


def _pictures(function: Any) -> Any:
    """The options that draw."""
    shared = (
        click.option("--png", type=FILE, help="Draw the rig, weights as colours, into this file."),
        click.option("--turntable", type=FILE, help="Draw it from all around: a .gif that turns, or a .png strip."),
        click.option(
            "--pose",
            multiple=True,
            metavar="random|JOINT=X,Y,Z",
            help="Pose what is drawn: at random by --seed, or a joint by degrees about x, y and z; repeatable.",
        ),
        click.option("--size", type=click.IntRange(32, 4096), default=512, show_default=True, help="Pixels a side."),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Another one, another rig and another random pose.",
        ),
        click.option("--overwrite", is_flag=True, help="Write over files that are there."),
    )
    for option in reversed(shared):
        function = option(function)
    return function


@command.command("mesh", short_help="Give a mesh a skeleton and a skin; what `guerdon rig MESH` does.")
@click.argument("mesh", type=FILE)
@click.option("-o", "--output", type=FILE, help="The .glb to write.")
@click.option("--skeleton", type=FILE, help="Skin only: a rig's .glb or .gltf, or RigNet's text, in the mesh's space.")
@click.option("--baseline", help=f"Skin --skeleton without a model: {BASELINES}.")
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Rigs drawn, the one that earns most is kept; of skins the mean.",
)
@click.option("--policy", type=click.Path(path_type=Path), help="Your own policy: a run folder, or its weights.")
@click.option("--codec", type=FILE, help="Your own codec, if --policy was trained for one.")
@_pictures
def of_mesh(
    mesh: Path,
    output: Path | None,
    skeleton: Path | None,
    baseline: str | None,
    attempts: int,
    policy: Path | None,
    codec: Path | None,
    png: Path | None,
    turntable: Path | None,
    pose: tuple[str, ...],
    size: int,
    seed: int,
    overwrite: bool,
) -> None:
    """Give MESH (.glb, .gltf, .obj, .ply or .stl) a skeleton and a skin.

    The rig comes from the shipped model or from one of your own (--policy, --codec). OUT has the mesh's vertices and
    units, materials, textures, normals and colours. --pose changes pictures alone.
    """
    from guerdon.errors import ConfigError, PolicyError
    from guerdon.progress import progress
    from guerdon_rigging.baselines import baseline as baseline_of
    from guerdon_rigging.filed_meshes import filed_mesh
    from guerdon_rigging.rigs import Rig, RigError

    if output is None and png is None and turntable is None:
        raise ConfigError("nothing to write: name a file with --output, --png or --turntable")
    if output is not None and output.suffix.lower() != ".glb":
        raise ConfigError(f"--output is {str(output)!r}; a name that ends in .glb is needed")
    if baseline and skeleton is None:
        raise ConfigError("--baseline makes a skin and no skeleton; give one with --skeleton")
    if baseline and (policy or codec):
        raise ConfigError("--baseline skins without a model; --policy and --codec have no part in it")
    skinner = baseline_of(baseline) if baseline else None
    _free([output, png, turntable], overwrite)
    _drawable(png, turntable, pose)
    with progress(f"reading {mesh.name}", 4) as bar:
        held = filed_mesh(mesh)
        given, changed = held.skeleton(skeleton) if skeleton else (None, ())
        bar.advance()
        bar.describe(f"rigging {len(held.mesh.vertices):,} vertices")
        try:
            if given is None:
                rig = _rigger(policy, codec).rig(held.mesh, seed, attempts)
            elif skinner is None:
                rig = _rigger(policy, codec).skin(held.mesh, given, seed, attempts)
            else:
                rig = Rig(held.mesh, given, skinner(held.mesh, given))
        except (RigError, PolicyError) as error:
            raise ConfigError(f"{str(mesh)!r} cannot be rigged: {error}") from error
        posed = _posed(rig, pose, seed)
        bar.advance()
        bar.describe("writing")
        if output is not None:
            rig = held.write(rig, output)
        bar.advance()
        bar.describe("drawing")
        _draw(posed, png, turntable, size)
        bar.advance()
    _told([*held.mended, *(f"--skeleton: {line}" for line in changed)])
    written = ", ".join(str(path) for path in (output, png, turntable) if path)
    click.echo(f"{_described(rig)}: {written}")


@command.command("score", short_help="What a rig earns, part by part.")
@click.argument("rig", type=FILE)
@click.option("--mesh", type=FILE, help="The mesh of a RigNet text rig.")
@click.option(
    "--mode",
    type=click.Choice(["repaired", "printed"]),
    default="repaired",
    show_default=True,
    help="As repaired against known hacks, or as the paper prints it.",
)
@click.option(
    "--joints",
    type=click.Choice(["used", "all"]),
    default="used",
    show_default=True,
    help="Those that move something: artists' files have others for control. Or all, as a policy's answer is scored.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def score(rig: Path, mesh: Path | None, mode: str, joints: str, as_json: bool) -> None:
    """What the rig in RIG (.glb, .gltf, or RigNet's text with --mesh) earns, part by part: TokenRig's rewards."""
    from guerdon_rigging.answers import Answered, skin_of
    from guerdon_rigging.canonical import Kept
    from guerdon_rigging.filed_meshes import filed_rig
    from guerdon_rigging.rewards import Candidates, Mode, TokenRig
    from guerdon_rigging.rig_scores import Ground

    filed = filed_rig(rig, mesh, cast(Kept, joints))
    read = filed.rig
    _told([*filed.mended, *(["--joints all scores those that move nothing too"] if filed.dropped else [])])
    reward = TokenRig(mode=cast(Mode, mode))
    ground = Ground(read.mesh, reward.grid).make()
    answered = Answered(skeleton=read.skeleton, weights=skin_of(read.weights))
    total, parts = reward.measure(Candidates(ground, [answered]))
    found = {reward.name or "reward": float(total[0])} | {name: float(column[0]) for name, column in parts.items()}
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{_described(read)}; {mode}")
    wide = max(map(len, found))
    notes = {reward.name or "reward": f"of at most {sum(reward.weights):g}"}
    notes |= {term.label: f"times {weight:g}" for term, weight in zip(reward.terms, reward.weights, strict=True)}
    for name, value in found.items():
        click.echo(f"  {name:<{wide}} {value:8.4f}  {notes.get(name) or SEEN.get(name, '')}".rstrip())


@command.command("show", short_help="Say what is in a rig, and draw it.")
@click.argument("rig", type=FILE)
@click.option("--mesh", type=FILE, help="The mesh of a RigNet text rig.")
@_pictures
def show(
    rig: Path,
    mesh: Path | None,
    png: Path | None,
    turntable: Path | None,
    pose: tuple[str, ...],
    size: int,
    seed: int,
    overwrite: bool,
) -> None:
    """Say what is in the rig RIG (.glb, .gltf, or RigNet's text with --mesh), and draw it."""
    from guerdon.counting import counting
    from guerdon.progress import progress
    from guerdon_rigging.filed_meshes import filed_rig

    _free([png, turntable], overwrite)
    _drawable(png, turntable, pose)
    with progress(f"reading {rig.name}", 2) as bar:
        filed = filed_rig(rig, mesh)
        read = filed.rig
        bar.advance()
        bar.describe("drawing")
        _draw(_posed(read, pose, seed), png, turntable, size)
        bar.advance()
    _told(filed.mended)
    click.echo(f"{rig.name}: {_described(read)}")
    names = read.skeleton.names or tuple(str(joint) for joint in range(len(read.skeleton)))
    depth = [0] * len(names)
    for joint, (name, parent) in enumerate(zip(names, read.skeleton.parents.tolist(), strict=True)):
        depth[joint] = depth[parent] + 1 if parent >= 0 else 0
        owned = int((read.weights[:, joint] > 0).sum())
        click.echo(f"{'  ' * (depth[joint] + 1)}{name}  {counting(owned, 'vertex', 'vertices')}")


def _told(mended: Sequence[str]) -> None:
    """On standard error, so that what is printed can be read by machines: nothing is left out without a word."""
    for line in mended:
        click.echo(f"note: {line}", err=True)


def _described(rig: Rig) -> str:
    from guerdon.counting import counting

    per_vertex = float((rig.weights > 0).sum(axis=1).mean())
    return (
        f"{counting(len(rig.mesh.vertices), 'vertex', 'vertices')}, {counting(len(rig.skeleton), 'joint')}, "
        f"{per_vertex:.2f} influences a vertex"
    )


def _rigger(policy: Path | None, codec: Path | None) -> Rigger:
    """The shipped model, or these files in place of its own.

    It is imported by name, since it needs torch and what is skinned by a baseline does not.
    """
    import importlib

    from guerdon.errors import ConfigError, PolicyError

    try:
        module = importlib.import_module("guerdon_rigging.rigger")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the model that rigs needs the package {error.name}, which is not installed: "
            "pip install 'guerdon-rigging[train]'. --skeleton with --baseline needs no model"
        ) from error
    try:
        return cast(Rigger, module.Rigger.of_files(policy, codec))
    except PolicyError as error:
        whose = "shipped model" if policy is None and codec is None else "model"
        raise ConfigError(
            f"the {whose} cannot be loaded: {error}. --skeleton with --baseline needs no model"
        ) from error


def _free(paths: Sequence[Path | None], overwrite: bool) -> None:
    from guerdon.errors import ConfigError

    named = [path for path in paths if path is not None]
    if twice := {str(path) for path in named if named.count(path) > 1}:
        raise ConfigError(f"{', '.join(map(repr, twice))} is to be written twice; name another file")
    for path in named:
        if path.exists() and not overwrite:
            raise ConfigError(f"{str(path)!r} is there already; name another file, or say --overwrite")
        if not path.parent.is_dir():
            raise ConfigError(f"the folder of {str(path)!r} is not there")


def _drawable(png: Path | None, turntable: Path | None, pose: Sequence[str]) -> None:
    from guerdon.errors import ConfigError

    if pose and png is None and turntable is None:
        raise ConfigError("--pose poses what is drawn; name a file with --png or --turntable")
    if png is not None and png.suffix.lower() != ".png":
        raise ConfigError(f"--png is {str(png)!r}; a name that ends in .png is needed")
    if "random" in pose and len(pose) > 1:
        raise ConfigError("--pose is random and also names joints; one or the other is needed")
    if turntable is not None and turntable.suffix.lower() not in (".gif", ".png"):
        raise ConfigError(f"--turntable is {str(turntable)!r}; a name that ends in .gif or .png is needed")


def _posed(rig: Rig, pose: Sequence[str], seed: int) -> Rig:
    """The rig in the pose that is to be drawn."""
    if not pose:
        return rig
    from guerdon_rigging import posing

    turns = posing.random_turns(rig, seed) if pose[0] == "random" else posing.written_turns(rig, pose)
    return posing.in_pose(rig, turns)


def _draw(rig: Rig, png: Path | None, turntable: Path | None, size: int) -> None:
    """What was asked for."""
    if png is None and turntable is None:
        return
    from guerdon.errors import ConfigError
    from guerdon_rigging import drawing

    try:
        if png is not None:
            png.write_bytes(drawing.picture(rig, size=size))
        if turntable is not None:
            gif = turntable.suffix.lower() == ".gif"
            drawn = drawing.turntable(rig, frames=24 if gif else 6, size=size, form="gif" if gif else "strip")
            turntable.write_bytes(drawn)
    except OSError as error:
        raise ConfigError(f"a picture cannot be written: {error}") from None
