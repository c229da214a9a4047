"""docs/events.md: every event on the bus, from the types that the code publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from lambdas.core.errors import RunErrorKind
from lambdas.core.events import (
    EVENTS,
    AtRiskEvent,
    BusEvent,
    CauseSpan,
    CheckFailedEvent,
    CheckOutcome,
    ChecksRunEvent,
    ClosedEvent,
    ColumnChangedEvent,
    ColumnsSeenEvent,
    IncidentEvent,
    LateEvent,
    NoticeSent,
    RecoveredEvent,
    RowsLoadedEvent,
    RunFailedEvent,
    RunLandedEvent,
)
from lambdas.core.names import EVENT_SOURCE

HEAD = """\
# Events on the bus
<!-- Written by `make generate` from lambdas/core/events.py; edit that. -->
What catflap tells other systems, on the EventBridge bus `catflap-<env>`. A rule takes
what it needs by `source` and `detail-type`:

```json
{"source": ["catflap"], "detail-type": ["dataset.landed", "dataset.late"]}
```

**At least once, in any order.** The same event may come twice, with the same `id` in
`detail`; EventBridge's own `id` beside it is another each time. What the bus refuses is
kept, and published by the next check. Of a run whose function was killed there is no
`pull.failed`; `catflap runs` shows it as failed.

Times are ISO 8601 with an offset. Every field is there unless it says *absent*; more
fields may be added, so ignore those that you do not know. The JSON Schema of all events
is `schemas/events.schema.json`.
"""

AIRFLOW = """\
## Airflow
A task can wait for `dataset.loaded`. A rule of the bus puts the events of a dataset
into an SQS queue, one for each sensor:

```json
{
  "source": ["catflap"],
  "detail-type": ["dataset.loaded"],
  "detail": {"dataset": ["flights"]}
}
```

Copy `integrations/airflow/dataset_loaded.py` beside your DAGs; it needs boto3 and
nothing of catflap:

```python
PythonSensor(
    task_id="flights_loaded",
    python_callable=DatasetLoaded(dataset="flights", queue_url=QUEUE_URL),
    op_kwargs={"since": "{{ data_interval_end }}"},
    mode="reschedule",
)
```

