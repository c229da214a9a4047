"""Reports, made from the function's settings; clients live with the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, catalogue, settings
from lambdas.adapters.reports.facts import read_causes, read_facts, read_morning
from lambdas.adapters.reports.page_object import PageObject
from lambdas.adapters.reports.status_page import as_html
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.channels import Routes, routes
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.reports.causes import causes_notices
from lambdas.core.reports.digest import digest_notices
from lambdas.core.reports.status_page import status_page
from lambdas.core.reports.team_notices import day_of
from lambdas.core.settings import ReportSettings


def write_page(changed_at: datetime | None) -> dict[str, Any]:
    """Write the status page, unless it shows the change that asks for it already: of
    many changes at once, the first few write it.
    """
    known = settings(ReportSettings)
    kept = PageObject(s3=client("s3"), bucket=known.landing_bucket)
    now = SystemClock().now()
    made_at = None if changed_at is None else kept.made_at()
    if changed_at is not None and made_at is not None and made_at > changed_at:
        return {"bytes": 0, "datasets": 0}
    facts = read_facts(
        catalogue(),
        dynamodb=client("dynamodb"),
        table=known.state_table,
        environment=known.environment_name,
        now=now,
        check_every=timedelta(seconds=known.check_every_s),
        pointers=Pointers(
            environment=known.environment_name,
            runbook_url=known.runbook_url,
            repository_url=known.repository_url,
        ),
        simulated=False,
    )
    html = as_html(status_page(facts), written_at=now)
    kept.put(html, made_at=now)
    return {"bytes": len(html.encode()), "datasets": len(facts.catalogue.datasets)}


def write_digest(team: str, *, due_at: datetime) -> dict[str, Any]:
    """Put a team's digest in the outbox, once a day; the next check delivers it. A team
    that gets none any more is told nothing.
    """

    def made(asked: _Asked) -> tuple[Notice, ...]:
        morning = read_morning(
            catalogue(),
            dynamodb=client("dynamodb"),
            table=asked.known.state_table,
            team=team,
            timezone=asked.timezone,
            due_at=due_at,
            now=asked.now,
            check_every=timedelta(seconds=asked.known.check_every_s),
        )
        return digest_notices(morning, routes=asked.routes, now=asked.now)

    return _once(team, NoticeKind.DIGEST, due_at, made)


def write_causes(team: str, *, due_at: datetime) -> dict[str, Any]:
    """The same of what caused the incidents of the month up to `due_at`."""

    def made(asked: _Asked) -> tuple[Notice, ...]:
        facts = read_causes(
            catalogue(),
            dynamodb=client("dynamodb"),
            table=asked.known.state_table,
            team=team,
            timezone=asked.timezone,
            until=due_at,
        )
        return causes_notices(facts, routes=asked.routes, now=asked.now)

    return _once(team, NoticeKind.CAUSES, due_at, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a team's report is made with."""

    known: ReportSettings
    timezone: str
    now: datetime

    @property
    def routes(self) -> Routes:
        return routes(self.known.secrets_of_channels)


def _once(
    team: str,
    kind: NoticeKind,
    due_at: datetime,
    made: Callable[[_Asked], tuple[Notice, ...]],
) -> dict[str, Any]:
    known = settings(ReportSettings)
    timezone = known.zones_of_digests.get(team)
    state = IncidentTable(dynamodb=client("dynamodb"), table=known.state_table)
    if timezone is None:
        return {"team": team, "notices": 0}
    day = day_of(due_at, timezone)
    if (state.report_day(team, kind) or "") >= day:
        return {"team": team, "notices": 0}
    notices = made(_Asked(known=known, timezone=timezone, now=SystemClock().now()))
    state.record_report(team, kind, day, notices)
    return {"team": team, "notices": len(notices)}
