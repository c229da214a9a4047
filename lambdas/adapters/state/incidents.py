"""Incidents, the outbox and the monitor's own records, in the state table.

``INCIDENT`` / ``<incident id>``         an incident, kept for good
``DATASET#<name>`` / ``INCIDENT``        which of them is open; absent = none
``HISTORY#<name>`` / ``<YYYY-MM-DD>``    a day that is over; expires after 400 days

What a check begins with is apart: see `monitor_items`.

An incident's change, its notices and what the monitor remembers are one transaction:
there is no change that nobody is told of, and no telling of what did not change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.state.items import (
    CHECK,
    FRESHNESS,
    OPEN,
    OUTBOX,
    REPAIRED,
    TROUBLE,
    items_of,
    kind_and_name,
    monitor_items,
    monitor_key,
)
from lambdas.core.errors import StateConflict
from lambdas.core.freshness.attainment import Day
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.ports import CheckState
from lambdas.core.loading.repair import Problem, Repaired
from lambdas.core.names import OURS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_Kept = TypeVar("_Kept")

DAYS_KEPT = timedelta(days=400)
"""How long the days of a dataset are kept."""
_BATCH = 25
"""Writes in one BatchWriteItem (DynamoDB)."""
_BATCH_TRIES = 8


class IncidentTable:
    """IncidentState on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def desk(self) -> CheckState:
        """What a check begins with, by one query unless an incident of ours is open."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for item in self._monitor():
            kind, name = kind_and_name(item)
            found[kind][name] = item
        check = found[CHECK].get("")
        checked_at = None if check is None else datetime.fromisoformat(check["at"]["S"])
        return CheckState(
            watches={
                name: _read(item, "watch", Watch)
                for name, item in found[FRESHNESS].items()
            },
            waiting=[_read(item, "notice", Notice) for item in found[OUTBOX].values()],
            last_check_at=checked_at,
            troubles=[
                _read(item, "trouble", Problem) for item in found[TROUBLE].values()
            ],
            repaired=[
                _read(item, "repaired", Repaired) for item in found[REPAIRED].values()
            ],
            own={
                name: incident
                for name, item in found[OPEN].items()
                if (incident := self.incident(item["incident_id"]["S"])) is not None
            },
        )

    def watches(self) -> dict[str, Watch]:
        """What is remembered of every dataset, by name."""
        return {
            kind_and_name(item)[1]: _read(item, "watch", Watch)
            for item in self._monitor(FRESHNESS)
        }

    def remember(self, watches: Iterable[Watch]) -> None:
        """Keep what was seen of datasets whose incidents did not change."""
        kept = list(watches)
        # Days first: what is lost between the two is made again by the next look.
        items = [*(day for watch in kept for day in _day_items(watch))]
        items += [_watch_item(watch) for watch in kept]
        self._write([{"PutRequest": {"Item": item}} for item in items])

    def days(self, dataset: str, *, since: str) -> list[Day]:
        """The days of a dataset that are over, from `since` (YYYY-MM-DD) on."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues={
                ":pk": {"S": f"HISTORY#{dataset}"},
                ":since": {"S": since},
            },
        )
        return [_read(item, "day", Day) for page in pages for item in page["Items"]]

    def incidents_of(self, dataset: str) -> list[Incident]:
        """All there ever were of one dataset, the oldest first."""
        beginning = f"{dataset}-"
        return [
            _read(item, "incident", Incident)
            for item in items_of(
                self._dynamodb, self._table, "INCIDENT", beginning=beginning
            )
        ]

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop the records of datasets that exist no more."""
        self._write(
            [{"DeleteRequest": {"Key": monitor_key(FRESHNESS, x)}} for x in datasets]
        )

    def open_incident(self, dataset: str) -> Incident | None:
        """The dataset's open incident, strongly consistent."""
        pointer = self._get(_pointer(dataset))
        if pointer is None:
            return None
        return self.incident(pointer["incident_id"]["S"])

    def incident(self, incident_id: str) -> Incident | None:
        """Any incident, open or resolved."""
        item = self._get(_key("INCIDENT", incident_id))
        if item is None:
            return None
        return _read(item, "incident", Incident)

    def incidents(self) -> list[Incident]:
        """All there ever were, by id."""
        return [
            _read(item, "incident", Incident)
            for item in items_of(self._dynamodb, self._table, "INCIDENT")
        ]

    def record(
        self,
        before: Incident | None,
        after: Incident,
        *,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        """Write an incident's change with all that goes with it, or nothing.

        Raises StateConflict if somebody else changed or opened one in between.
        """
        actions: list[Any] = [
            self._put(_incident_item(after), **_is_at(before)),
            *self._pointed(before, after),
            *(self._put(_notice_item(notice)) for notice in notices),
        ]
        if watch is not None:
            actions += [self._put(item) for item in _day_items(watch)]
            actions.append(self._put(_watch_item(watch)))
        try:
            self._dynamodb.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = {str(reason.get("Code")) for reason in reasons}
            if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise StateConflict(
                    f"incident {after.incident_id} was changed by somebody else while "
                    f"its version {after.version} was made; the next check reads it"
                ) from error
            raise

    def record_repaired(self, repair_id: str, notices: Sequence[Notice]) -> None:
        """Put a repair's notices in the outbox and take its report away, or nothing.

        Raises StateConflict if somebody else did so first.
        """
        report = {
            "TableName": self._table,
            "Key": monitor_key(REPAIRED, repair_id),
            "ConditionExpression": "attribute_exists(pk)",
        }
        told = [self._put(_notice_item(notice)) for notice in notices]
        actions: list[Any] = [{"Delete": report}, *told]
        try:
            self._dynamodb.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = {str(reason.get("Code")) for reason in reasons}
            if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise StateConflict(
                    f"the repair {repair_id} was told of by somebody else"
                ) from error
            raise

    def delivered(self, notices: Iterable[Notice]) -> None:
        """Take notices out of the outbox; gone already is fine."""
        self._write([{"DeleteRequest": {"Key": _outbox_key(item)}} for item in notices])

    def checked(self, at: datetime) -> None:
        """A check came to its end."""
        item = {**monitor_key(CHECK), "at": {"S": at.isoformat()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def _pointed(self, before: Incident | None, after: Incident) -> list[Any]:
        if before is not None and before.resolved_at is not None:
            return []  # a person adds to what is over; the pointer is another's
        pointer = _pointer(after.dataset)
        named = {
            "ConditionExpression": "incident_id = :id",
            "ExpressionAttributeValues": {":id": {"S": after.incident_id}},
        }
        if before is None:
            item = {**pointer, "incident_id": {"S": after.incident_id}}
            return [self._put(item, ConditionExpression="attribute_not_exists(pk)")]
        if after.resolved_at is not None:
            return [{"Delete": {"TableName": self._table, "Key": pointer, **named}}]
        check = {"TableName": self._table, "Key": pointer, **named}
        return [{"ConditionCheck": check}]

    def _put(self, item: dict[str, Any], **condition: object) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )
        return answer.get("Item")

    def _monitor(self, kind: str = "") -> Iterator[dict[str, Any]]:
        return monitor_items(self._dynamodb, self._table, kind)

    def _write(self, requests: Sequence[Any]) -> None:
        """Write or delete many items; DynamoDB may leave some for another try."""
        for start in range(0, len(requests), _BATCH):
            left: Any = {self._table: list(requests[start : start + _BATCH])}
            for _ in range(_BATCH_TRIES):
                answer = self._dynamodb.batch_write_item(RequestItems=left)
                left = answer.get("UnprocessedItems")
                if not left:
                    break
            else:
                raise StateConflict(
                    f"DynamoDB left {len(left[self._table])} writes undone after "
                    f"{_BATCH_TRIES} tries; the next check makes them again"
                )


def _is_at(before: Incident | None) -> dict[str, object]:
    if before is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
    }


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _pointer(dataset: str) -> dict[str, Any]:
    if dataset in OURS:
        return monitor_key(OPEN, dataset)
    return _key(f"DATASET#{dataset}", "INCIDENT")


def _outbox_key(notice: Notice) -> dict[str, Any]:
    return monitor_key(OUTBOX, f"{notice.created_at.isoformat()}#{notice.notice_id}")


def _read(item: dict[str, Any], name: str, kind: type[_Kept]) -> _Kept:
    return msgspec.json.decode(item[name]["S"], type=kind)


def _json(value: object) -> dict[str, str]:
    return {"S": msgspec.json.encode(value).decode()}


def _incident_item(incident: Incident) -> dict[str, Any]:
    return {
        **_key("INCIDENT", incident.incident_id),
        "version": {"N": str(incident.version)},
        "incident": _json(incident),
    }


def _notice_item(notice: Notice) -> dict[str, Any]:
    return {**_outbox_key(notice), "notice": _json(notice)}


def _watch_item(watch: Watch) -> dict[str, Any]:
    return {**monitor_key(FRESHNESS, watch.dataset), "watch": _json(watch)}


def _day_items(watch: Watch) -> list[dict[str, Any]]:
    """The days that ended with this look. Written again they are the same."""
    if watch.tally is None:
        return []
    pk = f"HISTORY#{watch.dataset}"
    return [
        {
            **_key(pk, day.day),
            "day": _json(day),
            "expires_at": {"N": str(_expiry(day))},
        }
        for day in watch.tally.over
    ]


def _expiry(day: Day) -> int:
    midnight = datetime.fromisoformat(day.day).replace(tzinfo=UTC)
    return int((midnight + DAYS_KEPT).timestamp())
