"""The status page of an embedded stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambdas.adapters.reports.facts import read_facts
from lambdas.adapters.reports.status_page import as_html
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.names import state_table_name
from lambdas.core.reports.page.status_page import status_page
from local.stack import EmbeddedStack


def page_of(stack: EmbeddedStack, *, now: datetime) -> str:
    """The page at the stack's own `now`, labelled as simulated."""
    environment = stack.project.environment
    facts = read_facts(
        stack.project.catalogue,
        dynamodb=stack.cloud.client("dynamodb"),
        table=state_table_name(environment.name),
        environment=environment.name,
        now=now,
        check_every=timedelta(minutes=environment.check_every_minutes),
        pointers=Pointers(
            environment=environment.name,
            runbook_url=environment.runbook_url,
            repository_url=environment.repository_url,
        ),
        simulated=True,
    )
    return as_html(status_page(facts), written_at=datetime.now(UTC))
