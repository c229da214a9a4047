"""The state of datasets and their runs, in one DynamoDB table.

``DATASET#<name>`` / ``STATE``         cursor, version, the run that is committing,
                                       the columns seen
``DATASET#<name>`` / ``RUN#<run_id>``  a run; expires after 90 days
``COMMITTING`` / ``<name>``            is there while a run is, for the sweep
``LANDED`` / ``<name>#<run_id>``       is there until the run is seen to be loaded

``DATASET#<name>`` / ``LANE#<lane>``             as STATE, of a backfill's slice
``DATASET#<name>`` / ``LANERUN#<lane>#<run_id>`` as RUN, so that those are live ones
``DATASET#<name>`` / ``LANES``                   the newest stamp of a slice's run
``DATASET#<name>`` / ``BACKFILL#<id>``           what was asked for
``COMMITTING`` / ``<name>/<lane>``               as above

Every write that decides something is conditional on the state's version, and what
belongs together is one transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.state.columns import observed_in
from lambdas.adapters.state.items import FAILED, monitor_key
from lambdas.core.backfill.backfill import Backfill
from lambdas.core.columns.observed import NOTHING_OBSERVED, observed_to_json
from lambdas.core.errors import StateConflict
from lambdas.core.pull.manifest import (
    edge_from_bytes,
    edge_to_bytes,
    old_edge_from_bytes,
)
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    LandedRun,
    Lane,
    LaneStamp,
    Resume,
    Run,
    RunStatus,
    split_name,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

RUNS_KEPT = timedelta(days=90)
STAMP_TRIES = 50
_LANE, _LANE_RUN, _BACKFILL = "LANE#", "LANERUN#", "BACKFILL#"
_CONFLICTS = {"ConditionalCheckFailedException", "TransactionConflictException"}

Item = Mapping[str, Any]


class StateTable:
    """RunState on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, dataset: str) -> DatasetState:
        """The state item, strongly consistent; version 0 if there is none."""
        item = self._get(_state_key(dataset))
        return DatasetState.fresh(dataset) if item is None else _state(dataset, item)

    def read_run(self, dataset: str, run_id: str) -> Run | None:
        """One run's record."""
        item = self._get(_run_key(dataset, run_id))
        return None if item is None else run_from_item(item)

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        """The newest runs, newest first."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :runs)",
            ExpressionAttributeValues={
                ":pk": {"S": f"DATASET#{dataset}"},
                ":runs": {"S": "RUN#"},
            },
            ScanIndexForward=False,
            Limit=limit,
        )
        return [run_from_item(item) for item in answer["Items"]]

    def committing_datasets(self) -> Sequence[str]:
        """Datasets and lanes whose newest run is recorded and not landed."""
        names: list[str] = []
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "COMMITTING"}},
            ConsistentRead=True,
        )
        for page in pages:
            names.extend(item["sk"]["S"] for item in page["Items"])
        return names

    def lanes(self, dataset: str, backfill: str) -> list[DatasetState]:
        """What is known of a backfill's slices, those that were begun."""
        return [
            _state(f"{dataset}/{item['sk']['S'].removeprefix(_LANE)}", item)
            for item in self._below(dataset, f"{_LANE}{backfill}-")
        ]

    def fence(self, dataset: str) -> None:
        """Have every pull of the dataset that is under way conflict, and those of its
        slices: what they have read is not recorded any more.

        Raises StateConflict, naming it, if a run is recorded and not landed.
        """
        lanes = [
            _state(f"{dataset}/{item['sk']['S'].removeprefix(_LANE)}", item)
            for item in self._below(dataset, _LANE)
        ]
        for state in (self.read(dataset), *lanes):
            if state.committing is not None:
                raise StateConflict(
                    f"run {state.committing} of {state.name} is landing"
                )
            if state.version:
                self.record_lane(state, state)

    def running_slices(self, dataset: str, since: datetime) -> list[str]:
        """The ids of slices' runs that began after `since` and have not ended."""
        runs = map(run_from_item, self._below(dataset, _LANE_RUN))
        return [
            run.run_id
            for run in runs
            if run.status is RunStatus.RUNNING and run.started_at > since
        ]

    def backfills(self, dataset: str) -> list[Backfill]:
        """What was asked for, in no order."""
        return [
            msgspec.json.decode(item["backfill"]["S"], type=Backfill)
            for item in self._below(dataset, _BACKFILL)
        ]

    def keep_backfill(self, backfill: Backfill) -> None:
        """Put what is asked for, in place of an earlier attempt."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "pk": {"S": f"DATASET#{backfill.dataset}"},
                "sk": {"S": f"{_BACKFILL}{backfill.backfill_id}"},
                "backfill": {"S": msgspec.json.encode(backfill).decode()},
            },
        )

    def _below(self, dataset: str, prefix: str) -> list[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={
                ":pk": {"S": f"DATASET#{dataset}"},
                ":prefix": {"S": prefix},
            },
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def next_lane_stamp(self, dataset: str, floor: datetime) -> LaneStamp:
        """A stamp nobody else has; tried again while others take theirs.

        Raises StateConflict if they never leave it alone.
        """
        key = {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": "LANES"}}
        for _ in range(STAMP_TRIES):
            item = self._get(key)
            version = 0 if item is None else int(item["version"]["N"])
            stamp = LaneStamp(at=floor, number=1)
            if item is not None:
                known = msgspec.json.decode(item["stamp"]["S"], type=LaneStamp)
                stamp = known.next(floor)
            written = {
                **key,
                "version": {"N": str(version + 1)},
                "stamp": {"S": msgspec.json.encode(stamp).decode()},
            }
            if self._put_if(written, version):
                return stamp
        raise StateConflict(
            f"{STAMP_TRIES} others took the stamp of a run of {dataset}; this one "
            "comes again"
        )

    def record_lane(self, before: DatasetState, after: DatasetState) -> DatasetState:
        """Keep what a lane says of itself, unless a run was recorded meanwhile."""
        written = dataclasses.replace(after, version=before.version + 1)
        if not self._put_if(_state_item(written), before.version):
            raise StateConflict(
                f"the state of {before.name} moved past version {before.version}"
            )
        return written

    def _put_if(self, item: dict[str, Any], version: int) -> bool:
        """Put an item if it is still at `version` (0: not there); whether it was."""
        try:
            self._dynamodb.put_item(
                TableName=self._table, Item=item, **_at_version(version)
            )
        except ClientError as error:
            if error.response["Error"].get("Code") in _CONFLICTS:
                return False
            raise
        return True

    def record_started(self, run: Run) -> None:
        """Keep a running run. Raises StateConflict if its id is taken."""
        if not self._put_if(_run_item(run), 0):
            raise StateConflict(f"another run is called {run.run_id}")

    def record_failed(self, run: Run) -> None:
        """Keep a failed run, and have the next check look why."""
        self._dynamodb.put_item(TableName=self._table, Item=_run_item(run))
        if run.lane is None:
            self.suspect(run.dataset, run.started_at)

    def suspect(self, dataset: str, at: datetime) -> None:
        """Have the next check look at the pulls of a dataset."""
        mark = {**monitor_key(FAILED, dataset), "at": {"S": at.isoformat()}}
        self._dynamodb.put_item(TableName=self._table, Item=mark)

    def record_committing(self, before: DatasetState, run: Run) -> DatasetState:
        """Record the run and name it in the state: the point of no return."""
        after = dataclasses.replace(before, committing=run.run_id)
        marker = {"pk": {"S": "COMMITTING"}, "sk": {"S": before.name}}
        return self._transact(
            before,
            after,
            run,
            {"Put": {"TableName": self._table, "Item": marker}},
        )

    def record_landed(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        """The run is landed and the cursor moves; what it landed has to be loaded."""
        return self._settle(before, after, run, *awaiting_load(self._table, run))

    def record_voided(self, before: DatasetState, run: Run) -> DatasetState:
        """The run is voided and the cursor stays."""
        return self._settle(before, dataclasses.replace(before, committing=None), run)

    def _settle(
        self,
        before: DatasetState,
        after: DatasetState,
        run: Run,
        *more: TransactWriteItemTypeDef,
    ) -> DatasetState:
        marker = {"pk": {"S": "COMMITTING"}, "sk": {"S": before.name}}
        gone: TransactWriteItemTypeDef = {
            "Delete": {"TableName": self._table, "Key": marker}
        }
        return self._transact(before, after, run, gone, *more)

    def _transact(
        self,
        before: DatasetState,
        after: DatasetState,
        run: Run,
        *markers: TransactWriteItemTypeDef,
    ) -> DatasetState:
        """Write state, run and markers together, or raise StateConflict.

        The state must still be at `before.version`. No token is sent: a retry after a
        lost answer meets the moved version, and is told apart by reading again.
        """
        written = dataclasses.replace(after, version=before.version + 1)
        state: Any = {
            "Put": {
                "TableName": self._table,
                "Item": _state_item(written),
                **_at_version(before.version),
            }
        }
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[
                    state,
                    {"Put": {"TableName": self._table, "Item": _run_item(run)}},
                    *markers,
                ]
            )
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = {str(reason.get("Code")) for reason in reasons}
            if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise StateConflict(
                    f"the state of {before.name} moved past version "
                    f"{before.version} while run {run.run_id} was under way"
                ) from error
            raise
        return written

    def _get(self, key: dict[str, Any]) -> Item | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )
        return answer.get("Item")


def _state_key(name: str) -> dict[str, Any]:
    dataset, lane = split_name(name)
    sort_key = f"{_LANE}{lane}" if lane else "STATE"
    return {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": sort_key}}


def awaiting_load(table: str, run: Run) -> tuple[TransactWriteItemTypeDef, ...]:
    """The write that has a landed run with rows watched until it is loaded."""
    if run.newest_key is None or run.finished_at is None:
        return ()
    landed = LandedRun(
        dataset=run.dataset,
        run_id=run.run_id,
        newest_key=run.newest_key,
        objects=run.objects,
        landed_at=run.finished_at,
    )
    return ({"Put": {"TableName": table, "Item": landed_item(landed)}},)


def landed_item(landed: LandedRun) -> dict[str, Any]:
    """The marker of a run that has landed and was not yet seen loaded."""
    expires_at = landed.landed_at + RUNS_KEPT
    return {
        "pk": {"S": "LANDED"},
        "sk": {"S": landed.name},
        "landed": {"S": msgspec.json.encode(landed).decode()},
        "expires_at": {"N": str(int(expires_at.timestamp()))},
    }


def _run_key(name: str, run_id: str) -> dict[str, Any]:
    dataset, lane = split_name(name)
    sort_key = f"LANERUN#{lane}#{run_id}" if lane else f"RUN#{run_id}"
    return {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": sort_key}}


def _at_version(version: int) -> dict[str, Any]:
    """The condition that an item is still at `version`; 0: not there."""
    if not version:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }


def _state_item(state: DatasetState) -> dict[str, Any]:
    item: dict[str, Any] = {
        **_state_key(state.name),
        "version": {"N": str(state.version)},
        "cursor": {"S": msgspec.json.encode(state.cursor.value).decode()},
    }
    if state.cursor.edge_key is not None:
        item["edge_key"] = {"S": state.cursor.edge_key}
    elif state.cursor.edge:
        item["remembered"] = {"B": edge_to_bytes(state.cursor.edge)}
    if state.committing is not None:
        item["committing"] = {"S": state.committing}
    if state.last_success_started_at is not None:
        item["last_success_started_at"] = {
            "S": state.last_success_started_at.isoformat()
        }
    if state.newest_run_at is not None:
        item["newest_run_at"] = {"S": state.newest_run_at.isoformat()}
    if state.observed != NOTHING_OBSERVED:
        item["observed"] = {"S": observed_to_json(state.observed)}
    if state.resume is not None:
        reached = state.resume.reached
        if reached.edge_key is not None:
            reached = dataclasses.replace(reached, edge=frozenset())
        resume = dataclasses.replace(state.resume, reached=reached)
        item["resume"] = {"S": msgspec.json.encode(resume).decode()}
    if state.lane is not None:
        item["lane"] = {"S": msgspec.json.encode(state.lane).decode()}
    return item


def _state(name: str, item: Item) -> DatasetState:
    dataset, _ = split_name(name)
    started = item.get("last_success_started_at")
    newest = item.get("newest_run_at")
    return DatasetState(
        dataset=dataset,
        version=int(item["version"]["N"]),
        cursor=CursorPosition(
            value=msgspec.json.decode(item["cursor"]["S"]),
            edge=_edge(item),
            edge_key=item["edge_key"]["S"] if "edge_key" in item else None,
        ),
        committing=item["committing"]["S"] if "committing" in item else None,
        last_success_started_at=(
            datetime.fromisoformat(started["S"]) if started is not None else None
        ),
        newest_run_at=(
            datetime.fromisoformat(newest["S"]) if newest is not None else None
        ),
        resume=(
            msgspec.json.decode(item["resume"]["S"], type=Resume)
            if "resume" in item
            else None
        ),
        observed=observed_in(item),
        lane=(
            msgspec.json.decode(item["lane"]["S"], type=Lane)
            if "lane" in item
            else None
        ),
    )


def _edge(item: Item) -> frozenset[bytes]:
    """What the cursor remembers, as it is written or was written before."""
    if "edge" in item:
        return old_edge_from_bytes(item["edge"]["B"])
    if "remembered" in item:
        return edge_from_bytes(item["remembered"]["B"])
    return frozenset()


def _run_item(run: Run) -> dict[str, Any]:
    """A run as one JSON document, with what is searched for beside it."""
    return {
        **_run_key(run.state_name, run.run_id),
        "status": {"S": run.status.value},
        "run": {"S": msgspec.json.encode(run).decode()},
        "expires_at": {"N": str(int((run.started_at + RUNS_KEPT).timestamp()))},
    }


def run_from_item(item: Item) -> Run:
    """The run in a RUN item."""
    return msgspec.json.decode(item["run"]["S"], type=Run)
