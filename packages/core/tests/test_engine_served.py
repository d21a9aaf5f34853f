"""The engine over HTTP against a made-up server on the loopback; `test_engine_vllm.py` has a real one."""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from guerdon.engines.served import Served, ServedEngine
from guerdon.engines.stopping import nothing_to_draw
from guerdon.errors import ConfigError, PolicyError
from guerdon.protocols import Sampling

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

END = 2


class Letters:
    """A tokenizer of one token per letter: id = code point."""

    def encode(self, text, add_special_tokens=False):
        return [ord(letter) for letter in text]

    def decode(self, ids, **_):
        return "".join(chr(token) for token in ids)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.failures = [], []  # bodies received; (status, body) to answer with first
        self.says = lambda body: "hi" + chr(END)
        self.style = "token_ids"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers.get("Authorization"), body))
        status, text = self.server.failures.pop(0) if self.server.failures else (200, None)
        said = {"choices": [self.choice(place, self.server.says(body)) for place in reversed(range(body["n"]))]}
        data = (json.dumps(said) if text is None else text).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def choice(self, place, text):
        ids = [ord(letter) for letter in text]
        logprobs = {"tokens": list(text), "token_logprobs": [-0.5 - place] * len(ids)}
        found = {"index": place, "text": text.rstrip(chr(END)), "finish_reason": "stop", "logprobs": logprobs}
        match self.server.style:
            case "token_ids":
                found["token_ids"] = ids
            case "names":
                logprobs["tokens"] = [f"token_id:{token}" for token in ids]
        return found

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


def engine(server, **fields):
    address = f"http://127.0.0.1:{server.server_port}/v1"
    settings = Served(address, "m", api_key_env="GUERDON_TEST_KEY", backoff_s=0.01, **fields)
    return ServedEngine(settings, Letters(), frozenset([END]), 100)


def generate(server, prompts=((65, 66),), n=2, seed=3, on_token=None, sampling=None, **fields):
    sampling = sampling or Sampling(max_tokens=8)
    return engine(server, **fields).generate(prompts, n, sampling, seed=seed, on_token=on_token)


def test_token_ids_go_out_and_completions_come_back_in_order(server, monkeypatch):
    monkeypatch.setenv("GUERDON_TEST_KEY", "k")
    ((first, second),) = generate(server)
    assert first.token_ids == (ord("h"), ord("i"), END)
    assert (first.logprobs, second.logprobs) == ((-0.5,) * 3, (-1.5,) * 3)
    assert first.stop == "stop"
    path, key, body = server.seen[0]
    assert (path, key) == ("/v1/completions", "Bearer k")
    assert (body["model"], body["prompt"], body["n"], body["max_tokens"]) == ("m", [65, 66], 2, 8)


def test_prompts_keep_their_places_and_are_counted(server):
    server.says = lambda body: "x" * body["prompt"][0]
    seen = []
    drawn = generate(server, prompts=[[place] for place in (5, 1, 3, 2)], concurrency=3, on_token=seen.append)
    assert [len(group[0].token_ids) for group in drawn] == [5, 1, 3, 2]
    assert seen == [2, 4, 6, 8]


def test_the_same_seed_sends_the_same_seeds_and_each_prompt_has_its_own(server):
    for seed in (1, 1, 2):
        generate(server, prompts=[[7], [8]], seed=seed, concurrency=1)
    one, two, three, four, five, _ = [body["seed"] for _, _, body in server.seen]
    assert (one, two) == (three, four)
    assert len({one, two, five}) == 3


def test_greedy_completions_are_asked_for_once(server):
    ((first, second),) = generate(server, sampling=Sampling(temperature=0.0, max_tokens=8))
    assert first == second
    assert server.seen[0][2]["n"] == 1


def test_a_completion_ends_with_the_token_that_completes_a_stop_string(server):
    server.says = lambda body: "one;two;"
    ((drawn,),) = generate(server, n=1, sampling=Sampling(max_tokens=8, stop=("e;",)))
    assert Letters().decode(drawn.token_ids) == "one;"
    assert (len(drawn.logprobs), drawn.stop) == (4, "stop")
    assert server.seen[0][2]["stop"] == ["e;"]


def test_token_ids_may_come_as_names(server):
    server.style = "names"
    ((drawn,),) = generate(server, n=1)
    assert drawn.token_ids == (ord("h"), ord("i"), END)
    assert len(drawn.logprobs) == 3


