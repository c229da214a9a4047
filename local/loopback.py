"""A small HTTP server on loopback, for stand-ins of what others run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Self
from urllib.parse import parse_qsl, urlsplit

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the server saw it.

    `target` is path and query as they came; header names are in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""

    @property
    def json(self) -> dict[str, object]:
        """The body as JSON, {} if there is none."""
        document: dict[str, object] = json.loads(self.body or b"{}")
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


App = Callable[[Asked], Answer | None]
"""`None` closes the connection without an answer."""


class Handler(BaseHTTPRequestHandler):
    """One connection, for one request: a server that was stopped is away at once."""

    app: App

    def handle_one_request(self) -> None:
        """Like the base, for every method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            target=self.path,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )
        answer = type(self).app(asked)
        if answer is None:
            self.close_connection = True
            return
        self.send(answer)
        self.wfile.flush()

    def send(self, answer: Answer) -> None:
        """Write the answer."""
        self.send_head(answer)
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_head(self, answer: Answer) -> None:
        """Write its status and headers, its length among them."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        names = {name.lower() for name in answer.headers}
        if answer.status not in {204, 304} and not names & {
            "content-length",
            "transfer-encoding",
        }:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def handle(self) -> None:
        """Like the base, but a client that went away is no event."""
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def finish(self) -> None:
        """Like the base, on a connection that may be reset."""
        try:
            super().finish()
        except (OSError, ValueError):
            return

    def log_message(self, *_: object) -> None:
        """No access log."""


class KeepingHandler(Handler):
    """The same, for as many requests as the client sends."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True


class LoopbackServer:
    """`app` on 127.0.0.1 (https with `tls`); a stop keeps its port."""

    def __init__(
        self,
        app: App,
        *,
        handler: type[Handler] = Handler,
        tls: SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._handler = type("Handler", (handler,), {"app": staticmethod(app)})
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers, with a slash at its end."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True
            )
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections, as a server that is down does."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
