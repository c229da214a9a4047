"""How the embedded AWS speaks HTTP.

Imports moto, which reads the environment when it is imported: only for
`local.aws.cloud_server`, once that is set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeAlias, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler

_Application: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Handler(MotoRequestHandler):
    """Keeps connections open; werkzeug closes each one, 10 ms later."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Ask for the body, and do not wait for more to say."""
        self.send_response_only(HTTPStatus.CONTINUE)
        self.end_headers()
        self.wfile.flush()
        return True

    def run_wsgi(self) -> None:
        """One request: its body is read whole, and its answer has a length."""
        environ = self.make_environ()
        stream = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        body = stream.read() if chunked else stream.read(int(length or 0))
        environ["wsgi.input"] = BytesIO(body)
        answer: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str,
            headers: list[tuple[str, str]],
            _fault: object = None,
        ) -> None:
            answer[:] = [(status, headers)]

        application = cast("_Application", self.server.app)
        try:
            content = b"".join(application(environ, start_response))
        except Exception:
            logging.getLogger("embedded-aws").exception("%s", self.requestline)
            content = b""
            answer[:] = [("500 Internal Server Error", [])]
        self._send(*answer[0], content)

    def _send(
        self, status: str, headers: list[tuple[str, str]], content: bytes
    ) -> None:
        code, _, text = status.partition(" ")
        self.send_response(int(code), text)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        if "content-length" not in names and code != "204":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401 - werkzeug's signature
        """Errors only: requests are too many to keep."""
        if type == "error":
            logging.getLogger("embedded-aws").error(message, *args)
