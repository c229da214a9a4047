"""Children ask for the rows of their parents, over real HTTP and the real engine."""

from __future__ import annotations

import itertools
import json
import logging
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.adapters.sources import fan_out
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.core.landing.names import RAW, raw_key, run_key
from lambdas.core.pull.run import CursorPosition, RunStatus
from lambdas.core.pull.segment import Budget
from lambdas.core.pull.window import Window
from lambdas.core.source.fan_out import LOOK_BACK, ParentRow
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.families import PARENT, Family, a_child, a_parent
from tests.memory import Faults, Killed, MemoryLanding

PAGE = 2


def cats_of(carrier: str, count: int = 3) -> list[dict[str, object]]:
    return [{"id": f"{carrier}-{n}", "carrier": carrier} for n in range(count)]


def two_a_page(asked: Asked) -> Answer:
    """Three cats a carrier, two a page, with a link to the next."""
    carrier = asked.query["carrier"]
    at = int(asked.query.get("at", 0))
    rows = cats_of(carrier)
    more = f"/cats?carrier={carrier}&at={at + PAGE}" if len(rows) > at + PAGE else None
    return answer_json({"rows": rows[at : at + PAGE], "next": more})


@contextmanager
def a_family(
    app: Callable[[Asked], Answer] = two_a_page,
    *,
    parent: str = "merge",
    ahead: bool = False,
    **child: object,
) -> Iterator[tuple[Family, ApiServer]]:
    with serving(app) as server:
        dataset = a_child(server.url, **child)  # type: ignore[arg-type]  # by each test
        yield Family(dataset, parent=a_parent(parent), ahead=ahead), server


def carriers_asked(server: ApiServer) -> list[str]:
    return [one.query["carrier"] for one in server.asked if "at" not in one.query]


def test_each_distinct_row_of_the_parent_is_asked_for_once() -> None:
    with a_family() as (family, server):
        family.land_carriers("UA", "AA", "UA")
        newest = family.land_carriers("AA", "DL")
        result = family.pull()
        assert result.run.status is RunStatus.LANDED
        assert carriers_asked(server) == ["UA", "AA", "DL"]
        assert family.landed() == [*cats_of("UA"), *cats_of("AA"), *cats_of("DL")]
        assert (result.run.cursor_before, result.run.cursor_after) == (None, newest)
        assert result.run.requests == len(server.asked) == 6


def test_only_runs_that_landed_since_are_asked_for() -> None:
    with a_family() as (family, server):
        first = family.land_carriers("UA")
        family.pull()
        second = family.land_carriers("UA", "DL")
        result = family.pull()
        assert carriers_asked(server) == ["UA", "UA", "DL"]
        assert (result.run.cursor_before, result.run.cursor_after) == (first, second)
        nothing = family.pull()
        assert (nothing.run.rows, nothing.run.requests) == (0, 0)
        assert nothing.run.cursor_after == second


def test_a_parent_that_has_not_landed_is_nothing_to_do() -> None:
    with a_family() as (family, server):
        result = family.pull()
        assert result.run.status is RunStatus.LANDED
        assert (result.run.rows, result.run.cursor_after) == (0, None)
        assert server.asked == []


def test_a_run_with_an_older_id_that_lands_later_is_not_missed() -> None:
    with a_family() as (family, server):
        late = Family(family.child, parent=family.parent)
        late.clock.advance(timedelta(seconds=30))
        late.landing = family.landing
        family.clock.advance(timedelta(days=1))
        family.land_carriers("UA")
        family.pull()
        older = late.land_carriers("DL")
        assert older < str(family.cursor)
        family.pull()
        family.pull()
        assert carriers_asked(server) == ["UA", "DL"]


def test_a_backlog_longer_than_the_look_back_is_read_whole_and_once() -> None:
    with a_family() as (family, server):
        for day in range(2 * LOOK_BACK.days):
            family.land_carriers(f"C{day}")
            family.clock.advance(timedelta(days=1))
        family.budget = Budget(rows=1)
        family.pull_whole()
        family.pull_whole()
        assert carriers_asked(server) == [f"C{n}" for n in range(2 * LOOK_BACK.days)]
        edge = family.state.read("cats").cursor.edge
        assert len(edge) == LOOK_BACK.days + 1 or len(edge) == LOOK_BACK.days