It ends once rows were loaded after `since`; with `clock="newest_event_at"`, once the
data reach it. The worker needs `sqs:ReceiveMessage`, `sqs:DeleteMessage` and
`sqs:ChangeMessageVisibility` on the queue. An event is what a check has seen: it comes
with the next check after the load, not with the load.
"""

LINEAGE = """\
## OpenLineage
With `openlineage: {url: https://lineage.example.com}` in an environment, a function
hears the bus and tells that service (Marquez, DataHub and others) of runs:
`pull.<dataset>` and `load.<dataset>` with rows, bytes or the error,
`relation.<dataset>` and `model.<model>` with their columns, `check.<name>` with what
was measured. A check that could not run is a skipped test, and no assertion. Jobs stand
in `catflap-<env>`, tables in `snowflake://<organization>-<account>`, objects in
`s3://<bucket>`. `secret` names a secret with an `api_key`. Each event is tried once,
within 2 s; one that is lost is not sent again.
"""

_RUN = "20261123T090000Z-4f1c9a"
_STARTED = "2026-11-23T09:00:00+00:00"
_OPENED = "2026-11-23T15:00:00+00:00"
_INCIDENT = "flights-20261123T150000Z"
_OVER = "2026-11-23T16:30:00+00:00"


def _incident_event(event: type[IncidentEvent], /, **changes: object) -> IncidentEvent:
    known: dict[str, Any] = {
        "id": f"{_INCIDENT}.1.systems",
        "dataset": "flights",
        "incident": _INCIDENT,
        "incident_id": _INCIDENT,
        "datasets": ["flights"],
        "kind": "late",
        "state": "error",
        "cause": "pipe_stopped",
        "stage": "load",
        "main_cause": "pipe_stopped",
        "causes": [CauseSpan(code="pipe_stopped", seconds=0)],
        "opened_at": _OPENED,
        "late_since": _OPENED,
        "newest_at": "2026-11-23T08:59:00+00:00",
        "expected_at": None,
        "resolved_at": None,
        "ended_by": None,
        "acknowledged_by": None,
        "promised_for": None,
        "promise": None,
        "snoozed_until": None,
        "notices": [],
    }
    return event(**{**known, **changes})


_ENDED: dict[str, object] = {
    "id": f"{_INCIDENT}.3.systems",
    "state": "pass",
    "causes": [CauseSpan(code="pipe_stopped", seconds=5400)],
    "resolved_at": _OVER,
    "acknowledged_by": "mia",
    "notices": [
        NoticeSent(
            at=_OPENED, audience="engineers", channel="slack", kind="opened", page=True
        )
    ],
}

EXAMPLES: dict[type[BusEvent], BusEvent] = {
    type(example): example
    for example in (
        RunLandedEvent(
            id=f"flights/{_RUN}/landed",
            dataset="flights",
            run_id=_RUN,
            rows=912,
            bytes=48_213,
            quarantined=0,
            objects=[f"raw/flights/g1a2b3c4d/dt=2026-11-23/{_RUN}-00001.ndjson.gz"],
            started_at=_STARTED,
        ),
        RowsLoadedEvent(
            id="flights-loaded-2026-11-23T09:02:00+00:00",
            dataset="flights",
            loaded_at="2026-11-23T09:02:00+00:00",
            newest_event_at="2026-11-23T08:59:00+00:00",
            rows=336_776,
        ),
        ChecksRunEvent(
            id="flights-checked-2026-11-23T09:05:00+00:00",
            dataset="flights",
            run_id=_RUN,
            checked_at="2026-11-23T09:05:00+00:00",
            checks=[
                CheckOutcome(
                    check="nullValues_carrier",
                    metric="nullValues",
                    column="carrier",
                    severity="error",
                    state="fail",
                    value=3.0,
                    must="0",
                    reason=None,
                )
            ],
        ),
        _incident_event(LateEvent),
        _incident_event(
            AtRiskEvent,
            kind="at_risk",
            state="pass",
            late_since=None,
            cause="credentials_rejected",
            stage="pull",
            main_cause="credentials_rejected",
            causes=[CauseSpan(code="credentials_rejected", seconds=0)],
        ),
        _incident_event(
            CheckFailedEvent,
            late_since=None,
            kind="quality",
            state="error",
            cause="checks_failed",
            stage="table",
            main_cause="checks_failed",
            causes=[CauseSpan(code="checks_failed", seconds=0)],
            checks=[
                f"nullValues_carrier is 3, and must be 0, since run {_RUN}",
            ],
        ),
        _incident_event(
            RecoveredEvent,
            **{**_ENDED, "newest_at": "2026-11-23T16:28:00+00:00"},
            ended_by="recovered",
        ),
        _incident_event(ClosedEvent, **_ENDED, ended_by="closed"),
        ColumnChangedEvent(
            id=f"flights/{_RUN}/changed_type/8f2ac1d05b7e9346",
            dataset="flights",
            run_id=_RUN,
            change="changed_type",
            column="dep_delay",
            expected="integer",
            found="string",
            started_at=_STARTED,
        ),
        RunFailedEvent(
            id=f"flights/{_RUN}/failed",
            dataset="flights",
            run_id=_RUN,
            cause=RunErrorKind.AUTH,
            message="GET https://api.example.com/flights answered 401",
            started_at=_STARTED,
        ),
        ColumnsSeenEvent(
            id=f"flights/{_RUN}/columns",
            dataset="flights",
            run_id=_RUN,
            columns={"id": "integer", "carrier": "string"},
            started_at=_STARTED,
        ),
    )
}
"""A document of each, as a reader may get it."""


def page() -> str:
    """The page, whole."""
    shared = "\n".join(
        [*_described(IncidentEvent, "## Fields of an incident's events")]
    )
    return "\n".join(
        [HEAD, *(_section(kind) for kind in EVENTS), shared, AIRFLOW, LINEAGE]
    )


def schema() -> str:
    """The JSON Schema of an event, as EventBridge hands it over."""
    _, definitions = msgspec.json.schema_components(
        EVENTS, ref_template="#/$defs/{name}"
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of catflap",
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "oneOf": [
            {
                "properties": {
                    "source": {"const": EVENT_SOURCE},
                    "detail-type": {"const": kind.detail_type},
                    "detail": {"$ref": f"#/$defs/{kind.__name__}"},
                }
            }
            for kind in EVENTS
        ],
        "$defs": definitions,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _section(kind: type[BusEvent]) -> str:
    example = json.dumps(EXAMPLES[kind].detail(), indent=2)
    lines = [f"## `{kind.detail_type}`", _words(kind), ""]
    lines += [f"*At most:* {kind.at_most}", ""]
    if issubclass(kind, IncidentEvent):
        lines += ["Its fields: [below](#fields-of-an-incidents-events).", ""]
        if kind is CheckFailedEvent:
            lines += ["And with them:", "", *_table(kind, without=IncidentEvent), ""]
    else:
        lines += [*_table(kind), ""]
        if kind is ChecksRunEvent:
            lines += ["Each of `checks`:", "", *_table(CheckOutcome), ""]
    return "\n".join([*lines, "```json", example, "```", ""])


def _described(kind: type[Any], title: str) -> Iterator[str]:
    yield from (title, _words(kind), "", *_table(kind), "")
    for inner in (CauseSpan, NoticeSent):
        yield from (f"Each of `{_FIELD[inner]}`: {_words(inner)}", "")
        yield from (*_table(inner), "")


_FIELD: dict[type[Any], str] = {CauseSpan: "causes", NoticeSent: "notices"}


def _words(kind: type[Any]) -> str:
    return "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())


def _table(kind: type[Any], *, without: type[Any] | None = None) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    described = inspect.type_info(kind)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{kind.__name__} has no fields")
    shared = set() if without is None else {*without.__struct_fields__}
    for field in described.fields:
        if field.name in shared:
            continue
        said = field.type
        if not isinstance(said, inspect.Metadata):
            raise TypeError(f"{kind.__name__}.{field.name} says not what it means")
        meaning = (said.extra_json_schema or {})["description"]
        yield f"| `{field.name}` | {_type(said.type)} | {meaning} |"


_SIMPLE: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.StructType: "mapping",
}


def _type(said: inspect.Type) -> str:
    match said:
        case inspect.UnionType():
            return " or ".join(map(_type, said.types))
        case inspect.LiteralType(values=words):
            return ", ".join(f"`{word}`" for word in words)
        case inspect.EnumType(cls=words):
            return ", ".join(f"`{word.value}`" for word in words)
        case inspect.ListType():
            return f"list of {_type(said.item_type)}"
        case inspect.DictType():
            return f"mapping of {_type(said.value_type)}"
        case _:
            return _SIMPLE[type(said)]
