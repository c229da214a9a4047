"""APIs in the styles of strangers: what they mean lands, what they hide is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC

import pytest

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from tests.api_pull import GOOD, NOW, ROWS, SIZE, Pull, failing
from tests.api_server import Answer, App, Asked, answer_json, in_turn, serving

IDS = [row["id"] for row in ROWS]


def after(asked: Asked, name: str) -> int:
    """The number behind the id that is asked for."""
    return int(asked.query.get(name, -1)) + 1


def by_last_id(asked: Asked) -> Answer:
    """Stripe: the last record's id is the cursor."""
    at = after(asked, "starting_after")
    more = at + SIZE < len(ROWS)
    return answer_json({"data": ROWS[at : at + SIZE], "has_more": more})


def by_sort_values(asked: Asked) -> Answer:
    """Elasticsearch: the last hit's sort values, an array, go back in the body."""
    values = asked.json.get("search_after", [-1, "x"])
    assert isinstance(values, list)
    assert values[1:] in ([], ["x"])
    at = int(values[0]) + 1
    hits = [{"_source": row, "sort": [row["id"], "x"]} for row in ROWS[at : at + SIZE]]
    return answer_json({"hits": {"hits": hits}})


def by_dotted_name(asked: Asked) -> Answer:
    """OData, its name with a dot written as it is."""
    at = int(asked.query.get("$skip", 0))
    document: dict[str, object] = {"value": ROWS[at : at + SIZE]}
    if at + SIZE < len(ROWS):
        document["@odata.nextLink"] = f"cats?$skip={at + SIZE}"
    return answer_json(document)


def by_shrinking_pages(asked: Asked) -> Answer:
    """The second page holds fewer rows than the first."""
    at = int(asked.query["offset"])
    size = 4 if at == SIZE else SIZE
    return answer_json({"rows": ROWS[at : at + size], "total": len(ROWS)})


def search(paginator: dict[str, object]) -> dict[str, object]:
    return {
        "method": "POST",
        "json": {"size": SIZE},
        "data_selector": "hits.hits[*]._source",
        "paginator": {"type": "cursor", **paginator},
    }


