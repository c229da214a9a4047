"""A small HTTP server on loopback, for stand-ins of what others run."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Self, TypeAlias
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


Connection: TypeAlias = socket.socket | tuple[bytes, socket.socket]
"""What the base says that it may be; with TCP it is a socket."""


class _Server(ThreadingHTTPServer):
    """Reads nothing more once it is closed: a connection that its client keeps open
    ends with the answer that is on its way.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, handler: type[Handler]) -> None:
        self._open = set[socket.socket]()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(
        self, request: Connection, client_address: tuple[str, int]
    ) -> None:
        """Like the base, and remembers the connection."""
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Connection) -> None:
        """Like the base, and forgets it."""
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Like the base, and ends what clients keep open."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                # not the method of a TLS socket, which ends writing too
                socket.socket.shutdown(connection, socket.SHUT_RD)


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
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers, with a slash at its end."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen."""
        self._server = _Server(self.port, self._handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True
            )
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
