"""A deployment's life: deploys, changes, failures, an end and another beginning. After
each step the rows of every dataset are compared by content: none lost, none doubled.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import app
from lambdas.core.pull.commit import EDGE_IN_STATE
from local.aws.cloudformation import CloudFormation, StackFailed
from local.loopback import Answer, Asked, LoopbackServer
from local.stack import EmbeddedStack, Project
from project.environment_file import read_project
from tests.local.conftest import STORY_STARTS
from tests.local.embedded_world import REPAIR, fabric_of

HOUR = timedelta(hours=1)
DEV = yaml.safe_load((app.ROOT / "environments" / "dev.yaml").read_text())
UNBUNDLED: dict[str, object] = {"aws:cdk:bundling-stacks": []}


@dataclass(kw_only=True)
class Life:
    """A project that a test edits, what it is deployed to, and its upstream."""

    root: Path
    url: str
    records: dict[str, list[dict[str, object]]]
    opened: ExitStack
    now: Any = STORY_STARTS
    environment: dict[str, Any] = field(
        default_factory=lambda: json.loads(json.dumps(DEV))
    )
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    topic_name: str | None = None
    syntheses: int = 0
    stack: EmbeddedStack = field(init=False)

    def declare(self, name: str, **changes: object) -> None:
        """Write a dataset, or change keys of it."""
        self.datasets[name] = {
            "description": "made up",
            "owner": {"team": "data-eng"},
            "source": {
                "client": {"base_url": self.url},
                "endpoint": {
                    "path": name,
                    "paginator": {"type": "single_page"},
                    "incremental": {"cursor_path": "seen"},
                },
            },
            "primary_key": ["id"],
            "write_disposition": "append",
            "schedule": {"rate": "1 hour"},
            "columns": {"id": "integer", "name": "string"},
        } | {**self.datasets.get(name, {}), **changes}
        self.records.setdefault(name, [])

    def written(self, *, environment: str = "dev") -> tuple[Project, Path]:
        """The project as it is now, and its templates."""
        for folder in ("environments", "datasets", "apis"):
            (self.root / folder).mkdir(exist_ok=True)
        for old in (self.root / "datasets").glob("*.yaml"):
            old.unlink()
        for name, one in self.datasets.items():
            (self.root / "datasets" / f"{name}.yaml").write_text(yaml.safe_dump(one))
        file = self.root / "environments" / f"{environment}.yaml"
        file.write_text(yaml.safe_dump(self.environment))
        self.syntheses += 1
        out = self.root / f"cdk.out.{self.syntheses}"
        context = {**UNBUNDLED, "env": environment}
        app.build(root=self.root, outdir=out, context=context).synth()
        if self.topic_name is not None:
            self._name_topic(out / f"catflap-{environment}-landing.template.json")
        known, catalogue = read_project(self.root, environment)
        return Project(environment=known, catalogue=catalogue), out

    def _name_topic(self, template: Path) -> None:
        """As a version of ours would whose topic has a name."""
        said = json.loads(template.read_text())
        (topic,) = (
            one
            for one in said["Resources"].values()
            if one["Type"] == "AWS::SNS::Topic"
        )
        topic["Properties"]["TopicName"] = self.topic_name
        template.write_text(json.dumps(said))

    def begin(self) -> None:
        project, out = self.written()
        self.stack = self.opened.enter_context(
            EmbeddedStack(
                project=project, assembly=out, folder=self.root, start=self.now
            )
        )

    def deploy(self) -> set[str]:
        """Deploy what is declared now; the types that changed."""
        changed = self.stack.update(*self.written())
        return {one.partition("(")[2].rstrip(")") for one in changed}

    def live(self) -> None:
        """New rows appear, an hour passes, every dataset is pulled and loaded."""
        self.now += HOUR
        for name, rows in self.records.items():
            number = len(rows) + 1
            rows.append({"id": number, "name": f"{name} {number}", "seen": number})
        self.stack.set_clock(self.now)
        fabric = fabric_of(self.stack, now=self.now)
        pull = self.stack.deployment.function("lambdas.pull.handler.handle")
        for name in self.datasets:
            self.stack.cloud.client("sqs").send_message(
                QueueUrl=pull.environment["PULLS_QUEUE_URL"],
                MessageGroupId=name,
                MessageBody=json.dumps(
                    {
                        "dataset": name,
                        "reason": "schedule",
                        "due_at": self.now.isoformat(),
                    }
                ),
            )
        fabric.drain(self.now)

    def repair(self) -> None:
        """A tick of the function that finds what landed and was not loaded."""
        self.stack.host.invoke(
            self.stack.deployment.function(REPAIR),
            {"reason": "schedule", "due_at": self.now.isoformat()},
            now=self.now,
        )
        fabric_of(self.stack, now=self.now).drain(self.now)

    def faults(self) -> dict[str, object]:
        """Datasets whose relation is not what upstream has, and how it differs."""
        found: dict[str, object] = {}
        for name in self.datasets:
            here = self.rows(f"ANALYTICS.{name.upper()}", "ID, NAME")
            there = Counter((one["id"], one["name"]) for one in self.records[name])
            if here != there:
                found[name] = {"lost": there - here, "doubled": here - there}
        return found

    def rows(self, table: str, columns: str) -> Counter[Any]:
        rows = self.stack.warehouse(f"SELECT {columns} FROM {self.database}.{table}")
        return Counter((int(row[0]), row[1]) for row in rows)

    @property
    def database(self) -> str:
        return self.stack.project.environment.snowflake.database

    def topic(self) -> str:
        landing = self.stack.deployment.outputs["catflap-dev-landing"]
        (found,) = (str(one) for name, one in landing.items() if "RefLanded" in name)
        return found

    def status(self, part: str) -> str:
        return self.stack.cloudformation.stacks[f"catflap-dev-{part}"].status


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    records: dict[str, list[dict[str, object]]] = {}

    def answer(asked: Asked) -> Answer:
        return Answer(body=json.dumps(records[asked.path.strip("/")]).encode())

    with LoopbackServer(answer) as server, ExitStack() as opened:
        made = Life(root=tmp_path, url=server.url, records=records, opened=opened)
        for name in ("cats", "dogs", "birds"):
            made.declare(name)
        made.declare("dogs", write_disposition="merge")
        made.begin()
        yield made


def add_one(life: Life) -> None:
    life.declare("fish", write_disposition="merge")


def change_a_schedule(life: Life) -> None:
    life.declare("cats", schedule={"cron": "5 * * * ? *"})


def change_a_promise(life: Life) -> None:
    life.declare("cats", freshness={"error_after": {"count": 12, "period": "hour"}})


def change_a_column(life: Life) -> None:
    life.declare("cats", columns={"id": "integer", "name": "string", "seen": "integer"})


def change_a_primary_key(life: Life) -> None:
    life.declare("dogs", primary_key=["name"])


def change_the_prefix(life: Life) -> None:
    life.declare("birds", freshness={"loaded_at_field": "seen_at"})


def change_the_database(life: Life) -> None:
    """The repairer's role is named after it, and made by whoever bootstraps."""
    life.environment["snowflake"]["database"] = "CATFLAP_OTHER"
    bootstrap(life)


