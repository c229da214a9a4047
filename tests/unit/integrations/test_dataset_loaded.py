"""The sensor for Airflow: what it waits for, without Airflow and without AWS."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has none
import pytest

from cli.events import EXAMPLES
from integrations.airflow.dataset_loaded import MESSAGES, DatasetLoaded
from lambdas.core.events import BusEvent, RecoveredEvent, RowsLoadedEvent

ROOT = Path(__file__).resolve().parents[3]
QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/flights-loaded"


def loaded(at: str, newest: str | None = None, dataset: str = "flights") -> BusEvent:
    return RowsLoadedEvent(
        id=f"{dataset}-loaded-{at}",
        dataset=dataset,
        loaded_at=at,
        newest_event_at=newest,
        rows=3,
    )


@dataclass
class Queue:
    """A queue that a rule of the bus fills, as far as the sensor asks it."""

    bodies: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def put(self, event: BusEvent) -> None:
        body = {
            "source": "catflap",
            "detail-type": event.detail_type,
            "detail": event.detail(),
        }
        self.bodies[f"receipt-{next(self.numbers)}"] = json.dumps(body)

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        assert asked["QueueUrl"] == QUEUE
        left = [one for one in self.bodies if one not in self.taken]
        given = left[: asked["MaxNumberOfMessages"]]
        self.taken.update(given)
        messages = [{"ReceiptHandle": one, "Body": self.bodies[one]} for one in given]
        return {"Messages": messages} if messages else {}

    def change_message_visibility(self, **asked: Any) -> None:
        assert (asked["QueueUrl"], asked["VisibilityTimeout"]) == (QUEUE, 0)
        self.taken.discard(asked["ReceiptHandle"])

    def delete_message(self, **asked: Any) -> None:
        assert asked["QueueUrl"] == QUEUE
        del self.bodies[asked["ReceiptHandle"]]


def sensor(queue: Queue, **more: Any) -> DatasetLoaded:
    return DatasetLoaded(
        dataset="flights", queue_url=QUEUE, client=lambda: queue, **more
    )


def test_it_waits_until_rows_are_loaded_that_are_as_new_as_asked() -> None:
    queue = Queue()
    wait = sensor(queue)
    since = "2026-11-23T09:00:00+00:00"

    assert not wait(since=since)
    queue.put(loaded("2026-11-23T08:59:59+00:00"))
    assert not wait(since=since, ds="what else Airflow passes")
    assert queue.bodies == {}
    queue.put(loaded("2026-11-23T10:00:00+01:00"))
    assert wait(since=since)
    assert wait(since=since), "a task that is run again finds it"


def test_it_can_wait_for_the_newest_time_in_the_data() -> None:
    queue = Queue()
    wait = sensor(queue, clock="newest_event_at")
    queue.put(loaded("2026-11-23T09:02:00+00:00", "2026-11-23T08:00:00+00:00"))
    assert not wait(since="2026-11-23T09:00:00+00:00")
    queue.put(loaded("2026-11-23T10:02:00+00:00"))
    with pytest.raises(ValueError, match="flights has no newest_event_at"):
        wait(since="2026-11-23T09:00:00+00:00")


def test_events_about_something_else_do_not_count_and_do_not_stay() -> None:
    queue = Queue()
    for _ in range(2 * MESSAGES):
        queue.put(loaded("2026-11-23T10:00:00+00:00", dataset="weather"))
    other = loaded("2026-11-23T10:00:00+00:00")
    queue.put(other)
    queue.bodies["odd"] = queue.bodies.popitem()[1].replace(
        RowsLoadedEvent.detail_type, RecoveredEvent.detail_type
    )
    assert not sensor(queue)(since="2026-11-23T09:00:00Z")
    assert queue.bodies == {}


def test_what_it_reads_keeps_to_the_published_schema() -> None:
    schema = json.loads((ROOT / "schemas/events.schema.json").read_text())
    for example in EXAMPLES.values():
        detail = example.detail()
        event = {"source": "catflap", "detail-type": example.detail_type}
        jsonschema.validate({**event, "detail": detail}, schema)
        broken = {**event, "detail": {**detail, "dataset": None}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="with an offset"):
        sensor(Queue())(since="2026-11-23T09:00:00")
