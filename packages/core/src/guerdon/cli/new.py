"""`guerdon new`: a third-party plugin distribution that works as it stands, to be changed from there.

The files come from `template/`, with `$domain` (hello), `$module` (guerdon_hello) and `$core` (the range on guerdon)
filled in. `examples/guerdon-hello` is what it writes for the name `hello`; a test keeps the two the same.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import click

from guerdon.errors import ConfigError

_DOMAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".tmpl"


@click.command("new")
@click.argument("name")
@click.option(
    "--dir", "parent", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where its folder is made."
)
def command(name: str, parent: Path) -> None:
    """Start a plugin distribution guerdon-NAME: one reward, one task, one attack, and tests that pass."""
    taken = f"guerdon-{name.removeprefix('guerdon-')}"
    if _is_installed(taken):
        raise ConfigError(f"{taken} is installed already, and would be replaced; choose another name")
    folder = scaffold(name, parent)
    click.echo(f"{folder} is ready. Next:\n  python -m pip install -e '{folder}[test]'\n  python -m pytest {folder}")


def scaffold(name: str, parent: Path) -> Path:
    """Write the distribution's files into `parent / "guerdon-NAME"`.

    Args:
        name: lower-case words joined by hyphens, with or without "guerdon-" in front.
        parent: made if missing.

    Returns:
        The distribution's folder.

    Raises:
        ConfigError: the name is not one, or the folder is not empty or cannot be written.
    """
    domain = name.removeprefix("guerdon-")
    if not _DOMAIN.fullmatch(domain):
        raise ConfigError(
            f"no distribution can be named {name!r}; lower-case words joined by hyphens do, like 'my-field'"
        )
    folder = parent / f"guerdon-{domain}"
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} exists and is not empty; choose another name or --dir")
    module = f"guerdon_{domain.replace('-', '_')}"
    names = {"domain": domain, "module": module, "core": _core_range(version("guerdon"))}
    for path, text in _templates(files("guerdon.cli") / "template"):
        target = folder / path.replace("package", module).replace("domain", domain.replace("-", "_"))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(text).substitute(names), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write {str(target)!r}: {error.strerror}; choose another --dir") from error
    return folder


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _templates(folder: Traversable, prefix: str = "") -> list[tuple[str, str]]:
    """The template's files as (path without the suffix, text)."""
    found = []
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            found += _templates(item, f"{prefix}{item.name}/")
        elif item.name.endswith(_SUFFIX):
            found.append((prefix + item.name.removesuffix(_SUFFIX), item.read_text(encoding="utf-8")))
    return found


def _core_range(installed: str) -> str:
    """The versions of core that promise to work like `installed`: up to the next minor one while the major is 0.

    >>> _core_range("0.1.3"), _core_range("2.4.0")
    ('>=0.1,<0.2', '>=2.4,<3')
    """
    major, minor, *_ = (int(re.match(r"\d+", part)[0]) for part in installed.split("."))  # type: ignore[index]
    return f">=0.{minor},<0.{minor + 1}" if major == 0 else f">={major}.{minor},<{major + 1}"
