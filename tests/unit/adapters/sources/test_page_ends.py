"""Where a pull ends, and where it must not: an API of 25 rows on three pages."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Mapping

import pytest

from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.open import ApiSources
from lambdas.core.dataset import Dataset
from lambdas.core.errors import RunErrorKind, Terminal, Transient, UpstreamError
from lambdas.core.landing.names import RAW
from lambdas.core.paging.base import CapReached
from lambdas.core.pull.engine import Puller, PullResult
from lambdas.core.pull.run import RunStatus
from tests.api_pull import ROWS, SIZE, PlannedSecrets, Pull
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.datasets import a_dataset
from tests.memory import FakeClock, MemoryEvents, MemoryLanding, MemoryState

LINK = {"paginator": {"type": "json_link"}, "data_selector": "data"}
OFFSET = {"paginator": {"type": "offset", "limit": SIZE}, "data_selector": "data"}


def linked(asked: Asked) -> dict[str, object]:
    at = int(asked.query.get("at", 0))
    following = f"?at={at + SIZE}" if at + SIZE < len(ROWS) else None
    return {"data": ROWS[at : at + SIZE], "next": following}


def counted(asked: Asked) -> dict[str, object]:
    at = int(asked.query["offset"])
    return {"data": ROWS[at : at + SIZE], "total": len(ROWS)}


def with_second(
    page: Callable[[Asked], dict[str, object]], second: object
) -> Callable[[Asked], Answer]:
    """The second page is `second` instead."""

    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", asked.query.get("offset", 0)))
        return answer_json(second if at == SIZE else page(asked))

    return app


ERRORS: list[dict[str, object]] = [
    {"status": "error", "message": "timeout", "data": []},
    {"status": "fail", "data": []},
    {"code": 50001, "message": "try later", "data": []},
    {"code": "A0400", "msg": "too many", "data": []},
    {"status": 500, "data": []},
    {"statusCode": 503, "message": "no", "data": []},
    {"success": False, "data": []},
    {"ok": False, "error": "ratelimited", "data": []},
    {"error": {"code": 7, "message": "quota"}, "data": []},
    {"errors": [{"message": "timeout"}], "data": []},
    {"errorMessages": ["The JQL timed out"], "data": []},
    {"fault": {"faultstring": "Rate limit"}, "data": []},
    {"meta": {"status": "error", "message": "no"}, "data": []},
    {"response": {"errors": ["no"]}, "data": []},
    {"timed_out": True, "data": []},
    {"incomplete_results": True, "data": ROWS[SIZE:20]},
    {"errors": [{"message": "partial", "path": ["data"]}], "data": ROWS[SIZE:20]},
    {"success": False, "message": "partial", "data": ROWS[SIZE:20]},
    {"success": False, "data": ROWS[SIZE:20]},
    {"code": "ERR", "data": []},
    {"code": "RATE_LIMIT_EXCEEDED", "data": []},
    {"_shards": {"total": 5, "failed": 1}, "data": ROWS[SIZE:20]},
    {"message": "Internal server error"},
    {"error": "internal"},
    {"data": None, "errors": [{"message": "x"}]},
    {"data": []},
    {},
]


@pytest.mark.parametrize("page", [linked, counted])
@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
def test_an_error_on_the_second_page_is_never_the_end(
    error: object, page: Callable[[Asked], dict[str, object]]
) -> None:
    endpoint = LINK if page is linked else OFFSET
    with serving(with_second(page, error)) as server:
        failed = Pull(server, endpoint).fails(Terminal)
    assert failed.kind is RunErrorKind.RESPONSE


WELL: list[dict[str, object]] = [
    {"status": "ok"},
    {"status": 200},
    {"code": 0, "message": "success"},
    {"code": 200, "msg": "OK"},
    {"code": "00000", "message": "done"},
    {"success": True, "errors": [], "error": None},
    {"errors": {}, "errorMessages": [], "error_code": 0, "error": ""},
    {"error": {"code": 0, "message": ""}},
    {"errcode": 0, "errmsg": "ok"},
    {"status": "1", "message": "OK"},
    {"timed_out": False, "_shards": {"total": 5, "failed": 0}},
    {"status": "success", "message": "25 cats were found"},
    {"warnings": ["deprecated"]},
]


@pytest.mark.parametrize("rows", [0, 7])
@pytest.mark.parametrize("well", WELL, ids=json.dumps)
def test_what_says_that_all_is_well_is_no_error(
    well: Mapping[str, object], rows: int
) -> None:
    def app(_: Asked) -> Answer:
        return answer_json({**well, "data": ROWS[:rows]})

    with serving(app) as server:
        declared = {"data_selector": "data"}
        assert len(Pull(server, declared).records()) == rows


def test_a_code_beside_rows_says_nothing_of_the_answer() -> None:
    with serving(lambda _: answer_json({"code": 7, "message": "x", "data": ROWS})) as s:
        assert len(Pull(s, {}).records()) == len(ROWS)


def test_builds_of_a_pipeline_that_failed_are_no_failure() -> None:
    document = {"id": 3, "status": "failed", "message": "tests", "jobs": ROWS}
    with serving(lambda _: answer_json(document)) as server:
        assert len(Pull(server, {"data_selector": "jobs"}).records()) == len(ROWS)


@pytest.mark.parametrize(
    "second",
    [
        {"data": [], "total": 25},
        {"data": [], "has_more": True, "total": 10},
        {"data": [], "total": 10, "next": "/cats?at=20"},
    ],
    ids=json.dumps,
)
def test_an_empty_page_that_is_contradicted_is_not_the_end(second: object) -> None:
    with serving(with_second(counted, second)) as server:
        Pull(server, OFFSET).fails(Terminal)


def test_a_link_that_an_api_leaves_out_at_the_end_ends_the_pull() -> None:
    def app(asked: Asked) -> Answer:
        page = {**linked(asked), "etag": "x"}
        if page["next"] is None:
            return answer_json({"data": [], "etag": "y"})
        return answer_json(page)

    with serving(app) as server:
        assert len(Pull(server, LINK).records()) == 20


def always_linked(asked: Asked) -> Answer:
    """The link is always there; a flag, or an empty page, says the end."""
    at = int(asked.query.get("at", 0))
    document: dict[str, object] = {
        "data": ROWS[at : at + SIZE],
        "next": f"?at={at + SIZE}",
        "state": {"finale": at + SIZE >= len(ROWS), "onward": at + SIZE < len(ROWS)},
    }
    return answer_json(document)


@pytest.mark.parametrize(
    ("keys", "requests"),
    [
        ({"last_page_path": "state.finale"}, 3),
        ({"has_more_path": "state.onward"}, 3),
        ({"stop_after_empty_page": True}, 4),
    ],
)
def test_a_link_that_is_always_there_is_ended_by_what_is_declared(
    keys: Mapping[str, object], requests: int
) -> None:
    endpoint = {**LINK, "paginator": {"type": "json_link", **keys}}
    with serving(always_linked) as server:
        assert Pull(server, endpoint).records() == ROWS
        assert len(server.asked) == requests


@pytest.mark.parametrize(
    "flag",
    [{"end_of_stream": True}, {"has_more": False}, {"isLast": True}, {"done": True},
     {"last_page": True}, {"meta": {"hasNextPage": False}}],
    ids=json.dumps,
)  # fmt: skip
@pytest.mark.parametrize("endpoint", [LINK, {}], ids=["json_link", "auto"])
def test_a_flag_that_nobody_declared_ends_a_link_that_is_always_there(
    flag: Mapping[str, object], endpoint: Mapping[str, object]
) -> None:
    def opposite(value: object) -> object:
        if isinstance(value, dict):
            return {name: opposite(one) for name, one in value.items()}
        return not value

    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        says = flag if at + SIZE >= len(ROWS) else opposite(flag)
        assert isinstance(says, Mapping)
        page = {"data": ROWS[at : at + SIZE], "next": f"?at={at + SIZE}"}
        return answer_json({**page, **says})

    with serving(app) as server:
        assert Pull(server, endpoint).records() == ROWS
        assert len(server.asked) == 3


@pytest.mark.parametrize("declared", [True, False])
def test_a_header_that_holds_the_bare_url_is_followed(*, declared: bool) -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        page = answer_json({"data": ROWS[at : at + SIZE]})
        if at + SIZE < len(ROWS):
            headers = {**page.headers, "Next-Page": f"/cats?at={at + SIZE}"}
            return Answer(body=page.body, headers=headers)
        return page

    paging: dict[str, object] = {
        "paginator": {"type": "header_link", "header": "Next-Page"}
    }
    with serving(app) as server:
        assert Pull(server, paging if declared else {}).records() == ROWS


@pytest.mark.parametrize("declared", [True, False])
def test_a_link_is_chosen_by_its_relation(*, declared: bool) -> None:
    def app(asked: Asked) -> Answer:
        page = linked(asked)
        links = [{"relation": "self", "url": "/cats"}]
        if page.pop("next"):
            at = int(asked.query.get("at", 0))
            links.append({"relation": "next", "url": f"/cats?at={at + SIZE}"})
        return answer_json({**page, "link": links})

    endpoint: dict[str, object] = {
        "paginator": {
            "type": "json_link", "next_url_path": "link[?relation=='next'].url",
        },
    }  # fmt: skip
    with serving(app) as server:
        assert Pull(server, endpoint if declared else {}).records() == ROWS


def test_a_flag_in_vain_is_an_error() -> None:
    endpoint = {**LINK, "paginator": {"type": "json_link", "has_more_path": "more"}}
    with serving(lambda _: answer_json({"data": ROWS[:2], "more": True})) as server:
        failed = Pull(server, endpoint).fails(Terminal)
    assert "`more` says that there is more, but next_url_path `next`" in str(failed)


@pytest.mark.parametrize(
    "answer",
    [
        {"metadata": {"next": "/cats?at=10"}},
        {"metadata": {"total": 25}},
        {"metadata": {"has_more": True}},
        {"metadata": {"next_cursor": "x"}},
        {"metadata": {"cursor": "x"}},
        {"metadata": {"pages": 3, "page": 1}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "json_link", "next_url_path": "metadata.nxt"},
        {"type": "cursor", "cursor_path": "metadata.nxt"},
        {"type": "header_link"},
        {"type": "header_cursor"},
    ],
    ids=lambda one: str(one["type"]),
)
def test_a_declared_place_that_is_nowhere_while_a_sign_is_there_is_an_error(
    paginator: dict[str, object], answer: dict[str, object]
) -> None:
    with serving(lambda _: answer_json({"data": ROWS[:SIZE], **answer})) as server:
        Pull(server, {"paginator": paginator}).fails(Terminal)


def test_equal_rows_without_ids_are_no_circle_where_a_total_says_otherwise() -> None:
    weather = [{"s": "up"}] * 6 + [{"s": "down"}]

    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        return answer_json({"data": weather[at : at + 2], "total": 7})

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": 2}}
        assert Pull(server, endpoint).records() == weather


def test_equal_rows_with_ids_are_a_circle_whatever_a_total_says() -> None:
    with serving(lambda _: answer_json({"data": ROWS[:2], "total": 7})) as server:
        endpoint = {"paginator": {"type": "offset", "limit": 2}}
        assert "in circles" in str(Pull(server, endpoint).fails(Terminal))


@pytest.mark.parametrize(("most", "is_fine"), [(2, False), (3, True)])
def test_more_pages_than_max_pages_are_an_error(most: int, *, is_fine: bool) -> None:
    endpoint = {**LINK, "max_pages": most}
    with serving(lambda asked: answer_json(linked(asked))) as server:
        if is_fine:
            assert Pull(server, endpoint).records() == ROWS
        else:
            assert "max_pages is 2" in str(Pull(server, endpoint).fails(Terminal))
            assert len(server.asked) == 2


def test_a_window_of_results_is_told_by_the_rows_that_are_missing() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        return answer_json({"data": ROWS[at : min(at + SIZE, 20)], "total": len(ROWS)})

    with serving(app) as server:
        failed = Pull(server, OFFSET).fails(CapReached)
    assert "after 20 rows" in str(failed)
    assert "`total` is 25" in str(failed)


def test_a_total_that_is_a_lower_bound_is_no_end() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["from"])
        hits = {"total": {"value": 20, "relation": "gte"}, "hits": ROWS[at : at + 10]}
        return answer_json({"hits": hits})

    paging = {
        "type": "offset", "limit": 10, "offset_param": "from", "limit_param": "size",
        "total_path": "hits.total.value",
    }  # fmt: skip
    with serving(app) as server:
        Pull(server, {"paginator": paging}).fails(CapReached)


def test_rows_that_are_added_meanwhile_do_not_stand_against_the_end() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        return answer_json({**linked(asked), "total": len(ROWS) + at})

    with serving(app) as server:
        assert Pull(server, LINK).records() == ROWS


# an end that the newest total is against ---------------------------------------------
def growing(empty: int) -> Callable[[Asked], Answer]:
    """15 rows when the pull begins, 25 later; the third page comes without rows so
    many times.
    """
    left = itertools.count()

    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        total = 15 if at == 0 else len(ROWS)
        if at == 2 * SIZE and next(left) < empty:
            return answer_json({"data": [], "next": None, "total": total})
        return answer_json({**linked(asked), "total": total})

    return app


@pytest.mark.parametrize(("empty", "rows"), [(0, 25), (1, 25), (9, 20)])
def test_an_end_that_the_newest_total_is_against_is_asked_for_once_more(
    empty: int, rows: int
) -> None:
    with serving(growing(empty)) as server:
        pull = Pull(
            server, {**LINK, "max_pages": 3}, api={"retry": {"max_attempts": 1}}
        )
        assert pull.records() == ROWS[:rows]
        asked = len(server.asked)
    again = 1 if empty else 0
    assert (asked, pull.source.requests) == (3 + again, 3 + again)
    assert pull.source.retries == again
    assert pull.clock.slept == [0.5] * again  # half of backoff_factor, without jitter


def test_an_error_that_comes_the_second_time_counts() -> None:
    left = itertools.count()

    def app(asked: Asked) -> Answer:
        if asked.query.get("at") == "20":
            says = [{"data": [], "next": None, "total": 99}, {"error": "internal"}]
            return answer_json(says[next(left)])
        return growing(0)(asked)

    with serving(app) as server:
        assert "internal" in str(Pull(server, LINK).fails(Terminal))


def test_a_pull_that_goes_on_at_a_doubtful_end_asks_once_more_too() -> None:
    with serving(growing(1)) as server:
        first, second = itertools.islice(Pull(server, LINK).source.pages(), 2)
        assert first.next_position != second.next_position
        pull = Pull(server, LINK, position=second.next_position)
        assert pull.records() == ROWS[2 * SIZE :]
        assert pull.source.requests == 2


def test_no_wait_for_a_second_answer_outlasts_the_pull(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = {"retry": {"backoff_factor": 60, "max_delay": 300}}
    with serving(growing(1)) as server:
        pull = Pull(server, LINK, api=slow, deadline_s=10)
        assert "the time given to this pull is over" in str(pull.fails(Transient))
    assert pull.clock.slept == [10]
    assert "waiting 10 s before asking for a page again" in caplog.text


@pytest.mark.parametrize("empty", [0, 1])
def test_lines_are_asked_for_once_more_as_well(empty: int) -> None:
    left = itertools.count()

    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        headers = {"X-Total-Count": "15" if at == 0 else str(len(ROWS))}
        page = ROWS[at : at + SIZE]
        if at == 2 * SIZE and next(left) < empty:
            page = []
        elif at + SIZE < len(ROWS):
            headers["Link"] = f'<?at={at + SIZE}>; rel="next"'
        lines = b"\n".join(json.dumps(row).encode() for row in page)
        return Answer(body=lines, headers=headers)

    with serving(app) as server:
        lines = {"format": "jsonl", "paginator": {"type": "header_link"}}
        assert Pull(server, lines).records() == ROWS
        assert len(server.asked) == 3 + empty


def capped(server: ApiServer, *, order: str | None) -> Dataset:
    """An API that gives 10 rows at a time, and a paginator that asks for 20 at most."""
    return a_dataset(
        source={
            "client": {"base_url": server.url, "retry": {"max_attempts": 1}},
            "endpoint": {
                "path": "cats",
                "data_selector": "data",
                "params": {"since": "{incremental.start_value}"},
                "paginator": {"type": "offset", "limit": 5, "maximum_offset": 10},
                "incremental": {
                    "cursor_path": "id", "initial_value": 0, "row_order": order,
                },
            },
        }
    )  # fmt: skip


def filtered(asked: Asked) -> Answer:
    there = [{"id": n} for n in range(25) if n >= int(asked.query["since"])]
    at = int(asked.query["offset"])
    return answer_json({"data": there[at : at + 5], "total": len(there)})


def deaf(asked: Asked) -> Answer:
    at = int(asked.query["offset"])
    return answer_json(
        {"data": [{"id": n} for n in range(at, min(at + 5, 25))], "total": 25}
    )


def a_puller(landing: MemoryLanding) -> Puller:
    random, clock = itertools.count(), SystemClock()
    return Puller(
        landing=landing,
        state=MemoryState(),
        events=MemoryEvents(),
        clock=FakeClock(),
        source=ApiSources(
            secrets=PlannedSecrets(), clock=clock, deadline_s=clock.monotonic() + 60
        ),
        random=lambda size: next(random).to_bytes(size, "big"),
    )


def pulled(
    app: Callable[[Asked], Answer], order: str | None
) -> tuple[list[PullResult], list[object]]:
    """Runs until none continues, and the ids that landed."""
    landing = MemoryLanding()
    with serving(app) as server:
        puller = a_puller(landing)
        runs = [puller.pull(capped(server, order=order))]
        while runs[-1].continues:
            runs.append(puller.pull(capped(server, order=order)))
    ids = [
        json.loads(line)["id"]
        for key, body in sorted(landing.objects.items())
        if key.startswith(RAW)
        for line in gzip.decompress(body).splitlines()
    ]
    return runs, ids


def test_a_cap_that_is_hit_goes_on_from_the_cursor_where_rows_come_in_order() -> None:
    runs, ids = pulled(filtered, "asc")
    assert ids == list(range(25))
    assert len(runs) > 1
    assert "goes on from there" in runs[0].warnings[0]
    assert {one.run.status for one in runs} == {RunStatus.LANDED}


def test_a_cap_that_is_hit_is_an_error_where_no_order_is_known() -> None:
    ((run,), ids) = pulled(filtered, None)
    assert ids == []
    assert run.run.error is not None
    assert "maximum_offset 10 is reached" in run.run.error.message


def test_a_cap_of_an_api_that_does_not_filter_ends_in_an_error() -> None:
    runs, ids = pulled(deaf, "asc")
    assert ids == list(range(10))
    assert runs[-1].run.status is RunStatus.FAILED


NOT_THE_END: list[dict[str, object]] = [
    {"data": [], "next": None, "total": 1_000},
    {"data": []},
    {},
]


@pytest.mark.parametrize("answer", NOT_THE_END)
def test_a_pull_that_goes_on_later_knows_what_it_read(
    answer: dict[str, object],
) -> None:
    with serving(with_second(linked, answer)) as server:
        first = next(iter(Pull(server, LINK).source.pages()))
        kept = json.loads(json.dumps(first.next_position))
        Pull(server, LINK, position=kept).fails(Terminal)


def test_a_total_that_was_lower_once_ends_a_pull_that_goes_on_later() -> None:
    def growing(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        return answer_json({**linked(asked), "total": len(ROWS) + at})

    with serving(growing) as server:
        first = next(iter(Pull(server, LINK).source.pages()))
        rest = Pull(server, LINK, position=first.next_position).records()
    assert rest == ROWS[SIZE:]


def test_a_link_that_is_too_long_to_keep_fails_at_its_page() -> None:
    def app(asked: Asked) -> Answer:
        page = linked(asked)
        is_second = asked.query.get("at") == str(SIZE)
        if is_second:
            page["next"] = f"?at=20&cursor={'x' * 4_096}"
        return answer_json(page)

    with serving(app) as server:
        error = str(Pull(server, LINK).fails(Terminal))
    assert error.startswith("page 2 of ")
    assert "link or cursor is 4,1" in error
    assert error.endswith("accepted: 4,096, so that a pull can go on there later")


@pytest.mark.parametrize("keys", [{}, {"ignore_total": True}])
def test_a_link_that_is_always_there_ends_where_all_that_a_total_tells_was_read(
    keys: Mapping[str, object],
) -> None:
    """CKAN's `_links.next` leads on for ever."""

    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        if at > 100:
            return Answer(status=400, body=b"too far")
        page = {"data": ROWS[at : at + SIZE], "total": len(ROWS)}
        return answer_json({**page, "next": f"?at={at + SIZE}"})

    endpoint = {**LINK, "paginator": {"type": "json_link", **keys}}
    with serving(app) as server:
        if keys:
            Pull(server, endpoint).fails(Terminal)
        else:
            assert Pull(server, endpoint).records() == ROWS
            assert len(server.asked) == 4


