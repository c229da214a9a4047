"""A real HTTP server on loopback that follows a script, faults included."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the server saw it; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body as JSON, {} if there is none."""
        document: dict[str, object] = json.loads(self.body or b"{}")
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answers. `fault` is `reset` (before a byte), `reset_mid_body`,
    `truncate` (fewer bytes than announced, then a clean close), `hang` (until the
    server stops), `dribble` (a byte every 50 ms), `dribble_head` (the same from the
    first byte on), or `drop_kept` (no answer on a connection that has had one, as if it
    had been closed meanwhile). `interim` comes before the answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json"}
    )
    fault: str | None = None
    chunked: bool = False
    interim: bytes = b""


App = Callable[[Asked], Answer]


def answer_json(document: object, /, **headers: str) -> Answer:
    """200 with `document` as JSON; `X_Next` becomes the header `X-Next`."""
    return Answer(
        body=json.dumps(document).encode(),
        headers={
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


def zipped(answer: Answer) -> Answer:
    """The same answer with `Content-Encoding: gzip`."""
    return Answer(
        status=answer.status,
        body=gzip.compress(answer.body),
        headers={**answer.headers, "Content-Encoding": "gzip"},
    )


def in_turn(*answers: Answer) -> App:
    """Each request gets the next answer; the last one is repeated."""
    left = list(answers)

    def app(_: Asked) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return app


@dataclass(slots=True, kw_only=True)
class ApiServer:
    """A running server: its `url`, ending in a slash, and what it was `asked`."""

    url: str
    asked: list[Asked]
    stopping: threading.Event

    @property
    def origin(self) -> str:
        """The URL without the slash at its end."""
        return self.url.rstrip("/")


class _Handler(BaseHTTPRequestHandler):
    """One connection. `app`, `asked`, `stopping` and `lock` come from `serving`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    app: App
    asked: list[Asked]
    stopping: threading.Event
    lock: threading.Lock
    _has_answered = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        request = Asked(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={k.lower(): v for k, v in self.headers.items()},
            body=self.rfile.read(length),
        )
        with self.lock:
            self.asked.append(request)
            answer = type(self).app(request)
        has_answered, self._has_answered = self._has_answered, True
        match answer.fault:
            case "reset":
                self._reset()
            case "drop_kept" if has_answered:
                self.close_connection = True
            case "dribble_head":
                self._dribble(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000)
            case "hang":
                self.stopping.wait(30)
                self.close_connection = True
            case _:
                self._send_head(answer)
                self._send_body(answer)

    def _send_head(self, answer: Answer) -> None:
        self.wfile.write(answer.interim)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def _send_body(self, answer: Answer) -> None:
        body = answer.body
        head = b"%x\r\n" % len(body) if answer.chunked else b""
        match answer.fault:
            case "reset_mid_body":
                self.wfile.write(head + body[: len(body) // 2])
                self._reset()
            case "truncate":
                self.wfile.write(head + body[: len(body) // 2])
                self.close_connection = True
            case "dribble":
                self._dribble(body)
            case _:
                self.wfile.write(
                    head + body + (b"\r\n0\r\n\r\n" if answer.chunked else b"")
                )

    def _dribble(self, data: bytes) -> None:
        for at in range(len(data)):
            if self.stopping.wait(0.05):
                break
            self.wfile.write(data[at : at + 1])

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

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


@contextmanager
def serving(app: App) -> Iterator[ApiServer]:
    """`app` on a free port of 127.0.0.1, one request at a time."""
    asked: list[Asked] = []
    stopping = threading.Event()
    handler = type(
        "Handler",
        (_Handler,),
        {
            "app": staticmethod(app),
            "asked": asked,
            "stopping": stopping,
            "lock": threading.Lock(),
        },
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield ApiServer(
            url=f"http://127.0.0.1:{server.server_address[1]}/",
            asked=asked,
            stopping=stopping,
        )
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def basic(user: str, password: str) -> str:
    """The Authorization header for user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def rows(count: int, *, start: int = 0) -> list[dict[str, object]]:
    """Rows with an id, a text and a number."""
    return [
        {"id": n, "name": f"cat {n}", "weight": n / 4}
        for n in range(start, start + count)
    ]


def slices(
    records: Sequence[Mapping[str, object]], size: int
) -> list[list[Mapping[str, object]]]:
    """`records` in pages."""
    return [list(records[at : at + size]) for at in range(0, len(records), size)]
