"""A retriever behind a server on loopback: both forms, what passes, what does not, and what is nobody's answer."""

import json
import pickle
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from guerdon.environments import Search
from guerdon.errors import ConfigError, RetrievalError
from guerdon.protocols import Query, Retriever
from guerdon.retrieval import ServedRetriever


@contextmanager
def server(answer):
    """Serves `answer(path, body)`: (status, JSON or bytes). Gives the address and what was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, body))
            status, said = answer(self.path, body)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):  # a client that has given up
            pass

    serving = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_port}", seen
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def scored(*documents):
    return [{"document": document, "score": score} for document, score in documents]


def quick(url, **options):
    return ServedRetriever(url, **{"backoff_s": 0.0, "attempts": 2, **options})


def test_the_form_of_search_servers():
    found = scored(({"id": 7, "title": "Red", "text": "bird", "year": 1}, 0.5), ({"id": "b", "contents": "fish"}, 2.0))
    with server(lambda path, body: (200, {"result": [found for _ in body["queries"]]})) as (url, seen):
        answers = quick(url).search(["one", "two"], 3)
    assert seen == [("/retrieve", {"queries": ["one", "two"], "topk": 3, "return_scores": True})]
    first, second = answers[0]
    assert (first.id, first.score, first.text) == ("b", 2.0, "fish")
    assert (second.id, second.title, second.text, dict(second.payload)) == ("7", "Red", "bird", {"year": 1})
    assert answers[1] == answers[0]


def test_the_form_of_med_rwr():
    def answer(path, body):
        return 200, {"queries": body["queries"], "answers": [["first", "second"], []]}

    with server(answer) as (url, seen):
        answers = quick(url, form="queries").search(["one", "two"], 2)
    assert seen == [("/queries", {"queries": ["one", "two"], "k": 2})]
    assert [(hit.text, hit.score) for hit in answers[0]] == [("first", 1.0), ("second", 0.5)]
    assert answers[1] == []
    assert len({hit.id for hit in answers[0]}) == 2


def test_blank_queries_are_not_sent_and_batches_keep_their_order():
    def answer(path, body):
        return 200, {"answers": [[f"about {query}"] for query in body["queries"]]}

    with server(answer) as (url, seen):
        queries = ["a", "", "b", "c", "  ", "d", "e"]
        answers = quick(url, form="queries", batch=2).search(queries)
        assert quick(url).search(["", Query()]) == [[], []]
    assert [[hit.text for hit in hits] for hits in answers] == [
        [f"about {query}"] if query.strip() else [] for query in queries
    ]
    assert sorted(body["queries"] for _, body in seen) == [["a", "b"], ["c", "d"], ["e"]]


def test_what_is_excluded_is_asked_for_beyond_k_and_left_out():
    def answer(path, body):
        return 200, {"result": [scored(*(({"id": str(n), "text": ""}, 9 - n) for n in range(body["topk"])))]}

    with server(answer) as (url, _):
        (hits,) = quick(url).search([Query("one", exclude_ids={"0", "2"})], 3)
    assert [hit.id for hit in hits] == ["1", "3", "4"]


def test_a_server_that_gives_more_than_k_is_cut():
    with server(lambda *_: (200, {"answers": [["a", "b", "c"]]})) as (url, _):
        assert len(quick(url, form="queries").search(["one"], 2)[0]) == 2


def test_what_may_pass_is_tried_again():
    said = iter([(503, {}), (200, {"answers": [["a"]]})])
    with server(lambda *_: next(said)) as (url, seen):
        assert quick(url, form="queries").search(["one"])[0][0].text == "a"
    assert len(seen) == 2


@pytest.mark.parametrize(
    "said",
    [
        (500, {}),
        (200, b"no json"),
        (200, {"other": []}),
        (200, {"result": []}),
        (200, {"result": [[{"document": {"text": "a"}, "score": float("nan")}]]}),
        (200, {"result": [[{"document": {"text": "a"}, "score": "high"}]]}),
        (200, {"result": [[3]]}),
    ],
    ids=repr,
)
def test_no_usable_answer_is_none_and_counted(said):
    with server(lambda *_: said) as (url, seen):
        retriever = quick(url)
        assert retriever.search(["one", ""]) == [None, []]
    assert len(seen) == 2
    assert retriever.stats == {"queries": 2, "failed": 1}


def test_a_server_that_is_not_there_is_no_answer():
    with server(lambda *_: (200, {})) as (url, _):
        pass
    assert quick(url).search(["one"]) == [None]


def test_a_slow_server_is_given_up():
    def answer(*_):
        time.sleep(0.4)
        return 200, {"answers": [["late"]]}

    with server(answer) as (url, _):
        assert quick(url, form="queries", timeout_s=0.05, attempts=1).search(["one"]) == [None]


def test_a_query_that_is_refused_alone_takes_no_other_down():
    def answer(path, body):
        return (400, {}) if "bad" in body["queries"] else (200, {"answers": [[query] for query in body["queries"]]})

    with server(answer) as (url, _):
        answers = quick(url, form="queries").search(["a", "bad", "b"])
    assert [hits and hits[0].text for hits in answers] == ["a", None, "b"]


def test_a_server_that_refuses_everything_is_an_error():
    with (
        server(lambda *_: (401, {"why": "no key"})) as (url, _),
        pytest.raises(RetrievalError, match=r"HTTP 401.*no key"),
    ):
        quick(url).search(["one"])


def test_half_characters_travel():
    with server(lambda path, body: (200, {"answers": [body["queries"]]})) as (url, _):
        assert quick(url, form="queries").search(["a\ud800é"])[0][0].text == "a\ud800é"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_url": "localhost"}, "an http:// or https:// address"),
        ({"form": "graphql"}, "accepted are 'retrieve', 'queries'"),
        ({"attempts": 0}, "at least 1"),
        ({"batch": 0}, "at least 1"),
        ({"concurrency": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(options, told):
    with pytest.raises(ConfigError, match=told):
        ServedRetriever(**{"base_url": "http://127.0.0.1:1", **options})


def test_it_is_a_retriever_and_travels():
    one = ServedRetriever("http://127.0.0.1:1/")
    assert isinstance(one, Retriever)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.name == "retrieve@http://127.0.0.1:1 (no pictures)"


# -- pictures, whose names a server writes -------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder with a picture in a folder of its own, a link within, one that leads out, and a circle."""
    (tmp_path / "secret.png").write_bytes(b"not the server's to name")
    (tmp_path / "pictures-too").mkdir()
    (tmp_path / "pictures-too" / "a.png").write_bytes(b"a neighbour's")
    held = tmp_path / "pictures"
    (held / "lung").mkdir(parents=True)
    (held / "lung" / "a.png").write_bytes(b"picture")
    (held / "within.png").symlink_to("lung/a.png")
    (held / "out.png").symlink_to("../secret.png")
    (held / "circle.png").symlink_to("circle.png")
    return held


