"""The client and the remote reward, against a server made of canned answers: no framework is needed."""

import contextlib
import gc
import json
import pickle
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from guerdon import Example, Rollout, Score
from guerdon.errors import ConfigError, RewardError, ServerError
from guerdon.recipes import RewardSpec
from guerdon.recipes.building import build_reward
from guerdon.rewards import Context
from guerdon.scoring import Runner
from guerdon.serve.client import Client
from guerdon.serve.remote import Remote
from guerdon.serve.settings import Settings
from guerdon.trainer.records import score_record
from guerdon.types import Group

ROW = {"example": "five", "completion": "5"}
GOOD = {"scores": [score_record(Score(0.1 + 0.2, parts={"a": Score.unscored("broken")}), {"a": 1.0})]}


@pytest.fixture
def canned():
    """A server that gives the listed answers in turn, the last for ever: (code, body, headers); None hangs up."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append((time.monotonic(), dict(self.headers), json.loads(body)))
            time.sleep(server.pause_s)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if answer is None:
                self.close_connection = True
                return
            code, body, headers = answer
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def setup(self):
            super().setup()
            server.connections += 1

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.answers = [], []
    server.pause_s, server.connections = 0.0, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def dead_address():
    """One at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_scores_come_back_exactly(canned):
    """0.1 + 0.2 is 0.30000000000000004 on both sides; null is NaN."""
    canned.answers = [(200, GOOD, {})]
    with Client(canned.url, "secret") as client:
        [score] = client.grade([ROW], "sql", Context(step=3, total_steps=9, seed=7))
    assert (score.value, score.parts["a"].status) == (0.30000000000000004, "infra")
    _, headers, body = canned.asked[0]
    assert headers["Authorization"] == "Bearer secret"
    assert body == {"reward": "sql", "rows": [ROW], "step": 3, "total_steps": 9, "seed": 7}


@pytest.mark.parametrize(
    "refusal", [(429, {"error": "full"}, {}), (503, {"error": "ending"}, {}), (502, b"<html>", {}), None]
)
def test_what_may_pass_is_asked_again(canned, refusal):
    canned.answers = [refusal, refusal, (200, GOOD, {})]
    assert len(Client(canned.url, backoff_s=0.01).grade([ROW])) == 1
    assert len(canned.asked) == 3


def test_the_servers_retry_after_is_honoured(canned):
    canned.answers = [(429, {"error": "full"}, {"Retry-After": "1"}), (200, GOOD, {})]
    Client(canned.url, backoff_s=0.01).grade([ROW])
    (first, *_), (second, *_) = canned.asked
    assert 1.0 <= second - first < 3.0


def test_a_server_that_stays_full_is_an_error_and_no_number(canned):
    canned.answers = [(429, {"error": "256 batches are waiting"}, {})]
    with pytest.raises(
        ServerError, match=r"in 3 attempts over 0\.\d s; the last said: HTTP 429: 256 batches are waiting$"
    ):
        Client(canned.url, attempts=3, backoff_s=0.01).grade([ROW])
    assert len(canned.asked) == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, ConfigError),
        (401, ConfigError),
        (404, ConfigError),
        (422, ConfigError),
        (500, RewardError),
        (502, ServerError),
        (504, ServerError),
    ],
)
def test_what_will_not_pass_is_asked_once(canned, code, kind):
    canned.answers = [(code, {"error": "so it is"}, {})]
    with pytest.raises(kind, match=f"HTTP {code}.: so it is"):
        Client(canned.url).grade([ROW])
    assert len(canned.asked) == 1


def test_an_answer_that_comes_too_late_is_not_asked_for_again(canned):
    """The server is still at work on the first copy."""
    canned.answers = [(200, GOOD, {})]
    canned.pause_s = 0.6
    with pytest.raises(ServerError, match=r"did not answer within 0\.2 s"):
        Client(canned.url, timeout_s=0.2, backoff_s=0.01).grade([ROW])
    time.sleep(0.1)
    assert len(canned.asked) == 1


