from __future__ import annotations

from lambdas.core.reports.access import (
    Access,
    Grantee,
    ObjectGrant,
    access_of,
    changed,
)

VIEW = "CATS.ANALYTICS.FLIGHTS"
READERS = Grantee(kind="DATABASE_ROLE", name="CATS.ANALYTICS_READER")
ANALYST = Grantee(kind="ROLE", name="ANALYST")
BOSS = Grantee(kind="ROLE", name="BOSS")
ANN = Grantee(kind="USER", name="ANN")


def granted(privilege: str, to: Grantee) -> ObjectGrant:
    return ObjectGrant(privilege=privilege, on=VIEW, to=to)


def test_a_user_at_the_end_of_a_chain_of_roles_can_read() -> None:
    holders = {READERS: [ANALYST], ANALYST: [ANN, BOSS]}
    found = access_of([granted("SELECT", READERS)], holders)
    assert found[0] == Access(
        who=ANN, on=VIEW, can=("read",), via=("CATS.ANALYTICS_READER", "ANALYST")
    )
    assert {one.who for one in found} == {READERS, ANALYST, ANN, BOSS}


def test_an_owner_can_do_everything_and_monitoring_is_no_access_to_rows() -> None:
    found = access_of([granted("OWNERSHIP", BOSS), granted("MONITOR", ANALYST)], {})
    assert [(one.who, one.can) for one in found] == [(BOSS, ("change", "own", "read"))]


def test_privileges_by_the_same_road_are_told_together() -> None:
    all_ = [granted(word, ANALYST) for word in ("SELECT", "INSERT", "DELETE")]
    (found,) = access_of(all_, {})
    assert found.can == ("change", "read")


def test_a_circle_of_roles_ends() -> None:
    found = access_of([granted("SELECT", BOSS)], {BOSS: [ANALYST], ANALYST: [BOSS]})
    assert {one.who for one in found} == {BOSS, ANALYST}
    assert len(found) == 2


def test_what_was_granted_and_what_was_removed_is_told_apart() -> None:
    before = access_of([granted("SELECT", ANALYST)], {})
    after = access_of([granted("SELECT", BOSS)], {})
    assert changed(before, after) == (after, before)
    assert changed(before, before) == ([], [])