def pictures(names, **options):
    """What becomes of the names, and the retriever that was told them."""
    found = scored(*(({"id": str(n), "text": "x", "image": name}, -float(n)) for n, name in enumerate(names)))
    with server(lambda path, body: (200, {"result": [found]})) as (url, _):
        one = quick(url, **options)
        ((*hits,),) = one.search(["x"], len(names))
    assert [hit.id for hit in hits] == [str(n) for n in range(len(names))]
    return [hit.image for hit in hits], one


def test_a_picture_is_looked_for_in_the_named_folder(folder):
    own = str(folder / "lung" / "a.png")
    found, one = pictures(["lung/a.png", "lung/../lung/a.png", "within.png", own, ""], images=folder)
    assert found == [own, own, own, own, ""]
    assert one.stats["pictures_refused"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/hostname",
        "../" * 30 + "etc/hostname",
        "/etc/hostname",
        "lung/../../secret.png",
        "../pictures-too/a.png",
        "out.png",
        "circle.png",
        "lung",
        "missing.png",
        "a\0.png",
        "x" * 5000,
        "~/.bashrc",
        "file:///etc/hostname",
    ],
)
def test_a_server_names_no_file_outside_of_it(folder, name, caplog):
    found, one = pictures([name, "lung/a.png"], images=str(folder))
    assert found == ["", str(folder / "lung" / "a.png")]
    assert one.stats["pictures_refused"] == 1
    assert "is no file within" in caplog.text


@pytest.mark.parametrize("name", ["/etc/hostname", "../../etc/hostname", "a.png"])
def test_where_no_folder_is_named_no_picture_is_opened(name, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"the client's own")
    found, _ = pictures([name])
    assert found == [""]
    assert "no folder is named (`images`)" in caplog.text
    with server(lambda path, body: (200, {"result": [scored(({"id": "0", "image": name}, 1.0))]})) as (url, _):
        (call,) = Search(quick(url), pictures=1).call(["x"])
    assert call.images == ()


def test_a_folder_that_is_not_there_is_a_mistake_of_the_settings(tmp_path):
    with pytest.raises(ConfigError, match=r"ServedRetriever\.images is .*no such folder"):
        ServedRetriever("http://127.0.0.1:1", images=tmp_path / "none")


def test_answers_remembered_with_other_pictures_are_other_answers(folder):
    one, other = ServedRetriever("http://127.0.0.1:1"), ServedRetriever("http://127.0.0.1:1", images=folder)
    assert one.name != other.name
