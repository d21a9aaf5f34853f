"""How long `guerdon --help`, `guerdon list` and `import guerdon` take with 52 plugins: ours, and made-up ones.

Rounds are interleaved: each measures bare Python and every command once, so that a busy minute hits all alike. Run it
on a quiet machine:

    python benchmarks/startup.py [ROUNDS]

Peers, where installed: `trl --help`. Bars: help at most 150 ms over bare Python, list at most 350 ms in all, import at
most 100 ms, none of them with torch, transformers or numpy in `sys.modules` (asserted before anything is timed).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path

PLUGINS = 12 + 40
"""The twelve packages of the plan and forty from outside; those of ours that are not there yet are made up too."""
REWARDS_EACH = 5
HEAVY = ("torch", "transformers", "numpy")


def install_made_up_plugins(site: Path, count: int) -> None:
    """What pip would leave of so many distributions, five rewards each: dist-info, entry point, plugin module."""
    for number in range(count):
        package = site / f"guerdon_made_up_{number}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        registered = "".join(
            f'    register("made-up-{number}/thing-{i}-v1", "{package.name}.rewards:Thing", summary="the {i}th")\n'
            for i in range(REWARDS_EACH)
        )
        (package / "plugin.py").write_text(
            "from guerdon.plugins import hookimpl\nfrom guerdon.plugins.catalog import Register\n\n\n"
            f"@hookimpl\ndef guerdon_rewards(register: Register) -> None:\n{registered}"
        )
        info = site / f"guerdon_made_up_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: guerdon-made-up-{number}\nVersion: 1.0\n\nA plugin.\n"
        )
        (info / "entry_points.txt").write_text(f"[guerdon]\nmade-up-{number} = guerdon_made_up_{number}.plugin\n")


def commands() -> dict[str, list[str]]:
    """What is timed, as command lines of this interpreter."""
    run = "from guerdon.cli import main; main({}, prog_name='guerdon')"
    timed = {
        "python -c pass": ["-c", "pass"],
        "import guerdon": ["-c", "import guerdon"],
        "guerdon --help": ["-c", run.format("['--help']")],
        "guerdon list": ["-c", run.format("['list']")],
    }
    peer = Path(sys.executable).with_name("trl")
    if peer.exists():
        timed["trl --help"] = [str(peer), "--help"]
    return timed


def assert_light(arguments: list[str], env: dict[str, str]) -> None:
    """None of the heavy libraries is in `sys.modules` when the interpreter exits."""
    shown = f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    watch = f"import atexit, sys; atexit.register(lambda: {shown})\n"
    done = subprocess.run(
        [sys.executable, "-c", watch + arguments[-1]], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip().splitlines()[-1] == "[]", done.stderr


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made_up = PLUGINS - len(entry_points(group="guerdon"))
        install_made_up_plugins(Path(folder), made_up)
        env = {**os.environ, "PYTHONPATH": folder}
        timed = commands()
        listed = subprocess.run(
            [sys.executable, *timed["guerdon list"]], env=env, capture_output=True, text=True, check=True
        )
        assert listed.stdout.count("made-up-") >= made_up * REWARDS_EACH, "the made-up plugins are not listed"
        for name, arguments in timed.items():
            if "guerdon" in name:
                assert_light(arguments, env)
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(rounds + 1):  # the first warms the disk and is dropped
            for name, arguments in timed.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *arguments], env=env, capture_output=True, check=True)
                seconds[name].append(time.perf_counter() - start)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{rounds} rounds, interleaved; {os.cpu_count()} cores, load {load}; {PLUGINS} plugins, {made_up} made up")
    print(f"{'ms':<16}{'min':>8}{'median':>8}{'max':>8}{'over bare':>11}")
    bare = statistics.median(seconds["python -c pass"][1:])
    for name, all_rounds in seconds.items():
        values = all_rounds[1:]
        median = statistics.median(values)
        shown = (min(values), median, max(values))
        print(f"{name:<16}" + "".join(f"{1000 * value:8.1f}" for value in shown) + f"{1000 * (median - bare):11.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