STYLES: dict[str, tuple[Callable[[Asked], Answer], dict[str, object]]] = {
    "Stripe": (
        by_last_id,
        {
            "paginator": {
                "type": "cursor",
                "cursor_path": "data[-1].id",
                "cursor_param": "starting_after",
                "has_more_path": "has_more",
            }
        },
    ),
    "Elasticsearch": (
        by_sort_values,
        search(
            {
                "cursor_path": "hits.hits[-1].sort",
                "cursor_body_path": "search_after",
            }
        ),
    ),
    "Elasticsearch, by one value": (
        by_sort_values,
        search(
            {
                "cursor_path": "hits.hits[-1].sort[0]",
                "cursor_body_path": "search_after[0]",
            }
        ),
    ),
    "OData": (
        by_dotted_name,
        {"paginator": {"type": "json_link", "next_url_path": "@odata.nextLink"}},
    ),
    "shrinking pages": (
        by_shrinking_pages,
        {"paginator": {"type": "offset", "limit": SIZE}},
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_row_lands_whatever_the_style(style: str) -> None:
    app, endpoint = STYLES[style]
    with serving(app) as server:
        assert [one["id"] for one in Pull(server, endpoint).records()] == IDS


@pytest.mark.parametrize(
    ("total", "paginator", "lands"),
    [
        (25, {}, False),
        (10, {}, True),
        (None, {}, True),
        (25, {"ignore_total": True}, True),
    ],
)
def test_an_ignored_answer_is_no_end_below_a_total(
    total: int | None, paginator: dict[str, object], *, lands: bool
) -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        return failing(404) if at else answer_json({"data": ROWS[:10], "total": total})

    endpoint = {
        "paginator": {"type": "offset", "limit": 10, **paginator},
        "response_actions": [{"status_code": 404, "action": "ignore"}],
    }
    with serving(app) as server:
        pull = Pull(server, endpoint)
        if lands:
            assert len(pull.records()) == 10
        else:
            assert "`total` was 25 and 10 rows came" in str(pull.fails(Terminal))


LINK = '<cats?p=2>; rel="next"'


@pytest.mark.parametrize(
    ("answer", "paginator", "sign"),
    [
        (answer_json({"rows": [{"id": 1}], "links": {"next": "/cats?p=2"}}),
         {"type": "json_link"}, "`links.next` holds a link"),
        (answer_json({"rows": [{"id": 1}], "next_page": "/cats?p=2"}),
         {"type": "cursor"}, "`next_page` holds a link"),
        (answer_json({"rows": [{"id": 1}], "has_more": True}),
         {"type": "cursor"}, "`has_more` is true"),
        (answer_json({"rows": [{"id": 1}]}, Link=LINK),
         {"type": "json_link"}, "Link header"),
        (answer_json({"rows": [{"id": 1}]}, Link=LINK),
         {"type": "header_link", "links_next_key": "more"}, "Link header"),
        (answer_json({"rows": [{"id": 1}], "next": "/cats?p=2"}),
         {"type": "header_cursor"}, "`next` holds a link"),
    ],
)  # fmt: skip
def test_a_paginator_that_finds_nothing_does_not_end_a_pull_that_has_more(
    answer: Answer, paginator: dict[str, object], sign: str
) -> None:
    with serving(in_turn(answer)) as server:
        error = Pull(server, {"paginator": paginator}).fails(Terminal)
    assert error.kind is RunErrorKind.RESPONSE
    assert sign in str(error)


def test_the_end_is_the_end_where_nothing_says_more() -> None:
    body = {"rows": [{"id": 1}], "links": {"next": None}, "has_more": False}
    with serving(in_turn(answer_json(body))) as server:
        endpoint = {"paginator": {"type": "json_link"}}
        assert len(Pull(server, endpoint).records()) == 1


@pytest.mark.parametrize(
    ("answer", "endpoint", "words"),
    [
        (answer_json({"data": None, "errors": [{"message": "no field"}]}),
         {"data_selector": "data"}, "no field"),
        (answer_json({"data": [], "error": "quota"}), {"data_selector": "data"},
         "quota"),
        (answer_json({"success": False, "message": "bad key"}), {}, "bad key"),
        (answer_json({"ok": False, "reason": "closed"}), {}, "closed"),
        (answer_json({"status": "error", "code": 17}), {}, "17"),
        (answer_json({"errorMessage": "out of range"}), {}, "out of range"),
        (answer_json({}), {}, "an empty object"),
        (Answer(body=b'{"error": "no export"}'), {"format": "csv"}, "got JSON"),
        (Answer(body=b'{"error": "no export"}'), {"format": "jsonl"}, "no export"),
        (failing(302, Location="http://[::1"), {}, "the redirect (302)"),
    ],
)  # fmt: skip
def test_an_answer_that_refuses_is_never_a_row_nor_an_end(
    answer: Answer, endpoint: dict[str, object], words: str
) -> None:
    with serving(in_turn(answer)) as server:
        error = Pull(server, endpoint).fails(Terminal)
    assert error.kind is RunErrorKind.RESPONSE
    assert words in str(error)


@pytest.mark.parametrize(
    ("document", "endpoint"),
    [
        ({"status": "failed", "id": 7}, {}),
        ({"success": True, "message": "hello"}, {}),
        ({"error": "a record's own"}, {"data_selector": "$"}),
    ],
)
def test_a_record_that_looks_like_a_refusal_is_one_record(
    document: dict[str, object], endpoint: dict[str, object]
) -> None:
    with serving(in_turn(answer_json(document))) as server:
        assert Pull(server, endpoint).records() == [document]


RESET = NOW.replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("status", "headers", "slept"),
    [
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{RESET + 30:.0f}"},
         30),
        (429, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{RESET - 30:.0f}"},
         0.5),
        (429, {"RateLimit_Remaining": "0", "RateLimit_Reset": "12"}, 12),
        (429, {"RateLimit_Remaining": "5", "RateLimit_Reset": "12"}, 0.5),
        (429, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "soon"}, 0.5),
        (429, {"X_RateLimit_Reset": f"{RESET * 1000 + 30_000:.0f}"}, 30),
        (429, {"Retry_After": "3", "X_RateLimit_Remaining": "0",
               "X_RateLimit_Reset": "99"}, 3),
    ],
)  # fmt: skip
def test_a_budget_that_is_used_up_is_waited_for(
    status: int, headers: dict[str, str], slept: float
) -> None:
    with serving(in_turn(failing(status, **headers), GOOD)) as server:
        pull = Pull(server, {})
        assert pull.records() == [{"id": 1}]
    assert pull.clock.slept == [slept]


