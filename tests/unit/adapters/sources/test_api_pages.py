from __future__ import annotations

import gzip
import itertools
import json

import pytest

from lambdas.core.errors import BadInput, RunErrorKind, Terminal, Transient
from lambdas.core.source.request import Values
from tests.api_pull import AUTHS, ROWS, Pull, failing
from tests.api_server import Answer, Asked, answer_json, in_turn, serving, zipped
from tests.unit.adapters.sources.paged_apis import PAGINATORS, by_offset

FORMATS = ("json", "json gzipped", "jsonl", "jsonl gzipped", "csv", "csv.gz")
_BODY_READERS = ("json_link", "cursor", "cursor in a body", "auto, JSON link",
                 "auto, cursor", "auto, page numbers", "auto, offset")  # fmt: skip


def as_format(
    records: list[dict[str, object]], envelope: dict[str, object], form: str
) -> Answer:
    match form:
        case "jsonl" | "jsonl gzipped":
            body = b"".join(json.dumps(one).encode() + b"\n" for one in records)
            lines = Answer(body=body, headers={"Content-Type": "application/x-ndjson"})
            return zipped(lines) if form == "jsonl gzipped" else lines
        case "csv" | "csv.gz":
            table = ["id,name,weight"]
            table += [f"{one['id']},{one['name']},{one['weight']}" for one in records]
            body = "\r\n".join(table).encode()
            body = gzip.compress(body) if form == "csv.gz" else body
            return Answer(body=body, headers={"Content-Type": "text/csv"})
        case _:
            answer = answer_json({"results": records, **envelope})
            return zipped(answer) if form == "json gzipped" else answer


CASES = [
    (paginator, auth, form)
    for paginator, auth, form in itertools.product(PAGINATORS, AUTHS, FORMATS)
    if form in {"json", "json gzipped"} or paginator not in _BODY_READERS
]


@pytest.mark.parametrize(("paginator", "auth", "form"), CASES)
def test_every_paginator_works_with_every_auth_and_format(
    paginator: str, auth: str, form: str
) -> None:
    paging, endpoint, requests = PAGINATORS[paginator]
    proof, is_proven = AUTHS[auth]

    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": "CANARY-issued", "expires_in": 3600})
        if not is_proven(asked):
            return Answer(status=401, body=b"not proven")
        records, envelope, headers = paging(asked, server.origin)
        answer = as_format(records, envelope, form)
        return Answer(body=answer.body, headers={**answer.headers, **headers})

    with serving(app) as server:
        if proof is not None:
            proof = {
                name: str(value).replace("{origin}", server.origin)
                for name, value in proof.items()
            }
        body_format = form.removesuffix(".gz").removesuffix(" gzipped")
        pull = Pull(server, {"format": body_format, **endpoint}, api={"auth": proof})
        records = pull.records()
    expected: list[dict[str, object]] = ROWS
    if body_format == "csv":
        expected = [{k: str(v) for k, v in row.items()} for row in ROWS]
    assert records == expected
    if auth == "oauth2_client_credentials":
        requests += 1
    if (
        paginator.startswith(("page_number", "offset"))
        and "without" not in paginator
        and (body_format != "json")
    ):
        requests += 1  # there is no total in CSV: an empty page ends it
    assert (pull.source.requests, pull.source.retries) == (requests, 0)


@pytest.mark.parametrize(
    "paginator", [name for name, case in PAGINATORS.items() if case[2] > 1]
)
def test_a_pull_goes_on_from_any_position(paginator: str) -> None:
    paging, endpoint, _ = PAGINATORS[paginator]

    def app(asked: Asked) -> Answer:
        records, envelope, headers = paging(asked, server.origin)
        return answer_json({"results": records, **envelope}, **headers)

    with serving(app) as server:
        whole = Pull(server, endpoint).pages()
        for done, page in enumerate(whole[:-1], 1):
            position = json.loads(json.dumps(page.next_position))
            rest = Pull(server, endpoint, position=position).pages()
            assert [p.records for p in rest] == [p.records for p in whole[done:]]


