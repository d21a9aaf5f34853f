"""A stand-in for a server that speaks OpenAI's chat completions, on loopback: it answers what a function says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = str | dict[str, Any] | None
"""A reply's text; or fields of the message, and `finish_reason` beside them; or None for a refusal (400)."""


@contextmanager
def chat_server(answer: Callable[[list[dict[str, Any]]], Answer]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve `answer(messages)`; gives the base URL, and the bodies of the requests so far."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies.append(body)
            said = answer(body["messages"])
            if said is None:
                self._send(400, {"error": {"message": "refused"}})
                return
            fields = {"content": said} if isinstance(said, str) else dict(said)
            finish = fields.pop("finish_reason", "stop")
            message = {"role": "assistant", "content": None, **fields}
            completion = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": finish, "message": message}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
            self._send(200, completion)

        def _send(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