def test_a_budget_that_is_used_up_for_long_is_throttling_and_no_refusal() -> None:
    used_up = failing(
        403, X_RateLimit_Remaining="0", X_RateLimit_Reset=f"{RESET + 3600:.0f}"
    )
    with serving(in_turn(used_up)) as server:
        error = Pull(server, {}).fails(Transient)
    assert error.kind is RunErrorKind.THROTTLED


def test_rows_that_are_not_ready_are_waited_for() -> None:
    pending = Answer(status=202, body=b'{"status": "pending"}')
    with serving(in_turn(pending, pending, GOOD)) as server:
        assert Pull(server, {}).records() == [{"id": 1}]
    with serving(in_turn(pending)) as server:
        error = Pull(server, {}, api={"retry": {"max_attempts": 2}}).fails(Transient)
    assert "not ready (after 2 tries)" in str(error)


def test_interim_answers_are_passed_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    first = Answer(body=GOOD.body, interim=b"HTTP/1.1 100 Continue\r\n\r\n" + hints * 3)
    with serving(in_turn(first)) as server:
        assert Pull(server, {}).records() == [{"id": 1}]


def test_a_connection_that_was_closed_meanwhile_costs_no_try() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query.get("p", 0))
        link = f"/cats?p={at + SIZE}" if at + SIZE < len(ROWS) else None
        body = json.dumps({"rows": ROWS[at : at + SIZE], "next": link}).encode()
        return Answer(body=body, fault="drop_kept")

    with serving(app) as server:
        pull = Pull(server, {}, api={"retry": {"max_attempts": 1}})
        assert [one["id"] for one in pull.records()] == IDS
    assert pull.clock.slept == []
    assert (pull.source.requests, pull.source.retries) == (3, 0)


def test_a_head_that_dribbles_is_cut_off_by_the_timeout() -> None:
    with serving(in_turn(Answer(fault="dribble_head"))) as server:
        once = {"timeout": 0.2, "retry": {"max_attempts": 1}}
        error = Pull(server, {}, api=once).fails(Transient)
    assert error.kind is RunErrorKind.TIMEOUT


def token_of(expires_in: object) -> App:
    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": "t", "expires_in": expires_in})
        return GOOD

    return app


@pytest.mark.parametrize(
    "expires_in",
    [None, True, 0, -1, "3600", "soon", 0.5, 10**30, 10**400, 1e300, "9" * 5_000, "²"],
)
def test_whatever_a_token_server_says_of_its_tokens_life(expires_in: object) -> None:
    with serving(token_of(expires_in)) as server:
        auth = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{server.url}token",
            "client_id": "tom",
            "client_secret": "secret:cats#key",
        }
        assert Pull(server, {}, api={"auth": auth}).records() == [{"id": 1}]


def test_a_field_of_a_csv_may_be_long() -> None:
    body = b"id,text\n1," + b"x" * 300_000 + b"\n"
    with serving(in_turn(Answer(body=body))) as server:
        (record,) = Pull(server, {"format": "csv"}).records()
    assert len(str(record["text"])) == 300_000