@pytest.mark.parametrize(
    ("document", "endpoint"),
    [
        ({"rows": [{"id": 1}], "next": "/cats"}, {}),
        ({"rows": [{"id": 1}], "next": "/cats?p=2"}, {}),
        ({"rows": [], "next": "/cats?p=2"}, {}),
        ({"rows": [{"id": 1}], "cursors": {"next": "same"}},
         {"paginator": {"type": "cursor"}}),
        ({"rows": [{"id": 1}]}, {"paginator": {"type": "page_number"}}),
        ({"rows": [{"id": 1}, {"id": 2}], "total": 100},
         {"paginator": {"type": "offset", "limit": 2}}),
    ],
)  # fmt: skip
def test_a_pull_that_goes_in_circles_fails(
    document: dict[str, object], endpoint: dict[str, object]
) -> None:
    with serving(in_turn(answer_json(document))) as server:
        pull = Pull(server, endpoint)
        error = pull.fails(Terminal)
    assert error.kind is RunErrorKind.RESPONSE
    assert "in circles" in str(error)
    assert pull.source.requests <= 2


def test_two_pages_that_point_at_each_other_fail() -> None:
    def app(asked: Asked) -> Answer:
        here = asked.query.get("p", "0")
        return answer_json({"rows": [{"p": here}], "next": f"?p={1 - int(here)}"})

    with serving(app) as server:
        assert "in circles" in str(Pull(server, {}).fails(Terminal))
        assert len(server.asked) <= 3


def test_an_endless_cursor_over_the_same_rows_fails() -> None:
    count = itertools.count(1)

    def app(_: Asked) -> Answer:
        return answer_json({"rows": [{"id": 1}, {"id": 2}], "next_cursor": next(count)})

    with serving(app) as server:
        assert "in circles" in str(Pull(server, {}).fails(Terminal))
        assert len(server.asked) == 2


VALUES: Values = {
    "incremental.start_value": "2013-01-01T00:00:00+00:00",
    "incremental.last_value": "2013-01-01T00:00:00+00:00",
    "incremental.end_value": None,
    "incremental.initial_value": 1356998400,
}


def echo(asked: Asked) -> Answer:
    return answer_json([
        {"path": asked.path, "query": dict(asked.query), "body": asked.json,
         "x": asked.headers.get("x-since")}
    ])  # fmt: skip


def test_placeholders_are_filled_everywhere() -> None:
    endpoint = {
        "method": "POST",
        "path": "since/{incremental.start_value}/cats",
        "params": {
            "from": "{incremental.start_value}",
            "to": "{incremental.end_value}",
            "range": "ge{incremental.initial_value}",
            "size": 5,
            "all": True,
        },
        "headers": {"X-Since": "{incremental.last_value}"},
        "json": {
            "first": "{incremental.initial_value}",
            "f": [{"a": "x{incremental.last_value}"}, "{incremental.end_value}"],
        },
    }
    with serving(echo) as server:
        (record,) = Pull(server, endpoint, values=VALUES).records()
    start = "2013-01-01T00:00:00+00:00"
    assert record == {
        "path": "/since/2013-01-01T00:00:00%2B00:00/cats",
        "query": {"from": start, "range": "ge1356998400", "size": "5", "all": "true"},
        "body": {"first": 1356998400, "f": [{"a": f"x{start}"}]},
        "x": start,
    }


@pytest.mark.parametrize(
    "endpoint",
    [
        {"params": {"a": "{incremental.strat_value}"}},
        {"path": "x/{incremental.end_value}"},
        {"path": "x/{parent.carrier}"},
    ],
)
def test_a_placeholder_without_a_value_is_bad_input(
    endpoint: dict[str, object],
) -> None:
    with serving(echo) as server, pytest.raises(BadInput, match=r"\{"):
        Pull(server, endpoint, values=VALUES).pages()


def test_a_base_url_in_the_open_is_refused() -> None:
    with serving(echo) as server, pytest.raises(BadInput, match="https"):
        Pull(server, {}, api={"base_url": "http://api.example.com/"}).pages()


def test_the_rate_budget_is_kept() -> None:
    def app(asked: Asked) -> Answer:
        return answer_json(by_offset(asked, "")[0])

    with serving(app) as server:
        limit = {"requests": 2, "period": "second"}
        endpoint = {"paginator": {"type": "offset", "limit": 5}}
        pull = Pull(server, endpoint, api={"rate_limit": limit})
        assert pull.records() == ROWS
    assert pull.clock.slept == [0.5] * 5


def test_a_budget_that_leaves_no_time_fails_as_throttled() -> None:
    with serving(in_turn(failing(500))) as server:
        limit = {"requests": 1, "period": "hour"}
        pull = Pull(server, {}, api={"rate_limit": limit})
        assert pull.fails(Transient).kind is RunErrorKind.THROTTLED
