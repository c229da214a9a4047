"""A real HTTP server on loopback that follows a script, faults included."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from local import loopback
from local.loopback import JSON, KeepingHandler, LoopbackServer

Asked = loopback.Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(loopback.Answer):
    """What the server answers. `fault` is `reset` (before a byte), `reset_mid_body`,
    `truncate` (fewer bytes than announced, then a clean close), `hang` (until the
    server stops), `dribble` (a byte every 50 ms), `dribble_head` (the same from the
    first byte on), or `drop_kept` (no answer on a connection that has had one, as if it
    had been closed meanwhile). `interim` comes before the answer.
    """

    fault: str | None = None
    chunked: bool = False
    interim: bytes = b""


App = Callable[[Asked], Answer]


def answer_json(document: object, /, **headers: str) -> Answer:
    """200 with `document` as JSON; `X_Next` becomes the header `X-Next`."""
    return Answer(
        body=json.dumps(document).encode(),
        headers={
            **JSON,
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


class _Handler(KeepingHandler):
    """One connection. `stopping` comes from `serving`."""

    stopping: threading.Event
    _has_answered = False

    def send(self, answer: loopback.Answer) -> None:
        """Answer, or fail as the answer says."""
        assert isinstance(answer, Answer)
        has_answered, self._has_answered = self._has_answered, True
        match answer.fault:
            case "reset":
                self._reset()
            case "drop_kept" if has_answered:
                self.close_connection = True
            case "dribble_head":
                self._dribble(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000)
            case "hang":
                self.stopping.wait(300)
                self.close_connection = True
            case _:
                self.wfile.write(answer.interim)
                self.send_head(answer)
                self._send_body(answer)

    def send_head(self, answer: loopback.Answer) -> None:
        """Announce chunks where it answers in chunks."""
        if isinstance(answer, Answer) and answer.chunked:
            headers = {**answer.headers, "Transfer-Encoding": "chunked"}
            answer = dataclasses.replace(answer, headers=headers)
        super().send_head(answer)

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


@contextmanager
def serving(
    app: App, *, tls: ssl.SSLContext | None = None, side_by_side: bool = False
) -> Iterator[ApiServer]:
    """`app` on a free port of 127.0.0.1, one request at a time unless `side_by_side`;
    https with `tls`.
    """
    asked: list[Asked] = []
    stopping = threading.Event()
    lock = threading.Lock()

    def one_at_a_time(request: Asked) -> Answer:
        with nullcontext() if side_by_side else lock:
            asked.append(request)
            return app(request)

    handler = type("Handler", (_Handler,), {"stopping": stopping})
    with LoopbackServer(one_at_a_time, handler=handler, tls=tls) as server:
        try:
            yield ApiServer(url=server.url, asked=asked, stopping=stopping)
        finally:
            stopping.set()


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
