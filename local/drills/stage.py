"""The embedded stack with two healthy datasets, time that passes, and what was told."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.incident import Incident
from lambdas.core.names import MONITOR
from local.aws.invoke import DeployedFunction
from local.drills.alarms import PRINCIPAL, Heartbeat
from local.drills.project import DATASETS, ENVIRONMENT, SECRETS, write_project
from local.drills.source import FIRST_TOKEN, Source
from local.inbox import Mail
from local.stack import EmbeddedStack, Project, synthesize
from project.environment_file import read_project

START = datetime(2026, 3, 2, 6, 3, tzinfo=UTC)
PULL = "lambdas.pull.handler.handle"
FRESHNESS = "lambdas.freshness.handler.handle"
REPAIR = "lambdas.repair.handler.handle"
METRIC = "CatflapHeartbeat"
NAMES = (*DATASETS, MONITOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message, and when it was read."""

    at: datetime
    mail: Mail

    @property
    def is_page(self) -> bool:
        """Whether it woke somebody."""
        return self.mail.subject.startswith(("[page]", "ALARM:"))

    def is_about(self, dataset: str) -> bool:
        """Whether it speaks of that dataset, or of the monitoring itself."""
        if dataset == MONITOR:
            words = ("monitoring", METRIC, "Heartbeat")
            return any(word in self.mail.subject for word in words)
        said = self.mail.subject.replace(":", " ")
        # one message for datasets of one cause counts them, and names them in its body
        if " datasets " in said:
            said = self.mail.body.replace(":", " ").replace("\n", " ")
        return f" {dataset} " in f" {said} "


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An open incident as it stood after a check."""

    at: datetime
    incident: Incident


class Ground:
    """A deployed stack that things are broken in."""

    stack: EmbeddedStack

    @property
    def state_table(self) -> str:
        """The state table's name."""
        return self.function(PULL).environment["STATE_TABLE"]

    def function(self, handler: str) -> DeployedFunction:
        """A deployed function."""
        return self.stack.deployment.function(handler)

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """A client of the embedded AWS, as its administrator."""
        return self.stack.cloud.client(service)


class Stage(Ground):
    """Enter it to start and deploy; `live` lets time pass."""

    def __init__(self, folder: Path) -> None:
        """`folder` gets the project, the templates and the logs."""
        self._folder = folder
        self.project = folder / "project"
        self._opened = ExitStack()
        self.now = START
        self.told: list[Told] = []
        self.seen: list[Seen] = []
        self.checked_at: datetime | None = None
        self.sources = {
            "cats": Source(first=START - timedelta(hours=4), cursor="seen_at"),
            "dogs": Source(first=START - timedelta(hours=4), cursor="id"),
        }
        self.incidents: IncidentTable
        self.heartbeat: Heartbeat

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._open(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def step(self, until: datetime) -> bool:
        """Live until something is due, or to `until`; False once that is reached."""
        due = self.stack.fabric.next_due()
        moment = until if due is None or due > until else due
        self.now = moment
        self.stack.set_clock(moment)
        for source in self.sources.values():
            source.release(moment)
        checks = self._checks()
        self.stack.fabric.tick(moment)
        self.stack.fabric.drain(moment)
        self.heartbeat.evaluate(moment)
        self.told.extend(
            Told(at=moment, mail=mail) for mail in self.stack.topics.read()
        )
        if self._checks() > checks:
            self.checked_at = moment
            self.seen.extend(
                Seen(at=moment, incident=incident) for incident in self.open_incidents()
            )
        return moment < until

    def live(self, time: timedelta) -> None:
        """Let time pass."""
        until = self.now + time
        while self.step(until):
            pass

    def open_incidents(self) -> list[Incident]:
        """Those of the datasets and of the monitoring itself."""
        found = [self.incidents.open_incident(name) for name in NAMES]
        return [incident for incident in found if incident is not None]

    def has_checked_since(self, moment: datetime) -> bool:
        """Whether a check was made after `moment`."""
        return self.checked_at is not None and self.checked_at > moment

    def _checks(self) -> int:
        return sum(one.function == "freshness" for one in self.stack.host.invocations)

    def _open(self, opened: ExitStack) -> None:
        for source in self.sources.values():
            source.server.start()
            opened.callback(source.server.stop)
        root, assembly = self.project, self._folder / "cdk.out"
        urls = {name: source.server.url for name, source in self.sources.items()}
        write_project(root, base_urls=urls)
        synthesize(assembly, root=root, environment=ENVIRONMENT)
        environment, catalogue = read_project(root, ENVIRONMENT)
        self.stack = opened.enter_context(
            EmbeddedStack(
                project=Project(environment=environment, catalogue=catalogue),
                assembly=assembly,
                folder=self._folder,
                start=START,
            )
        )
        # What is drilled is the diagnosis: repaired meanwhile, nothing would be late.
        self.stack.deployment.resting |= {"*-repair/*"}
        for name in SECRETS.values():
            self.client("secretsmanager").create_secret(
                Name=name, SecretString=json.dumps({"token": FIRST_TOKEN})
            )
        self.incidents = IncidentTable(
            dynamodb=self.client("dynamodb"), table=self.state_table
        )
        self.heartbeat = Heartbeat(
            cloudwatch=self.client("cloudwatch"),
            sns=self.stack.cloud.service_client(PRINCIPAL, "sns"),
            metric=METRIC,
            log=self.stack.host.log_file(self.function(FRESHNESS)),
        )
