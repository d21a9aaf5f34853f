"""`guerdon doctor`: what this machine and this installation can do, and what stops them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from guerdon.diagnostics.findings import Finding


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check versions, processor, memory, the training libraries, the embedded model, the plugins and what they check.

    Exits with 1 if something stops work.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if any(finding.status == "problem" for finding in findings):
        ctx.exit(1)


def examine() -> Iterator[Finding]:
    """Everything looked at, in the order it is shown."""
    yield Finding("guerdon", importlib.metadata.version("guerdon"))
    yield Finding("python", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("sqlite", sqlite3.sqlite_version)
    yield from _processor()
    yield _memory()
    yield from _training()
    yield _embedded_model()
    yield _cache()
    yield from _plugins()
    yield from _checks()


def _processor() -> Iterator[Finding]:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", f"{allowed} of {os.cpu_count()}")
    flags = _cpu_flags()
    if flags:
        fast = [name for flag, name in (("avx512_bf16", "AVX-512 bf16"), ("amx_bf16", "AMX bf16")) if flag in flags]
        yield Finding("fast bf16", ", ".join(fast) or "no: train in float32", "ok" if fast else "absent")


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return set()
    return next(
        (set(line.partition(":")[2].split()) for line in lines if line.startswith(("flags", "Features"))), set()
    )


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return Finding("memory", "unknown", "absent")
    return Finding("memory", f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} free")


def _training() -> Iterator[Finding]:
    """The libraries of `guerdon[train]`; torch is imported, since one that is there and broken stops all training."""
    hint = "python -m pip install 'guerdon[train]'"
    for name in ("torch", "transformers", "peft"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "not installed; scoring works without", "absent", hint)
            continue
        yield Finding(name, version) if name != "torch" else _torch(version)


def _torch(version: str) -> Finding:
    try:
        import torch
    except Exception as error:  # noqa: BLE001 - whatever a broken native library raises on import is the finding
        return Finding(
            "torch", f"{version} does not import: {type(error).__name__}: {error}", "problem", "reinstall torch"
        )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return Finding("torch", f"{version}, {torch.get_num_threads()} threads, {device}")


def _embedded_model() -> Finding:
    from guerdon.policies.embedded import EMBEDDED, INSTALL_HINT, gguf_file

    found = gguf_file()
    if found is None:
        return Finding("embedded model", f"{EMBEDDED} not installed", "absent", INSTALL_HINT)
    return Finding("embedded model", f"{EMBEDDED}, {found[0].stat().st_size / 2**20:.0f} MiB")


def _cache() -> Finding:
    from guerdon.cached_folders import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "cache folder", f"{folder}: {error}", "problem", "point GUERDON_CACHE at a folder that can be written"
        )
    return Finding("cache folder", str(folder))


def _plugins() -> Iterator[Finding]:
    from guerdon.plugins.catalog import KINDS, catalog

    offered = {entry.distribution for kind in KINDS for entry in catalog().entries(kind)}
    yield Finding("plugins", ", ".join(sorted(offered)) or "none")
    for problem in catalog().problems:
        yield Finding("plugin problem", str(problem), "problem", "upgrade or uninstall that distribution")


def _checks() -> Iterator[Finding]:
    """What the plugins look at themselves."""
    from guerdon.plugins.catalog import catalog

    for entry in catalog().entries("checks"):
        try:
            yield from catalog().load("checks", entry.name)()
        except Exception as error:  # noqa: BLE001 - a stranger's check: a boundary; the failure is the finding
            told = f"the check itself fails: {type(error).__name__}: {error}"
            yield Finding(entry.name, told, "problem", f"report it to {entry.distribution}")


def _print(findings: list[Finding]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = {"ok": "[green]ok[/]", "absent": "[yellow]absent[/]", "problem": "[bold red]problem[/]"}
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        advice = f"\n[dim]{escape(finding.advice)}[/]" if finding.advice else ""
        table.add_row(finding.subject, marks[finding.status], escape(finding.found) + advice)
    Console(highlight=False).print(table)