def test_a_link_that_is_always_there_ends_where_there_is_nothing() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        return answer_json({"data": [], "total": 0, "next": f"?at={at + SIZE}"})

    with serving(app) as server:
        assert Pull(server, LINK).records() == []
        assert len(server.asked) == 2


@pytest.mark.parametrize("name", ["total", "count"])
def test_empty_pages_whose_total_counts_the_page_are_passed_over(name: str) -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        rows = ROWS[at // 3 * SIZE : at // 3 * SIZE + SIZE] if at % 3 == 0 else []
        following = f"?at={at + 1}" if at < 8 else None
        return answer_json({"data": rows, name: len(rows), "next": following})

    with serving(app) as server:
        assert Pull(server, LINK).records() == ROWS


@pytest.mark.parametrize("nothing", ["", " ", "null", "None", False, None])
def test_a_text_that_says_nothing_is_no_link(nothing: object) -> None:
    def app(asked: Asked) -> Answer:
        page = linked(asked)
        return answer_json({**page, "next": page["next"] or nothing})

    with serving(app) as server:
        assert Pull(server, LINK).records() == ROWS


def test_an_answer_without_content_is_no_end_where_a_link_led_to_it() -> None:
    def app(asked: Asked) -> Answer:
        is_second = asked.query.get("at") == str(SIZE)
        return Answer(status=204) if is_second else answer_json(linked(asked))

    with serving(app) as server:
        assert "`next`" in str(Pull(server, LINK).fails(Terminal))


def test_an_answer_without_content_ends_what_nothing_else_ends() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        rows = ROWS[at : at + SIZE]
        return answer_json(rows) if rows else Answer(status=204)

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        assert Pull(server, endpoint).records() == ROWS


def test_a_short_page_is_no_end_where_nothing_else_says_so() -> None:
    """Rows that one may not see are left out of a page."""

    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        return answer_json(ROWS[at : at + (7 if at == SIZE else SIZE)])

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        assert Pull(server, endpoint).records() == ROWS


@pytest.mark.parametrize("status", [400, 404, 416, 422])
def test_an_offset_that_is_refused_behind_a_short_page_ends_the_pull(
    status: int,
) -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        if at >= len(ROWS):
            return Answer(status=status, body=b"offset out of range")
        return answer_json(ROWS[at : at + SIZE])

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        assert Pull(server, endpoint).records() == ROWS


def test_an_offset_of_lines_that_is_refused_behind_a_short_page_ends_the_pull() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        if at >= len(ROWS):
            return Answer(status=416, body=b"offset out of range")
        lines = (json.dumps(row) for row in ROWS[at : at + SIZE])
        return Answer(body="\n".join(lines).encode())

    with serving(app) as server:
        endpoint = {
            "paginator": {"type": "offset", "limit": SIZE},
            "format": "jsonl",
        }
        assert Pull(server, endpoint).records() == ROWS


def in_pages(asked: Asked, rows: int) -> list[dict[str, object]]:
    number = int(asked.query.get("page", 1))
    return ROWS[:rows][(number - 1) * SIZE : number * SIZE]


@pytest.mark.parametrize("status", [400, 404, 416, 422])
@pytest.mark.parametrize(
    ("rows", "headers"), [(25, {}), (20, {"X_WP_Total": "20"}), (10, {"X_Total": "10"})]
)
def test_a_page_that_is_refused_where_all_seemed_read_ends_the_pull(
    status: int, rows: int, headers: Mapping[str, str]
) -> None:
    def app(asked: Asked) -> Answer:
        found = in_pages(asked, rows)
        if not found:
            return Answer(status=status, body=b"no such page")
        return answer_json(found, **headers)

    with serving(app) as server:
        endpoint = {"paginator": {"type": "page_number", "base_page": 1}}
        assert Pull(server, endpoint).records() == ROWS[:rows]


@pytest.mark.parametrize("headers", [{}, {"X_WP_Total": "25"}])
def test_a_page_that_is_refused_where_more_may_be_is_an_error(
    headers: Mapping[str, str],
) -> None:
    def app(asked: Asked) -> Answer:
        if asked.query["page"] == "2":
            return Answer(status=400, body=b"no")
        return answer_json(in_pages(asked, 25), **headers)

    with serving(app) as server:
        endpoint = {"paginator": {"type": "page_number", "base_page": 1}}
        with pytest.raises(UpstreamError):
            Pull(server, endpoint).records()


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_an_offset_that_is_refused_behind_a_full_page_is_an_error(status: int) -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        if at >= SIZE:
            return Answer(status=status, body=b"no more than one page")
        return answer_json(ROWS[at : at + SIZE])

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        with pytest.raises(UpstreamError):
            Pull(server, endpoint).records()


@pytest.mark.parametrize(
    ("rows", "more", "declared", "is_told"),
    [
        (20, {}, {}, True),
        (19, {}, {}, False),
        (3_000, {}, {}, True),
        (20, {"total": 20}, {}, False),
        (20, {"total": 20, "limit": 20}, {}, True),
        (20, {"next": None}, {}, False),
        (20, {"has_more": False}, {}, False),
        (7, {}, {"params": {"per_page": "7"}}, True),
        (20, {}, {"paginator": {"type": "single_page"}}, False),
        (1_000, {"total": 1_000}, {}, True),
    ],
)
def test_as_many_rows_as_a_page_may_have_are_told(
    rows: int,
    more: Mapping[str, object],
    declared: Mapping[str, object],
    *,
    is_told: bool,
) -> None:
    cats = [{"id": number} for number in range(rows)]
    with serving(lambda _: answer_json({"data": cats, **more})) as server:
        pages = Pull(server, {"data_selector": "data", **declared}).pages()
    assert [page.warning is not None for page in pages] == [is_told]
    if is_told:
        assert f"exactly {rows:,} rows" in str(pages[0].warning)


def deep(asked: Asked) -> Answer:
    at = int(asked.query.get("offset", 0))
    table = {"season": "2008", "races": ROWS[at : at + SIZE]}
    said = {"limit": str(SIZE), "offset": str(at), "total": str(len(ROWS))}
    return answer_json({"data": {**said, "table": table}})


def test_rows_that_land_as_one_record_are_told_and_all_of_them_come() -> None:
    with serving(deep) as server:
        pages = Pull(server, {}).pages()
    assert [len(page.records) for page in pages] == [1, 1, 1]
    for page in pages:
        assert "declare `data_selector: data.table.races`" in str(page.warning)
        assert "`data_selector: $`" in str(page.warning)


def test_where_the_record_lacks_its_key_the_error_says_where_the_rows_may_be() -> None:
    with serving(deep) as server:
        source = {"client": {"base_url": server.url}, "endpoint": {"path": "cats"}}
        run = a_puller(MemoryLanding()).pull(a_dataset(source=source)).run
    assert run.error is not None
    assert run.error.kind is RunErrorKind.SCHEMA
    assert "no record has the primary key `id`" in run.error.message
    assert "nothing of this run lands. The whole answer is" in run.error.message
    assert "declare `data_selector: data.table.races`" in run.error.message


@pytest.mark.parametrize(
    ("selector", "rows"), [("data.table.races", [10, 10, 5]), ("$", [1])]
)
def test_what_is_declared_is_told_of_no_more(selector: str, rows: list[int]) -> None:
    with serving(deep) as server:
        pages = Pull(server, {"data_selector": selector}).pages()
    assert [len(page.records) for page in pages] == rows
    assert [page.warning for page in pages] == [None] * len(rows)


def test_rows_in_one_record_that_are_not_all_are_an_error_that_says_where() -> None:
    table = {"rows": ROWS[:SIZE]}
    document = {"data": {"table": table}, "total": len(ROWS)}
    with serving(lambda _: answer_json(document)) as server:
        told = str(Pull(server, {}).fails(Terminal))
    assert "`total` is 25" in told
    assert "declare `data_selector: data.table.rows`" in told


def test_an_object_keyed_by_id_is_told_and_its_members_are_no_signs() -> None:
    rows = {str(row["id"]): {"next": "x", "total": 500} for row in ROWS}
    with serving(lambda _: answer_json(rows)) as server:
        (whole,) = Pull(server, {}).pages()
        (each,) = Pull(server, {"data_selector": "$[*]"}).pages()
    assert "25 objects, each under a name of its own" in str(whole.warning)
    assert len(whole.records) == 1
    assert len(each.records) == len(ROWS)


def test_a_total_with_separators_is_a_total() -> None:
    document = {"data": ROWS[:SIZE], "total": "1,025"}
    with serving(lambda _: answer_json(document)) as server:
        assert "`total` is 1" in str(Pull(server, {}).fails(Terminal))
