"""What a deploy would change, in words: from two catalogues, and from templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.changes.datasets import dataset_changes
from cli.changes.templates import ResourceChange, in_order, resource_changes
from cli.commands import diff
from cli.main import run
from lambdas.core.dataset import Catalogue, Dataset, catalogue_to_json
from lambdas.core.names import landing_bucket_name
from project.yaml_files import load_catalogue
from tests.datasets import a_dataset
from tests.unit.cli.files import folders
from tests.unit.cli.test_deployed import ENVIRONMENT

HOURS_24 = {"error_after": {"count": 24, "period": "hour"}}
HOURS_12 = {"error_after": {"count": 12, "period": "hour"}}


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    (change,) = dataset_changes(
        Catalogue(datasets={"cats": a_dataset(**before)}),
        Catalogue(datasets={"cats": a_dataset(**after)}),
        database="CATS",
    )
    return "\n".join((change.sentence, *change.consequences))


def test_a_changed_promise_schedule_and_column_are_one_line() -> None:
    before = {
        "schedule": {"rate": "1 hour"},
        "freshness": HOURS_24,
        "columns": {"a": "string"},
    }
    after = {
        "schedule": {"rate": "10 minutes"},
        "freshness": HOURS_12,
        "columns": {"a": "string", "b": "number"},
    }
    said = changed(before, after)
    assert said.startswith(
        "cats: hourly → every 10 min; 1 column new (b); SLA 24 h → 12 h\n"
    )
    assert "CATS.ANALYTICS.CATS is replaced" in said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"cron": "5 * * * ? *"}, {"rate": "2 days"}, "hourly at :05 → every 2 d"),
        (
            {"cron": "30 6 * * ? *"},
            {"cron": "30 6 * * ? *", "timezone": "Europe/Zurich"},
            "daily at 06:30 → daily at 06:30 in Europe/Zurich",
        ),
        ({"rate": "1 day"}, {"cron": "0 6 ? * MON *"}, "daily → cron 0 6 ? * MON *"),
        (
            {"rate": "1 hour"},
            {"rate": "1 hour", "paused": "source moves"},
            "paused: source moves",
        ),
    ],
)
def test_a_schedule_is_told_as_a_person_would(
    before: dict[str, str], after: dict[str, str], said: str
) -> None:
    assert changed({"schedule": before}, {"schedule": after}) == f"cats: {said}"


def test_what_follows_from_another_event_time_is_a_new_pipe() -> None:
    said = changed({}, {"freshness": {"loaded_at_field": "at"}})
    assert "freshness.loaded_at_field none → at" in said
    assert "a new pipe loads what lands below g" in said


def test_a_default_that_is_written_out_is_no_change() -> None:
    plain = Catalogue(datasets={"cats": a_dataset()})
    written = Catalogue(datasets={"cats": a_dataset(allow_empty=False)})
    assert dataset_changes(plain, written, database="CATS") == []


def test_removed_datasets_come_first_and_say_where_their_rows_stay() -> None:
    old, new = a_dataset(name="old"), a_dataset(name="new")
    found = dataset_changes(
        Catalogue(datasets={"old": old}),
        Catalogue(datasets={"new": new}),
        database="CATS",
    )
    assert [one.sentence for one in found] == ["old: removed", "new: added"]
    assert found[0].consequences == ("no longer pulled; its rows stay in CATS.RAW.OLD",)


BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": "a"},
    "UpdateReplacePolicy": "Retain",
    "DeletionPolicy": "Retain",
}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"Description": "a"}}


def resources(
    before: Mapping[str, object], after: Mapping[str, object]
) -> list[ResourceChange]:
    return in_order(
        list(resource_changes("landing", {"Resources": before}, {"Resources": after}))
    )


def test_what_holds_data_and_is_replaced_or_removed_is_said_first() -> None:
    found = resources(
        {"Access": ROLE, "Bucket": BUCKET, "Queue": QUEUE},
        {
            "Access": {**ROLE, "Properties": {"Description": "b"}},
            "Bucket": {**BUCKET, "Properties": {"BucketName": "b"}},
        },
    )
    assert [one.sentence for one in found] == [
        (
            "landing: AWS::S3::Bucket Bucket is replaced by an empty one "
            "(BucketName); the old one stays"
        ),
        "landing: AWS::SQS::Queue Queue is deleted, WITH ALL THAT IT HOLDS",
        "landing: AWS::IAM::Role Access is changed: Description",
    ]


def test_a_change_in_place_replaces_nothing() -> None:
    other = {**BUCKET, "Properties": {"BucketName": "a", "LifecycleConfiguration": 1}}
    (only,) = resources({"Bucket": BUCKET}, {"Bucket": other})
    assert (only.change, only.loses_data) == ("changed", False)


class Outside:
    """Where the command finds what is deployed."""

    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        datasets, apis = folders(tmp_path)
        environments = tmp_path / "environments"
        environments.mkdir(exist_ok=True)
        (environments / "dev.yaml").write_text(ENVIRONMENT)
        self.catalogue = load_catalogue(datasets, apis)
        self.options = [
            "--datasets", str(datasets), "--apis", str(apis),
            "--environments", str(environments),
        ]  # fmt: skip

    def publish(self, datasets: Mapping[str, Dataset], key: str = "1") -> None:
        s3 = boto3.client("s3", region_name="eu-central-1")
        bucket = landing_bucket_name(
            "dev", account="123456789012", region="eu-central-1"
        )
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        document = catalogue_to_json(Catalogue(datasets=dict(datasets)))
        s3.put_object(
            Bucket=bucket, Key=f"catalogue/{key}.json", Body=document.encode()
        )

    def __call__(self, *more: str) -> tuple[int, str]:
        code = run(["diff", *more, *self.options])
        return code, self.capsys.readouterr().out


@pytest.fixture
def outside(
    aws: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Outside:
    del aws
    no_resources: list[Any] = []
    monkeypatch.setattr(diff, "_resources", lambda *_: no_resources)
    return Outside(tmp_path, capsys)


def test_the_command_compares_with_what_is_deployed(outside: Outside) -> None:
    name, dataset = next(iter(outside.catalogue.datasets.items()))
    other = dataset.model_copy(update={"description": "before"})
    outside.publish({**outside.catalogue.datasets, name: other})
    code, text = outside()
    assert code == 0
    assert text.startswith(f"{name}: description before → ")
    code, text = outside("--json")
    document = json.loads(text)
    assert (code, document["environment"], document["deployed"]) == (0, "dev", True)
    (one,) = document["datasets"]
    assert one["fields"][0]["key"] == "description"


def test_nothing_to_deploy_is_said(outside: Outside) -> None:
    outside.publish(outside.catalogue.datasets)
    assert outside() == (
        0,
        "dev is as the project says: a deploy would change nothing\n",
    )


def test_before_the_first_deploy_all_is_new(outside: Outside) -> None:
    code, text = outside()
    assert code == 0
    assert "no datasets are published in dev yet: a deploy makes all" in text
    assert all(f"{name}: added" in text for name in outside.catalogue.datasets)
