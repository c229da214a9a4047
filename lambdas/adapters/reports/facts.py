"""What the status page is made of, read from the state table and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from lambdas.adapters.state.checks import CheckTable
from lambdas.adapters.state.costs import CostTable
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import Catalogue
from lambdas.core.diagnosis.causes.beyond import CHECKS_MISSED
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import CheckState
from lambdas.core.incidents.verdicts.api import apis_of
from lambdas.core.names import OURS
from lambdas.core.reports.causes import CausesFacts, month_before
from lambdas.core.reports.digest import Morning, night_before
from lambdas.core.reports.page.facts import PageFacts, in_full
from lambdas.core.reports.page.page_row import RUNS_SHOWN
from lambdas.core.reports.usage import Lates

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AT_A_TIME = 16
"""Reads of the state table; a client's connections are 10 by default, and wait."""
MOST_INCIDENTS = 500
"""Open incidents that are read; of more datasets the page says what a check said."""
LAG_DAYS = 7

_Read = TypeVar("_Read")


def read_facts(
    catalogue: Catalogue,
    *,
    dynamodb: DynamoDBClient,
    table: str,
    environment: str,
    now: datetime,
    check_every: timedelta,
    pointers: Pointers,
    simulated: bool,
) -> PageFacts:
    """The facts at `now`, from the state table called `table`."""
    incidents = IncidentTable(dynamodb=dynamodb, table=table)
    runs = StateTable(dynamodb=dynamodb, table=table)
    checks = CheckTable(dynamodb=dynamodb, table=table)
    state = incidents.read_check_state()
    loads = checks.loads()
    full = in_full(catalogue, state, loads)
    since = (now - timedelta(days=LAG_DAYS)).date().isoformat()
    with ThreadPoolExecutor(AT_A_TIME) as pool:

        def each(
            names: Iterable[str], read: Callable[[str], _Read]
        ) -> dict[str, _Read]:
            asked = list(names)
            return dict(zip(asked, pool.map(read, asked), strict=True))

        opened = {
            state.watches[name].incident_id or "": name
            for name in _open(catalogue, state)[:MOST_INCIDENTS]
        }
        found = each(opened, incidents.incident)
        shown = set(full)
        newest = each(
            catalogue.datasets,
            lambda name: runs.latest_runs(name, RUNS_SHOWN if name in shown else 1),
        )
        days = each(full, lambda name: incidents.days(name, since=since))
        checked = each([name for name in full if name in loads], checks.results)
    return PageFacts(
        environment=environment,
        now=now,
        check_every=check_every,
        catalogue=catalogue,
        state=state,
        incidents={
            opened[incident_id]: one
            for incident_id, one in found.items()
            if one is not None and one.resolved_at is None
        },
        runs=newest,
        days=days,
        loads=loads,
        checks={name: one for name, one in checked.items() if one is not None},
        costs=CostTable(dynamodb=dynamodb, table=table).read(),
        pointers=pointers,
        simulated=simulated,
    )


def read_morning(
    catalogue: Catalogue,
    *,
    dynamodb: DynamoDBClient,
    table: str,
    team: str,
    timezone: str,
    due_at: datetime,
    now: datetime,
    check_every: timedelta,
) -> Morning:
    """What a team's digest is made of, from the state table called `table`."""
    incidents = IncidentTable(dynamodb=dynamodb, table=table)
    mine = [one for one in catalogue.datasets.values() if one.owner.team == team]
    state = incidents.read_check_state()
    loads = CheckTable(dynamodb=dynamodb, table=table).loads()
    since = night_before(due_at, timezone)
    watches = [state.watches[x.name] for x in mine if x.name in state.watches]
    ids = {
        *(one.incident_id for one in watches),
        *(one.ended_incident for one in watches if (one.ended_at or now) > since),
        *(loads[one.name].incident_id for one in mine if one.name in loads),
    }
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        known = pool.map(incidents.incident, sorted(filter(None, ids)))
        begun = pool.map(lambda one: incidents.incidents_since(one.name, since), mine)
        found = [*known, *(one for each in begun for one in each)]
    ours = [state.own[name] for name in OURS | apis_of(mine) if name in state.own]
    last = state.last_check_at
    return Morning(
        team=team,
        timezone=timezone,
        due_at=due_at,
        datasets=mine,
        watches=state.watches,
        incidents=tuple({x.incident_id: x for x in (*found, *ours) if x}.values()),
        loads=loads,
        silences=state.silences,
        checks_stopped=last is None or now - last > CHECKS_MISSED * check_every,
    )


def read_causes(
    catalogue: Catalogue,
    *,
    dynamodb: DynamoDBClient,
    table: str,
    team: str,
    timezone: str,
    until: datetime,
) -> CausesFacts:
    """What a team's causes report is made of: the month up to `until`, and the one
    before it with what began up to a month earlier.
    """
    incidents = IncidentTable(dynamodb=dynamodb, table=table)
    mine = [one for one in catalogue.datasets.values() if one.owner.team == team]
    watches = incidents.watches()
    since = month_before(until, timezone)
    reach = until - 3 * (until - since)
    open_now = {
        watches[one.name].incident_id or "" for one in mine if one.name in watches
    }
    subjects = {one.name for one in mine} | apis_of(mine)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        known = pool.map(incidents.incident, sorted(filter(None, open_now)))
        begun = pool.map(lambda x: incidents.incidents_since(x, reach), subjects)
        found = [*known, *(one for each in begun for one in each)]
    return CausesFacts(
        team=team,
        timezone=timezone,
        since=since,
        until=until,
        datasets=mine,
        incidents=tuple({x.incident_id: x for x in found if x}.values()),
        watches=watches,
    )


def read_lates(
    names: Iterable[str], *, incidents: IncidentTable, now: datetime
) -> Lates:
    """From when to when each dataset was late, as far as the monitor remembers."""
    watches = incidents.watches()
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for name in names:
        watch = watches.get(name)
        if watch is None:
            continue
        lates = watch.tally.lates if watch.tally else ()
        spans = [(x.at, x.at + timedelta(seconds=x.seconds)) for x in lates]
        is_late = watch.state in {"warn", "error"} and watch.incident_id is not None
        one = incidents.incident(watch.incident_id or "") if is_late else None
        if one is not None and one.late_since is not None:
            spans.append((one.late_since, now))
        if spans:
            found[name] = spans
    return found


def _open(catalogue: Catalogue, state: CheckState) -> list[str]:
    """The datasets and models with an open incident; those that are late first."""
    found = [
        name
        for name in sorted({*catalogue.datasets, *catalogue.models})
        if name in state.watches and state.watches[name].incident_id is not None
    ]
    return sorted(found, key=lambda name: state.watches[name].state == "pass")
