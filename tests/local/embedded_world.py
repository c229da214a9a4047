"""An embedded stack driven by hand: time passes when a test says so."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from lambdas.adapters.state.runs import StateTable
from lambdas.core.landing.names import RAW
from local.aws.deploy import Deployment
from local.aws.fabric import Fabric
from local.aws.invoke import DeployedFunction, FunctionHost
from local.scenarios.comparison import Comparison, canonical, compare, landed, released
from local.stack import EmbeddedStack
from local.upstream import Upstream

PULL = "lambdas.pull.handler.handle"
FRESHNESS = "lambdas.freshness.handler.handle"
REPAIR = "lambdas.repair.handler.handle"
REPORTS = "lambdas.reports.handler.handle"


@dataclass(kw_only=True)
class World:
    """A deployed stack, its upstream, and the time in both.

    Only pulls come by schedule; checks are made when a test asks for one.
    """

    root: Path
    """Of the project."""
    stack: EmbeddedStack
    upstream: Upstream
    now: datetime
    fabric: Fabric

    def advance(self, by: timedelta) -> None:
        """Live through every tick in that time.

        Upstream shows what it did at the last tick, so that a table can be whole.
        """
        end = self.now + by
        while (due := self.fabric.next_tick()) is not None and due <= end:
            self.move(due)
            self.fabric.tick(due)
            self.fabric.drain(due)
        self.now = end
        self.stack.set_clock(end)
        self.fabric.drain(end)

    def move(self, to: datetime) -> None:
        """Let it be `to`, and let the rows of that time appear upstream."""
        self.now = to
        self.stack.set_clock(to)
        self.upstream.release(to)

    def wait(self, by: timedelta) -> int:
        """Let time pass in which no schedule fires; how many messages came."""
        self.move(self.now + by)
        before = self.fabric.counters.messages
        self.fabric.drain(self.now)
        return self.fabric.counters.messages - before

    def send(self, dataset: str, *, due_at: datetime | None = None) -> None:
        """Queue a tick, as the dataset's schedule does."""
        queue = self.function(PULL).environment["PULLS_QUEUE_URL"]
        due = (due_at or self.now).isoformat()
        body = {"dataset": dataset, "reason": "schedule", "due_at": due}
        self.stack.cloud.client("sqs").send_message(
            QueueUrl=queue,
            MessageBody=orjson.dumps(body).decode(),
            MessageGroupId=dataset,
        )

    def check(self) -> dict[str, Any]:
        """Make a freshness check now; what it answered. Raises FunctionError."""
        event = {"reason": "schedule", "due_at": self.now.isoformat()}
        answer: dict[str, Any] = self.stack.host.invoke(
            self.function(FRESHNESS), event, now=self.now
        )
        self.fabric.drain(self.now)
        return answer

    def repair(self) -> dict[str, Any]:
        """Let the repair function look now; what it answered. Raises FunctionError."""
        event = {"reason": "schedule", "due_at": self.now.isoformat()}
        answer: dict[str, Any] = self.stack.host.invoke(
            self.function(REPAIR), event, now=self.now
        )
        self.fabric.drain(self.now)
        return answer

    def function(self, handler: str) -> DeployedFunction:
        return self.stack.deployment.function(handler)

    def log(self, handler: str) -> str:
        """All that a function has written so far."""
        path = self.stack.host.log_file(self.function(handler))
        return path.read_text() if path.exists() else ""

    def state(self) -> StateTable:
        """The state table, read by an administrator."""
        return StateTable(
            dynamodb=self.stack.cloud.client("dynamodb"),
            table=self.function(PULL).environment["STATE_TABLE"],
        )

    def objects(self, dataset: str) -> list[str]:
        """Keys of what is visible of a dataset."""
        answer = self.stack.cloud.client("s3").list_objects_v2(
            Bucket=self.stack.bucket(), Prefix=f"{RAW}{dataset}/"
        )
        return [item["Key"] for item in answer.get("Contents", [])]

    def compared(self, dataset: str) -> Comparison:
        """Upstream, landing zone and table, by primary key and content."""
        return compared(self.stack, self.upstream, dataset)


def compared(stack: EmbeddedStack, upstream: Upstream, dataset: str) -> Comparison:
    """Upstream, landing zone and table, by primary key and content."""
    database = stack.project.environment.snowflake.database
    rows = stack.warehouse(f"SELECT PAYLOAD FROM {database}.RAW.{dataset.upper()}")
    return compare(
        dataset,
        upstream=released(upstream.tables[dataset]),
        landed_records=landed(stack.cloud.client("s3"), stack.bucket(), dataset),
        table_records=[canonical(orjson.loads(row[0])) for row in rows],
        primary_key="id",
    )


def pulls_only(deployment: Deployment) -> Deployment:
    """A deployment in which only pulls come by schedule."""
    return dataclasses.replace(
        deployment,
        resources={
            key: one
            for key, one in deployment.resources.items()
            if not (
                one.type == "AWS::Scheduler::Schedule"
                and key[0].endswith(("-freshness", "-repair", "-reports"))
            )
        },
    )


def fabric_of(
    stack: EmbeddedStack,
    *,
    now: datetime,
    host: FunctionHost | None = None,
    duplicate_messages: bool = False,
) -> Fabric:
    """A fabric of its own for a deployed stack, with the pulls' schedules alone."""
    return Fabric(
        cloud=stack.cloud,
        deployment=pulls_only(stack.deployment),
        host=host or stack.host,
        snowpipe=stack.snowflake,
        started_at=now,
        duplicate_messages=duplicate_messages,
    )


def pids_alive(pids: list[int]) -> list[int]:
    """Those that still run; a zombie does not."""
    return [pid for pid in pids if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
