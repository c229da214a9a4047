"""Functions as Lambda runs them: warm processes with the role and the environment of
the template, and nothing else.

::

    FunctionHost.invoke ──> an idle FunctionProcess of the function, or a new one
                               └── python -I invoke_child.py: the handler
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local.aws.cloud import Cloud

LAMBDA = "lambda.amazonaws.com"
CHILD = Path(__file__).with_name("invoke_child.py")
MAX_LINE_OF_TRACE = 4000

IMPORTED_WITHIN_S = 300
"""By a new process. The function's timeout begins after that, as Lambda's does after
its Init phase (developer guide, "Understanding the Lambda execution environment
lifecycle").
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFunction:
    """A function as its template has it. `timeout_s` in seconds, `memory_mib` in MiB;
    `failed_events` is the ARN of its dead-letter queue or on-failure destination.
    """

    logical_id: str
    name: str
    arn: str
    handler: str
    environment: Mapping[str, str]
    role_arn: str
    timeout_s: int
    memory_mib: int
    reserved_concurrency: int | None
    failed_events: str | None
    max_retries: int
    log_group: str


class FunctionError(Exception):
    """A handler raised, was killed or ran out of time.

    `kind` is the name of the handler's exception, or `Runtime.ExitError` and
    `Sandbox.Timedout` as Lambda names a crash and a timeout.
    """

    def __init__(self, function: str, kind: str, message: str, trace: str) -> None:
        super().__init__(f"{function}: {kind}: {message}")
        self.function = function
        self.kind = kind
        self.message = message
        self.trace = trace


@dataclass(slots=True)
class Usage:
    """What invocations came to: how many, how long they took, what they called.

    An invocation that raised counts, with none of its calls.
    """

    invocations: int = 0
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)

    def add(self, seconds: float, calls: Mapping[str, int]) -> None:
        """One more."""
        self.invocations += 1
        self.seconds += seconds
        self.calls.update(calls)