def test_segments_ask_for_nothing_twice_and_land_everything() -> None:
    with a_family(disposition="append") as (family, server):
        family.land_carriers("UA", "AA", "UA", None)
        family.land_carriers("UA", "DL", "AA")
        family.budget = Budget(rows=1)
        results = family.pull_whole()
        assert len(results) > 5
        assert Counter(map(str, family.landed())) == Counter(
            str(cat) for carrier in ("UA", "AA", "DL") for cat in cats_of(carrier)
        )
        assert len(server.asked) == 6
        assert {one.run.cursor_after for one in results[:-1]} == {None}


def test_rows_that_land_between_segments_are_asked_for_in_the_same_pull() -> None:
    with a_family() as (family, server):
        family.land_carriers("UA", "AA")
        family.budget = Budget(rows=1)
        assert family.pull().continues
        newest = family.land_carriers("DL")
        family.pull_whole()
        assert carriers_asked(server) == ["UA", "AA", "DL"]
        assert family.cursor == newest


@pytest.mark.parametrize("ahead", [False, True])
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_row_of_every_tuple_lands_and_merges_to_one(
    data: st.DataObject, *, ahead: bool
) -> None:
    """Parents grow, tuples come again, segments end anywhere, and a run is killed at
    any effect: each (tuple, child row) lands, and as often at most as its tuple landed.
    """
    carriers = st.lists(
        st.sampled_from(["UA", "AA", "DL", 7, 7.5, True, None]), max_size=4
    )
    with a_family(ahead=ahead) as (family, _):
        wanted: Counter[str] = Counter()
        for _ in range(data.draw(st.integers(1, 4))):
            landed = data.draw(carriers)
            if landed:
                family.land_carriers(*landed)
                texts = [
                    one if isinstance(one, str) else json.dumps(one) for one in landed
                ]
                wanted.update(set(texts) - {"null"})
            family.budget = Budget(rows=data.draw(st.sampled_from([None, 1, 3])))
            family.landing.faults = family.state.faults = Faults(
                at=data.draw(st.integers(0, 12)), after=data.draw(st.booleans())
            )
            with suppress(Killed):
                family.pull()
            family.landing.faults = family.state.faults = Faults()
        family.pull_whole()
        family.pull_whole()
        shown = Counter(str(row["id"]) for row in family.landed())
        assert set(shown) == {str(cat["id"]) for one in wanted for cat in cats_of(one)}
        assert all(
            shown[str(cat["id"])] <= wanted[one]
            for one in wanted
            for cat in cats_of(one)
        )
        assert family.pull().run.requests == 0


