"""The bus: as few calls as it takes, and what is refused takes nothing with it."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError

from lambdas.adapters.channels.bus import BusChannel
from lambdas.adapters.event_bus import EventBus
from lambdas.core.errors import ChannelDown
from lambdas.core.events import OutgoingEvent
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.freshness.outbox import Outbox
from tests.watched import MemoryIncidents, a_batch


class RecordingBus:
    """EventBridge: what it was sent, call by call. It refuses some by their ids."""

    def __init__(self, *refused: str, is_down: bool = False) -> None:
        self.refused = refused
        self.is_down = is_down
        self.calls: list[list[str]] = []

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, object]:  # noqa: N803 - as botocore has it
        if self.is_down:
            raise EndpointConnectionError(endpoint_url="https://events")
        ids = [json.loads(entry["Detail"])["id"] for entry in Entries]
        self.calls.append(ids)
        answers = [
            {"ErrorCode": "InternalException", "ErrorMessage": "try again"}
            if one in self.refused
            else {"EventId": "0"}
            for one in ids
        ]
        failed = sum("ErrorCode" in one for one in answers)
        return {"FailedEntryCount": failed, "Entries": answers}


def on(bus: RecordingBus) -> EventBus:
    return EventBus(events=bus, bus="catflap")  # type: ignore[arg-type]  # the one call of it that is used


def of_size(event_id: str, size: int = 0) -> OutgoingEvent:
    """An event of so many bytes, by EventBridge's reckoning."""
    detail = {"id": event_id, "dataset": "cats", "x": ""}
    rest = len("catflap") + len("dataset.late") + len(msgspec.json.encode(detail))
    detail["x"] = "x" * (size - rest)
    return OutgoingEvent(detail_type="dataset.late", detail=detail)


def test_ten_events_leave_in_one_call() -> None:
    bus = RecordingBus()
    assert on(bus).publish_all([of_size(f"{one}") for one in range(23)]) == {}
    assert [len(call) for call in bus.calls] == [10, 10, 3]
    assert on(bus).publish_all([]) == {}
    assert len(bus.calls) == 3


def test_a_call_stays_within_the_bytes_that_the_bus_takes() -> None:
    bus = RecordingBus()
    half = 128 * 1024
    events = [of_size("a", half - 1), of_size("b", half), of_size("c", half)]
    assert on(bus).publish_all(events) == {}
    assert bus.calls == [["a", "b"], ["c"]]


def test_an_event_that_no_call_takes_is_refused_without_one() -> None:
    bus = RecordingBus()
    events = [of_size("a"), of_size("b", 256 * 1024), of_size("c", 256 * 1024 - 1)]
    (why,) = on(bus).publish_all(events).values()
    assert why == "262,144 bytes; the bus takes less than 262,144"
    assert bus.calls == [["a"], ["c"]]


def test_an_event_that_is_refused_takes_no_other_with_it() -> None:
    bus = RecordingBus("b")
    refused = on(bus).publish_all([of_size("a"), of_size("b"), of_size("c")])
    assert refused == {"b": "InternalException: try again"}


def bus_notice(number: int) -> Notice:
    return dataclasses.replace(
        a_batch(audience=Recipient.SYSTEMS, channel="bus").first,
        notice_id=f"cats.{number}.systems.bus",
        dataset=f"cats{number}",
        event="dataset.late",
        detail={"id": f"{number}", "dataset": f"cats{number}"},
    )


def test_of_many_events_only_the_refused_ones_wait() -> None:
    bus, state = RecordingBus("3"), MemoryIncidents()
    waiting = [bus_notice(number) for number in range(12)]
    state.outbox.update({one.notice_id: one for one in waiting})

    def deliver() -> list[str]:
        outbox = Outbox(
            state=state,
            channels={"bus": BusChannel(events=on(bus))},
            pointers=Pointers(),
            has_time=lambda: True,
        )
        outbox.deliver(state.undelivered())
        return [*state.outbox]

    assert deliver() == ["cats.3.systems.bus"]
    assert [len(call) for call in bus.calls] == [10, 2]
    bus.refused = ()
    assert deliver() == []
    assert bus.calls[2:] == [["3"]]


def test_a_bus_that_is_down_is_asked_once() -> None:
    bus = RecordingBus(is_down=True)
    batch = a_batch(
        audience=Recipient.SYSTEMS,
        channel="bus",
        event="dataset.late",
        detail={"id": "1", "dataset": "cats"},
    )
    with pytest.raises(ChannelDown, match=r"dataset\.late"):
        BusChannel(events=on(bus)).deliver(batch)
