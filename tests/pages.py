"""Facts of a status page, made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.freshness.attainment import AttainmentState, Day
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.ports import CheckState
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.reports.page.facts import PageFacts, in_full
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def a_watch(name: str, *, is_late: bool = False, **changes: object) -> Watch:
    fields: dict[str, object] = {
        "dataset": name,
        "checked_at": NOW,
        "promise": "",
        "state": "error" if is_late else "pass",
        "cause": "upstream_quiet" if is_late else None,
        "next_look_at": None,
        "newest_at": NOW - timedelta(hours=9 if is_late else 1),
        "newest_loaded_at": None,
        "row_count": 1_000,
        "incident_id": f"{name}-1" if is_late else None,
        "tally": a_tally(),
    }
    return Watch(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def a_tally(*bad: Day) -> AttainmentState:
    return AttainmentState(
        since=NOW - timedelta(days=60),
        until=NOW,
        was_late=False,
        due_share=1.0,
        today=Day(day="2026-11-28", ages=((3600, 600), (7200, 900))),
        days=bad,
    )


def an_incident(name: str, **changes: object) -> Incident:
    fields: dict[str, object] = {
        "incident_id": f"{name}-1",
        "dataset": name,
        "version": 1,
        "opened_at": NOW - timedelta(hours=2),
        "changed_at": NOW,
        "state": "error",
        "cause": "upstream_quiet",
        "stage": "upstream",
        "page": False,
        "headline": f"{name} late: nothing new upstream",
        "evidence": ("the probe found nothing newer",),
        "next_step": "wait for the source",
        "also": (),
        "eta": None,
        "late_since": NOW - timedelta(hours=2),
    }
    return Incident(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def a_run(name: str, number: int = 0) -> Run:
    started = NOW - timedelta(hours=number, minutes=55)
    return Run(
        dataset=name,
        run_id=f"{name}-{number}",
        status=RunStatus.LANDED,
        started_at=started,
        finished_at=started + timedelta(seconds=30),
        rows=100 + number,
        size=1_000,
        objects=1,
        pages=1,
        requests=2,
        retries=0,
        cursor_before=None,
        cursor_after=None,
    )


def some_facts(
    datasets: Sequence[Dataset],
    *,
    watches: Mapping[str, Watch] | None = None,
    incidents: Mapping[str, Incident] | None = None,
    last_check_at: datetime | None = NOW - timedelta(minutes=3),
    simulated: bool = False,
) -> PageFacts:
    """All on time, but for what is said."""
    names = [dataset.name for dataset in datasets]
    catalogue = Catalogue(datasets={one.name: one for one in datasets})
    seen = {name: a_watch(name) for name in names} | dict(watches or {})
    state = CheckState(watches=seen, last_check_at=last_check_at)
    return PageFacts(
        environment="prod",
        now=NOW,
        check_every=timedelta(minutes=5),
        catalogue=catalogue,
        state=state,
        incidents=incidents or {},
        runs={name: [a_run(name)] for name in names},
        days=dict.fromkeys(in_full(catalogue, state), ()),
        simulated=simulated,
    )


def named(count: int, **changes: object) -> list[Dataset]:
    return [
        a_dataset(name=f"dataset_{number:04}", **changes) for number in range(count)
    ]