def test_what_stands_in_a_row_changes_neither_path_nor_host() -> None:
    hostile = [
        "../x", "a/b?c", "a#b", "%2e%2e", "//evil.test/", "http://evil.test/", "a;b=c",
        "{parent.id}", "{incremental.start_value}", "secret:cats#key", "@evil.test",
        "\\..\\", "näh\n", "a&b=c", "🐈",
    ]  # fmt: skip

    def app(asked: Asked) -> Answer:
        return answer_json({"rows": [{"id": asked.path}]})

    with a_family(
        app, path="v1/cats/{parent.id}/toys", params={}, fields={"id": "id"}
    ) as (family, server):
        family.land(*({"id": one} for one in hostile))
        assert family.pull().run.rows == len(hostile)
        seen = [one.path for one in server.asked]
    assert all(
        one.startswith("/v1/cats/") and one.endswith("/toys") and one.count("/") == 4
        for one in seen
    )
    assert len(set(seen)) == len(hostile)
    assert all(one.query == {} for one in server.asked)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"id": None}, "`id` is null or missing"),
        ({}, "`id` is null or missing"),
        ({"id": ".."}, "another path"),
        ({"id": "."}, "another path"),
        ({"id": ""}, "another path"),
    ],
)
def test_a_row_that_cannot_be_asked_for_is_left_out_and_counted(
    row: dict[str, object], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    def app(_: Asked) -> Answer:
        return answer_json({"rows": [{"id": 1}]})

    with (
        a_family(app, path="cats/{parent.id}", params={}, fields={"id": "id"}) as (
            family,
            server,
        ),
        caplog.at_level(logging.WARNING),
    ):
        family.land(row, {"id": "good"}, row)
        result = family.pull()
        assert result.run.status is RunStatus.LANDED
        assert [one.path for one in server.asked] == ["/cats/good"]
    (told,) = [one for one in caplog.messages if " not asked for " in one]
    assert "cats: 2 rows of airlines" in told
    assert why in told


def test_a_header_holds_no_line_break_of_a_row() -> None:
    with a_family(headers={"X-Carrier": "{parent.carrier}"}) as (family, server):
        family.land_carriers("a\r\nX-Evil: 1", "UA")
        family.pull()
        assert carriers_asked(server) == ["UA"]
        assert server.asked[0].headers["x-carrier"] == "UA"


def test_numbers_keep_their_digits_everywhere() -> None:
    numbers = ["12345678901234567890123", "1.10", "1e400", "-0.0"]

    def app(asked: Asked) -> Answer:
        return answer_json({"rows": [{"id": asked.path}]})

    with a_family(
        app,
        path="cats/{parent.n}",
        method="POST",
        params={"n": "{parent.n}"},
        headers={"X-N": "is {parent.n}"},
        json={"filter": [{"n": "{parent.n}"}]},
        fields={"n": "a.n"},
    ) as (family, server):
        family.clock.advance(timedelta(minutes=1))
        records = [b'{"a": {"n": %s}}' % one.encode() for one in numbers]
        family.puller([records]).pull(family.parent)
        assert family.pull().run.status is RunStatus.LANDED
        for number, asked in zip(numbers, server.asked, strict=True):
            assert asked.path == f"/cats/{number}"
            assert asked.query == {"n": number}
            assert asked.headers["x-n"] == f"is {number}"
            assert asked.body == b'{"filter":[{"n":%s}]}' % number.encode()


def test_a_failed_request_fails_the_run_and_names_the_row_without_secrets() -> None:
    def app(asked: Asked) -> Answer:
        return (
            Answer(status=404) if asked.query["carrier"] == "AA" else two_a_page(asked)
        )

    with a_family(
        app,
        path="cats/{parent.token}",
        params={
            "carrier": "{parent.carrier}",
            "t": "{parent.token}",
            "n": "{parent.n}",
        },
        fields={"carrier": "carrier", "token": "t", "n": "n"},
    ) as (family, _):
        rows = [
            {"carrier": one, "t": "hunter2-canary", "n": "x" * 5000}
            for one in ("UA", "AA")
        ]
        family.land(*rows)
        run = family.pull().run
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert run.error.message.startswith(
            "for airlines (carrier=AA, token=***, n=xxx"
        )
        assert "hunter2" not in run.error.message
        assert "answered 404" in run.error.message
        assert len(run.error.message) <= 1001
        assert family.landed() == []
        assert family.cursor is None


def test_response_actions_hold_for_each_request() -> None:
    def app(asked: Asked) -> Answer:
        return (
            Answer(status=404) if asked.query["carrier"] == "AA" else two_a_page(asked)
        )

    actions = [{"status_code": 404, "action": "ignore"}]
    with a_family(app, response_actions=actions) as (family, _):
        family.land_carriers("UA", "AA", "DL")
        assert family.pull().run.status is RunStatus.LANDED
        assert family.landed() == [*cats_of("UA"), *cats_of("DL")]


def test_a_path_to_an_object_is_an_error_that_says_what_is_accepted() -> None:
    with a_family(fields={"carrier": "a"}) as (family, _):
        family.land({"a": {"b": 1}})
        run = family.pull().run
        assert run.error is not None
        assert "`a` holds an object" in run.error.message
        assert "accepted: a path to a text" in run.error.message


def test_of_a_replaced_parent_only_the_newest_whole_pull_counts() -> None:
    with a_family(parent="replace") as (family, server):
        family.land_carriers("OLD")
        family.land_carriers("UA", "AA")
        family.pull()
        assert carriers_asked(server) == ["UA", "AA"]
        assert family.pull().run.requests == 0
        family.land_carriers("UA", "DL")
        family.pull()
        assert carriers_asked(server) == ["UA", "AA", "UA", "DL"]


def test_a_replaced_parent_that_is_half_way_is_waited_for() -> None:
    with a_family(parent="replace") as (family, server):
        family.land_carriers("UA")
        files = [
            ("20130102T000000.000Z-000000000001", "P", 1, False, "AA"),
            ("20130102T000100.000Z-000000000002", "P", 2, False, "DL"),
            ("20130102T000200.000Z-000000000003", "P", 3, True, "B6"),
        ]
        for number, (run, pull, segment, is_last, carrier) in enumerate(files):
            before = carriers_asked(server)
            key = raw_key(PARENT, 1, run, 1)
            squeezed = zlib.compressobj(wbits=31)
            line = json.dumps({"carrier": carrier}).encode() + b"\n"
            family.landing.put(key, squeezed.compress(line) + squeezed.flush())
            document = {
                "run_id": run, "pull_id": pull, "segment": segment,
                "is_last": is_last, "write_disposition": "replace",
                "objects": [{"key": key, "rows": 1, "bytes": 1}],
            }  # fmt: skip
            family.landing.put(run_key(PARENT, run), json.dumps(document).encode())
            family.pull_whole()
            if number == 0:
                assert carriers_asked(server) == ["UA"]
            elif number == 1:
                assert carriers_asked(server) == before
        assert carriers_asked(server) == ["UA", "AA", "DL", "B6"]
        assert family.pull().run.requests == 0


def test_a_replaced_child_asks_for_the_whole_parent_each_time() -> None:
    with a_family(parent="replace", disposition="replace") as (family, server):
        family.land_carriers("UA", "AA")
        family.pull()
        family.pull()
        assert carriers_asked(server) == ["UA", "AA"] * 2


def test_a_long_pull_of_a_replaced_parent_ends_with_the_pull_it_began() -> None:
    with a_family(parent="replace") as (family, server):
        family.land_carriers("UA", "AA")
        family.budget = Budget(rows=1)
        assert family.pull().continues
        family.land_carriers("DL")
        family.pull_whole()
        assert carriers_asked(server) == ["UA", "AA"]
        family.pull_whole()
        assert carriers_asked(server) == ["UA", "AA", "DL"]


def test_a_page_that_has_expired_is_asked_for_from_its_rows_beginning() -> None:
    expired = [False]

    def app(asked: Asked) -> Answer:
        if expired[0] and "at" in asked.query:
            expired[0] = False
            return Answer(status=410)
        return two_a_page(asked)

    with a_family(app) as (family, server):
        family.land_carriers("UA", "AA")
        family.budget = Budget(rows=2)
        assert family.pull().continues
        expired[0] = True
        family.budget = Budget()
        assert family.pull().run.status is RunStatus.LANDED
        assert carriers_asked(server) == ["UA", "UA", "AA"]
        assert {str(row["id"]) for row in family.landed()} == {
            str(cat["id"]) for one in ("UA", "AA") for cat in cats_of(one)
        }


def test_an_expired_page_of_an_appended_child_fails_rather_than_doubles() -> None:
    def app(asked: Asked) -> Answer:
        return Answer(status=410) if "at" in asked.query else two_a_page(asked)

    with a_family(app, disposition="append") as (family, _):
        family.land_carriers("UA")
        family.budget = Budget(rows=2)
        assert family.pull().continues
        assert family.pull().run.status is RunStatus.FAILED
        assert len(family.landed()) == 2


def test_when_memory_is_full_rows_are_asked_for_again_and_never_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fan_out, "Distinct", lambda: fan_out_distinct(2))
    with a_family() as (family, server), caplog.at_level(logging.WARNING):
        family.land_carriers("UA", "AA", "DL", "UA")
        family.pull()
        assert carriers_asked(server) == ["UA", "AA", "DL", "UA"]
    assert any("may have been requested twice" in one for one in caplog.messages)