def test_threads_of_every_call_share_the_connections(canned):
    """Threads are hired anew for each batch; the connections stay."""
    canned.answers = [(200, GOOD, {})]
    with Client(canned.url) as client:
        for _ in range(5):
            with ThreadPoolExecutor(1) as fresh:
                fresh.submit(client.grade, [ROW]).result()
    assert len(canned.asked) == 5
    assert canned.connections == 1


def test_a_connection_that_the_server_has_closed_is_no_failure(canned):
    canned.answers = [(200, GOOD, {})]
    with Client(canned.url, attempts=1) as client:
        client.grade([ROW])
        client._idle[0].sock.shutdown(socket.SHUT_RD)  # as if the server had
        assert len(client.grade([ROW])) == 1
    assert canned.connections == 2


def test_the_runs_own_random_numbers_are_left_alone(canned):
    canned.answers = [(503, {"error": "ending"}, {}), (200, GOOD, {})]
    before = random.getstate()
    Client(canned.url, backoff_s=0.01).grade([ROW])
    assert random.getstate() == before


def test_too_few_scores_are_an_error(canned):
    canned.answers = [(200, GOOD, {})]
    with pytest.raises(ServerError, match="gave 1 scores for 2 rows"):
        Client(canned.url).grade([ROW, ROW])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b"", "before it was done"),
        (b'{"row": 0, "sco', "broke off"),
        (b'{"error": "the scoring process died", "code": 500}\n', "process died"),
    ],
)
def test_a_stream_that_breaks_off_is_an_error(canned, lines, said):
    canned.answers = [(200, lines, {})]
    with pytest.raises((ServerError, RewardError), match=said):
        list(Client(canned.url).stream([ROW]))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match=r"one like 'http://127\.0\.0\.1:8000' is needed"):
        Client(url)


def test_the_token_is_the_servers_own_variable_unless_one_is_given(canned, monkeypatch):
    monkeypatch.setenv("GUERDON_SERVE_TOKEN", "from-outside")
    canned.answers = [(200, GOOD, {})] * 3
    for token in (None, "mine", ""):
        Client(canned.url, token).grade([ROW])
    sent = [headers.get("Authorization") for _, headers, _ in canned.asked]
    assert sent == ["Bearer from-outside", "Bearer mine", None]


def test_a_remote_reward_of_another_variable_never_sends_this_one(canned, monkeypatch):
    """The server at that address is another one, and the token none of its business."""
    monkeypatch.setenv("GUERDON_SERVE_TOKEN", "from-outside")
    canned.answers = [(200, GOOD, {})]
    Remote(canned.url, token_env="ANOTHER_TOKEN").score_batch(groups("5"), Context())
    assert canned.asked[0][1].get("Authorization") is None


def test_what_was_sent_in_vain_is_said_once(canned, caplog):
    canned.answers = [(200, {**GOOD, "reward": "sql", "learnt": False, "unread": ["dificulty"]}, {})] * 2
    client = Client(canned.url)
    for _ in range(2):
        client.grade([ROW], learn=True)
    said = [record.getMessage() for record in caplog.records]
    assert [line.replace(canned.url, "URL") for line in said] == [
        "learn=True taught URL nothing: the reward 'sql' does not learn",
        "nobody at URL reads the rows' field 'dificulty'",
    ]


# -- the reward --------------------------------------------------------------------------------------------------------


def groups(*texts):
    return [Group.of([Rollout.of(Example(id="five"), text, index=n) for n, text in enumerate(texts)])]


def test_a_remote_reward_is_the_servers(canned):
    canned.answers = [(200, {"scores": GOOD["scores"] * 2}, {})]
    remote = Remote(canned.url, "sql")
    with Runner() as runner:
        [[first, second]] = runner.score(0.5 * remote.named("there"), groups("5", "6"))
    assert first.value == second.value == 0.5 * 0.30000000000000004
    rows = canned.asked[0][2]["rows"]
    assert [(row["example"], row["completion"], row["index"]) for row in rows] == [("five", "5", 0), ("five", "6", 1)]