class FunctionProcess:
    """One warm execution environment of one function. Not for two threads at once."""

    def __init__(
        self,
        function: DeployedFunction,
        *,
        environment: Mapping[str, str],
        bundle_root: Path,
        log_file: Path,
    ) -> None:
        self.function = function
        self._environment = dict(environment)
        self._bundle_root = bundle_root
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: int | None = None
        self._replies: int | None = None
        self._lifeline: int | None = None
        self.usage = Usage()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def has_died(self) -> bool:
        """Whether it was started and has ended since, with nobody told of it."""
        return self._process is not None and self._process.poll() is not None

    def invoke(self, event: object, *, now: datetime | None = None) -> Any:  # noqa: ANN401 - JSON
        """Run the handler; `now` sets its clock first. Raises FunctionError."""
        if self._process is None:
            self._start()
        request_id = str(uuid.uuid4())
        function = self.function
        message = {
            "event": event,
            "now": now.isoformat() if now else None,
            "timeout_s": function.timeout_s,
            "context": {
                "aws_request_id": request_id,
                "function_name": function.name,
                "invoked_function_arn": function.arn,
                "memory_limit_in_mb": str(function.memory_mib),
                "log_group_name": function.log_group,
                "log_stream_name": f"embedded/{self.pid}",
            },
        }
        body = json.dumps(message).encode()
        began = time.monotonic()
        deadline = began + IMPORTED_WITHIN_S
        try:
            self._send(struct.pack(">I", len(body)) + body)
            size = self._size(deadline)
            if size == 0:
                deadline = time.monotonic() + function.timeout_s
                size = self._size(deadline)
            answer = json.loads(self._receive(size, deadline))
        except TimeoutError:
            self.stop()
            raise FunctionError(
                function.name,
                "Sandbox.Timedout",
                f"RequestId: {request_id} Error: Task timed out after "
                f"{function.timeout_s:.2f} seconds",
                "",
            ) from None
        except (EOFError, BrokenPipeError):
            raise self._crash(request_id) from None
        self.usage.add(time.monotonic() - began, answer.get("calls", {}))
        if "error" in answer:
            error = answer["error"]
            raise FunctionError(
                function.name,
                error["errorType"],
                error["errorMessage"],
                "".join(error["stackTrace"]),
            )
        return answer["result"]

    def stop(self) -> None:
        """End the process; never raises, and may be called again."""
        process, self._process = self._process, None
        for descriptor in (self._requests, self._replies, self._lifeline):
            if descriptor is not None:
                os.close(descriptor)
        self._requests = self._replies = self._lifeline = None
        if process is None:
            return
        if process.poll() is None:
            _kill_group(process.pid)
        process.wait()

    def _start(self) -> None:
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        request_read, self._requests = os.pipe()
        self._replies, reply_write = os.pipe()
        life_read, self._lifeline = os.pipe()
        theirs = (request_read, reply_write, life_read)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own script, no shell
                [
                    sys.executable,
                    "-I",
                    str(CHILD),
                    str(self._bundle_root),
                    self.function.handler,
                    *map(str, theirs),
                ],
                cwd=self._bundle_root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=theirs,
                start_new_session=True,
            )
        for descriptor in theirs:
            os.close(descriptor)

    def _send(self, data: bytes) -> None:
        if self._requests is None:
            raise EOFError
        view = memoryview(data)
        while view:
            view = view[os.write(self._requests, view) :]

    def _size(self, deadline: float) -> int:
        """How many bytes come next; none says that the handler is imported."""
        return int(struct.unpack(">I", self._receive(4, deadline))[0])

    def _receive(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes; TimeoutError past `deadline`, EOFError at the end."""
        if self._replies is None:
            raise EOFError
        parts: list[bytes] = []
        while size > 0:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._replies], [], [], left)[0]:
                raise TimeoutError
            part = os.read(self._replies, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _crash(self, request_id: str) -> FunctionError:
        process = self._process
        status = process.wait() if process else None
        self.stop()
        how = (
            f"signal: {signal.Signals(-status).name}"
            if status is not None and status < 0
            else f"exit status {status}"
        )
        return FunctionError(
            self.function.name,
            "Runtime.ExitError",
            f"RequestId: {request_id} Error: Runtime exited with error: {how}",
            self._log_file.read_text(errors="replace")[-MAX_LINE_OF_TRACE:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What a function was asked, and what it answered, or how it failed."""

    function: str
    event: object
    answer: Any = None
    error: FunctionError | None = None


class FunctionHost:
    """All warm processes; `extra_environment` says where Snowflake answers."""

    def __init__(
        self,
        cloud: Cloud,
        *,
        bundle_root: Path,
        log_dir: Path,
        extra_environment: Mapping[str, str],
    ) -> None:
        self._cloud = cloud
        self._bundle_root = bundle_root
        self._log_dir = log_dir
        self.extra: Mapping[str, str] = dict(extra_environment)
        self._home = tempfile.TemporaryDirectory(prefix="catflap-home-")
        self._lock = threading.Lock()
        self._idle: dict[str, list[FunctionProcess]] = defaultdict(list)
        self._all: list[FunctionProcess] = []
        self._credentials: dict[str, dict[str, str]] = {}
        self.invocations: list[Invocation] = []

    def invoke(
        self,
        function: DeployedFunction,
        event: object,
        *,
        now: datetime | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Run a function in a warm process or a new one. Raises FunctionError."""
        process = self._take(function)
        name = function.handler.split(".")[1]
        try:
            answer = process.invoke(event, now=now)
        except FunctionError as error:
            self.invocations.append(Invocation(function=name, event=event, error=error))
            raise
        finally:
            with self._lock:
                self._idle[function.arn].append(process)
        self.invocations.append(Invocation(function=name, event=event, answer=answer))
        return answer

    def recycle(self) -> None:
        """End every idle process: the next invocation begins a new one."""
        with self._lock:
            idle = [process for found in self._idle.values() for process in found]
            self._idle.clear()
            self._all = [process for process in self._all if process not in idle]
        for process in idle:
            process.stop()

    def pids(self, function: DeployedFunction) -> list[int]:
        """The processes of a function that are running."""
        with self._lock:
            return [
                process.pid
                for process in self._all
                if process.function.arn == function.arn and process.pid is not None
            ]

    def usage(self, slice_name: str) -> Usage:
        """What all processes of a slice of `lambdas` came to, those that run."""
        found = Usage()
        with self._lock:
            for process in self._all:
                if process.function.handler.split(".")[1] == slice_name:
                    found.invocations += process.usage.invocations
                    found.seconds += process.usage.seconds
                    found.calls += process.usage.calls
        return found

    def log_file(self, function: DeployedFunction) -> Path:
        """Where a function's output goes."""
        return self._log_dir / f"{function.name}.log"

    def environment(self, function: DeployedFunction) -> dict[str, str]:
        """All that a function's process sees."""
        return {
            **function.environment,
            **self._role_credentials(function),
            "AWS_REGION": self._cloud.region,
            "AWS_DEFAULT_REGION": self._cloud.region,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
            "AWS_ENDPOINT_URL": self._cloud.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": self._home.name,
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            **self.extra,
        }

    def stop(self) -> None:
        """End every process; never raises, and may be called again."""
        with self._lock:
            processes, self._all = self._all, []
            self._idle.clear()
            self._credentials.clear()
        for process in processes:
            process.stop()
        self._home.cleanup()

    def _take(self, function: DeployedFunction) -> FunctionProcess:
        with self._lock:
            idle = self._idle[function.arn]
            while idle:
                process = idle.pop()
                if process.function == function and not process.has_died:
                    return process
                # Deployed anew, or dead at rest: Lambda does not keep the old
                # environments either, and invokes none that is gone.
                process.stop()
                self._all.remove(process)
        process = FunctionProcess(
            function,
            environment=self.environment(function),
            bundle_root=self._bundle_root,
            log_file=self.log_file(function),
        )
        with self._lock:
            self._all.append(process)
        return process

    def _role_credentials(self, function: DeployedFunction) -> dict[str, str]:
        with self._lock:
            known = self._credentials.get(function.role_arn)
        if known is not None:
            return known
        access_key, secret_key, token = self._cloud.role_keys(
            function.role_arn, principal=LAMBDA, name=function.name
        )
        made = {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_SESSION_TOKEN": token,
        }
        with self._lock:
            return self._credentials.setdefault(function.role_arn, made)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