def fan_out_distinct(kept: int) -> object:
    from lambdas.core.source.fan_out import Distinct  # noqa: PLC0415 - the one not patched

    return Distinct(kept)


def test_many_rows_that_ask_for_nothing_let_a_pull_end_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fan_out, "ROWS_WITHOUT_A_REQUEST", 10)
    with a_family() as (family, server):
        family.land_carriers("UA", *["UA"] * 35, "AA")
        family.budget = Budget(rows=0)
        results = family.pull_whole()
        assert len(results) > 4
        assert carriers_asked(server) == ["UA", "AA"]


def test_side_by_side_the_rows_land_as_one_by_one() -> None:
    landed = []
    for ahead in (False, True):
        with a_family(ahead=ahead) as (family, server):
            family.land_carriers(*(f"C{n}" for n in range(20)))
            family.pull()
            landed.append(family.landed())
            assert len(server.asked) == 40
    assert landed[0] == landed[1]


def test_objects_are_read_in_blocks_and_lose_no_line() -> None:
    landing = MemoryLanding()
    run = "20130102T000000.000Z-000000000001"
    key = raw_key(PARENT, 1, run, 1)
    drawn = random.Random(7)
    lines = [
        json.dumps(
            {"n": n, "pad": drawn.randbytes(drawn.randint(0, 900)).hex()}
        ).encode()
        for n in range(5000)
    ] + [b'{"pad": "%s"}' % (b"z" * 5_000_000)] * 2
    squeezed = zlib.compressobj(1, wbits=31)
    body = squeezed.compress(b"\n".join(lines) + b"\n") + squeezed.flush()
    assert len(body) > 2 * 1024 * 1024
    landing.put(key, body)
    document = {
        "run_id": run, "write_disposition": "append", "objects": [{"key": key}],
    }  # fmt: skip
    landing.put(run_key(PARENT, run), json.dumps(document).encode())
    reading = LandedParents(landing=landing).open(PARENT, Window(), whole=False)
    rows = [one for one in reading.rows() if isinstance(one, ParentRow)]
    assert [one.record for one in rows] == lines
    assert reading.reached([run]).value == run
    assert reading.reached([]) == CursorPosition()


