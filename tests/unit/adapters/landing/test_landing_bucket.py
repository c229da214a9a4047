from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.s3 import models

from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.core.errors import LandingError, UploadGone
from lambdas.core.pull.run import PendingObject
from local.aws.strict.s3 import install_completed_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RUN_ID = "20130101T050000.123Z-0123456789ab"
KEY = f"raw/cats/g1/dt=2013-01-01/{RUN_ID}-00001.ndjson.gz"
MIB = 1024 * 1024


@pytest.fixture
def s3(aws: None, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    del aws
    # moto answers 500 to an unknown upload; restored with the fixture
    backend = models.S3Backend
    monkeypatch.setattr(
        backend, "complete_multipart_upload", backend.complete_multipart_upload
    )
    install_completed_once()
    client = boto3.client("s3")
    client.create_bucket(Bucket="landing")
    return client


@pytest.fixture
def bucket(s3: S3Client) -> LandingBucket:
    return LandingBucket(s3=s3, bucket="landing", part_bytes=5 * MIB)


def keys(s3: S3Client) -> list[str]:
    return [
        item["Key"] for item in s3.list_objects_v2(Bucket="landing").get("Contents", [])
    ]


def uploaded(bucket: LandingBucket, body: bytes = b"x") -> PendingObject:
    writer = bucket.open(KEY, run_id=RUN_ID)
    for start in range(0, len(body), MIB):
        writer.write(body[start : start + MIB])
    return writer.finish(1)


def test_an_object_of_many_parts_is_invisible_until_completed(
    bucket: LandingBucket, s3: S3Client
) -> None:
    body = random.Random(1).randbytes(11 * MIB)
    pending = uploaded(bucket, body)
    assert keys(s3) == []
    assert not bucket.is_visible(pending, run_id=RUN_ID)
    bucket.complete(pending, run_id=RUN_ID)
    assert keys(s3) == [KEY]
    assert s3.get_object(Bucket="landing", Key=KEY)["Body"].read() == body
    assert (pending.size, len(pending.parts)) == (len(body), 3)


def test_completing_again_changes_nothing(bucket: LandingBucket, s3: S3Client) -> None:
    pending = uploaded(bucket)
    bucket.complete(pending, run_id=RUN_ID)
    first = s3.head_object(Bucket="landing", Key=KEY)["LastModified"]
    bucket.complete(pending, run_id=RUN_ID)
    assert s3.head_object(Bucket="landing", Key=KEY)["LastModified"] == first


def test_an_upload_that_is_gone_is_told_from_one_that_was_completed(
    bucket: LandingBucket, s3: S3Client
) -> None:
    pending = uploaded(bucket)
    s3.abort_multipart_upload(Bucket="landing", Key=KEY, UploadId=pending.upload_id)
    with pytest.raises(UploadGone):
        bucket.complete(pending, run_id=RUN_ID)


def test_a_name_that_somebody_else_wrote_is_never_overwritten(
    bucket: LandingBucket, s3: S3Client
) -> None:
    pending = uploaded(bucket)
    s3.put_object(Bucket="landing", Key=KEY, Body=b"another")
    with pytest.raises(LandingError, match="somebody else wrote that name"):
        bucket.complete(dataclasses.replace(pending, upload_id="gone"), run_id=RUN_ID)
    assert s3.get_object(Bucket="landing", Key=KEY)["Body"].read() == b"another"


def test_a_small_object_is_written_once(bucket: LandingBucket) -> None:
    assert bucket.get("runs/cats/1.json") is None
    bucket.put("runs/cats/1.json", b"first")
    bucket.put("runs/cats/1.json", b"second")
    assert bucket.get("runs/cats/1.json") == b"first"
    bucket.delete("runs/cats/1.json")
    bucket.delete("runs/cats/1.json")
    assert bucket.get("runs/cats/1.json") is None


def test_an_aborted_upload_leaves_nothing(bucket: LandingBucket, s3: S3Client) -> None:
    writer = bucket.open(KEY, run_id=RUN_ID)
    writer.write(b"x")
    writer.abort()
    writer.abort()
    assert keys(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="landing")


def test_a_refusal_names_the_object(s3: S3Client) -> None:
    with pytest.raises(LandingError, match=KEY):
        LandingBucket(s3=s3, bucket="nowhere").open(KEY, run_id=RUN_ID)


def test_a_prefix_goes_before_every_name(s3: S3Client) -> None:
    zone = LandingBucket(s3=s3, bucket="landing", prefix="team/")
    pending = uploaded(zone)
    zone.complete(pending, run_id=RUN_ID)
    assert pending.key == KEY
    assert keys(s3) == [f"team/{KEY}"]
