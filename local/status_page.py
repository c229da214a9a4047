"""The status page of an embedded stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambdas.adapters.reports.facts import read_facts
from lambdas.adapters.reports.status_page import as_html
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.names import state_table_name
from lambdas.core.reports.status_page import status_page
from local.stack import EmbeddedStack


def page_of(stack: EmbeddedStack, *, now: datetime) -> str:
    """The page at the stack's own `now`, labelled as simulated."""
    dynamodb = stack.cloud.client("dynamodb")
    environment = stack.project.environment
    table = state_table_name(environment.name)
    facts = read_facts(
        stack.project.catalogue,
        IncidentTable(dynamodb=dynamodb, table=table),
        StateTable(dynamodb=dynamodb, table=table),
        environment=environment.name,
        now=now,
        check_every=timedelta(minutes=environment.check_every_minutes),
        simulated=True,
    )
    return as_html(status_page(facts), written_at=datetime.now(UTC))