@pytest.mark.parametrize(
    "answer", [(503, {"error": "ending"}, {}), (502, {"error": "it died"}, {}), (504, {"error": "late"}, {}), None]
)
def test_a_server_that_fails_leaves_rollouts_unscored(canned, answer):
    canned.answers = [answer]
    with Runner() as runner:
        [[score]] = runner.score(Remote(canned.url, attempts=1), groups("5"))
    assert (score.status, score.scored) == ("infra", False)


def test_a_bug_in_the_reward_there_is_a_bug_and_no_failure_of_ours(canned):
    canned.answers = [(500, {"error": "t/broken raised KeyError"}, {})]
    with Runner() as runner, pytest.raises(RewardError, match="raised KeyError"):
        runner.score(Remote(canned.url), groups("5"))


def test_the_runs_step_goes_along(canned):
    canned.answers = [(200, GOOD, {})]
    with Runner() as runner:
        runner.score(0.5 * Remote(canned.url).named("there"), groups("5"), Context(step=3, total_steps=9, seed=7))
    body = canned.asked[0][2]
    assert (body["step"], body["total_steps"], body["seed"]) == (3, 9, 7)


def test_it_waits_longer_than_the_server_may_take():
    served = Settings()
    assert Remote("http://x").timeout_s > served.wait_timeout_s + served.score_timeout_s


def test_a_server_that_is_not_there_leaves_rollouts_unscored():
    with Runner() as runner:
        [[score]] = runner.score(Remote("http://127.0.0.1:9", attempts=1), groups("5"))
    assert (score.status, "did not answer" in score.why) == ("infra", True)


def test_that_nobody_listens_is_said_at_once_and_once_and_at_the_end_for_how_long(caplog):
    """Pauses of 0.1 and 0.2 s, each up to half as long again or half as long."""
    client = Client(dead_address(), attempts=3, backoff_s=0.1)
    caplog.set_level("WARNING", "guerdon.serve.client")
    for _ in range(2):
        with pytest.raises(
            ServerError, match=r"in 3 attempts over 0\.\d s; .*ConnectionRefused.* `guerdon serve` running"
        ):
            client.grade([ROW])
    [said] = [record.getMessage() for record in caplog.records]
    assert "no connection to http://127.0.0.1:" in said
    assert "trying 3 times in all, over about 0.3 s" in said


def test_a_second_outage_is_said_again(canned, caplog):
    client = Client(canned.url, backoff_s=0.01, attempts=2)
    canned.answers = [(200, GOOD, {})]
    for port in (dead_address().rpartition(":")[2], str(canned.server_port)) * 2:
        client._address = ("http", "127.0.0.1", int(port))
        with contextlib.suppress(ServerError):
            client.grade([ROW])
        client.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_client_that_goes_closes_what_it_kept(canned):
    canned.answers = [(200, GOOD, {})]
    client = Client(canned.url)
    client.grade([ROW])
    [kept] = client._idle
    del client
    gc.collect()
    assert kept.sock is None


def test_a_wrong_name_or_token_stops_the_run(canned):
    canned.answers = [(404, {"error": "there is no reward 'sq'"}, {})]
    with Runner() as runner, pytest.raises(ConfigError, match="no reward 'sq'"):
        runner.score(Remote(canned.url, "sq"), groups("5"))


def test_a_recipe_names_it_as_any_reward(canned):
    canned.answers = [(200, GOOD, {})]
    spec = {"use": "remote", "with": {"url": canned.url, "reward": "sql", "bounds": [0.0, 7.0]}}
    built = build_reward(RewardSpec.model_validate(spec))
    assert built == Remote(canned.url, "sql", bounds=(0.0, 7.0))
    with Runner() as runner:
        assert runner.score(built, groups("5"))[0][0].value == 0.30000000000000004


def test_the_token_comes_from_the_environment_and_is_never_shown(canned, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "very-secret")
    canned.answers = [(200, GOOD, {})]
    remote = pickle.loads(pickle.dumps(Remote(canned.url, token_env="MY_TOKEN")))
    remote.score_batch(groups("5"), Context())
    assert canned.asked[0][1]["Authorization"] == "Bearer very-secret"
    assert "very-secret" not in repr(remote)
