"""The embedded AWS, started once; a folder of handlers; assemblies written by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.cloud import Cloud
from local.aws.invoke import FunctionHost
from local.scenarios.flights_alone import NAMES
from local.stack import EmbeddedStack, read
from local.upstream import TABLES, Column, Row, Upstream, read_rows
from tests.local.cdk_cli import cdk_cli
from tests.local.embedded_world import World, fabric_of
from tests.local.shell import shell
from tests.synthesis import Synthesized

__all__ = ["cdk_cli", "shell"]

STORY_STARTS = datetime(2013, 1, 1, 12, tzinfo=UTC)
DAYS_OF_ROWS = timedelta(days=3)

HANDLERS = """
import datetime, json, os, sys, time, urllib.request
import boto3

def _count(name):
    path = os.environ.get("COUNT_FILE")
    if path:
        with open(path, "a") as file:
            file.write(name + "\\n")

def environment(event, context):
    print("what a handler prints goes nowhere near its answer")
    os.write(1, b"nor what it writes to descriptor 1\\n")
    return dict(os.environ)

def clock(event, context):
    return {
        "now": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "left": context.get_remaining_time_in_millis(),
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "pid": os.getpid(),
    }

def crash(event, context):
    if event.get("how") == "kill":
        os.kill(os.getpid(), 9)
    if event.get("how") == "sleep":
        time.sleep(60)
    if event.get("how") == "raise":
        raise LookupError("no such cat")
    return os.getpid()

def put(event, context):
    boto3.client("s3").put_object(Bucket=event["bucket"], Key=event["key"], Body=b"x")

def queue(event, context):
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        _count(f"{body['dataset']} {record['attributes']['ApproximateReceiveCount']}")
        if body["dataset"] == "broken":
            failures.append({"itemIdentifier": record["messageId"]})
        if body["dataset"] == "raises":
            raise ValueError("raised")
    return {"batchItemFailures": failures}

def fail(event, context):
    _count("fail")
    raise RuntimeError("always")

def custom(event, context):
    _count(event["RequestType"])
    properties = event["ResourceProperties"]
    if properties.get("Silent"):
        return
    kind = event["RequestType"]
    failed = kind != "Delete" and properties.get("Fail") == "true"
    failed = failed or kind == "Update" and "FailUpdates" in properties
    body = json.dumps({
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": "asked to",
        "PhysicalResourceId": "the-one",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Number": properties["Number"], "Type": event["ResourceType"]},
    }).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    urllib.request.urlopen(request).read()
"""

ADMITS_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            # the stand-in alone knows no services
            "Principal": {"AWS": "*", "Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    log = tmp_path_factory.mktemp("cloud") / "aws.log"
    with Cloud(log_file=log) as started:
        yield started


@pytest.fixture(scope="session")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The stand-in as it is, without the shims."""
    log = tmp_path_factory.mktemp("lenient") / "aws.log"
    with Cloud(log_file=log, strict=False) as started:
        yield started


_numbers = itertools.count()


@pytest.fixture
def unique() -> str:
    """A part of a name that no other test has."""
    return f"t{next(_numbers)}"


@pytest.fixture
def host(cloud: Cloud, tmp_path: Path) -> Iterator[FunctionHost]:
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "handlers.py").write_text(HANDLERS)
    made = FunctionHost(
        cloud,
        bundle_root=root,
        log_dir=tmp_path / "logs",
        extra_environment={"COUNT_FILE": str(tmp_path / "counts")},
    )
    yield made
    made.stop()


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """The lines that handlers wrote."""
    path = tmp_path / "counts"
    path.touch()
    return path


@dataclass(kw_only=True)
class Assembly:
    """A cloud assembly as `cdk synth` writes it."""

    folder: Path
    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    dependencies: dict[str, list[str]] = field(default_factory=dict)

    def write(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        artifacts = {}
        for name, template in self.stacks.items():
            file = f"{name}.template.json"
            (self.folder / file).write_text(json.dumps(template))
            artifacts[name] = {
                "type": "aws:cloudformation:stack",
                "environment": "aws://unknown-account/unknown-region",
                "properties": {"templateFile": file},
                "dependencies": self.dependencies.get(name, []),
            }
        (self.folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
        return self.folder


@pytest.fixture
def assembly(tmp_path: Path) -> Assembly:
    return Assembly(folder=tmp_path / "cdk.out")


def statement(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def role(*statements: Mapping[str, Any], service: str = "lambda") -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": f"{service}.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "inline",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": list(statements),
                    },
                }
            ]
            if statements
            else [],
        },
    }


def function(handler: str, role_id: str = "Role", **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Handler": f"handlers.{handler}",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": [role_id, "Arn"]},
            "Code": {"S3Bucket": "assets", "S3Key": "x.zip"},
            "Timeout": 20,
            **more,
        },
    }


def error_of(call: Any, **arguments: Any) -> tuple[str, str]:
    """Code and text of the error a call ends with."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        return found["Code"], found["Message"]
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOfRows:
    """What a table of the upstream is made of."""

    columns: Sequence[Column]
    rows: list[Row]


@pytest.fixture(scope="session")
def new_york_rows() -> dict[str, TableOfRows]:
    """A few days of the data that upstream shows, read once."""
    until = STORY_STARTS + DAYS_OF_ROWS
    return {
        name: TableOfRows(
            columns=columns, rows=list(read_rows(file, columns, until=until))
        )
        for name, (file, columns) in TABLES.items()
        if name in NAMES
    }


@pytest.fixture(scope="module")
def embedded(
    calm: Synthesized,
    new_york_rows: dict[str, TableOfRows],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """A stack on the embedded AWS and Snowflake, at noon of the first day."""
    folder = tmp_path_factory.mktemp("embedded")
    with closing(Upstream(folder)) as upstream:
        for name, table in new_york_rows.items():
            upstream.add(name, table.columns, table.rows)
        upstream.start()
        project = read(calm.root, "dev", upstream_url=upstream.base_url)
        with EmbeddedStack(
            project=project, assembly=calm.assembly, folder=folder, start=STORY_STARTS
        ) as stack:
            yield World(
                root=calm.root,
                stack=stack,
                upstream=upstream,
                now=STORY_STARTS,
                fabric=fabric_of(stack, now=STORY_STARTS),
            )
