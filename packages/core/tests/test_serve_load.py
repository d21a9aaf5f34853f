"""The reward server under load: bounded, in a step of its own. Nothing accepted is lost, and nothing is left behind."""

import asyncio
import importlib.util
import json
import random
import resource
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")

from guerdon.serve.client import Client

_spec = importlib.util.spec_from_file_location("served", Path(__file__).with_name("served.py"))
served = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(served)
until = served.until

pytestmark = pytest.mark.slow

AT_ONCE = 1000


@pytest.fixture(autouse=True)
def enough_files():
    """Each connection is an open file, here and there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * AT_ONCE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{wanted} open files are needed; the limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(number, completion=None):
    """A batch that is told apart by its length: `number` characters."""
    rows = [{"example": f"train-{number % 50}", "completion": completion or "x" * (number % 900)}]
    return {"reward": "alone", "rows": rows}


async def asked(address, body, *, path="/v1/score", leave_after_s=None):
    """(status, body) of a request on a connection of its own; None where the client leaves, or is cut off."""
    data = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(*address)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()
        if leave_after_s is not None:
            await asyncio.sleep(leave_after_s)
            return None
        answer = await asyncio.wait_for(reader.read(), 120)
        head, _, text = answer.partition(b"\r\n\r\n")
        return (int(head.split()[1]), json.loads(text)) if text else None
    finally:
        writer.close()


def at_rest(server):
    """Whether nothing is waiting, scored, read or connected, but for the one who asks."""
    return (
        server.metric("waiting_batches") == server.metric("busy_lanes") == server.metric("pending_bytes") == 0
        and server.facts()["files"] <= server.files_at_rest
    )


@pytest.fixture
def server(tmp_path):
    server = served.Server(tmp_path, queue=200, read_timeout_s=3.0, write_timeout_s=3.0)
    server.files_at_rest = server.facts()["files"] + 1
    yield server
    server.end()


def test_a_thousand_at_once_are_answered_or_told_to_come_back(server):
    """Every one gets its own score, or 429 with a time to wait: none is lost, none is mixed up with another's."""

    async def all_at_once():
        return await asyncio.gather(*(asked(server.address, request(number)) for number in range(AT_ONCE)))

    answers = asyncio.run(all_at_once())
    codes = Counter(answer[0] for answer in answers)
    assert set(codes) <= {200, 429}
    assert codes[200] >= 200
    for number, (code, body) in enumerate(answers):
        if code == 200:
            assert body["scores"][0]["value"] == float(number % 900)
    assert server.metric('rows_total{reward="alone"') == codes[200]
    assert until(lambda: at_rest(server))


def test_clients_that_come_back_are_all_served(server):
    """1,000 batches by 100 clients, through a queue that holds 200 and is often full."""
    with Client(server.url, attempts=50, backoff_s=0.05) as client, ThreadPoolExecutor(100) as pool:
        found = list(pool.map(lambda number: client.grade(**batch(number))[0].value, range(AT_ONCE)))
    assert found == [float(number % 900) for number in range(AT_ONCE)]
    server.files_at_rest += 100  # their connections are kept for the next step


def batch(number):
    return {"rows": request(number)["rows"], "reward": "alone"}


def test_hostile_company_costs_the_others_nothing(server):
    """Beside 100 clients: some leave, some send nonsense, some never end their body, some never read their answer."""
    draw = random.Random(0)
    nonsense = [[], {"rows": 5}, {"reward": "nope", "rows": []}, {"reward": "alone", "rows": [7]}]
    unread = {"reward": "alone", "rows": [{"example": "train-0", "completion": "x"}] * 9000}

    async def company():
        slow = [await asyncio.open_connection(*server.address) for _ in range(50)]
        for _, writer in slow:
            writer.write(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        deaf = [socket.create_connection(server.address, timeout=30) for _ in range(5)]
        for there in deaf:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            data = json.dumps(unread).encode()
            there.setblocking(False)
            head = f"POST /v1/score/stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
            await asyncio.get_running_loop().sock_sendall(there, head.encode() + data)
        leaving = [asked(server.address, request(n), leave_after_s=draw.random() / 5) for n in range(200)]
        wrong = [asked(server.address, body) for body in nonsense * 25]
        good = [asked(server.address, request(number)) for number in range(100)]
        answers = await asyncio.gather(*good, *wrong, *leaving)
        told = await asyncio.gather(*(asyncio.wait_for(reader.readline(), 60) for reader, _ in slow))
        for _, writer in slow:
            writer.close()
        assert until(lambda: server.metric("busy_lanes") == server.metric("waiting_batches") == 0, 60)
        assert await asyncio.to_thread(until, lambda: server.metric("pending_bytes") == 0, 60)
        for there in deaf:
            there.close()
        return answers[:100], answers[100:200], told

    good, wrong, told = asyncio.run(company())
    assert all(code in (200, 429) for code, _ in good)
    assert sum(code == 200 for code, _ in good) >= 1
    assert all(body["scores"][0]["value"] == float(n) for n, (code, body) in enumerate(good) if code == 200)
    assert {code for code, _ in wrong} <= {404, 422, 429}
    assert all(line.split()[1] in (b"408", b"429") for line in told)
    assert until(lambda: at_rest(server), 60)
    assert server.score("abc")[1]["scores"][0]["value"] == 3.0


def test_round_after_round_nothing_grows(server):
    """Threads, files and processes are the same after each round; memory after the last is that after the third."""

    async def a_round():
        leaving = [asked(server.address, request(n), leave_after_s=0.01 * (n % 10)) for n in range(100)]
        await asyncio.gather(*leaving, *(asked(server.address, request(n)) for n in range(300)))

    lanes, facts = server.lanes(), []
    for _ in range(8):
        asyncio.run(a_round())
        assert until(lambda: at_rest(server))
        facts.append(server.facts())
    assert server.lanes() == lanes
    assert len({fact["threads"] for fact in facts}) == 1
    assert facts[-1]["kb"] - facts[2]["kb"] < 8_000
    assert server.metric("lanes_lost_total") == 0


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_end_under_load_loses_no_accepted_batch(tmp_path, lanes):
    """Each scored batch writes down its name: those that were scored are those that got a 200."""
    server = served.Server(tmp_path, lanes=lanes, queue=60)
    noted = tmp_path / "noted"

    async def one(number):
        await asyncio.sleep(number * 0.01)
        try:
            return await asked(server.address, request(number, f"note {noted} {number}"))
        except OSError:
            return None  # nobody listens any more

    async def load():
        tasks = [asyncio.create_task(one(number)) for number in range(300)]
        await asyncio.sleep(1.5)
        server.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*tasks)

    answers = asyncio.run(load())
    assert server.process.wait(60) == 0
    server.end()
    scored = Counter(int(line) for line in noted.read_text().split())
    answered = {number for number, answer in enumerate(answers) if answer and answer[0] == 200}
    codes = Counter(answer and answer[0] for answer in answers)
    assert set(codes) <= {200, 429, 503, None}
    assert len(answered) >= 20
    assert codes[503] + codes[None] >= 50
    assert dict(scored) == dict.fromkeys(answered, 1)
