"""Installed recipes in verifiers: the package of docs/adapters/verifiers.md as it stands there, and a task in turns."""

import asyncio
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import types
import venv
from pathlib import Path

import pytest

from guerdon.grading import Grader

vf = pytest.importorskip("verifiers.v1", reason="needs verifiers: nox -s 'adapters(verifiers)'")

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/adapters/verifiers.md"

_spec = importlib.util.spec_from_file_location("chat_server", ROOT / "packages/core/tests/chat_server.py")
chat_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chat_server)


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")


def assert_within(shown, real):
    """Whatever has a name in what the page shows has it in the real one."""
    if isinstance(shown, dict):
        assert shown.keys() <= real.keys()
        for name, value in shown.items():
            assert_within(value, real[name])
    elif isinstance(shown, list) and shown:
        assert_within(shown[0], real[0])


@needs("guerdon_sql")
@pytest.mark.slow
def test_the_package_of_the_page_is_installed_validated_and_evaluated_as_written(tmp_path):
    """Twenty held-out questions; every other one is answered by its reference, the rest by `SELECT 1`."""
    [script] = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    grader = Grader.of("sql")
    examples = grader.task.examples("eval")[:20]
    questions = {grader.task.prompt(example).messages[-1].content: example for example in examples}

    def completion(example):
        place = examples.index(example)
        return "```sql\nSELECT 1\n```" if place % 2 else grader.task.reference(example)

    # Installed into an environment of the test's, on top of this one: what the package depends on is here already.
    venv.create(tmp_path / "venv", with_pip=False)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    beneath = sysconfig.get_path("purelib")
    (site / "beneath.pth").write_text(f"import site; site.addsitedir({beneath!r})\n")
    folders = [tmp_path / "venv/bin", Path(sys.executable).parent, os.environ["PATH"]]
    path = {"PYTHONPATH": str(site), "PATH": os.pathsep.join(map(str, folders))}
    with chat_server.chat_server(lambda said: completion(questions[said[-1]["content"]])) as (url, bodies):
        env = {**os.environ, **path, "HOME": str(tmp_path), "MODEL": "stand-in", "BASE_URL": url}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    [summary] = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/summary.json")]
    assert summary["outcomes"]["valid"] == summary["total"] == 20

    [file] = tmp_path.glob("outputs/*/traces.jsonl")
    episodes = [json.loads(line) for line in file.read_text().splitlines()]
    [line] = re.findall(r'line = r"""(.*?)"""', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert_within(json.loads(line), episodes[0])
    traces = {trace["task"]["data"]["example"]: trace for episode in episodes for trace in episode["traces"]}
    scores = grader.grade([{"example": example.id, "completion": completion(example)} for example in examples])
    assert len(traces) == len(bodies) == 20
    for example, score in zip(examples, scores, strict=True):
        trace = traces[example.id]
        assert trace["rewards"]["guerdon"]["score"] == score.value
        assert trace["metrics"] == grader.parts(score)
    assert [score.value == 7.0 for score in scores] == [True, False] * 10
    grader.close()


@needs("guerdon_code")
@pytest.mark.slow
def test_a_recipe_in_turns_is_played_with_its_own_feedback_and_scored_as_a_group(monkeypatch):
    """Two attempts: one is right at once, one after having failed. VeRPO sees both, and gives what `grade` gives."""
    from guerdon.adapters.verifiers import chat, environment, taskset

    grader = Grader.of("code-turns", task="code/generated[turns=2, shown=2, prefill=false]")
    example = grader.task.examples("train")[0]
    reference = grader.task.reference(example)
    module = types.ModuleType("code_with_guerdon")
    module.__spec__ = importlib.machinery.ModuleSpec("code_with_guerdon", None)
    vars(module).update(T=taskset(grader), E=environment(), H=chat(), __all__=["T", "E", "H"])
    monkeypatch.setitem(sys.modules, "code_with_guerdon", module)
    asked = []

    def answer(messages):
        asked.append(messages)
        return "no code at all" if len(asked) == 1 else reference

    async def run(url):
        env = vf.load_environment(vf.resolve_env_config({"taskset": {"id": "code-with-guerdon"}, "attempts": 2}))
        context = vf.ModelContext(model="stand-in", client=vf.EvalClientConfig(base_url=url, api_key_var="NO_KEY"))
        async with env.serving():
            [task] = env.taskset.take(1)
            return await env.run_episode(task, context)

    with chat_server.chat_server(answer) as (url, _):
        episode = asyncio.run(run(url))

    assert episode.ok, episode.errors
    assert len(asked) == 3
    [told] = [messages[-1]["content"] for messages in asked if messages[-1]["role"] == "user" and len(messages) > 3]
    assert "of 10 tests passed" in told
    rows = [{"example": example.id, **trace.info["guerdon_turns"]} for trace in episode.traces]
    said = sorted([[segment["author"] for segment in row["segments"]] for row in rows], key=len)
    assert said == [["policy"], ["policy", "environment", "policy"]]
    assert [trace.reward for trace in episode.traces] == [score.value for score in grader.grade(rows)]
    grader.close()
