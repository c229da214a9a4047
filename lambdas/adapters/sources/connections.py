"""Connections as RFC 9110 has them, where http.client falls short of it.

Three things: any number of interim answers may come before the final one (103 Early
Hints among them; http.client knows 100 only), an answer's head may dribble no longer
than its body may, and a kept connection that the server has closed meanwhile is told
from a server in trouble.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from lambdas.core.errors import RunErrorKind, Terminal

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer
    from urllib3 import HTTPResponse

_INTERIM = range(102, 200)


class Stale(Exception):
    """A kept connection ended without a byte of an answer: another one may do."""


class _UntilTimeout(io.RawIOBase):
    """What a socket receives up to a moment; its timeout is for each byte."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        # a file of the socket's: while it is open, so is the socket
        self._raw = connected.makefile("rb", buffering=0)
        self._timeout_s = connected.gettimeout()
        # a socket's time is real time, also where the clock is a replay's
        self._ends_at = time.monotonic() + (self._timeout_s or 0)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Receive once. Raises TimeoutError."""
        if self._timeout_s is not None:
            left = self._ends_at - time.monotonic()
            if left <= 0:
                message = "the answer took too long"
                raise TimeoutError(message)
            # each setting is a system call, and nobody notices a tenth
            if left < self._timeout_s * 0.9:
                self._socket.settimeout(left)
                self._timeout_s = left
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose interim answers are passed over (RFC 9110, 15.2)."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        plain = self.fp
        self.fp = io.BufferedReader(_UntilTimeout(sock))
        plain.close()

    def begin(self) -> None:
        """Read the head of the final answer."""
        super().begin()
        while self.status in _INTERIM:
            self.headers = self.msg = None  # type: ignore[assignment]  # unread again
            super().begin()


class _Kept(HTTPConnection):
    """A connection that knows whether it has answered before."""

    response_class: Any = _Response
    _has_answered = False

    def connect(self) -> None:
        """As ever; it is new then."""
        self._has_answered = False
        super().connect()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 does
        """As ever. Raises Stale."""
        try:
            answer = super().getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError) as error:
            if self._has_answered:
                raise Stale from error
            raise
        self._has_answered = True
        return answer


class _Tls(_Kept, HTTPSConnection):
    """https."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Kept


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


def _trusting(ca: str) -> ssl.SSLContext:
    try:
        # a variable of one line writes the breaks as \n
        return ssl.create_default_context(cadata=ca.replace("\\n", "\n"))
    except (ssl.SSLError, ValueError):
        raise Terminal(
            "`ca` holds no certificate in PEM (-----BEGIN CERTIFICATE-----); store "
            "the private CA's own there",
            kind=RunErrorKind.AUTH,
        ) from None


class Connections(PoolManager):
    """Kept connections, by origin. No proxy of the environment is used."""

    def __init__(self, *, kept: int, ca: str | None = None) -> None:
        """`kept` is how many stay open to one host; `ca` is PEM, trusted alone.

        Raises Terminal if `ca` holds no certificate.
        """
        context = None if ca is None else _trusting(ca)
        super().__init__(retries=False, maxsize=kept, ssl_context=context)
        self.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
