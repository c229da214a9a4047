"""Incidents, the outbox and the monitor's own records, in the state table.

``INCIDENT`` / ``<incident id>``         an incident, kept for good
``DATASET#<name>`` / ``INCIDENT``        which of them is open; absent = none
``DATASET#<name>`` / ``CHECKS``          the same of its failing checks
``HISTORY#<name>`` / ``<YYYY-MM-DD>``    a day that is over; expires after 400 days

What a check begins with is apart: see `monitor_items`.

An incident's change, its notices and what the monitor remembers are one transaction:
there is no change that nobody is told of, and no telling of what did not change.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lambdas.adapters.state.events import event_item, event_key
from lambdas.adapters.state.items import (
    AT_ONCE,
    CAUSES,
    CHECK,
    DIGEST,
    EVENT,
    FAILED,
    FRESHNESS,
    GRANTS,
    OPEN,
    OUTBOX,
    PROBLEM,
    REPAIRED,
    SILENCE,
    UNMADE,
    is_misplaced,
    items_of,
    kind_and_name,
    monitor_items,
    monitor_key,
)
from lambdas.adapters.state.silences import silence_of
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.events import OutgoingEvent
from lambdas.core.freshness.attainment import Day
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident, NoticeKind
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.ports import CheckState
from lambdas.core.loading.repair import Problem, Repaired
from lambdas.core.names import is_ours

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOG = logging.getLogger("catflap.state.incidents")

_Kept = TypeVar("_Kept")
_REPORTED_ON = {NoticeKind.DIGEST: DIGEST, NoticeKind.CAUSES: CAUSES}

DAYS_KEPT = timedelta(days=400)
"""How long the days of a dataset are kept."""


class IncidentTable:
    """IncidentState on DynamoDB."""

    def __init__(
        self,
        *,
        dynamodb: DynamoDBClient,
        table: str,
        writer: TableWriter | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writer = writer or TableWriter(dynamodb=dynamodb, table=table)

    def check_state(self) -> CheckState:
        """What a check begins with."""
        found, misplaced = self._all()
        self._move(misplaced, found)
        return self._check_state(found)

    def read_check_state(self) -> CheckState:
        """The same for who changes nothing."""
        return self._check_state(self._all()[0])

    def _all(self) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Every item by kind and name, and those that stand where they did before."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        misplaced = []
        for item in self._monitor():
            kind, name = kind_and_name(item)
            misplaced += [item] if is_misplaced(item) else []
            found[kind][name] = item
        return found, misplaced

    def _check_state(self, found: dict[str, dict[str, Any]]) -> CheckState:
        check = found[CHECK].get("")
        checked_at = None if check is None else datetime.fromisoformat(check["at"]["S"])
        return CheckState(
            watches={
                name: _read(item, "watch", Watch)
                for name, item in found[FRESHNESS].items()
            },
            waiting=_notices(found.pop(OUTBOX, {})),
            last_check_at=checked_at,
            problems=[
                _read(item, "trouble", Problem)
                for kind in (PROBLEM, UNMADE)
                for item in found[kind].values()
            ],
            repaired=[
                _read(item, "repaired", Repaired) for item in found[REPAIRED].values()
            ],
            failed=frozenset(found[FAILED]),
            events=[
                _read(item, "event", OutgoingEvent) for item in found[EVENT].values()
            ],
            silences=[silence_of(item) for item in found[SILENCE].values()],
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

    def watch(self, dataset: str) -> Watch | None:
        """What is remembered of one dataset."""
        item = self._get(monitor_key(FRESHNESS, dataset))
        return None if item is None else _read(item, "watch", Watch)

    def _move(self, misplaced: Sequence[Any], found: dict[str, dict[str, Any]]) -> None:
        """Put items of an older table where they are written now: first there, then
        away from where they were, so that a death in between loses none.
        """
        for item in misplaced:
            kind, name = kind_and_name(item)
            if found[kind][name] is item:
                moved = {**item, **monitor_key(kind, name)}
                found[kind][name] = moved
                self._dynamodb.put_item(TableName=self._table, Item=moved)
        old = [{"pk": item["pk"], "sk": item["sk"]} for item in misplaced]
        self._write([{"DeleteRequest": {"Key": key}} for key in old])

    def remember(self, watches: Iterable[Watch]) -> dict[str, str]:
        """Keep what was seen of unchanged datasets; why one was not kept, by name."""
        kept = {watch.dataset: watch for watch in watches}
        # Days first: what is lost between the two is made again by the next check.
        days = [day for watch in kept.values() for day in _day_items(watch)]
        self._write([_put_request(day) for day in days])
        return self._kept(map(_watch_item, kept.values()))

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

    def incidents_since(self, dataset: str, at: datetime) -> list[Incident]:
        """Those of one dataset that were opened since then, the oldest first."""
        first = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        pages = self._dynamodb.get_paginator("query")
        return [
            _read(item, "incident", Incident)
            for beginning in (f"{dataset}-", f"{dataset}-quality-")
            for page in pages.paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": "INCIDENT"},
                    ":first": {"S": f"{beginning}{first}"},
                    ":last": {"S": f"{beginning}9999"},
                },
            )
            for item in page["Items"]
        ]

    def report_day(self, team: str, kind: NoticeKind) -> str | None:
        """The day of the team's newest report of that kind (YYYY-MM-DD)."""
        item = self._get(monitor_key(_REPORTED_ON[kind], team))
        return None if item is None else item["day"]["S"]

    def record_report(
        self, team: str, kind: NoticeKind, day: str, notices: Sequence[Notice]
    ) -> None:
        """Put a team's report of a day in the outbox, once.

        Raises StateConflict if this or a later day's was put there already.
        """
        mark = self._put(
            {**monitor_key(_REPORTED_ON[kind], team), "day": {"S": day}},
            ConditionExpression="attribute_not_exists(pk) OR #day < :day",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":day": {"S": day}},
        )
        self._writer.transact(
            [mark, *(self._put(_notice_item(notice)) for notice in notices)],
            refused=f"the {kind} of {team} for {day} was made by somebody else",
        )

    def remembered_grants(self) -> dict[str, list[str]]:
        """The grants that were seen on each dataset, a line each."""
        items = monitor_items(self._dynamodb, self._table, GRANTS)
        return {
            kind_and_name(item)[1]: [one["S"] for one in item["grants"]["L"]]
            for item in items
        }

    def record_grants(
        self, dataset: str, grants: Sequence[str], notices: Sequence[Notice]
    ) -> None:
        """Remember them, and put what is told of the change in the outbox.

        Raises StateConflict if another check did so.
        """
        mark = self._put(
            {
                **monitor_key(GRANTS, dataset),
                "grants": {"L": [{"S": one} for one in grants]},
            }
        )
        self._writer.transact(
            [mark, *(self._put(_notice_item(notice)) for notice in notices)],
            refused=f"the grants on {dataset} were kept by another check",
        )

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop the records of datasets that exist no more."""
        self._write(
            [
                {"DeleteRequest": {"Key": monitor_key(kind, x)}}
                for x in datasets
                for kind in (FRESHNESS, FAILED, UNMADE)
            ]
        )

    def forget_failures(self, datasets: Iterable[str]) -> None:
        """Drop the marks of pulls that failed, of datasets that were pulled since."""
        self._write(
            [{"DeleteRequest": {"Key": monitor_key(FAILED, x)}} for x in datasets]
        )

    def keep_events(self, events: Iterable[OutgoingEvent]) -> dict[str, str]:
        """Have the next check publish them; why one was not kept, by its id."""
        return self._kept(map(event_item, events))

    def published(self, events: Iterable[OutgoingEvent]) -> None:
        """They are on the bus, and wait no more."""
        self._write([{"DeleteRequest": {"Key": event_key(one)}} for one in events])

    def open_incident(
        self, dataset: str, *, of_checks: bool = False
    ) -> Incident | None:
        """The dataset's open incident, strongly consistent."""
        pointer = self._get(_pointer(dataset, of_checks=of_checks))
        if pointer is None:
            return None
        return self.incident(pointer["incident_id"]["S"])

    def open_incidents(self, datasets: Sequence[str]) -> dict[str, Incident | None]:
        """The same of many, by as few calls as it takes. One that cannot be read so is
        left out, and whoever needs it asks for it alone.
        """
        pointers, left = self._get_all(
            [_pointer(name, of_checks=False) for name in datasets]
        )
        ids = [one["incident_id"]["S"] for one in pointers.values()]
        items, _ = self._get_all([_key("INCIDENT", each) for each in ids])
        found: dict[str, Incident | None] = {}
        for name in datasets:
            place = _place(_pointer(name, of_checks=False))
            if place in left:
                continue
            if place not in pointers:
                found[name] = None
                continue
            incident_id = pointers[place]["incident_id"]["S"]
            with suppress(KeyError, msgspec.MsgspecError):
                item = items["INCIDENT", incident_id]
                found[name] = _read(item, "incident", Incident)
        return found

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

        The days that ended are written apart, before: again they are the same. Raises
        StateConflict if somebody else changed or opened one in between.
        """
        if watch is not None:
            self._write([_put_request(day) for day in _day_items(watch)])
        actions: list[Any] = [
            self._put(_incident_item(after), **_is_at(before)),
            *self._pointed(before, after),
            *(self._put(_notice_item(notice)) for notice in notices),
        ]
        if watch is not None:
            actions.append(self._put(_watch_item(watch)))
        self._writer.transact(
            actions,
            refused=f"incident {after.incident_id} was changed by somebody else while "
            f"its version {after.version} was made; the next check reads it",
        )

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
        self._writer.transact(
            actions, refused=f"the repair {repair_id} was reported by somebody else"
        )

    def delivered(self, notices: Iterable[Notice]) -> None:
        """Take notices out of the outbox; gone already is fine."""
        self._write([{"DeleteRequest": {"Key": _outbox_key(item)}} for item in notices])

    def checked(self, at: datetime) -> None:
        """A check came to its end."""
        item = {**monitor_key(CHECK), "at": {"S": at.isoformat()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def _pointed(self, before: Incident | None, after: Incident) -> list[Any]:
        was_over = before is not None and before.resolved_at is not None
        if was_over and after.resolved_at is not None:
            return []  # a person adds to what is over; the pointer is another's
        pointer = _pointer(after.dataset, of_checks=after.kind == "quality")
        named = {
            "ConditionExpression": "incident_id = :id",
            "ExpressionAttributeValues": {":id": {"S": after.incident_id}},
        }
        if before is None or was_over:
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

    def _get_all(
        self, keys: Sequence[dict[str, Any]]
    ) -> tuple[dict[tuple[str, str], dict[str, Any]], set[tuple[str, str]]]:
        """The items that are there, by their keys, and those that were left unread."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        left: set[tuple[str, str]] = set()
        for start in range(0, len(keys), AT_ONCE):
            asked: Any = {"Keys": keys[start : start + AT_ONCE], "ConsistentRead": True}
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: asked})
            found |= {
                _place(item): item for item in answer["Responses"].get(self._table, [])
            }
            unread = answer.get("UnprocessedKeys", {}).get(self._table, {"Keys": []})
            left |= {_place(key) for key in unread["Keys"]}
        return found, left

    def _monitor(self, kind: str = "") -> Iterator[dict[str, Any]]:
        return monitor_items(self._dynamodb, self._table, kind)

    def _kept(self, items: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Put items, each for itself; why one was not, by its name."""
        return {
            kind_and_name(one.request["PutRequest"]["Item"])[1]: one.why
            for one in self._writer.batch([*map(_put_request, items)])
        }

    def _write(self, requests: Sequence[Any]) -> None:
        """Write or delete many items; what fails is logged and written next time."""
        unwritten = self._writer.batch(requests)
        if unwritten:
            LOG.warning(
                "%s of %s writes failed; the next check retries them: %s",
                len(unwritten),
                len(requests),
                unwritten[0].why,
            )


def _put_request(item: dict[str, Any]) -> dict[str, Any]:
    return {"PutRequest": {"Item": item}}


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


def _place(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _pointer(dataset: str, *, of_checks: bool) -> dict[str, Any]:
    if is_ours(dataset):
        return monitor_key(OPEN, dataset)
    return _key(f"DATASET#{dataset}", "CHECKS" if of_checks else "INCIDENT")


def _outbox_key(notice: Notice) -> dict[str, Any]:
    return monitor_key(OUTBOX, f"{notice.created_at.isoformat()}#{notice.notice_id}")


def _read(item: dict[str, Any], name: str, kind: type[_Kept]) -> _Kept:
    return msgspec.json.decode(item[name]["S"], type=kind)


def _notices(items: dict[str, Any]) -> list[Notice]:
    """Those of one audience hold one message, as when they were made: thousands may
    wait. What was read is dropped on the way.
    """
    messages: dict[str, Message] = {}
    found = []
    for key in list(items):
        one = _read(items.pop(key), "notice", Notice)
        known = messages.setdefault(one.notice_id.rpartition(".")[0], one.message)
        is_same = known is not one.message and known == one.message
        found.append(dataclasses.replace(one, message=known) if is_same else one)
    return found


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
    """Without the days that ended: they are items of their own, which whoever records
    the watch again, as a person's report does, need not write.
    """
    if watch.tally is not None and watch.tally.over:
        watch = replace(watch, tally=replace(watch.tally, over=()))
    return {**monitor_key(FRESHNESS, watch.dataset), "watch": _json(watch)}


def _day_items(watch: Watch) -> list[dict[str, Any]]:
    """The days that ended with this check. Written again they are the same."""
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
