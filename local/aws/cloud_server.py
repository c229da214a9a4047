"""The process that holds the embedded AWS. Started by `local.aws.cloud`; see there.

Reads one JSON line of settings from stdin, writes one JSON line `{"port": …}` to
stdout, and serves until stdin ends: whoever started it holds the other end, so that
it never outlives them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import time_machine

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[[str, list[tuple[str, str]]], object]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

CONTROL = "/-/catflap/"
"""Below it, by POST: `clock` (body: ISO time), `iam` and `duplicate-events` (body: `on`
or `off`), and two that answer a line for each queue: `waiting-queues` with its name,
`hidden-messages` with its name and when the first of them is visible again (ISO);
`messages` answers all that wait, hidden or not, as JSON."""


class Chaos:
    """What goes wrong in the embedded AWS on demand."""

    def __init__(self) -> None:
        self.duplicate_events = False

    def install(self) -> None:
        """Put itself between buckets and those they tell."""
        from moto.s3 import notifications  # noqa: PLC0415 - moto reads the environment when it is imported

        send = notifications.send_event

        def send_event(*positional: Any, **named: Any) -> None:  # noqa: ANN401 - as moto's
            send(*positional, **named)
            if self.duplicate_events:
                send(*positional, **named)

        notifications.send_event = send_event


class Control:
    """What the clock and IAM are set by; every other request is AWS's."""

    def __init__(
        self, *, aws: Application, enforce: Callable[[bool], None], chaos: Chaos
    ) -> None:
        self._aws = aws
        self._chaos = chaos
        self._enforce = enforce
        self._travel: time_machine.travel | None = None

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """WSGI: what is not below CONTROL is AWS's."""
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith(CONTROL):
            return self._aws(environ, start_response)
        body = environ["wsgi.input"].read().decode()
        match path.removeprefix(CONTROL):
            case "clock":
                self.set_clock(datetime.fromisoformat(body))
            case "iam":
                self._enforce(body == "on")
            case "duplicate-events":
                self._chaos.duplicate_events = body == "on"
            case "stack":
                _keep_stack(json.loads(body))
            case "waiting-queues":
                return _answered("\n".join(_waiting_queues()), start_response)
            case "hidden-messages":
                return _answered("\n".join(_hidden_messages()), start_response)
            case "messages":
                return _answered(json.dumps(_messages()), start_response)
            case _:
                start_response("404 Not Found", [("Content-Length", "0")])
                return []
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def set_clock(self, now: datetime) -> None:
        """From now on it is `now`, and time passes as it does outside."""
        if self._travel is not None:
            self._travel.stop()
        self._travel = time_machine.travel(now, tick=True)
        self._travel.start()


def _answered(text: str, start_response: StartResponse) -> Iterable[bytes]:
    body = text.encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def _queues() -> Iterator[tuple[str, Any]]:
    """The queues, of whatever account and region."""
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - not before the environment is set

    for regions in sqs_backends.values():
        for backend in regions.values():
            yield from backend.queues.items()


def _keep_stack(told: dict[str, str]) -> None:
    """A stack that we deploy, as its functions may ask CloudFormation about it."""
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415 - not before the environment is set

    backend = cloudformation_backends[told["account"]][told["region"]]
    known = {stack.stack_id: stack for stack in backend.stacks.values()}
    stack = known.get(told["id"])
    if stack is None:
        nothing = json.dumps({"Resources": {}})
        stack = backend.create_stack(told["name"], nothing, {})
        stack.stack_id = told["id"]
    stack.status = told["status"]


def _waiting_queues() -> list[str]:
    return [name for name, queue in _queues() if queue.messages]


def _messages() -> list[dict[str, str | None]]:
    return [
        {"queue": name, "body": message.body, "group": message.group_id}
        for name, queue in _queues()
        for message in queue._messages  # noqa: SLF001 - moto offers the visible ones only
    ]


def _hidden_messages() -> list[str]:
    """Moto keeps times in milliseconds since 1970."""
    now_ms = time.time() * 1000
    lines = []
    for name, queue in _queues():
        ahead = [
            at_ms
            for message in queue._messages  # noqa: SLF001 - moto offers the visible ones only
            if (at_ms := max(message.visible_at, message.delayed_until)) > now_ms
        ]
        if ahead:
            at = datetime.fromtimestamp(min(ahead) / 1000, UTC)
            lines.append(f"{name} {at.isoformat()}")
    return lines


def main() -> None:
    """Serve until stdin ends."""
    settings = json.loads(sys.stdin.readline())
    os.environ["MOTO_ACCOUNT_ID"] = settings["account"]
    # Keep the response to a bucket's name from becoming a virtual host.
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"
    # A denial's code stands in few services' models: its text is right all the same.
    warnings.filterwarnings("ignore", "Exception.Refused. with code")
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)

    # moto reads the environment when it is imported.
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - see above
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415 - see above

    from local.aws import cloud_speed  # noqa: PLC0415 - see above
    from local.aws.cloud_http import Handler  # noqa: PLC0415 - see above
    from local.aws.strict import iam, shims  # noqa: PLC0415 - see above

    cloud_speed.install()

    if settings["strict"]:
        shims.install_all()

    chaos = Chaos()
    chaos.install()
    application = Control(
        aws=DomainDispatcherApplication(create_backend_app),
        enforce=iam.enforce,
        chaos=chaos,
    )
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=Handler
    )
    server.daemon_threads = True  # type: ignore[attr-defined]  # werkzeug's threading server has it
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Queue URLs hold the port.
    os.environ["MOTO_PORT"] = str(server.server_port)
    cloud_speed.settle()
    print(json.dumps({"port": server.server_port}), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