def change_the_warehouse(life: Life) -> None:
    life.environment["snowflake"]["warehouse"] = "CATFLAP_LARGE"
    bootstrap(life)


def bootstrap(life: Life) -> None:
    project, _ = life.written()
    steps = project.environment.snowflake_account.bootstrap()
    life.stack.snowflake.administer(
        [text for step in steps for text in step.statements]
    )


CHANGES: Mapping[Callable[[Life], None], frozenset[str]] = {
    add_one: frozenset(
        {
            "AWS::Scheduler::Schedule",
            "Custom::CatflapCatalogue",
            "Custom::CatflapObjects",
        }
    ),
    change_a_schedule: frozenset({"AWS::Scheduler::Schedule"}),
    change_a_promise: frozenset(),
    change_a_column: frozenset(),
    change_a_primary_key: frozenset(),
    change_the_warehouse: frozenset({"AWS::Lambda::Function"}),
    change_the_database: frozenset({"AWS::Lambda::Function"}),
    # after the database: a new one loads what landed below the prefix of now
    change_the_prefix: frozenset(),
}
"""And what of AWS each touches, besides what is published and Snowflake's objects."""


@pytest.mark.long
def test_no_change_of_a_deployment_loses_or_doubles_a_row(life: Life) -> None:
    life.live()
    assert life.faults() == {}
    for change, touched in CHANGES.items():
        change(life)
        types = life.deploy()
        assert types >= touched, change.__name__
        if "AWS::Lambda::Function" not in touched:
            assert "AWS::Lambda::Function" not in types, change.__name__
        life.live()
        assert life.faults() == {}, change.__name__


