"""What became of access in a week, and what of it nobody uses."""

from __future__ import annotations

from datetime import datetime, timedelta

from lambdas.core.columns.declared import personal_columns
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.reports.access import Access
from lambdas.core.reports.access_changes import by_catflap, changes, may, named
from lambdas.core.reports.access_facts import (
    AccessFacts,
    above,
    holders,
    personal_tables,
    standing_access,
)
from lambdas.core.reports.notices import report_notices
from lambdas.core.sql import names
from lambdas.core.text.count import counted

UNUSED = timedelta(days=90)
WEEK = timedelta(days=7)


def unused(facts: AccessFacts) -> list[str]:
    """Roles and relations that nobody has used in 90 days, as far as that is known. A
    role is used by who holds it, and by who holds a role that inherits from it.
    """
    begin = facts.now - UNUSED
    found = []
    if facts.roles_used is not None:
        inherited = holders(facts, standing=True)
        standing = standing_access(facts)
        for role in sorted({one.to for one in facts.grants if one.stands}):
            if role.name in facts.service_roles or role.kind == "USER":
                continue
            holding = {role, *above(role, inherited)}
            last = max(
                (
                    facts.roles_used[one.name]
                    for one in holding
                    if one.name in facts.roles_used
                ),
                default=None,
            )
            if last is None or last < begin:
                can = may(facts, role, standing)
                found.append(f"{named(role)} {can}, and has asked nothing")
    found += [
        f"{name}: nobody has read {relation_read(facts.database, name)}"
        for name in unread(facts)
    ]
    return found


def unread(facts: AccessFacts) -> list[str]:
    """Datasets and models that nobody has read in 90 days, as far as that is known: not
    itself, nor a model that is made from it.
    """
    if facts.read is None:
        return []
    begin = facts.now - UNUSED
    read = {
        name
        for name in (*facts.datasets, *facts.models)
        if (at := facts.read.get(relation_read(facts.database, name))) is not None
        and at >= begin
    }
    used = read.union(*(facts.models[one] for one in read if one in facts.models))
    return sorted({*facts.datasets, *facts.models} - used)


def relation_read(database: str, name: str) -> str:
    """A relation as ACCESS_HISTORY names it."""
    return names.analytics_view(database, name).replace('"', "")


def personal_readers(facts: AccessFacts) -> dict[str, list[Access]]:
    """Who can see datasets with personal columns, by dataset."""
    known = standing_access(facts)
    return {
        dataset.name: [
            one
            for one in known
            if one.on.rpartition(".")[2] == table
            and one.who.name not in facts.service_roles
        ]
        for table, dataset in sorted(personal_tables(facts).items())
    }


def report(facts: AccessFacts) -> dict[str, list[str]]:
    """By heading; what is empty has nothing to say."""
    personal = [
        f"{name} ({', '.join(personal_columns(facts.datasets[name]))}): "
        + (", ".join(sorted({named(one.who) for one in readers})) or "nobody")
        for name, readers in personal_readers(facts).items()
    ]
    return {
        "Granted and removed": changes(facts),
        "By catflap": by_catflap(facts),
        "Not used in 90 days": unused(facts),
        "Who can see personal columns": personal,
        "Not seen": list(facts.not_seen),
    }


def headline(facts: AccessFacts) -> str:
    """The week in a line."""
    count = len(changes(facts))
    simulated = " (simulated)" if facts.simulated else ""
    said = f"{counted(count, 'change')} by others or by hand" if count else "no change"
    return (
        f"Access from {facts.since:%Y-%m-%d} to {facts.now:%Y-%m-%d}{simulated}: {said}"
    )


def access_notices(
    facts: AccessFacts, *, routes: Routes, now: datetime
) -> tuple[Notice, ...]:
    """To the engineers of all, once a week; a quiet week in a line."""
    message = Message(
        headline=headline(facts),
        blocks=tuple(
            block(title, lines, listed=True)
            for title, lines in report(facts).items()
            if lines
        ),
    )
    return report_notices(
        f"access-{facts.now:%Y-%m-%d}", message, routes=routes, now=now
    )
