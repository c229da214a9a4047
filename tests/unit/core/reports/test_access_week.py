from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lambdas.core.incidents.incident import Recipient
from lambdas.core.reports.access import Grantee
from lambdas.core.reports.access_week import (
    AccessFacts,
    DatedGrant,
    SaidGrant,
    access_notices,
    changes,
    report,
    unused,
)
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=200)
YESTERDAY = NOW - timedelta(days=1)
READER = Grantee(kind="ROLE", name="ANALYSTS")
TEAM = Grantee(kind="ROLE", name="TEAM")
MIA = Grantee(kind="USER", name="MIA")


def on_cats(to: Grantee, **changes: object) -> DatedGrant:
    known = DatedGrant(
        since=LONG_AGO,
        until=None,
        by="ADMIN",
        to=to,
        privilege="SELECT",
        schema="RAW",
        name="CATS",
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # fields by name


def held(role: Grantee, to: Grantee, **changes: object) -> DatedGrant:
    known = DatedGrant(since=LONG_AGO, until=None, by="ADMIN", to=to, role=role)
    return replace(known, **changes)  # type: ignore[arg-type]  # fields by name


def facts(**changes: object) -> AccessFacts:
    personal = {"email": {"type": "string", "personal": True}}
    known = AccessFacts(
        database="DB",
        since=NOW - timedelta(days=7),
        now=NOW,
        datasets={"cats": a_dataset(name="cats", columns=personal)},
        service_roles=frozenset({"CATFLAP_READER"}),
        grants=[on_cats(READER)],
        roles=[held(READER, TEAM), held(TEAM, MIA)],
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # fields by name


def test_a_week_in_which_nothing_came_or_went_says_so() -> None:
    (notice,) = access_notices(facts(), routes={Recipient.ENGINEERS: ("sns",)}, now=NOW)
    assert notice.message.headline == (
        "Access from 2026-11-16 to 2026-11-23: nothing changed"
    )


def test_a_grant_is_told_with_its_role_and_its_person_where_that_is_known() -> None:
    known = facts(grants=[on_cats(READER, since=YESTERDAY)])
    said = "2026-11-22 09:00 UTC granted: SELECT on RAW.CATS, personal to role ANALYSTS"
    assert changes(known) == [f"{said} by role ADMIN"]
    typed = SaidGrant(
        at=YESTERDAY - timedelta(seconds=3),
        by="TOM",
        text="grant select on table raw.cats to role analysts",
    )
    other = replace(typed, by="EVE", text="grant select on table raw.dogs to role x")
    known = replace(known, said=[other, typed])
    assert changes(known) == [f"{said} by role ADMIN, typed by TOM"]


def test_what_is_removed_says_whether_the_role_is_gone() -> None:
    known = facts(grants=[on_cats(READER, until=YESTERDAY)])
    said = "2026-11-22 09:00 UTC removed: SELECT on RAW.CATS, personal from role"
    assert changes(known) == [f"{said} ANALYSTS"]
    known = replace(known, dropped={"ANALYSTS": YESTERDAY})
    assert changes(known) == [f"{said} ANALYSTS; the role was removed"]


def test_a_role_that_leads_to_a_dataset_is_told_of_and_no_other() -> None:
    elsewhere = Grantee(kind="ROLE", name="ELSEWHERE")
    known = facts(
        roles=[
            held(READER, TEAM),
            held(TEAM, MIA, since=YESTERDAY),
            held(elsewhere, MIA, since=YESTERDAY),
        ]
    )
    assert changes(known) == [
        "2026-11-22 09:00 UTC granted: role TEAM to user MIA by role ADMIN"
    ]


def test_a_role_is_used_by_who_inherits_it() -> None:
    assert unused(facts()) == []  # not known
    assert unused(facts(roles_used={"TEAM": YESTERDAY})) == []
    assert unused(facts(roles_used={"OTHER": YESTERDAY})) == [
        "role ANALYSTS may read or change data, and asked nothing"
    ]
    ours = facts(
        grants=[on_cats(Grantee(kind="ROLE", name="CATFLAP_READER"))], roles_used={}
    )
    assert unused(ours) == []


def test_a_relation_that_nobody_reads_is_found() -> None:
    assert unused(facts(read={"DB.ANALYTICS.CATS": YESTERDAY})) == []
    assert unused(facts(read={"DB.ANALYTICS.CATS": LONG_AGO})) == [
        "cats: nobody has read DB.ANALYTICS.CATS"
    ]


def test_who_sees_personal_columns_is_told_through_the_roles() -> None:
    assert report(facts())["Who can see personal columns"] == [
        "cats (email): role ANALYSTS, role TEAM, user MIA"
    ]