def test_one_bad_dataset_fails_a_deploy_by_name_and_stops_nobody_else(
    life: Life,
) -> None:
    life.live()
    in_the_way = f"{life.database}.ANALYTICS.FISH"
    life.stack.warehouse(f"CREATE TABLE {in_the_way} (ID int)")
    before = dict(life.datasets)
    life.declare("fish")
    life.declare("mice")
    with pytest.raises(StackFailed, match="fish") as failed:
        life.deploy()
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    # the other was made, and stays; functions have the datasets of before
    assert life.rows("ANALYTICS.MICE", "ID, NAME") == Counter()
    wanted, life.datasets = life.datasets, before
    life.live()
    assert life.faults() == {}

    life.stack.warehouse(f"DROP TABLE {in_the_way}")
    gone = {"cats": wanted.pop("cats")}
    life.datasets = wanted
    life.deploy()
    assert not [one for one in life.stack.deployment.schedules if "cats" in one.name]
    rows = life.records.pop("cats")
    life.live()
    assert life.faults() == {}
    life.datasets, life.records["cats"] = gone, rows
    assert life.faults() == {}


@pytest.mark.long
def test_snowflake_away_in_an_update_and_in_its_rollback_leaves_what_can_be_deployed(
    life: Life,
) -> None:
    life.live()
    life.declare("mice")
    here = life.stack.host.extra
    life.stack.host.extra = {**here, "SNOWFLAKE_ENDPOINT_URL": "http://127.0.0.1:1"}
    with pytest.raises(StackFailed) as failed:
        life.deploy()
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    life.stack.host.extra = here
    life.stack.host.recycle()
    life.deploy()
    life.live()
    assert life.faults() == {}


@pytest.mark.long
def test_another_environment_an_end_and_another_beginning(life: Life) -> None:
    life.live()
    cloud, host = life.stack.cloud, life.stack.host
    own = life.environment
    life.environment = json.loads(
        json.dumps(own).replace("CATFLAP_DEV", "CATFLAP_TWO").replace("/slack", "/two")
    )
    project, out = life.written(environment="two")
    steps = project.environment.snowflake_account.bootstrap()
    life.stack.snowflake.administer(
        [text for step in steps for text in step.statements]
    )
    beside = CloudFormation(
        cloud=cloud, host=host, names=life.stack.cloudformation.names
    )
    beside.deploy(out)
    assert {stack.status for stack in beside.stacks.values()} == {"CREATE_COMPLETE"}
    life.environment = own
    life.live()
    assert life.faults() == {}
    bucket = life.stack.bucket()
    with pytest.raises(StackFailed, match="not empty"):
        life.stack.cloudformation.destroy()
    assert life.status("landing") == "DELETE_FAILED"
    empty(life, bucket)
    life.stack.cloudformation.destroy()
    known = life.stack.project.environment.snowflake_account
    life.stack.snowflake.administer(
        [
            text
            for step in (*known.teardown(), *known.bootstrap())
            for text in step.statements
        ]
    )
    life.deploy()
    life.live()
    assert life.faults() == {}


@pytest.mark.long
def test_pipes_that_outlived_their_topic_listen_to_the_next_one(life: Life) -> None:
    """Whoever destroys and deploys again without the teardown SQL."""
    for name in life.datasets:
        life.declare(name, write_disposition="merge")
    life.deploy()
    life.live()
    before = life.topic()
    empty(life, life.stack.bucket())
    life.stack.cloudformation.destroy()
    life.deploy()
    assert life.topic() != before
    life.live()
    assert life.faults() == {}


@pytest.mark.long
def test_with_another_topic_pipes_are_made_anew_and_nothing_is_loaded_twice(
    life: Life,
) -> None:
    """Two of the datasets are `append`: whatever a new pipe loaded again would show."""
    life.live()
    before, life.topic_name = life.topic(), "catflap-dev-landed"
    with pytest.raises(StackFailed, match="in use by catflap-dev-repair"):
        life.deploy()
    assert life.topic() == before
    life.live()
    assert life.faults() == {}

    for user_of_the_topic in ("repair", "warehouse"):
        life.stack.cloudformation.delete(f"catflap-dev-{user_of_the_topic}")
    life.live()
    life.deploy()
    assert life.topic() != before
    assert set(life.faults()) == set(life.datasets)  # nobody heard of what landed
    life.live()
    life.repair()
    assert life.faults() == {}


@pytest.mark.long
def test_more_rows_at_one_cursor_than_an_item_holds_are_loaded_once(
    life: Life,
) -> None:
    """Their keys stand on S3, and go once the cursor has moved on."""
    number = EDGE_IN_STATE + 1
    life.records["cats"] = [
        {"id": one, "name": f"cats {one}", "seen": number + 1}
        for one in range(1, number + 1)
    ]
    for _ in range(3):
        life.live()
        assert life.faults() == {}


def empty(life: Life, bucket: str) -> None:
    s3 = life.stack.cloud.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
