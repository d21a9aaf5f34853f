"""The reward server, from outside: what it answers, and what it refuses and why."""

import asyncio
import base64
import contextlib
import http.client
import importlib.util
import json
import math
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")

from guerdon.errors import ConfigError, RewardError, ServerError
from guerdon.rewards import Context
from guerdon.serve.answering import Part
from guerdon.serve.client import Client
from guerdon.serve.desk import Desk, Job
from guerdon.serve.lane import LaneDiedError
from guerdon.serve.metrics import Metrics
from guerdon.serve.settings import Settings

_spec = importlib.util.spec_from_file_location("served", Path(__file__).with_name("served.py"))
served = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(served)
until, gone = served.until, served.gone


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = served.Server(
        tmp_path_factory.mktemp("served"), max_rows=500, max_body_mb=1.0, chunk_rows=4, openrlhf_fill=-1.0
    )
    yield server
    assert server.end() == 0


@pytest.fixture
def tight(tmp_path):
    """One lane, and room for one batch to wait."""
    server = served.Server(
        tmp_path, lanes=1, queue=1, read_timeout_s=1.0, wait_timeout_s=3.0, score_timeout_s=2.0, write_timeout_s=2.0
    )
    yield server
    server.end()


@pytest.fixture(scope="module")
def graders(server, tmp_path_factory):
    """The same graders in this process."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "served_rewards.py").write_text(served.REWARDS)
    sys.path.insert(0, str(folder))
    import served_rewards

    yield served_rewards.GRADERS
    sys.path.remove(str(folder))
    del sys.modules["served_rewards"]


ROWS = [
    {"example": f"train-{n % 7}", "completion": text}
    for n, text in enumerate(["a", "bbb", "abstain", "cc", "infra x", "dddd", "e" * 9, "", "é\ud800", "ff"] * 3)
]


# -- what it answers ---------------------------------------------------------------------------------------------------


def test_scores_arrive_exactly_as_the_grader_gave_them(server, graders):
    """Values, evidence, parts, statuses and streams; a NaN is null on the way."""
    expected = graders["obedient"].grade(ROWS)
    with Client(server.url) as client:
        found = client.grade(ROWS, "obedient")
    assert list(map(same, found)) == list(map(same, expected))
    assert {score.status for score in found} >= {"ok", "infra"}


@pytest.mark.parametrize("name", ["gated", "constrained"])
def test_rewards_made_of_named_rewards_are_served_as_the_grader_scores_them(server, graders, name):
    """Multipliers held still: those that move are refused, since a server keeps no checkpoint."""
    expected = graders[name].grade(ROWS)
    with Client(server.url) as client:
        assert list(map(same, client.grade(ROWS, name))) == list(map(same, expected))
        found = dict(pair for pair in client.stream(ROWS, name))
    assert [same(found[number]) for number in range(len(ROWS))] == list(map(same, expected))
    assert len({score.value for score in expected if score.scored}) > 1


def same(score):
    """A score as something that can be compared, NaN included."""
    parts = {name: same(part) for name, part in score.parts.items()}
    return repr((score.value, score.why, score.status, parts, dict(score.dense)))


def test_what_has_no_score_is_null_with_its_status(server):
    status, body = server.score("ab", "abstain")
    assert (status, body["count"], body["unscored"]) == (200, 2, 1)
    assert [(score["value"], score["status"]) for score in body["scores"]] == [(2.0, "ok"), (None, "abstain")]
    assert body["scores"][1]["why"] == "abstain, as told"


def test_siblings_are_compared_within_a_request(server):
    """0.1 * length + 2 for the shortest: 0.1 + 2, and 0.3."""
    status, body = server.score("a", "bbb", reward="obedient")
    assert status == 200
    assert [score["value"] for score in body["scores"]] == pytest.approx([2.1, 0.3])
    assert body["scores"][1]["parts"]["shortest"]["value"] == 0.0
    assert body["scores"][0]["weights"] == {"obedient": 0.1, "shortest": 2.0}


def test_how_far_the_run_is_reaches_the_reward(server):
    with Client(server.url) as client:
        [score] = client.grade(ROWS[:1], "whole", Context(step=41))
    assert score.value == 42.0


def test_a_stream_gives_the_same_scores_in_pieces(server, graders):
    expected = graders["obedient"].grade(ROWS)
    with Client(server.url) as client:
        found = list(client.stream(ROWS, "obedient"))
    assert sorted(number for number, _ in found) == list(range(len(ROWS)))
    assert [same(dict(found)[number]) for number in range(len(ROWS))] == list(map(same, expected))


def test_a_reward_of_the_whole_batch_is_streamed_in_one_piece(server):
    with Client(server.url) as client:
        assert {score.value for _, score in client.stream(ROWS, "whole")} == {float(len(ROWS))}


def test_the_first_lines_of_a_stream_come_before_the_last_are_scored(server):
    """Chunks of 4 rows: the second example's four rows sleep 0.5 s each, the first's do not."""
    rows = [{"example": "train-0", "completion": "a"}] * 4 + [{"example": "train-1", "completion": "sleep 0.5"}] * 4
    with Client(server.url) as client:
        started = time.monotonic()
        came = [(number, time.monotonic() - started) for number, _ in client.stream(rows, "alone")]
    assert came[3][0] == 3
    assert came[4][1] - came[3][1] >= 1.0


def test_a_stream_that_breaks_off_says_so(server):
    rows = [{"example": "train-0", "completion": "a"}] * 4 + [{"example": "train-1", "completion": "bug"}]
    with Client(server.url) as client:
        stream = client.stream(rows, "alone")
        assert [next(stream)[0] for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(RewardError, match="raised KeyError: 'boom'"):
            next(stream)


def test_a_stream_that_cannot_begin_is_refused_as_any_batch(server):
    status, _, body = server.ask("/v1/score/stream", {"reward": "nope", "rows": []})
    assert status == 404
    assert "alone, columns, constrained, gated, obedient, slowly, whole" in body["error"]


def test_no_rows_have_no_scores(server):
    assert server.score()[1]["scores"] == []
    with Client(server.url) as client:
        assert list(client.stream([], "alone")) == []


def test_what_can_be_asked_for_is_listed(server):
    found = {each["reward"]: each for each in server.ask("/v1/rewards")[2]["rewards"]}
    assert sorted(found) == ["alone", "columns", "constrained", "gated", "obedient", "slowly", "whole"]
    assert found["obedient"]["parts"] == ["obedient", "shortest"]
    assert (found["obedient"]["sees"], found["alone"]["bounds"], found["whole"]["bounds"]) == (
        "group",
        [0.0, 1000.0],
        [None, None],
    )


def test_openapi_describes_the_routes_with_their_bodies(server):
    paths = server.ask("/openapi.json")[2]["paths"]
    posted = paths["/v1/score"]["post"]
    assert set(paths) >= {"/v1/score", "/v1/score/stream", "/openrlhf/{reward}", "/v1/rewards", "/healthz", "/metrics"}
    assert posted["requestBody"]["content"]["application/json"]["schema"]["required"] == ["rows"]
    assert set(posted["responses"]) >= {"200", "400", "401", "404", "413", "422", "429", "500", "503", "504"}


def test_health_and_metrics(server):
    assert server.ask("/healthz")[2] == {"status": "ok"}
    assert server.ask("/readyz")[2]["status"] == "ready"
    before = server.metric('rows_total{reward="alone",status="abstain"}')
    server.score("abstain", "abstain", "a")
    assert server.metric('rows_total{reward="alone",status="abstain"}') - before == 2
    assert server.metric("pending_bytes") == 0


# -- what it refuses ---------------------------------------------------------------------------------------------------

ROW = {"example": "train-0", "completion": "a"}


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 400, "not JSON"),
        (b'{"rows": [', 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"reward": "alone", "rows": [], "seed": 1' + b"0" * 5000 + b"}", 400, "not JSON"),
        ([], 422, "an object is needed"),
        ({"reward": "alone"}, 422, "'rows' must be a list"),
        ({"reward": "alone", "rows": {"a": 1}}, 422, "'rows' must be a list"),
        ({"rows": [ROW]}, 422, "this server has: alone, columns, constrained, gated, obedient, slowly, whole"),
        (
            {"reward": "nope", "rows": [ROW]},
            404,
            "this server has: alone, columns, constrained, gated, obedient, slowly, whole",
        ),
        ({"reward": "os:system", "rows": [ROW]}, 404, "no reward 'os:system'"),
        ({"reward": ["alone"], "rows": [ROW]}, 404, "no reward ['alone']"),
        ({"reward": "alone", "rows": [ROW], "task": "sql/generated"}, 422, "'task' is unknown"),
        ({"reward": "alone", "rows": [ROW], "step": "1"}, 422, "'step' is '1'"),
        ({"reward": "alone", "rows": [ROW] * 501}, 413, "at most 500"),
        ({"reward": "alone", "rows": [ROW, "a"]}, 422, "row 2 is 'a'"),
        ({"reward": "alone", "rows": [{"example": "train-0"}]}, 422, "'completion' is None"),
        ({"reward": "alone", "rows": [ROW, {"example": "x", "completion": ""}]}, 422, "That is in row 2."),
        (
            {"reward": "alone", "rows": [{"example": {"id": "x", "word": "/etc/passwd"}, "completion": ""}]},
            422,
            "--inline",
        ),
        ({"reward": "alone", "rows": [{**ROW, "group": [1]}]}, 422, "'group' is [1]"),
        ({"reward": "alone", "rows": [{**ROW, "segments": [1]}]}, 422, "cannot be read"),
        (
            {"reward": "alone", "rows": [{**ROW, "segments": [{"author": "policy", "text": "", "turn": {"x": 1}}]}]},
            422,
            "row 1",
        ),
        ({"reward": "alone", "rows": [{**ROW, "prompt": ["x"]}]}, 422, "row 1"),
        ({"reward": "alone", "rows": [{**ROW, "stop": "bored"}]}, 422, "'stop' is 'bored'"),
    ],
)
def test_a_request_that_is_none_is_told_why(server, body, code, said):
    status, _, answer = server.ask("/v1/score", body)
    assert (status, said in answer["error"]) == (code, True), answer


def test_without_a_task_rows_bring_their_columns(server):
    assert server.score("abc", reward="columns", example={"city": "Oslo"})[1]["scores"][0]["value"] == 3.0


def test_other_routes_and_methods_are_told_apart_from_rewards(server):
    assert server.ask("/v2/score", {})[0] == 404
    status, _, body = server.ask("/v1/score")
    assert (status, body["error"]) == (405, "Method Not Allowed: GET /v1/score")


def test_a_bug_in_a_reward_is_no_number(server):
    status, body = server.score("a", "bug")
    assert status == 500
    assert "t/obedient-v1 raised KeyError: 'boom' on rollout 1 of example 'train-0'" in body["error"]
    assert "scores" not in body
    assert server.score("a")[0] == 200


@pytest.mark.parametrize("told", [True, False], ids=["its length told", "in chunks"])
def test_a_body_of_100_mb_is_refused_without_being_kept(server, told):
    """At most 1 MiB is taken; the process may grow by a few buffers, not by the body."""
    before = server.facts()["kb"]
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    block = b" " * 2**20
    connection.putrequest("POST", "/v1/score")
    connection.putheader(*(("Content-Length", str(100 * 2**20)) if told else ("Transfer-Encoding", "chunked")))
    connection.endheaders()
    for _ in range(100):
        connection.send(block if told else b"%x\r\n%s\r\n" % (len(block), block))
    if not told:
        connection.send(b"0\r\n\r\n")
    response = connection.getresponse()
    assert (response.status, "at most 1 MiB" in json.loads(response.read())["error"]) == (413, True)
    connection.close()
    assert server.facts()["kb"] - before < 20_000
    assert server.metric("pending_bytes") == 0


# -- who may ask -------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_everywhere_but_for_health(tmp_path):
    server = served.Server(tmp_path, token="0123456789abcdef", lanes=1)
    try:
        assert server.score("a")[0] == 200
        basic = base64.b64encode(b"any:0123456789abcdef").decode()
        assert server.score("a", headers={"Authorization": f"Basic {basic}"})[0] == 200
        for wrong in (
            "",
            "Bearer",
            "Bearer 0123456789abcdeF",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "Bearer é",
        ):
            status, headers, _ = server.ask("/v1/score", {}, headers={"Authorization": wrong.encode("latin-1")})
            assert (wrong, status, headers["WWW-Authenticate"]) == (wrong, 401, "Bearer")
        for path in ("/v1/rewards", "/metrics", "/openapi.json"):
            assert server.ask(path, headers={"Authorization": "Bearer x"})[0] == 401
        assert server.ask("/healthz", headers={"Authorization": "Bearer x"})[0] == 200
        with Client(server.url, "wrong") as client, pytest.raises(ConfigError, match="401"):
            client.grade(ROWS)
        with Client(server.url, server.token) as client:
            assert client.grade([ROW], "alone")[0].value == 1.0
    finally:
        assert server.end() == 0


# -- load, time and ends -----------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_says_when_to_ask_again(tight):
    """One batch is scored, one waits, the third has no room."""
    busy = [tight.send({"reward": "alone", "rows": [{**ROW, "completion": "sleep 1.5"}]})]
    assert until(lambda: tight.metric("busy_lanes") == 1)
    busy.append(tight.send({"reward": "alone", "rows": [ROW]}))
    assert until(lambda: tight.metric("waiting_batches") == 1)
    status, headers, body = tight.ask("/v1/score", {"reward": "alone", "rows": [ROW]})
    assert status == 429
    assert int(headers["Retry-After"]) >= 1
    assert "ask again in" in body["error"]
    with Client(tight.url) as client:  # it does ask again
        assert client.grade([ROW], "alone")[0].value == 1.0
    for connection in busy:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.close()


def test_a_batch_that_takes_too_long_is_ended_with_its_process(tight, tmp_path):
    """504 after 2 s, and no worker stays busy for nobody."""
    [before] = tight.lanes()
    status, body = tight.score(f"pid {tmp_path / 'pid'}")
    assert (status, body["error"]) == (504, "scoring took longer than 2 s")
    assert int((tmp_path / "pid").read_text()) == before
    assert until(lambda: gone(before))
    assert tight.score("a")[0] == 200
    assert tight.metric('lanes_lost_total{how="late"}') == 1


def test_a_batch_that_waits_too_long_was_never_begun(tmp_path):
    server = served.Server(tmp_path, lanes=1, wait_timeout_s=0.5)
    try:
        busy = server.send({"reward": "alone", "rows": [{**ROW, "completion": "sleep 2"}]})
        assert until(lambda: server.metric("busy_lanes") == 1)
        noted = tmp_path / "noted"
        status, headers, body = server.ask(
            "/v1/score", {"reward": "alone", "rows": [{**ROW, "completion": f"note {noted} x"}]}
        )
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "without its turn" in body["error"]
        assert busy.recv(100).startswith(b"HTTP/1.1 200")
        busy.close()
        assert not noted.exists()
    finally:
        server.end()


def test_a_process_that_dies_is_replaced_and_its_batch_tried_again(tight, tmp_path):
    completion = f"once {tmp_path / 'died'}"
    status, body = tight.score(completion)
    assert (status, body["scores"][0]["value"]) == (200, float(len(completion)))
    status, body = tight.score("die")
    assert (status, "died over this batch (exit status 3)" in body["error"]) == (502, True)
    assert tight.score("a")[0] == 200
    assert tight.metric('lanes_lost_total{how="died"}') == 3


def test_a_slow_body_and_slow_headers_are_not_waited_for(tight):
    connection = http.client.HTTPConnection(*tight.address, timeout=30)
    connection.putrequest("POST", "/v1/score")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"{")
    assert connection.getresponse().status == 408
    connection.close()
    with socket.create_connection(tight.address, timeout=30) as dripping:
        dripping.sendall(b"POST /v1/sc")
        assert dripping.recv(100) == b""  # closed
    assert until(lambda: tight.metric("pending_bytes") == 0)


def test_a_client_that_hangs_up_leaves_nothing_behind(tight, tmp_path):
    noted = tmp_path / "noted"
    begun = tight.send({"reward": "alone", "rows": [{**ROW, "completion": "sleep 1"}]})
    assert until(lambda: tight.metric("busy_lanes") == 1)
    waiting = tight.send({"reward": "alone", "rows": [{**ROW, "completion": f"note {noted} x"}]})
    assert until(lambda: tight.metric("waiting_batches") == 1)
    waiting.close()
    assert until(lambda: tight.metric('hangups_total{when="waiting"}') == 1)
    begun.close()
    assert until(lambda: tight.metric('hangups_total{when="begun"}') == 1)
    assert tight.score("a")[0] == 200
    assert not noted.exists()
    assert tight.metric("pending_bytes") == tight.metric("waiting_batches") == tight.metric("busy_lanes") == 0


def test_a_stream_nobody_reads_stops_between_its_pieces(tmp_path):
    """20 pieces of 0.1 s: after the first the client leaves, and the lane is soon free."""
    server = served.Server(tmp_path, lanes=1, chunk_rows=1)
    noted = tmp_path / "noted"
    rows = [{"example": f"train-{n}", "completion": f"note {noted} {n}"} for n in range(40)]
    try:
        stream = server.send({"reward": "alone", "rows": rows}, "/v1/score/stream")
        assert stream.recv(100).startswith(b"HTTP/1.1 200")
        stream.close()
        assert until(lambda: server.metric("busy_lanes") == 0)
        assert 0 < len(noted.read_text().split()) < 40
        assert server.metric('hangups_total{when="begun"}') == 1
    finally:
        assert server.end() == 0


@pytest.mark.parametrize(
    ("sig", "to_all"),
    [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGTERM, True)],
    ids=["SIGTERM", "Ctrl-C", "SIGTERM to every process"],
)
def test_told_to_end_it_finishes_what_it_accepted(tmp_path, sig, to_all):
    """Six batches on two lanes: all are answered, later ones are told 503, and nothing is left running."""
    server = served.Server(tmp_path, lanes=2)
    lanes = server.lanes()
    body = {"reward": "alone", "rows": [{**ROW, "completion": "sleep 0.9"}]}
    kept = http.client.HTTPConnection(*server.address, timeout=30)
    kept.request("GET", "/readyz")
    assert kept.getresponse().read()
    accepted = [server.send(body) for _ in range(6)]
    assert until(lambda: server.metric("waiting_batches") + server.metric("busy_lanes") == 6)
    for pid in [server.process.pid, *(lanes if to_all else [])]:
        os.kill(pid, sig)
    assert until(lambda: server.ask("/readyz")[0] == 503)
    kept.request("POST", "/v1/score", json.dumps(body))
    refused = kept.getresponse()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    refused.read()
    kept.close()
    for connection in accepted:
        whole = b""
        while data := connection.recv(65536):
            whole += data
            if b'"scores"' in whole:
                break
        assert json.loads(whole.partition(b"\r\n\r\n")[2])["scores"][0]["value"] == 9.0
        connection.close()
    assert server.end() == 0
    assert all(gone(pid) for pid in lanes)


def test_told_twice_it_ends_at_once_and_owns_up(tmp_path):
    server = served.Server(tmp_path, lanes=1)
    lanes = server.lanes()
    lost = server.send({"reward": "alone", "rows": [{**ROW, "completion": "sleep 60"}]})
    assert until(lambda: server.metric("busy_lanes") == 1)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert until(lambda: server.process.poll() is not None)
    assert "ended before 1 accepted batches were answered" in server.said()
    assert server.process.returncode == 1
    assert lost.recv(100).startswith(b"HTTP/1.1 503")
    lost.close()
    assert all(until(lambda: gone(pid)) for pid in lanes)  # noqa: B023 - asked at once
    server.end()


def test_the_grace_for_its_end_is_not_for_ever(tmp_path):
    server = served.Server(tmp_path, lanes=1, grace_s=0.5)
    lost = server.send({"reward": "alone", "rows": [{**ROW, "completion": "sleep 60"}]})
    assert until(lambda: server.metric("busy_lanes") == 1)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 1
    assert "ended before 1 accepted batches were answered" in server.said()
    assert lost.recv(100).startswith(b"HTTP/1.1 503")
    lost.close()
    server.end()


def test_killed_it_leaves_no_process_behind(tmp_path):
    server = served.Server(tmp_path, lanes=2)
    lanes = server.lanes()
    server.process.kill()
    assert all(until(lambda: gone(pid)) for pid in lanes)  # noqa: B023 - asked at once
    server.end()


@pytest.mark.parametrize("word", ["pid", "regex"], ids=["asleep", "in C"])
def test_killed_it_leaves_no_busy_process_behind_either(tmp_path, word):
    """A lane that is held up by a reward does not see that its socket has closed, and may not run a thread."""
    server = served.Server(tmp_path, lanes=1)
    [lane] = server.lanes()
    busy = server.send({"reward": "alone", "rows": [{**ROW, "completion": f"{word} {tmp_path / 'begun'}"}]})
    assert until((tmp_path / "begun").exists)
    members = session(lane)
    assert lane in members
    server.process.kill()
    try:
        assert all(until(lambda: gone(pid)) for pid in members)  # noqa: B023 - asked at once
    finally:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        busy.close()
        server.end()


def session(leader):
    """The processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(folder.name))
    return found


