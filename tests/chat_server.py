"""A small server that speaks OpenAI's chat completions, and misbehaves as asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Response:
    """What the server sends: a status, headers, a body; `cut` announces more bytes than come, `hang` sends nothing."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    cut: bool = False
    hang: bool = False


def completion(content: str | None, *, finish_reason: str = "stop", refusal: str | None = None) -> Response:
    """A chat completion as the API sends it."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice]}
    return Response(json.dumps(body).encode())


def failure(status: int, message: str = "no", *, code: str | None = None, **headers: str) -> Response:
    """An error as the API sends it; headers with `_` for `-`."""
    body = {"error": {"message": message, "type": "error", "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body).encode(), status=status, headers=named)


HANG = Response(b"", hang=True)
#: What tests give as a key.
SECRET = "sk-a-secret-of-the-tests"


@dataclass(frozen=True)
class Request:
    """What the server was sent."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        words: str = self.body["messages"][0]["content"]
        return words


class ChatServer:
    """Answers each request with what `respond` returns for it; `respond` may be changed at any time."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.respond: Callable[[Request], Response] = lambda request: completion('{"label": "colour"}')
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, body)
                outer.requests.append(request)
                response = outer.respond(request)
                if response.hang:
                    outer.released.wait(30)
                    return
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", response.kind)
                self.send_header("Content-Length", str(len(response.body) + 100 * response.cut))
                self.end_headers()
                self.wfile.write(response.body)

            def log_message(self, *words: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, *responses: Response) -> None:
        """Answer with these, one after another; the last one stays."""
        left = list(responses)
        self.respond = lambda request: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
