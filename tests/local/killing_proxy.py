"""A proxy before the embedded AWS that kills the caller once a request was answered.

Nothing in the functions knows of it: they are given its address as the endpoint. The
request is passed on as it came, `Host` included, which is part of the signature; when
AWS has done what it asked for, the caller dies before it hears of it. Or it dies
before that, and AWS never hears of it.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to AWS. `target` is DynamoDB's name for the action."""

    method: str
    path: str
    target: str
    body: bytes


class KillingProxy:
    """Passes everything on; `arm` it to kill after the next call that fits."""

    def __init__(self, endpoint_url: str, *, kill: Callable[[], None]) -> None:
        """`kill` ends the caller, and returns when it is dead."""
        self._there = urlsplit(endpoint_url)
        self._kill = kill
        self._fits: Callable[[Call], bool] | None = None
        self._is_early = False
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_any(self) -> None:
                proxy.pass_on(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815 - the server's names

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the caller is dead
                    super().handle()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def is_armed(self) -> bool:
        """Whether it still waits for its call."""
        return self._fits is not None

    def arm(self, fits: Callable[[Call], bool], *, early: bool = False) -> None:
        """Kill after the next call for which `fits` is true; `early`: before it."""
        self._is_early = early
        self._fits = fits

    def disarm(self) -> None:
        """Kill after no call."""
        self._fits = None

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        if "chunked" in request.headers.get("Transfer-Encoding", ""):
            raise NotImplementedError("a body in chunks is not passed on")
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_BY_HOP
        }
        call = Call(
            method=request.command,
            path=request.path,
            target=request.headers.get("X-Amz-Target", ""),
            body=body,
        )
        if self._is_early and self._is_the_one(call):
            self._kill()
            request.close_connection = True
            return
        there = http.client.HTTPConnection(str(self._there.hostname), self._there.port)
        try:
            there.request(request.command, request.path, body, headers)
            answer = there.getresponse()
            content = answer.read()
        finally:
            there.close()
        is_done = answer.status < 300 and not self._is_early
        if is_done and self._is_the_one(call):
            self._kill()
            request.close_connection = True
            return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*HOP_BY_HOP, "content-length", "server", "date"}:
                request.send_header(name, value)
        length = answer.getheader("Content-Length") or str(len(content))
        request.send_header("Content-Length", length)
        request.end_headers()
        request.wfile.write(content)

    def _is_the_one(self, call: Call) -> bool:
        with self._lock:
            if self._fits is None or not self._fits(call):
                return False
            self._fits = None
            return True


def begun(call: Call) -> bool:
    """The write that names a run as running: none of its pages was asked for."""
    return call.target.endswith(".PutItem") and b'"running"' in call.body


def recorded(call: Call) -> bool:
    """The transaction that names a run as committing in its dataset's state."""
    return call.target.endswith(".TransactWriteItems") and b'"committing"' in call.body


def completed(call: Call) -> bool:
    """The completion of an upload: its object is visible."""
    is_completion = call.method == "POST" and "uploadId=" in call.path
    return is_completion and "/raw/" in call.path
