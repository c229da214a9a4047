"""The state of datasets and their runs, in one DynamoDB table.

``DATASET#<name>`` / ``STATE``         cursor, version, the run that is committing
``DATASET#<name>`` / ``RUN#<run_id>``  a run; expires after 90 days
``COMMITTING`` / ``<name>``            is there while a run is, for the sweep
``LANDED`` / ``<name>#<run_id>``       is there until the run is seen to be loaded

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

from lambdas.core.errors import StateConflict
from lambdas.core.manifest import edge_from_bytes, edge_to_bytes
from lambdas.core.run import CursorPosition, DatasetState, LandedRun, Resume, Run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

RUNS_KEPT = timedelta(days=90)

Item = Mapping[str, Any]


class StateTable:
    """RunState on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, dataset: str) -> DatasetState:
        """The state item, strongly consistent; version 0 if there is none."""
        item = self._get(_dataset_key(dataset))
        return DatasetState(dataset=dataset) if item is None else _state(dataset, item)

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
        """Datasets whose newest run is recorded and not landed."""
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

    def record_started(self, run: Run) -> None:
        """Keep a running run."""
        self._dynamodb.put_item(TableName=self._table, Item=_run_item(run))

    def record_failed(self, run: Run) -> None:
        """Keep a failed run."""
        self._dynamodb.put_item(TableName=self._table, Item=_run_item(run))

    def record_committing(self, before: DatasetState, run: Run) -> DatasetState:
        """Record the run and name it in the state: the point of no return."""
        after = dataclasses.replace(before, committing=run.run_id)
        marker = {"pk": {"S": "COMMITTING"}, "sk": {"S": before.dataset}}
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
        marker = {"pk": {"S": "COMMITTING"}, "sk": {"S": before.dataset}}
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
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        if before.version:
            state["Put"]["ConditionExpression"] = "#version = :version"
            state["Put"]["ExpressionAttributeNames"] = {"#version": "version"}
            state["Put"]["ExpressionAttributeValues"] = {
                ":version": {"N": str(before.version)}
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
                    f"the state of {before.dataset} moved past version "
                    f"{before.version} while run {run.run_id} was under way"
                ) from error
            raise
        return written

    def _get(self, key: dict[str, Any]) -> Item | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )
        return answer.get("Item")


def awaiting_load(table: str, run: Run) -> tuple[TransactWriteItemTypeDef, ...]:
    """The write that has a landed run watched until it is loaded; none if it has
    nothing to load.
    """
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


def _dataset_key(dataset: str) -> dict[str, Any]:
    return {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": "STATE"}}


def _run_key(dataset: str, run_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": f"RUN#{run_id}"}}


def _state_item(state: DatasetState) -> dict[str, Any]:
    item: dict[str, Any] = {
        **_dataset_key(state.dataset),
        "version": {"N": str(state.version)},
        "cursor": {"S": msgspec.json.encode(state.cursor.value).decode()},
    }
    if state.cursor.edge_key is not None:
        item["edge_key"] = {"S": state.cursor.edge_key}
    elif state.cursor.edge:
        item["edge"] = {"B": edge_to_bytes(state.cursor.edge)}
    if state.committing is not None:
        item["committing"] = {"S": state.committing}
    if state.last_success_started_at is not None:
        item["last_success_started_at"] = {
            "S": state.last_success_started_at.isoformat()
        }
    if state.newest_run_at is not None:
        item["newest_run_at"] = {"S": state.newest_run_at.isoformat()}
    if state.resume is not None:
        reached = state.resume.reached
        if reached.edge_key is not None:
            reached = dataclasses.replace(reached, edge=frozenset())
        resume = dataclasses.replace(state.resume, reached=reached)
        item["resume"] = {"S": msgspec.json.encode(resume).decode()}
    return item


def _state(dataset: str, item: Item) -> DatasetState:
    started = item.get("last_success_started_at")
    newest = item.get("newest_run_at")
    return DatasetState(
        dataset=dataset,
        version=int(item["version"]["N"]),
        cursor=CursorPosition(
            value=msgspec.json.decode(item["cursor"]["S"]),
            edge=edge_from_bytes(item["edge"]["B"]) if "edge" in item else frozenset(),
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
    )


def _run_item(run: Run) -> dict[str, Any]:
    """A run as one JSON document, with what is searched for beside it."""
    return {
        **_run_key(run.dataset, run.run_id),
        "status": {"S": run.status.value},
        "run": {"S": msgspec.json.encode(run).decode()},
        "expires_at": {"N": str(int((run.started_at + RUNS_KEPT).timestamp()))},
    }


def run_from_item(item: Item) -> Run:
    """The run in a RUN item."""
    return msgspec.json.decode(item["run"]["S"], type=Run)
