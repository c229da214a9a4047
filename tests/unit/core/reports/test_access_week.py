from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.incidents.incident import Recipient
from lambdas.core.reports.access import Grantee
from lambdas.core.reports.access_changes import changes
from lambdas.core.reports.access_facts import AccessFacts, DatedGrant, SaidGrant
from lambdas.core.reports.access_week import access_notices, report, unused
from lambdas.core.sql.own_grants import own_grants
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
        "Access from 2026-11-16 to 2026-11-23: no change"
    )


def test_a_grant_is_told_with_its_role_and_its_person_where_that_is_known() -> None:
    known = facts(grants=[on_cats(READER, since=YESTERDAY)])
    said = (
        "2026-11-22 09:00 UTC role ANALYSTS may now read cats (SELECT on RAW.CATS; "
        "personal: email); granted by role ADMIN"
    )
    assert changes(known) == [said]
    typed = SaidGrant(
        at=YESTERDAY - timedelta(seconds=3),
        by="TOM",
        text="grant select on table raw.cats to role analysts",
    )
    other = replace(typed, by="EVE", text="grant select on table raw.dogs to role x")
    known = replace(known, said=[other, typed])
    assert changes(known) == [f"{said}, typed by TOM"]


def test_what_one_statement_granted_is_one_sentence() -> None:
    update = on_cats(READER, since=YESTERDAY, privilege="UPDATE")
    stage = on_cats(READER, since=YESTERDAY, privilege="USAGE", name="LANDING")
    known = facts(grants=[on_cats(READER, since=YESTERDAY), stage, update])
    (said,) = changes(known)
    assert "read and change cats (SELECT, UPDATE on RAW.CATS; personal: email)" in said
    assert "use RAW.LANDING (USAGE on RAW.LANDING)" in said


def test_what_is_removed_says_whether_the_role_is_gone() -> None:
    known = facts(grants=[on_cats(READER, until=YESTERDAY)])
    said = (
        "2026-11-22 09:00 UTC role ANALYSTS may no longer read cats (SELECT on "
        "RAW.CATS; personal: email)"
    )
    assert changes(known) == [said]
    known = replace(known, dropped={"ANALYSTS": YESTERDAY})
    assert changes(known) == [f"{said}; the role was removed"]


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
        (
            "2026-11-22 09:00 UTC user MIA was given role TEAM, which may read cats; "
            "granted by role ADMIN"
        )
    ]


LOGINS = {
    name: (f"CATFLAP_{name.upper()}", f"CATFLAP_{name.upper()}")
    for name in ("admin", "reader", "repairer", "reporter")
}


def test_what_catflap_grants_is_a_count_below_what_others_did() -> None:
    datasets = {"cats": a_dataset(name="cats")}
    own = own_grants("DB", Catalogue(datasets=datasets), LOGINS)
    mine = [
        DatedGrant(
            since=YESTERDAY,
            until=None,
            by="CATFLAP_ADMIN",
            to=Grantee(kind=one.kind, name=one.to),
            privilege=one.privilege,
            schema=one.schema,
            name=one.name,
        )
        for one in own.on_objects
    ]
    reader = Grantee(kind="ROLE", name="CATFLAP_READER")
    admin = Grantee(kind="ROLE", name="CATFLAP_ADMIN")
    by_hand = on_cats(reader, since=YESTERDAY, privilege="DELETE")
    made = on_cats(admin, since=YESTERDAY, privilege="OWNERSHIP", name="WHATEVER")
    person = held(admin, MIA, since=YESTERDAY)
    service = held(admin, Grantee(kind="USER", name="CATFLAP_ADMIN"), since=YESTERDAY)
    known = facts(own=own, grants=[*mine, by_hand, made], roles=[person, service])
    told, (last,) = (
        report(known)[title] for title in ("Granted and removed", "By catflap")
    )
    assert [one[21:].partition(" (")[0] for one in told] == [
        "role CATFLAP_READER may now remove rows of cats",
        (
            "user MIA was given role CATFLAP_ADMIN, which may do everything with "
            "1 object; granted by role ADMIN"
        ),
    ]
    assert last == f"{len(mine) + 2} by catflap's own bootstrap and deploy"
    assert len(mine) > 15


def test_a_role_is_used_by_who_inherits_it() -> None:
    assert unused(facts()) == []  # not known
    assert unused(facts(roles_used={"TEAM": YESTERDAY})) == []
    assert unused(facts(roles_used={"OTHER": YESTERDAY})) == [
        "role ANALYSTS may read cats, and has asked nothing"
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


def test_a_dataset_is_read_by_who_reads_a_model_made_from_it() -> None:
    known = facts(models={"meals": ("meals", "cats"), "naps": ("naps", "cats")})
    read = {"DB.ANALYTICS.MEALS": YESTERDAY}
    assert unused(replace(known, read=read)) == [
        "naps: nobody has read DB.ANALYTICS.NAPS"
    ]


def test_who_sees_personal_columns_is_told_through_the_roles() -> None:
    assert report(facts())["Who can see personal columns"] == [
        "cats (email): role ANALYSTS, role TEAM, user MIA"
    ]
