"""What a landed run says of itself in the landing zone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lambdas.core.landing.names import RUNS
from lambdas.core.pull.engine import PullResult
from lambdas.core.pull.run import PendingObject, Run, RunStatus

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def result_of(run: Run, *, s3: S3Client, bucket: str) -> PullResult:
    """A run with the objects that it made visible. Raises botocore's ClientError."""
    if run.status is not RunStatus.LANDED or not run.objects:
        return PullResult(run=run)
    key = f"{RUNS}{run.dataset}/{run.run_id}.json"
    document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return PullResult(
        run=run,
        objects=tuple(
            PendingObject(
                key=one["key"],
                upload_id="completed",
                parts=(),
                rows=one["rows"],
                size=one["bytes"],
            )
            for one in document["objects"]
        ),
    )
