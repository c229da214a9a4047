"""A proxy before the embedded AWS that kills the caller once a request was answered.

Nothing in the functions knows of it: they are given its address as the endpoint. The
request is passed on as it came, `Host` included, which is part of the signature; when
AWS has done what it asked for, the caller dies before it hears of it. Or it dies
before that, and AWS never hears of it.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.loopback import Answer, Asked, KeepingHandler, LoopbackServer

OF_ONE_HOP = {
    *("connection", "expect", "keep-alive", "transfer-encoding"),
    *("server", "date"),  # the server's own
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to AWS. `target` is DynamoDB's name for the action."""

    method: str
    path: str
    target: str
    body: bytes


class KillingProxy(LoopbackServer):
    """Passes everything on; `arm` it to kill after the next call that fits."""

    def __init__(self, endpoint_url: str, *, kill: Callable[[], None]) -> None:
        """`kill` ends the caller, and returns when it is dead."""
        self._there = urlsplit(endpoint_url)
        self._kill = kill
        self._fits: Callable[[Call], bool] | None = None
        self._is_early = False
        self._lock = threading.Lock()
        super().__init__(self.pass_on, handler=KeepingHandler)

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

    def pass_on(self, asked: Asked) -> Answer | None:
        if "chunked" in asked.headers.get("transfer-encoding", ""):
            raise NotImplementedError("a body in chunks is not passed on")
        call = Call(
            method=asked.method,
            path=asked.target,
            target=asked.headers.get("x-amz-target", ""),
            body=asked.body,
        )
        if self._is_early and self._is_the_one(call):
            self._kill()
            return None
        there = http.client.HTTPConnection(str(self._there.hostname), self._there.port)
        headers = _end_to_end(asked.headers.items())
        try:
            there.request(asked.method, asked.target, asked.body, headers)
            answer = there.getresponse()
            content = answer.read()
        finally:
            there.close()
        is_done = answer.status < 300 and not self._is_early
        if is_done and self._is_the_one(call):
            self._kill()
            return None
        return Answer(
            status=answer.status,
            headers=_end_to_end(answer.getheaders()),
            body=content,
        )

    def _is_the_one(self, call: Call) -> bool:
        with self._lock:
            if self._fits is None or not self._fits(call):
                return False
            self._fits = None
            return True


def _end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in OF_ONE_HOP}


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
