"""The embedded Snowflake, as its user sees it: start, use, stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, cast
from urllib.parse import urlsplit

import snowflake.connector
import urllib3

QUEUE = "sf-snowpipe-embedded"
"""The name of the queue that topics tell of objects."""

_STOP_AFTER_S = 10


class Aws(Protocol):
    """What is used of `local.aws.cloud.Cloud`."""

    region: str

    @property
    def endpoint_url(self) -> str:
        """Where it answers."""

    def administrator_keys(self) -> tuple[str, str]:
        """Access key and secret key of its administrator."""


class EmbeddedSnowflake:
    """A Snowflake account in a child process, loading from the embedded AWS.

    Start it before anything of it is deployed: its user and its queue have to exist
    in that AWS. The child ends with `stop`, or with this process.
    """

    queue = QUEUE

    def __init__(
        self,
        endpoint_url_of_aws: str,
        *,
        region: str = "us-east-1",
        access_key: str = "test",
        secret_key: str = "test",  # noqa: S107 - moto's, not a secret
    ) -> None:
        self._aws = endpoint_url_of_aws
        self._region = region
        self._keys = {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
        }
        self._child: subprocess.Popen[str] | None = None
        self._http = urllib3.PoolManager(retries=False)
        self._url = ""

    @classmethod
    def beside(cls, aws: Aws) -> Self:
        """With the keys of an AWS's administrator, to make Snowflake's user there."""
        access_key, secret_key = aws.administrator_keys()
        return cls(
            aws.endpoint_url,
            region=aws.region,
            access_key=access_key,
            secret_key=secret_key,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child and wait until it answers. RuntimeError if it does not."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SNOWFLAKE_"))
        }
        command = [
            sys.executable, "-m", "local.snowflake.server",
            "--aws", self._aws, "--region", self._region,
        ]  # fmt: skip
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | self._keys,
            text=True,
            # An interruption at the terminal is its parent's, who ends it in order.
            start_new_session=True,
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("the embedded Snowflake did not start; see stderr")
        self._url = f"http://127.0.0.1:{json.loads(line)['port']}"

    def stop(self) -> None:
        """End the child. Doing it again changes nothing."""
        child, self._child = self._child, None
        self._http.clear()
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_STOP_AFTER_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    @property
    def endpoint_url(self) -> str:
        """What `SNOWFLAKE_ENDPOINT_URL` is set to."""
        return self._url

    def environment(self) -> Mapping[str, str]:
        """What a function's process needs to come here.

        The connector sends an attestation of its AWS role only to hosts it knows; this
        variable, read from the process's environment alone, is its own way to add one
        (snowflake-connector-python, auth/workload_identity.py).
        """
        return {
            "SNOWFLAKE_ENDPOINT_URL": self._url,
            "SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES": "127.0.0.1",
        }

    def administrator(
        self,
        *,
        role: str = "ACCOUNTADMIN",
        warehouse: str | None = None,
        database: str | None = None,
    ) -> snowflake.connector.SnowflakeConnection:
        """A session of the account's administrator."""
        where = urlsplit(self._url)
        return snowflake.connector.connect(
            account="embedded",
            user="ADMINISTRATOR",
            password="embedded",  # noqa: S106 - the embedded account checks none
            role=role,
            warehouse=warehouse,
            database=database,
            protocol=where.scheme,
            host=where.hostname,
            port=where.port,
            session_parameters={"CLIENT_TELEMETRY_ENABLED": False},
        )

    def administer(
        self,
        statements: Iterable[str],
        *,
        role: str = "ACCOUNTADMIN",
        warehouse: str | None = None,
    ) -> list[tuple[Any, ...]]:
        """Run statements as the account's administrator; the last one's rows."""
        connection = self.administrator(role=role, warehouse=warehouse)
        rows: list[tuple[Any, ...]] = []
        with closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def set_clock(self, moment: datetime) -> None:
        """Let the account's time go on from `moment`, aware."""
        if moment.tzinfo is None:
            raise ValueError(f"an aware time is needed, not {moment!r}")
        self._post("clock", {"now": moment.isoformat()})

    def deliver(self, *, is_told: bool = True) -> int:
        """Let Snowpipe take what was announced, and what waits in its pipes; the
        number of files it tried. Unless `is_told`, nothing is announced.
        """
        return cast("int", self._post("deliver", {"is_told": is_told})["files"])

    def fill(self, statements: Sequence[str]) -> None:
        """Run DuckDB statements as they are, to make many tables at once."""
        self._post("fill", {"statements": list(statements)})

    def save(self, folder: Path) -> None:
        """Keep tables, loads and what pipes remember in an empty folder."""
        self._post("snapshot", {"act": "save", "folder": str(folder.resolve())})

    def restore(self, folder: Path) -> None:
        """Put back what `save` kept, into what is deployed."""
        self._post("snapshot", {"act": "restore", "folder": str(folder.resolve())})

    def _post(self, route: str, body: Mapping[str, object]) -> Mapping[str, object]:
        answer = self._http.request("POST", f"{self._url}/embedded/{route}", json=body)
        if answer.status != 200:  # noqa: PLR2004 - HTTP OK
            raise RuntimeError(
                f"the embedded Snowflake answered {answer.status} to {route}: "
                f"{answer.data.decode(errors='replace')[:500]}"
            )
        return cast("Mapping[str, object]", answer.json())
