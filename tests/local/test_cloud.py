from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.aws.cloud import REPOSITORY, Cloud, CloudNotStarted

ABANDONS = """
import os, sys
from pathlib import Path
from local.aws.cloud import Cloud
cloud = Cloud(log_file=Path(sys.argv[1]))
cloud.start()
print(cloud.pid, flush=True)
os._exit(1)
"""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is nobody's once its parent has died: it may wait to be reaped.
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _is_running(pid)


def test_it_ends_with_stop_and_may_be_stopped_again(tmp_path: Path) -> None:
    cloud = Cloud(log_file=tmp_path / "aws.log")
    cloud.start()
    pid = cloud.pid
    assert pid is not None
    cloud.stop()
    cloud.stop()
    assert not _is_running(pid)
    with pytest.raises(CloudNotStarted):
        _ = cloud.endpoint_url


def test_it_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    parent = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ABANDONS, str(tmp_path / "aws.log")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert _ended(int(parent.stdout))


def test_its_clock_is_set_and_ticks(cloud: Cloud) -> None:
    start = datetime(2013, 1, 1, 5, tzinfo=UTC)
    cloud.set_clock(start)
    table = cloud.client("s3")
    table.create_bucket(Bucket="clock-bucket")
    table.put_object(Bucket="clock-bucket", Key="k", Body=b"")
    modified = table.head_object(Bucket="clock-bucket", Key="k")["LastModified"]
    assert timedelta(0) <= modified - start < timedelta(seconds=10)
    with pytest.raises(ValueError, match="aware"):
        cloud.set_clock(datetime(2013, 1, 1))  # noqa: DTZ001 - what is refused


def test_events_of_a_bucket_come_twice_if_asked(cloud: Cloud, unique: str) -> None:
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    bucket = f"doubled-{unique}"
    s3.create_bucket(Bucket=bucket)
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{unique}"
    target = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [target]}
    )
    cloud.duplicate_events(on=True)
    s3.put_object(Bucket=bucket, Key="twice", Body=b"")
    cloud.duplicate_events(on=False)
    s3.put_object(Bucket=bucket, Key="once", Body=b"")
    keys: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            records = json.loads(message["Body"]).get("Records", [])
            keys += [one["s3"]["object"]["key"] for one in records]
    assert sorted(keys) == ["once", "twice", "twice"]


def test_a_request_without_a_signature_is_refused(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cloud.endpoint_url}/any-bucket/key")  # noqa: S310 - loopback
    assert refused.value.code == 403
    refused.value.close()