def test_text_alone_is_encoded_and_has_no_logprobs(server):
    server.style = "text"
    ((drawn,),) = generate(server, n=1)
    assert drawn.token_ids == (ord("h"), ord("i"))
    assert (drawn.logprobs, drawn.stop) == ((), "stop")


@pytest.mark.parametrize(("said", "ended"), [("a<end>b<end>", True), ("a<end>b", False)])
def test_a_special_token_in_a_text_alone_is_letters_but_for_the_one_that_ended_it(server, said, ended):
    tokenizer = tiny_models.byte_tokenizer()
    server.style, server.says = "text", lambda body: said
    address = f"http://127.0.0.1:{server.server_port}/v1"
    one = ServedEngine(Served(address, "m"), tokenizer, frozenset([tiny_models.END]))
    ((drawn,),) = one.generate([[5]], 1, Sampling(max_tokens=32), seed=0)
    letters = drawn.token_ids[:-1] if ended else drawn.token_ids
    assert tokenizer.decode(letters) == "a<end>b"
    assert tiny_models.END not in letters
    assert (drawn.token_ids[-1] == tiny_models.END) is ended


@pytest.mark.parametrize(
    ("sampling", "at_temperature", "kept"),
    [
        (Sampling(temperature=0.7, max_tokens=8), False, False),
        (Sampling(temperature=0.7, max_tokens=8), True, True),
        (Sampling(top_p=0.9, max_tokens=8), False, True),
        (Sampling(top_p=0.9, max_tokens=8), True, False),
        (Sampling(temperature=0.0, max_tokens=8), False, True),
    ],
)
def test_logprobs_of_another_distribution_are_left_out(server, sampling, at_temperature, kept):
    ((drawn,),) = generate(server, n=1, sampling=sampling, at_temperature=at_temperature)
    assert bool(drawn.logprobs) is kept


@pytest.mark.parametrize("failure", [(500, ""), (429, ""), (200, "not json"), (200, '{"choices": []}')])
def test_what_may_pass_is_tried_again(server, failure):
    server.failures += [failure, failure]
    assert len(generate(server)[0]) == 2
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("failures", "says"),
    [([(400, "too long")], "HTTP 400: too long"), ([(503, "busy")] * 2, "in 2 attempts.*HTTP 503: busy")],
)
def test_a_server_that_will_not_is_an_error_with_its_words(server, failures, says):
    server.failures += failures
    with pytest.raises(PolicyError, match=says):
        generate(server, attempts=2)


def test_nobody_listening_is_an_error():
    silent = ServedEngine(Served("http://127.0.0.1:9/v1", "m", attempts=2, backoff_s=0.01), Letters(), frozenset())
    with pytest.raises(PolicyError, match="no usable answer in 2 attempts"):
        silent.generate([[1]], 1, Sampling(), seed=0)


def test_a_prompt_that_does_not_fit_is_refused_before_it_is_sent(server):
    with pytest.raises(PolicyError, match="more than the model's context of 100"):
        generate(server, prompts=[[1] * 95])
    assert server.seen == []


@pytest.mark.parametrize(
    ("prompts", "n", "tokens", "expected"),
    [
        ([[1], [2]], 2, 0, [["length", "length"], ["length", "length"]]),
        ([[1], [2]], 0, 9, [[], []]),
        ([], 2, 9, []),
        ([[1]], 1, 1, None),
    ],
)
def test_engines_answer_at_once_where_no_token_is_asked_for(prompts, n, tokens, expected):
    found = nothing_to_draw(prompts, n, Sampling(max_tokens=tokens), None)
    assert (found and [[each.stop for each in group] for group in found]) == expected
    with pytest.raises(PolicyError, match="prompt 0 has no tokens"):
        nothing_to_draw([[], *prompts], n, Sampling(max_tokens=tokens), None)


def test_new_weights_are_refused_with_what_is_possible(server):
    with pytest.raises(PolicyError, match="keeps the weights it was started with: train with the engine `vllm`"):
        engine(server).load_weights({})


@pytest.mark.parametrize("wrong", [{"base_url": "file:///etc/passwd"}, {"attempts": 0}, {"concurrency": 0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError):
        Served(**{"base_url": "http://localhost/v1", "model": "m", **wrong})
