"""Waking a deployed dataset, and waiting for its run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from cli.deployed.environment import Deployed
from lambdas.core.names import pulls_queue_name
from lambdas.core.pull.message import MAX_TRIES, PullRequest, comes_again_at
from lambdas.core.pull.run import Run, RunStatus

ENDED = frozenset({RunStatus.LANDED, RunStatus.FAILED, RunStatus.VOIDED})
EVERY_S = 1.0
PATIENCE = timedelta(minutes=30)
"""A message that waits behind another pull of its dataset waits up to a function's
longest life; then its own pull takes as long."""


def behind(name: str, reached: Deployed) -> datetime | None:
    """Until when a failed pull of `name` keeps what is queued now waiting, if it does.

    Raises NotReached.
    """
    with reached.reached():
        return comes_again_at(reached.runs().latest_runs(name, MAX_TRIES))


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


def _goes_on(reached: Deployed, name: str) -> bool:
    """Whether the run was a segment of a longer pull."""
    return reached.runs().read(name).resume is not None
