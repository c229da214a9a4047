"""List the open incidents, then the newest of those that are over.

Example: catflap incidents --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from cli import options
from cli.deployed.environment import deployed, now
from cli.documents import incident_document
from cli.output import age, columns, when
from lambdas.core.incidents.incident import Incident

DONE = 0


def run(
    *,
    limit: options.Limit = 20,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Print up to `limit` incidents."""
    reached = deployed(environment, environments=environments)
    with reached.reached():
        known = reached.incidents().incidents()
    known.sort(key=lambda one: (one.resolved_at is None, one.opened_at), reverse=True)
    shown = known[:limit]
    if as_json:
        print(
            json.dumps({"incidents": [incident_document(one, now()) for one in shown]})
        )
        return DONE
    print(_table(shown, now()))
    if len(known) > limit:
        print(f"and {len(known) - limit} more; --limit shows them")
    return DONE


def _table(shown: Sequence[Incident], at: datetime) -> str:
    if not shown:
        return "no incident yet"
    rows = [
        (
            one.incident_id,
            one.state if one.resolved_at is None else one.ended_by or "over",
            str(one.main_cause),
            age(one.opened_at, one.resolved_at or at),
            one.human.acknowledged_by or "-",
            when(one.expected_at) if one.resolved_at is None else "-",
        )
        for one in shown
    ]
    return columns(("incident", "state", "cause", "for", "ack", "expected"), rows)