def test_an_object_that_has_expired_is_told_and_hinders_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with a_family() as (family, server), caplog.at_level(logging.WARNING):
        family.land_carriers("UA")
        (gone,) = [key for key in family.landing.objects if key.startswith(RAW)]
        del family.landing.objects[gone]
        family.land_carriers("AA")
        assert family.pull().run.status is RunStatus.LANDED
        assert carriers_asked(server) == ["AA"]
    assert any(gone in one for one in caplog.messages)


def test_grandchildren_ask_for_the_rows_of_children() -> None:
    def app(asked: Asked) -> Answer:
        if asked.path == "/cats":
            return answer_json({"rows": cats_of(asked.query["carrier"], 2)})
        return answer_json({"rows": [{"id": asked.path}]})

    with a_family(app) as (family, server):
        grandchild = a_child(
            server.url, path="toys/{parent.id}", params={}, fields={"id": "id"}
        ).model_copy(update={"name": "toys"})
        source = grandchild.source
        assert source.parent is not None
        grandchild = grandchild.model_copy(
            update={
                "source": source.model_copy(
                    update={
                        "parent": source.parent.model_copy(update={"dataset": "cats"})
                    }
                )
            }
        )
        family.land_carriers("UA", "AA")
        family.pull()
        family.clock.advance(timedelta(minutes=1))
        assert family.puller([]).pull(grandchild).run.rows == 4
        assert [one.path for one in server.asked][2:] == [
            f"/toys/{carrier}-{n}"
            for carrier, n in itertools.product(("UA", "AA"), range(2))
        ]
