"""One HTTP request over a kept connection, and its whole answer, by urllib3."""

from __future__ import annotations

import logging
import time
from typing import BinaryIO
from urllib.parse import urlencode

import msgspec
import urllib3

from lambdas.adapters.sources.connections import Connections, Stale
from lambdas.core.errors import (
    CatflapError,
    RunErrorKind,
    Terminal,
    Transient,
    UpstreamError,
)
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.records.compression import decoded, too_long

MAX_BODY_BYTES = 256 * 1024 * 1024
"""A decompressed answer above this is refused: a page has to fit into memory."""

PEEK_BYTES = 65_536
"""How much of a body that goes into a file is looked at for response_actions."""

CONNECTIONS = 4
"""Kept open to one host, for as many requests at a time."""

_CHUNK = 1 << 20
_OK = range(200, 300)

# its debug lines hold whole URLs, with the keys in their queries
logging.getLogger("urllib3").setLevel(logging.INFO)


class Transport:
    """Sends requests as they are: no redirect, no second try, no proof added.

    With `ca`, certificates in PEM, no other authority is trusted. Raises Terminal if
    there is none in it.
    """

    def __init__(
        self, *, max_body_bytes: int = MAX_BODY_BYTES, ca: str | None = None
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._pool = Connections(kept=CONNECTIONS, ca=ca)

    def send(
        self, request: HttpRequest, *, timeout_s: float, into: BinaryIO | None = None
    ) -> HttpResponse:
        """The answer, whole and decompressed, whatever its status.

        With `into`, the body of a success is written there as it came, and `body` is
        only its beginning: enough to decide by. Raises UpstreamError, its sentence
        without the URL.
        """
        body, headers = _body(request)
        try:
            answer = self._answer(request, body, headers, timeout_s)
            try:
                spooled = into if answer.status in _OK else None
                raw = self._read(answer, timeout_s, spooled)
            except BaseException:
                answer.close()
                raise
            answer.release_conn()
        except CatflapError:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _translated(error, timeout_s) from None
        except ValueError:
            # http.client, about a header with a line break or a letter beyond latin-1
            raise Terminal(
                "cannot be sent: a header or the URL holds a character that HTTP has "
                "no room for",
                kind=RunErrorKind.HTTP,
            ) from None
        # a field in several lines is one, joined by commas (RFC 9110, 5.2)
        lower = {name.lower(): value for name, value in answer.headers.itermerged()}
        return HttpResponse(
            status=answer.status,
            url=request.url,
            headers=lower,
            body=raw
            if spooled is not None and len(raw) >= PEEK_BYTES
            else decoded(raw, lower.get("content-encoding", ""), self._max_body_bytes),
        )

    def _answer(
        self,
        request: HttpRequest,
        body: bytes | None,
        headers: dict[str, str],
        timeout_s: float,
    ) -> urllib3.BaseHTTPResponse:
        """The head of the answer. A server may close a kept connection at any time: the
        request goes over another then, at once (RFC 9112, 9.3.1). It is a question,
        whatever its method: asked twice, it changes nothing.
        """
        for left in reversed(range(CONNECTIONS + 1)):
            try:
                return self._pool.request(
                    request.method,
                    _with_params(request),
                    body=body,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                    retries=False,
                )
            except Stale:
                if left == 0:
                    break
        raise Transient("broke the connection", kind=RunErrorKind.HTTP)

    def _read(
        self,
        answer: urllib3.BaseHTTPResponse,
        timeout_s: float,
        into: BinaryIO | None,
    ) -> bytes:
        """The raw body, or its beginning if it goes `into` a file. An answer that
        dribbles is cut off after the timeout.
        """
        # a socket's time is real time, also where the clock is a replay's
        ends_at = time.monotonic() + timeout_s
        chunks: list[bytes] = []
        size = 0
        while chunk := answer.read1(_CHUNK, decode_content=False):
            if into is None:
                chunks.append(chunk)
            else:
                _write(into, chunk)
                if size < PEEK_BYTES:
                    chunks.append(chunk[: PEEK_BYTES - size])
            size += len(chunk)
            if into is None and size > self._max_body_bytes:
                raise too_long(self._max_body_bytes)
            if time.monotonic() > ends_at:
                raise Transient(
                    f"was still answering after {timeout_s:.0f} s ({size} bytes so "
                    "far); raise timeout, or ask for smaller pages",
                    kind=RunErrorKind.TIMEOUT,
                )
        return b"".join(chunks)


def _write(into: BinaryIO, chunk: bytes) -> None:
    try:
        into.write(chunk)
    except OSError as error:
        raise Terminal(
            f"sent more than fits into this machine's temporary space ({error.strerror}"
            "); ask for smaller pages",
            kind=RunErrorKind.RESPONSE,
        ) from None


def _with_params(request: HttpRequest) -> str:
    if not request.params:
        return request.url
    glue = "&" if "?" in request.url else "?"
    return f"{request.url}{glue}{urlencode(request.params)}"


def _body(request: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
    headers = {"Accept-Encoding": "gzip", **request.headers}
    if request.form is not None:
        kind, body = "application/x-www-form-urlencoded", urlencode(request.form)
        return body.encode(), {"Content-Type": kind, **headers}
    if request.json is not None:
        body_bytes = msgspec.json.encode(request.json)
        return body_bytes, {"Content-Type": "application/json", **headers}
    return None, headers


_X = urllib3.exceptions
_IN_OUR_WORDS: tuple[
    tuple[type[Exception], type[Transient | Terminal], RunErrorKind, str], ...
] = (
    (
        _X.NameResolutionError, Transient, RunErrorKind.HTTP,
        "has a host name that does not resolve; check base_url",
    ),
    (
        _X.NewConnectionError, Transient, RunErrorKind.HTTP,
        "refuses connections",
    ),
    (
        _X.TimeoutError, Transient, RunErrorKind.TIMEOUT,
        "did not answer within {timeout_s:.0f} s",
    ),
    (
        TimeoutError, Transient, RunErrorKind.TIMEOUT,
        "did not answer within {timeout_s:.0f} s",
    ),
    (
        _X.SSLError, Terminal, RunErrorKind.HTTP,
        "has a certificate that cannot be trusted, or speaks no TLS",
    ),
    (
        _X.IncompleteRead, Transient, RunErrorKind.HTTP,
        "broke off in the middle of its answer",
    ),
    (
        _X.LocationValueError, Terminal, RunErrorKind.HTTP,
        "is not a URL that can be asked",
    ),
)  # fmt: skip
"""Most special first: a failed connection is a TimeoutError to urllib3."""


def _translated(error: Exception, timeout_s: float) -> UpstreamError:
    """urllib3's errors in our words; none of its texts, which hold URLs."""
    for theirs, ours, kind, words in _IN_OUR_WORDS:
        if isinstance(error, theirs):
            return ours(words.format(timeout_s=timeout_s), kind=kind)
    return Transient(
        f"broke the connection ({type(error).__name__})", kind=RunErrorKind.HTTP
    )