def test_room_is_taken_by_bytes_and_not_by_announcements(tmp_path):
    """Eight clients announce 1 MiB each and send nothing, where 4 MiB may wait: the ninth is served."""
    server = served.Server(tmp_path, lanes=1, max_body_mb=1.0, max_pending_mb=4.0)
    idle = [socket.create_connection(server.address, timeout=30) for _ in range(8)]
    try:
        for there in idle:
            there.sendall(f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: {2**20}\r\n\r\n".encode())
        time.sleep(0.3)
        assert server.score("a")[0] == 200
        assert server.metric("pending_bytes") == 0
    finally:
        for there in idle:
            there.close()
        server.end()


def test_a_client_that_reads_slowly_but_steadily_has_its_answer(tmp_path):
    """20 MB in 25 pieces, 0.15 s apart: four times as long as a client may stop reading."""
    server = served.Server(tmp_path, lanes=1, write_timeout_s=1.0)
    rows = [{"example": "train-0", "completion": "tell 200000"}] * 100
    try:
        with server.send({"reward": "alone", "rows": rows}) as there:
            head = b""
            while b"\r\n\r\n" not in head:
                head += there.recv(1000)
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            held = len(head.partition(b"\r\n\r\n")[2])
            assert length > 20_000_000
            started = time.monotonic()
            while held < length:
                wanted = min(held + length // 25, length)
                while held < wanted:
                    data = there.recv(min(wanted - held, 65536))
                    assert data, f"cut after {held:,} of {length:,} bytes"
                    held += len(data)
                time.sleep(0.15)
            assert time.monotonic() - started > 3.0
    finally:
        server.end()


def test_a_request_that_needs_too_much_memory_is_refused(tmp_path):
    """30 MB of empty objects are ten million dicts: most of a gibibyte, where the lane may have 600 MiB."""
    server = served.Server(tmp_path, lanes=1, lane_memory_mb=600.0)
    try:
        body = b'{"reward": "alone", "rows": [' + b"{}," * 10**7 + b"{}]}"
        status, _, answer = server.ask("/v1/score", body)
        assert (status, "needs more memory" in answer["error"]) == (413, True)
        assert server.score("a")[0] == 200
    finally:
        server.end()


def test_a_stream_that_loses_its_lane_says_so_at_once_and_in_a_line(monkeypatch):
    """Before the lane is started again, which takes as long as its rewards take to load, or fails."""
    events = []

    class Lost:
        pid = 1

        def ask(self, *_):
            yield Part(200, b"{}\n", last=False)
            self.pid = None
            raise LaneDiedError("exit status 3")

        def start(self):
            events.append("start")
            raise ServerError("no memory")

    async def bring():
        desk, job, lane = Desk({}, Settings(), Metrics()), Job("stream", None, b""), Lost()
        put = job.put
        monkeypatch.setattr(job, "put", lambda part: (events.append(part), put(part)))
        desk.submit(job)
        desk._score(lane, desk._next())
        desk._revive(lane)

    asyncio.run(bring())
    first, last, *after = events
    assert (first.body, last.code, last.body[-1:], after) == (b"{}\n", 502, b"\n", ["start"])
    assert json.loads(last.body)["code"] == 502


def test_threads_may_share_a_client(server):
    answers = [math.nan] * 16
    with Client(server.url) as client:

        def ask(number):
            answers[number] = client.grade([{**ROW, "completion": "x" * number}], "alone")[0].value
            client.close()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [float(number) for number in range(16)]


# -- OpenRLHF's route --------------------------------------------------------------------------------------------------


def test_openrlhf_is_answered_in_its_words(server):
    """3 of at most 1000 characters: 0.003 on the scale of its filter."""
    body = {"query": ["<s>Say abc.abc</s>"], "prompts": ["Say abc."], "labels": ["train-3"]}
    status, _, answer = server.ask("/openrlhf/alone", body)
    assert status == 200
    assert answer == {"rewards": [3.0], "scores": [0.003], "extra_logs": {"unscored": [0.0]}}


@pytest.mark.parametrize(
    ("path", "body", "code", "said"),
    [
        ("alone", {"query": ["q"], "prompts": ["p"], "labels": ["train-0"]}, 422, "does not begin with its prompt"),
        ("alone", {"queries": ["p"], "prompts": ["p"], "labels": ["train-0"]}, 422, "'query' must be a list of texts"),
        ("alone", {"query": ["p"], "prompts": ["p"], "labels": [None]}, 422, "row 1: the field 'labels' is None"),
        ("alone", {"query": ["p"], "prompts": ["p"], "labels": ['{"id": "x"}']}, 422, "--inline-examples"),
        ("obedient", {"query": ["p"], "prompts": ["p"], "labels": ["train-0"]}, 422, "one sample at a time"),
        ("nope", {"query": ["p"], "prompts": ["p"], "labels": ["train-0"]}, 404, "this server has"),
    ],
)
def test_what_openrlhf_cannot_be_told_is_refused(server, path, body, code, said):
    status, _, answer = server.ask(f"/openrlhf/{path}", body)
    assert (status, said in answer["error"]) == (code, True), answer


@pytest.mark.parametrize("said", ["infra", "abstain", "invalid"])
def test_openrlhf_is_always_told_a_number(server, said):
    status, _, answer = server.ask("/openrlhf/alone", sample(said))
    assert (status, answer["rewards"], answer["extra_logs"]["unscored"]) == (200, [-1.0], [1.0])


def sample(said):
    return {"query": [f"p{said}"], "prompts": ["p"], "labels": ["train-0"]}


def test_without_a_number_for_the_unscored_there_is_no_such_route(tmp_path):
    server = served.Server(tmp_path, lanes=1)
    try:
        status, _, answer = server.ask("/openrlhf/alone", sample("abc"))
        assert (status, "--openrlhf-fill" in answer["error"]) == (404, True)
    finally:
        server.end()


def at_once(server, path, bodies):
    """The answers to requests that are sent at once, and how long they took."""
    started = time.monotonic()
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda body: server.ask(path, body), bodies))
    return answers, time.monotonic() - started


def test_samples_that_wait_are_scored_together(server):
    """Sixteen of 0.5 s on two lanes: two turns take 1 s, one after the other 4 s."""
    answers, seconds = at_once(server, "/openrlhf/slowly", [sample("sleep 0.5" + "0" * n) for n in range(16)])
    assert [answer["rewards"] for _, _, answer in answers] == [[9.0 + n] for n in range(16)]
    assert seconds < 3.0


def test_a_sample_that_kills_its_lane_takes_none_of_its_company_with_it(tmp_path):
    server = served.Server(tmp_path, lanes=1, openrlhf_fill=0.0)
    try:
        bodies = [sample("sleep 0.5"), *(sample("x" * n) for n in range(1, 5)), sample("die")]
        answers, _ = at_once(server, "/openrlhf/alone", bodies)
        assert [status for status, *_ in answers] == [200] * 5 + [502]
        assert [answer["rewards"] for _, _, answer in answers[:-1]] == [[9.0], [1.0], [2.0], [3.0], [4.0]]
    finally:
        server.end()
