"""One warm execution environment: imports a handler once and runs it again and again.

Started by `local.aws.invoke` as a script, with `-I`, so that nothing of the project's
tooling is imported here. Arguments: bundle root, handler, and the numbers of three
pipes (requests, replies, a lifeline that ends with the parent). Messages are JSON
behind their length in four bytes: what a handler prints cannot disturb them.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import IO, Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaContext:
    """What Lambda gives a handler beside the event (Lambda developer guide, "Using
    the Lambda context object to retrieve Python function information").
    """

    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    function_version: str = "$LATEST"
    client_context: None = None
    identity: None = None

    def get_remaining_time_in_millis(self) -> int:
        """What is left until the function is killed; real time, whatever the clock."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def main(
    root: str, handler: str, request_fd: str, reply_fd: str, lifeline_fd: str
) -> None:
    """Serve invocations until the pipe of requests ends."""
    requests = os.fdopen(int(request_fd), "rb")
    replies = os.fdopen(int(reply_fd), "wb")
    threading.Thread(target=_watch, args=[int(lifeline_fd)], daemon=True).start()
    sys.path.insert(0, root)
    clock = Clock()
    calls: Counter[str] = Counter()
    function: Callable[[Any, LambdaContext], Any] | None = None
    while True:
        message = _read(requests)
        if message is None:
            return
        if message["now"] is not None:
            clock.move_to(datetime.fromisoformat(message["now"]))
        try:
            if function is None:
                module, _, name = handler.rpartition(".")
                function = getattr(importlib.import_module(module), name)
                if handler.startswith("lambdas."):
                    _count_calls(calls)
            # an empty frame: the import is over, and the timeout begins
            replies.write(struct.pack(">I", 0))
            replies.flush()
            deadline = time.monotonic() + message["timeout_s"]
            context = LambdaContext(**message["context"], deadline=deadline)
            answer = {"result": function(message["event"], context)}
            body = json.dumps({**answer, "calls": _taken(calls)}).encode()
        except BaseException as fault:  # noqa: BLE001 - all a handler raises is its answer, SystemExit as well
            body = json.dumps({"error": _described(fault)}).encode()
        sys.stdout.flush()
        sys.stderr.flush()
        replies.write(struct.pack(">I", len(body)) + body)
        replies.flush()


def _count_calls(calls: Counter[str]) -> None:
    """Count what boto3 is asked for: `s3.PutObject`; of a transaction or a batch its
    parts as well, since each is billed.
    """
    client = importlib.import_module("botocore.client")
    real = client.BaseClient._make_api_call  # noqa: SLF001 - the one road of all calls

    def counted(self: Any, operation: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - as botocore has it
        service = self.meta.service_model.service_name
        calls[f"{service}.{operation}"] += 1
        parts = parameters.get("TransactItems") or [
            one for all_ in parameters.get("RequestItems", {}).values() for one in all_
        ]
        if parts:
            calls[f"{service}.{operation} parts"] += len(parts)
        return real(self, operation, parameters)

    client.BaseClient._make_api_call = counted  # noqa: SLF001 - as above


def _taken(calls: Counter[str]) -> dict[str, int]:
    """What was counted, which begins anew."""
    taken = dict(calls)
    calls.clear()
    return taken


class Clock:
    """The wall clock of this process, once it has been moved."""

    def __init__(self) -> None:
        self._travel: Any = None

    def move_to(self, now: datetime) -> None:
        """From now on it is `now`, and time passes."""
        time_machine = _time_machine()
        if self._travel is not None:
            self._travel.stop()
        self._travel = time_machine.travel(now, tick=True)
        self._travel.start()


def _time_machine() -> ModuleType:
    """Without pytest, which it looks for and which takes longer than all it needs; a
    function without a clock needs neither.
    """
    sys.modules["pytest"] = None  # type: ignore[assignment]  # as Python documents it
    try:
        return importlib.import_module("time_machine")
    finally:
        del sys.modules["pytest"]


def _described(fault: BaseException) -> dict[str, object]:
    """As Lambda reports it."""
    return {
        "errorType": type(fault).__name__,
        "errorMessage": str(fault),
        "stackTrace": traceback.format_exception(fault),
    }


def _read(stream: IO[bytes]) -> dict[str, Any] | None:
    head = stream.read(4)
    if len(head) < 4:  # noqa: PLR2004 - the length of a length
        return None
    message: dict[str, Any] = json.loads(stream.read(struct.unpack(">I", head)[0]))
    return message


def _watch(lifeline: int) -> None:
    """End with the parent, even in the middle of an invocation."""
    os.read(lifeline, 1)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
