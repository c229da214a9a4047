"""The reports function, on a state table and a bucket alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.core.dataset import Catalogue
from lambdas.core.settings import ReportSettings
from lambdas.reports import handler, wiring
from tests.aws import a_state_table
from tests.datasets import a_dataset

BUCKET = "landing"
CONTEXT: Any = SimpleNamespace(aws_request_id="1")


@pytest.fixture
def s3(aws: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    del aws
    table = "state"
    a_state_table(table)
    region = "eu-central-1"
    bucket: Any = boto3.client("s3", region_name=region)
    clients: dict[str, Any] = {
        "s3": bucket,
        "dynamodb": boto3.client("dynamodb", region_name=region),
    }
    monkeypatch.setattr(wiring, "client", clients.__getitem__)
    bucket.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region}
    )
    known = ReportSettings(
        state_table=table,
        landing_bucket=BUCKET,
        catalogue_key="x",
        environment_name="dev",
    )
    monkeypatch.setattr(wiring, "settings", lambda _: known)
    catalogue = Catalogue(datasets={"cats": a_dataset()})
    monkeypatch.setattr(wiring, "catalogue", lambda: catalogue)
    return bucket


def a_change(at: datetime) -> dict[str, Any]:
    return {"detail-type": "dataset.late", "time": at.isoformat(), "detail": {}}


def test_a_tick_writes_the_page_which_no_browser_keeps(s3: Any) -> None:
    answer = handler.handle({"report": "page", "due_at": "x"}, CONTEXT)
    assert answer["datasets"] == 1
    found = s3.get_object(Bucket=BUCKET, Key="pages/status.html")
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert found["CacheControl"] == "no-store"
    html = found["Body"].read().decode()
    assert "Not known: checks have stopped" in html
    assert len(html.encode()) == answer["bytes"]


def test_of_many_changes_at_once_those_that_are_shown_write_nothing(s3: Any) -> None:
    del s3
    before = datetime.now(UTC) - timedelta(minutes=1)
    assert handler.handle(a_change(before), CONTEXT)["datasets"] == 1
    assert handler.handle(a_change(before), CONTEXT)["datasets"] == 0
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert handler.handle(a_change(later), CONTEXT)["datasets"] == 1


def test_a_report_that_nobody_knows_is_refused(s3: Any) -> None:
    del s3
    with pytest.raises(ValueError, match="cost"):
        handler.handle({"report": "cost"}, CONTEXT)
