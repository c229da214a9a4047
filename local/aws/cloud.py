"""The embedded AWS: moto behind strict shims, in one child process, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

import boto3
import botocore.session
from botocore.config import Config

from local.aws.cloud_server import CONTROL
from local.aws.strict.grants_used import FILE

REPOSITORY = Path(__file__).resolve().parents[2]
ADMIN = "catflap-embedded-admin"

# Connections are kept open, and a fault on loopback is a fault: no silent retries.
CLIENT_CONFIG = Config(
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=16,
    s3={"addressing_style": "path"},
)


class CloudNotStarted(Exception):
    """The embedded AWS did not come up; the text says where its log is."""


class Cloud:
    """Starts and stops the embedded AWS, and gives clients of it.

    `strict=False` leaves the shims out: for tests that show what they are for.
    Credentials of an administrator are made on start; IAM is enforced from then on,
    unless it is switched off.
    """

    def __init__(
        self,
        *,
        log_file: Path,
        account: str = "123456789012",
        region: str = "us-east-1",
        strict: bool = True,
    ) -> None:
        self.account = account
        self.region = region
        self._strict = strict
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint_url: str | None = None
        self._sessions: dict[str, boto3.Session] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """Where it answers: for `AWS_ENDPOINT_URL`."""
        if self._endpoint_url is None:
            raise CloudNotStarted("the embedded AWS is not running: call start() first")
        return self._endpoint_url

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, wait until it answers, make the administrator.

        Raises CloudNotStarted with the end of its log.
        """
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.aws.cloud_server"],
                cwd=REPOSITORY,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        settings = {"account": self.account, "strict": self._strict}
        to_child, from_child = _pipes(self._process)
        to_child.write(json.dumps(settings).encode() + b"\n")
        to_child.flush()
        line = from_child.readline()
        if not line:
            self.stop()
            tail = self._log_file.read_text()[-2000:]
            raise CloudNotStarted(
                f"the embedded AWS ended before it answered; {self._log_file}:\n{tail}"
            )
        self._endpoint_url = f"http://127.0.0.1:{json.loads(line)['port']}"
        self._sessions["admin"] = self._make_user(ADMIN)
        self.enforce_iam(on=True)

    def stop(self) -> None:
        """End the process; never raises, and may be called again."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._sessions.clear()
        process, self._process, self._endpoint_url = self._process, None, None
        if process is None:
            return
        to_child, from_child = _pipes(process)
        to_child.close()  # which it takes as the end
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        from_child.close()

    def administrator_keys(self) -> tuple[str, str]:
        """The administrator's access key and its secret, for a process beside it."""
        found = self._sessions["admin"].get_credentials()
        if found is None:
            raise CloudNotStarted("there is no administrator: call start() first")
        return str(found.access_key), str(found.secret_key)

    def set_clock(self, now: datetime) -> None:
        """From now on it is `now` (aware) inside. Only while nothing is in flight."""
        if now.tzinfo is None:
            raise ValueError(f"an aware time is needed, not {now!r}")
        self._control("clock", now.isoformat())

    def enforce_iam(self, *, on: bool) -> None:
        """Check every call against the caller's policies, or none."""
        self._control("iam", "on" if on else "off")

    def duplicate_events(self, *, on: bool) -> None:
        """Send every event of a bucket twice, or once: S3 promises at-least-once."""
        self._control("duplicate-events", "on" if on else "off")

    def keep_stack(self, name: str, stack_id: str, status: str) -> None:
        """Let DescribeStacks say that of a stack."""
        told = {
            "account": self.account,
            "region": self.region,
            "name": name,
            "id": stack_id,
            "status": status,
        }
        self._control("stack", json.dumps(told))

    def waiting_queues(self) -> frozenset[str]:
        """The names of queues that hold a visible message: to ask the others for one,
        one by one, would take most of the time in which nothing happens.
        """
        return frozenset(self._control("waiting-queues").split())

    def hidden_messages(self) -> dict[str, datetime]:
        """When the first hidden message is visible again, by queue."""
        lines = self._control("hidden-messages").splitlines()
        pairs = [line.split(" ", 1) for line in lines]
        return {name: datetime.fromisoformat(at) for name, at in pairs}

    def messages(self) -> list[dict[str, str | None]]:
        """All that wait in queues, hidden or not: `queue`, `body`, `group`."""
        found: list[dict[str, str | None]] = json.loads(self._control("messages"))
        return found

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """A client with the administrator's credentials; one per service is kept."""
        return self._client("admin", service)

    def service_client(self, principal: str, service: str) -> Any:  # noqa: ANN401 - as above
        """A client that acts as an AWS service, which roles trust."""
        if principal not in self._sessions:
            self._sessions[principal] = self._make_user(principal)
        return self._client(principal, service)

    def role_keys(
        self, role_arn: str, *, principal: str, name: str
    ) -> tuple[str, str, str]:
        """Access key, secret key and token of a role, taken as the service
        `principal` takes it.

        Raises botocore's ClientError if the role does not trust that service.
        """
        taken = self.service_client(principal, "sts").assume_role(
            RoleArn=role_arn, RoleSessionName=name[:64]
        )["Credentials"]
        return taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"]

    def role_client(self, role_arn: str, service: str, *, principal: str) -> Any:  # noqa: ANN401 - as above
        """A client with a role's credentials; one per role and service is kept."""
        owner = f"{principal} as {role_arn}"
        if owner not in self._sessions:
            keys = self.role_keys(role_arn, principal=principal, name="embedded")
            self._sessions[owner] = self._session(*keys)
        return self._client(owner, service)

    def _client(self, owner: str, service: str) -> Any:  # noqa: ANN401 - as above
        key = (owner, service)
        if key not in self._clients:
            make: Callable[..., Any] = self._sessions[owner].client
            self._clients[key] = make(
                service, endpoint_url=self.endpoint_url, config=CLIENT_CONFIG
            )
        return self._clients[key]

    def _make_user(self, name: str) -> boto3.Session:
        """An IAM user that may do everything (a service's limits are the roles)."""
        first = self._session("AKIA0000000000000000", "before-any-user", None)
        maker = self._sessions.get("admin", first).client(
            "iam", endpoint_url=self.endpoint_url, config=CLIENT_CONFIG
        )
        maker.create_user(UserName=name)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        maker.put_user_policy(
            UserName=name,
            PolicyName="everything",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [everything]}
            ),
        )
        key = maker.create_access_key(UserName=name)["AccessKey"]
        maker.close()
        return self._session(key["AccessKeyId"], key["SecretAccessKey"], None)

    def _session(self, access: str, secret: str, token: str | None) -> boto3.Session:
        """These credentials, and nothing of the machine's own AWS configuration."""
        alone = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        return boto3.Session(
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            aws_session_token=token,
            region_name=self.region,
            botocore_session=alone,
        )

    def _control(self, route: str, body: str = "") -> str:
        request = urllib.request.Request(  # noqa: S310 - our own loopback URL
            f"{self.endpoint_url}{CONTROL}{route}", data=body.encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return str(answer.read().decode())


def _environment() -> dict[str, str]:
    """What the process inherits: enough to run Python, and no credentials."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", FILE)
    return {name: os.environ[name] for name in kept if name in os.environ}


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise CloudNotStarted("the embedded AWS was started without pipes")
    return process.stdin, process.stdout
