"""A reward server in a process of its own, for tests: rewards that do as a completion says, and a raw HTTP client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

REWARDS = '''
import os, time
from dataclasses import dataclass, field
from guerdon import Example, Prompt, Reward, Score
from guerdon.grading import Grader
from guerdon.protocols import Task
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.gated_aggregate import GatedAggregate
from guerdon.transforms import chain, clip, scale
from guerdon.types import Stream

class Word(Example):
    word: str = ""

@dataclass(frozen=True)
class Words(Task):
    name = "test/words-v1"

    def examples(self, split):
        return [Word(id=f"{split}-{n}") for n in range(50)]

    def prompt(self, example):
        return Prompt()

@dataclass(frozen=True)
class Obedient(Reward, name="t/obedient-v1", bounds=(0.0, 1000.0)):
    """The completion's length, after doing what it says."""

    def score(self, rollout):
        word, _, rest = rollout.completion.partition(" ")
        if word == "sleep":
            time.sleep(float(rest))
        elif word == "pid":
            with open(rest, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(60)
        elif word == "note":  # one line per scored completion
            with open(rest.split()[0], "a") as file:
                file.write(rest.split()[1] + chr(10))
            time.sleep(0.05)
        elif word == "regex":  # lets no other thread run
            import re
            open(rest, "w").close()
            re.match(r"(a+)+$", "a" * 60 + "b")
        elif word == "die" or (word == "once" and not os.path.exists(rest)):
            if word == "once":
                open(rest, "w").close()
            os._exit(3)
        elif word == "bug":
            raise KeyError("boom")
        elif word in ("abstain", "invalid", "infra"):
            return Score.unscored(f"{word}, as told", status=word)
        dense = {"turns": Stream("turn", (0.1, float("nan")))}
        why = "x" * int(rest) if word == "tell" else "as long"
        return Score(float(len(rollout.completion)), why=why, dense=dense)

@dataclass(frozen=True)
class Shortest(Reward, name="t/shortest-v1", bounds=(0.0, 1.0)):
    def score_group(self, group):
        least = min(len(rollout.completion) for rollout in group.rollouts)
        return [Score(float(len(rollout.completion) == least)) for rollout in group.rollouts]

@dataclass(frozen=True)
class Slowly(Obedient, name="t/slowly-v1", runs_in="threads"):
    """As a judge: it waits."""

@dataclass(frozen=True)
class Whole(Reward, name="t/whole-v1"):
    """How many rollouts it was shown, and the step."""

    def score_batch(self, groups, context):
        return [[Score(float(sum(map(len, groups)) + context.step))] * len(group) for group in groups]

@dataclass(frozen=True)
class Counting(Obedient, name="t/counting-v1"):
    """How many rollouts it has learnt from, after doing what it is told."""

    stateful = True
    seen: list = field(default_factory=lambda: [0], compare=False)

    def score(self, rollout):
        super().score(rollout)
        return Score(float(self.seen[0]))

    def update(self, groups, scores, context):
        self.seen[0] += sum(map(len, groups))

    def state_dict(self):
        return {"seen": self.seen[0]}

    def load_state_dict(self, state):
        self.seen[0] = state["seen"]

LEARNING = {"counting": Grader(Counting(), Words())}
long = Obedient().then(chain(scale(0.1), clip(0.0, 1.0))).named("long")

GRADERS = {
    "obedient": Grader(0.1 * Obedient() + 2.0 * Shortest(), Words()),
    "alone": Grader(Obedient(), Words()),
    "whole": Grader(Whole(), Words()),
    "columns": Grader(Obedient()),
    "slowly": Grader(Slowly(), Words()),
    "gated": Grader(GatedAggregate({"long": long}, {"shortest": Shortest()}, thresholds={"long": 0.05}), Words()),
    "constrained": Grader(
        Constrained({"long": long, "shortest": Shortest()}, {"long": 0.5, "shortest": 0.5}, "mu", learning_rate=0.0,
                    initial={"long": 0.3, "shortest": -0.2}),
        Words(),
    ),
}
'''
MAIN = """
import json, os, sys
from pathlib import Path
from served_rewards import GRADERS
from guerdon.serve.server import serve
from guerdon.serve.settings import Settings
limits = json.loads(sys.argv[1])
if "state" in limits:
    from served_rewards import LEARNING
    GRADERS, limits["state"] = LEARNING, Path(limits["state"])
def ready(url):
    print(url, flush=True)
serve(GRADERS, port=0, token=os.environ.get("TOKEN"), settings=Settings(**limits), on_ready=ready)
"""


class Server:
    """The server, as another process sees it."""

    def __init__(self, folder: Path, token: str | None = None, *, rewards: str = REWARDS, **limits: object) -> None:
        (folder / "served_rewards.py").write_text(rewards)
        path = [str(folder), *filter(None, sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
        if token:
            environment["TOKEN"] = token
        self.errors = (folder / f"errors-{time.monotonic_ns()}").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, json.dumps(limits)],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url, f"it did not start: {self.said()}"
        self.token = token
        parts = urlsplit(self.url)
        self.address = parts.hostname, parts.port

    def said(self) -> str:
        """Its standard error, so far."""
        self.errors.seek(0)
        return self.errors.read()

    def ask(self, path, body=None, headers=None, method=None, timeout=30.0):
        """(status, headers, body as read from JSON, or as bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method or ("GET" if data is None else "POST"), path, data, {**given, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            return response.status, response.headers, json.loads(text)
        except ValueError:
            return response.status, response.headers, text

    def score(self, *completions, reward="alone", example="train-0", **more):
        """Status and body of a request with these completions of one example."""
        rows = [{"example": example, "completion": text} for text in completions]
        status, _, body = self.ask("/v1/score", {"reward": reward, "rows": rows}, **more)
        return status, body

    def send(self, body, path="/v1/score") -> socket.socket:
        """An open connection on which that was asked, the answer not waited for."""
        data = json.dumps(body).encode()
        there = socket.create_connection(self.address, timeout=30)
        there.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        return there

    def metric(self, name: str) -> float:
        """The sum of a metric's samples, over its labels; `name{label="x"` picks among them."""
        page = self.ask("/metrics")[2].decode()
        wanted = [line for line in page.splitlines() if line.startswith(f"guerdon_serve_{name}")]
        return sum(float(line.rpartition(" ")[2]) for line in wanted)

    def lanes(self) -> list[int]:
        """Its scoring processes."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            found += [int(pid) for pid in (task / "children").read_text().split()]
        return sorted(found)

    def facts(self) -> dict[str, int]:
        """Threads, open files and resident kilobytes of the server's own process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return {
            "threads": int(fields["Threads"]),
            "files": len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())),
            "kb": int(fields["VmRSS"].split()[0]),
        }

    def end(self, sig: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        """Tell it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self.errors.close()


def until(condition, timeout: float = 20.0) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def gone(pid: int) -> bool:
    """Whether no process has that number (a zombie counts as gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
