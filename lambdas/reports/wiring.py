"""Reports, made from the function's settings; clients live with the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.reports.facts import (
    read_causes,
    read_facts,
    read_lates,
    read_morning,
)
from lambdas.adapters.reports.page_object import PageObject
from lambdas.adapters.reports.status_page import as_html
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.access_history import AccessHistory
from lambdas.adapters.snowflake.usage import AccountUsage
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.costs import CostTable
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.proof import ProofTable
from lambdas.core.incidents.channels import Routes, routes
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.reports.access_week import access_notices
from lambdas.core.reports.access_week import unread as unread_of
from lambdas.core.reports.causes import causes_notices
from lambdas.core.reports.cost_report import CostReport
from lambdas.core.reports.digest import digest_notices
from lambdas.core.reports.estimate import Assumptions, monthly_cost
from lambdas.core.reports.page.status_page import status_page
from lambdas.core.reports.team_notices import day_of
from lambdas.core.reports.usage import WEEK as A_WEEK
from lambdas.core.reports.usage import weeks
from lambdas.core.settings import ReportSettings

WEEK = "week/all"
"""Beside the names of teams, of which none has a slash."""


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
        simulated=known.is_simulated,
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


def write_week(due_at: datetime) -> dict[str, Any]:
    """Put the reports of a week in the outbox, once: what it cost, who got access to
    what; and what teams near their budget hear, once a month at each mark.
    """
    known = settings(ReportSettings)
    state = IncidentTable(dynamodb=client("dynamodb"), table=known.state_table)
    day = due_at.date().isoformat()
    if (state.report_day(WEEK, NoticeKind.DIGEST) or "") >= day:
        return {"notices": 0}
    now = SystemClock().now()
    to = routes(known.secrets_of_channels)
    access = AccessHistory(source=warehouse(), database=known.snowflake_database).facts(
        catalogue(),
        since=due_at - A_WEEK,
        now=due_at,
        logins=known.logins_of_ours,
        simulated=known.is_simulated,
    )
    cost = _cost(known, due_at, unread=unread_of(access))
    CostTable(dynamodb=client("dynamodb"), table=known.state_table).keep(
        cost.sentences()
    )
    if cost.after.woken_by_looks:
        proof = ProofTable(dynamodb=client("dynamodb"), table=known.state_table)
        proof.keep(proven=False, at=now)
    told = 0
    for team, mark in cost.teams_near_their_budget().items():
        key, month = f"budget/{team}/{mark:.0%}", f"{due_at:%Y-%m}"
        if (state.report_day(key, NoticeKind.DIGEST) or "") < month:
            near = cost.budget_notices(team, routes=to, now=now)
            state.record_report(key, NoticeKind.DIGEST, month, near)
            told += len(near)
    made = [
        *cost.notices(routes=to, now=now),
        *access_notices(access, routes=to, now=now),
    ]
    # last: who is killed before it begins anew
    state.record_report(WEEK, NoticeKind.DIGEST, day, made)
    return {"notices": told + len(made)}


def _cost(
    known: ReportSettings, due_at: datetime, *, unread: Sequence[str]
) -> CostReport:
    all_ = catalogue()
    usage = AccountUsage(
        source=warehouse(),
        warehouse=known.snowflake_warehouse,
        database=known.snowflake_database,
        datasets=all_.datasets,
        users=[user for user, _ in known.logins_of_ours.values()],
    )
    earlier, last = weeks(due_at)
    return CostReport(
        before=usage.week(*earlier),
        after=usage.week(*last),
        estimate=monthly_cost(
            all_.datasets,
            start=last[0],
            check_every=timedelta(seconds=known.check_every_s),
            assumed=Assumptions(credit_price=known.credit_price, in_vpc=known.in_vpc),
            other_secrets=frozenset(known.secrets_of_channels.values()),
            models=all_.models,
        ),
        datasets=all_.datasets,
        budgets=known.budgets_of_teams,
        credit_price=known.credit_price,
        lates=read_lates(
            all_.datasets,
            incidents=IncidentTable(
                dynamodb=client("dynamodb"), table=known.state_table
            ),
            now=due_at,
        ),
        unread=unread,
        simulated=known.is_simulated,
    )


@cache
def warehouse() -> SnowflakeWarehouse:
    """The connection that a warm function keeps; made by its first statement."""
    return SnowflakeWarehouse(
        settings=settings(ReportSettings),
        secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
        connector=snowflake_connector,
        purpose="report",
    )
