"""Waking a deployed dataset, and waiting for its run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta

from cli.deployed.environment import Deployed
from lambdas.core.landing.names import RUNS
from lambdas.core.names import pulls_queue_name
from lambdas.core.pull.engine import PullResult
from lambdas.core.pull.message import PullRequest
from lambdas.core.pull.run import PendingObject, Run, RunStatus

ENDED = frozenset({RunStatus.LANDED, RunStatus.FAILED, RunStatus.VOIDED})
EVERY_S = 1.0
PATIENCE = timedelta(minutes=30)
"""A message that waits behind another pull of its dataset waits up to a function's
longest life; then its own pull takes as long."""


def wake(name: str, reached: Deployed) -> Iterator[Run | None]:
    """Queue a pull of `name`, then yield what is known of its run, again and again,
    until it has ended: None while it has not begun.

    Ends without an ended run after `PATIENCE`. Raises NotReached.
    """
    with reached.reached():
        table = reached.runs()
        before = {run.run_id for run in table.latest_runs(name, 1)}
        sqs = reached.aws("sqs")
        queue = pulls_queue_name(reached.environment.name)
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        request = PullRequest(dataset=name, reason="manual")
        sqs.send_message(
            QueueUrl=url,
            MessageBody=request.model_dump_json(exclude_none=True),
            MessageGroupId=name,
            MessageDeduplicationId=f"{name}-{time.time_ns()}",
        )
        until = time.monotonic() + PATIENCE.total_seconds()
        while time.monotonic() < until:
            newest = next(iter(table.latest_runs(name, 1)), None)
            run = None if newest is None or newest.run_id in before else newest
            yield run
            if run is not None and run.status in ENDED and not _goes_on(reached, name):
                return
            time.sleep(EVERY_S)


def result_of(run: Run, reached: Deployed) -> PullResult:
    """A run with the objects that it landed, as its file in the landing zone says."""
    if run.status is not RunStatus.LANDED or not run.objects:
        return PullResult(run=run)
    with reached.reached():
        answer = reached.aws("s3").get_object(
            Bucket=reached.settings.landing_bucket,
            Key=f"{RUNS}{run.dataset}/{run.run_id}.json",
        )
        listed = json.loads(answer["Body"].read())["objects"]
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
            for one in listed
        ),
    )


def _goes_on(reached: Deployed, name: str) -> bool:
    """Whether the run was a segment of a longer pull."""
    return reached.runs().read(name).resume is not None
