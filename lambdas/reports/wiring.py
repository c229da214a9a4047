"""Reports, made from the function's settings; clients live with the process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, catalogue, settings
from lambdas.adapters.reports.facts import read_facts, read_morning
from lambdas.adapters.reports.page_object import PageObject
from lambdas.adapters.reports.status_page import as_html
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.reports.digest import day_of, digest_notices
from lambdas.core.reports.status_page import status_page
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
    known = settings(ReportSettings)
    timezone = known.zones_of_digests.get(team)
    dynamodb, table = client("dynamodb"), known.state_table
    state = IncidentTable(dynamodb=dynamodb, table=table)
    if timezone is None or (state.digest_day(team) or "") >= day_of(due_at, timezone):
        return {"team": team, "notices": 0}
    now = SystemClock().now()
    morning = read_morning(
        catalogue(),
        dynamodb=dynamodb,
        table=table,
        team=team,
        timezone=timezone,
        due_at=due_at,
        now=now,
        check_every=timedelta(seconds=known.check_every_s),
    )
    made = digest_notices(morning, routes=routes(known.secrets_of_channels), now=now)
    state.record_digest(team, morning.day, made)
    return {"team": team, "notices": len(made)}
