"""`catflap new`: what it writes for APIs of several styles works at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run
from lambdas.core.dataset import Dataset
from project.yaml_files import load_catalogue
from tests.api_server import Answer, Asked, answer_json, basic, serving

CANARY = "canary-9c1f-token"
CATS: list[dict[str, object]] = [
    {
        "id": n,
        "name": f"Cat {n % 7}",
        "owner_id": n % 5,
        "weight": n / 4,
        "born": "2020-05-01",
        "created_at": f"2026-01-01T{n // 60:02d}:{n % 60:02d}:00Z",
        "updated_at": f"2026-11-{1 + n % 20:02d}T08:00:00+01:00",
        "toys": ["ball"],
        "chip": None,
        "indoor": n % 2 == 0,
    }
    for n in range(1, 46)
]
SIZE = 20

Page = tuple[list[dict[str, object]], int | None]


def page_of(number: int, size: int = SIZE) -> Page:
    """Rows of the page with this number, from 0, and the next one's."""
    more = (number + 1) * size < len(CATS)
    rows = CATS[number * size : (number + 1) * size]
    return list(rows), number + 1 if more else None


def at(asked: Asked, name: str, default: int) -> int:
    return int(asked.query.get(name, default))


class Place:
    """A project folder, and the commands in it."""

    def __init__(self, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capfd = capfd
        self.options = ["--datasets", f"{root}/datasets", "--apis", f"{root}/apis"]

    def run(self, *words: str) -> tuple[int, str, str]:
        self._capfd.readouterr()
        code = run([*words, *self.options])
        out, err = self._capfd.readouterr()
        return code, out, err

    def new(self, url: str, *more: str) -> dict[str, object]:
        code, out, err = self.run("new", "cats", "--from", url, "--json", *more)
        assert (code, err) == (0, "")
        document: dict[str, object] = json.loads(out)
        return document

    def dataset(self) -> Dataset:
        return load_catalogue(self.root / "datasets", self.root / "apis")["cats"]

    def written(self) -> str:
        return "".join(
            one.read_text() for one in self.root.rglob("*") if one.suffix == ".yaml"
        )

    def pulled(self) -> list[dict[str, object]]:
        landing = self.root / "landing"
        place = ["--to", landing.as_uri(), "--state", str(self.root / "state.json")]
        code, _, err = self.run("pull", "cats", *place, "--json")
        assert (code, err) == (0, "")
        return [
            json.loads(line)
            for one in sorted(landing.glob("raw/**/*.ndjson.gz"))
            for line in gzip.decompress(one.read_bytes()).splitlines()
        ]

    def works(self, count: int) -> list[dict[str, object]]:
        """It checks, previews, and lands every row once."""
        assert self.run("check")[0] == 0
        code, out, _ = self.run("preview", "cats", "--limit", "3")
        assert (code, out.count("\n")) == (0, min(3, count))
        rows = self.pulled()
        assert len(rows) == count
        return rows


@pytest.fixture
def place(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    monkeypatch.delenv("CATFLAP_SECRET_CATS_TOKEN", raising=False)
    return Place(tmp_path, capfd)


def by_link_header(asked: Asked) -> Answer:
    rows, more = page_of(at(asked, "page", 1) - 1)
    link = f'<{asked.path}?page={more + 1}>; rel="next"' if more else ""
    return answer_json(rows, **({"Link": link} if link else {}))


def by_odata(asked: Asked) -> Answer:
    skip, size = at(asked, "$skiptoken", 0), SIZE
    since = asked.query.get("$filter", "updated_at ge ").rpartition(" ")[2]
    found = [one for one in CATS if str(one["updated_at"]) >= since]
    document: dict[str, object] = {"@odata.context": "$metadata#cats"}
    if skip + size < len(found):
        document["@odata.nextLink"] = f"cats?$skiptoken={skip + size}"
    document["value"] = found[skip : skip + size]
    return answer_json(document)


def by_json_api(asked: Asked) -> Answer:
    rows, more = page_of(at(asked, "page[number]", 1) - 1)
    data = [
        {
            "type": "cats",
            "id": str(one["id"]),
            "attributes": {k: v for k, v in one.items() if k != "id"},
        }
        for one in rows
    ]
    following = f"/v1/cats?page[number]={more + 1}" if more else None
    return answer_json({"data": data, "links": {"next": following}, "included": []})


def by_pages(asked: Asked) -> Answer:
    number = at(asked, "page", 1)
    rows, _ = page_of(number - 1)
    meta = {"page": number, "total_pages": 3, "total": len(CATS)}
    return answer_json({"items": rows, "meta": meta})


def by_offset(asked: Asked) -> Answer:
    start, limit = at(asked, "offset", 0), at(asked, "limit", SIZE)
    found = {"offset": start, "limit": limit, "total": len(CATS)}
    return answer_json({**found, "cats": CATS[start : start + limit]})


def by_total_alone(asked: Asked) -> Answer:
    """More is there, and only the parameter `offset` gets it."""
    start = at(asked, "offset", 0)
    return answer_json({"total": len(CATS), "data": CATS[start : start + SIZE]})


def by_pages_in_silence(asked: Asked) -> Answer:
    return answer_json(page_of(at(asked, "page", 1) - 1)[0])


def by_pages_from_zero(asked: Asked) -> Answer:
    return answer_json(page_of(at(asked, "page", 0))[0])


def by_own_cursor_name(asked: Asked) -> Answer:
    rows, more = page_of(int(asked.query.get("starting_after", "c0")[1:]))
    return answer_json({"data": rows, "next_cursor": f"c{more}" if more else None})


def by_last_id(asked: Asked) -> Answer:
    """Stripe: nothing in the answer says that the last id is the cursor."""
    ids = [one["id"] for one in CATS]
    after = asked.query.get("starting_after")
    start = 0 if after is None else ids.index(type(ids[0])(after)) + 1  # type: ignore[call-arg]  # int or str
    rows = CATS[start : start + SIZE]
    return answer_json({"data": rows, "has_more": start + SIZE < len(CATS)})


def by_page_totals(asked: Asked) -> Answer:
    """`total` counts the page, and its limit makes it look like all."""
    start = at(asked, "offset", 0)
    rows = CATS[start : start + SIZE]
    found = {"offset": start, "limit": SIZE, "total": len(rows)}
    return answer_json({**found, "data": rows})


def by_other_names(
    offset: str, envelope: Callable[[list[dict[str, object]]], dict[str, object]]
) -> Callable[[Asked], Answer]:
    def app(asked: Asked) -> Answer:
        start = at(asked, offset, 0)
        return answer_json(envelope(CATS[start : start + SIZE]))

    return app


def by_one_page(_: Asked) -> Answer:
    return answer_json({"results": CATS[:7], "next": None})


def as_csv(_: Asked) -> Answer:
    lines = ["id,name,weight,updated_at"]
    lines += [f"{c['id']},{c['name']},{c['weight']},{c['updated_at']}" for c in CATS]
    return Answer(body="\n".join(lines).encode(), headers={"Content-Type": "text/csv"})


def as_lines(_: Asked) -> Answer:
    return Answer(
        body=b"\n".join(json.dumps(one).encode() for one in CATS),
        headers={"Content-Type": "application/octet-stream"},
    )


STYLES: dict[str, tuple[Callable[[Asked], Answer], str, dict[str, object] | None]] = {
    "Link header and array": (by_link_header, "$", {"type": "header_link"}),
    "OData": (
        by_odata,
        "value",
        {"type": "json_link", "next_url_path": "$['@odata.nextLink']"},
    ),
    "JSON:API": (
        by_json_api, "data", {"type": "json_link", "next_url_path": "links.next"},
    ),
    "pages with a total": (
        by_pages,
        "items",
        {
            "type": "page_number", "base_page": 1, "page": 1, "page_param": "page",
            "total_path": "meta.total_pages",
        },
    ),
    "offset with a total": (
        by_offset,
        "cats",
        {
            "type": "offset", "limit": SIZE, "offset_param": "offset",
            "limit_param": "limit",
        },
    ),
    "a total alone": (
        by_total_alone,
        "data",
        {
            "type": "offset", "limit": SIZE, "offset_param": "offset",
            "limit_param": "limit",
        },
    ),
    "pages in silence": (
        by_pages_in_silence, "$",
        {"type": "page_number", "base_page": 1, "page_param": "page"},
    ),
    "pages from zero": (
        by_pages_from_zero, "$", {"type": "page_number", "page_param": "page"},
    ),
    "a cursor by another name": (
        by_own_cursor_name,
        "data",
        {
            "type": "cursor", "cursor_path": "next_cursor",
            "cursor_param": "starting_after",
        },
    ),
    "the last id": (
        by_last_id,
        "data",
        {
            "type": "cursor", "cursor_path": "data[-1].id",
            "cursor_param": "starting_after", "has_more_path": "has_more",
        },
    ),
    "totals of pages": (
        by_page_totals,
        "data",
        {
            "type": "offset", "limit": SIZE, "offset_param": "offset",
            "limit_param": "limit", "total_path": None,
        },
    ),
    "Elasticsearch": (
        by_other_names("from", lambda rows: {
            "hits": {"total": {"value": len(CATS), "relation": "eq"}, "hits": rows},
        }),
        "hits.hits",
        {
            "type": "offset", "limit": SIZE, "offset_param": "from",
            "limit_param": "size",
        },
    ),
    "CKAN": (
        by_other_names("start", lambda rows: {
            "success": True, "result": {"count": len(CATS), "results": rows},
        }),
        "result.results",
        {
            "type": "offset", "limit": SIZE, "offset_param": "start",
            "limit_param": "rows",
        },
    ),
    "ArcGIS": (
        by_other_names("resultOffset", lambda rows: {
            "features": rows, "exceededTransferLimit": len(rows) == SIZE,
        }),
        "features",
        {
            "type": "offset", "limit": SIZE, "offset_param": "resultOffset",
            "limit_param": "resultRecordCount",
        },
    ),
    "one page": (by_one_page, "results", None),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_what_is_written_pulls_every_row_at_once(style: str, place: Place) -> None:
    app, selector, paginator = STYLES[style]
    with serving(app) as server:
        found = place.new(f"{server.url}v1/cats")
        assert found["paginator"] == paginator
        assert found["data_selector"] == selector
        assert found["primary_key"] == ["id"]
        prefix = "attributes." if style == "JSON:API" else ""
        assert found["cursor_path"] == f"{prefix}updated_at"
        rows = place.works(7 if style == "one page" else len(CATS))
    ids = [int(str(one["id"])) for one in rows]
    assert len(set(ids)) == len(ids)
    dataset = place.dataset()
    assert dataset.write_disposition == "merge"
    columns = dataset.columns or {}
    kinds = {
        name: one if isinstance(one, str) else one.type for name, one in columns.items()
    }
    assert kinds.items() >= {
        "weight": "number", "born": "date", "created_at": "timestamp",
        "updated_at": "timestamp", "toys": "variant", "indoor": "boolean",
        "name": "string", "owner_id": "integer",
    }.items()  # fmt: skip
    assert "chip" not in columns
    assert "chip: string   # all null" in place.written()


def test_two_requests_are_enough_where_the_answer_says_how_to_go_on(
    place: Place,
) -> None:
    with serving(by_link_header) as server:
        assert place.new(f"{server.url}cats")["requests"] == 2
        assert len(server.asked) == 2


def test_a_filter_is_written_if_the_api_was_seen_to_filter(place: Place) -> None:
    with serving(by_odata) as server:
        place.new(f"{server.url}v1/cats")
    endpoint = place.dataset().source.endpoint
    assert endpoint is not None
    assert endpoint.params == {"$filter": "updated_at ge {incremental.start_value}"}


def test_a_filter_that_is_ignored_is_not_written(place: Place) -> None:
    def deaf(asked: Asked) -> Answer:
        query = {k: v for k, v in asked.query.items() if k != "$filter"}
        return by_odata(
            Asked(
                method="GET", path=asked.path, query=query, headers={}, body=b""
            )
        )  # fmt: skip

    with serving(deaf) as server:
        place.new(f"{server.url}v1/cats")
        place.works(len(CATS))
    endpoint = place.dataset().source.endpoint
    assert endpoint is not None
    assert endpoint.params == {}
    assert "# params:\n      # updated_since:" in place.written()


@pytest.mark.parametrize(
    ("accepts", "auth"),
    [
        (("authorization", f"Bearer {CANARY}"), "bearer"),
        (("x-api-key", CANARY), "api_key"),
        (("authorization", CANARY), "api_key"),
    ],
)
def test_a_token_is_used_and_never_written(
    accepts: tuple[str, str],
    auth: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def app(asked: Asked) -> Answer:
        name, value = accepts
        if asked.headers.get(name) != value:
            return Answer(status=401, body=b"who are you?")
        return by_link_header(asked)

    with serving(app) as server:
        found = place.new(f"{server.url}cats", "--token", CANARY)
        assert found["secrets"] == {"secret:cats#token": "CATFLAP_SECRET_CATS_TOKEN"}
        assert CANARY not in json.dumps(found)
        assert CANARY not in place.written()
        assert f"type: {auth}" in place.written()
        monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", CANARY)
        place.works(len(CATS))


def test_secrets_within_the_url_are_not_written_either(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app(asked: Asked) -> Answer:
        if asked.query.get("api_key") != CANARY:
            return Answer(status=403)
        if asked.headers.get("authorization") != basic("tom", CANARY):
            return Answer(status=401)
        return answer_json(page_of(0)[0][:7])

    with serving(app) as server:
        url = server.url.replace("://", f"://tom:{CANARY}@")
        found = place.new(f"{url}cats?api_key={CANARY}&kind=all")
        assert found["secrets"] == {
            "secret:cats#api_key": "CATFLAP_SECRET_CATS_API_KEY",
            "secret:cats#password": "CATFLAP_SECRET_CATS_PASSWORD",
        }
        assert CANARY not in json.dumps(found) + place.written()
        for name in ("API_KEY", "PASSWORD"):
            monkeypatch.setenv(f"CATFLAP_SECRET_CATS_{name}", CANARY)
        place.works(7)


def test_a_refused_token_is_an_error_without_it_and_nothing_is_written(
    place: Place,
) -> None:
    with serving(lambda _: Answer(status=401, body=CANARY.encode())) as server:
        url = f"{server.url}cats"
        code, out, err = place.run("new", "cats", "--from", url, "--token", CANARY)
        assert (code, out) == (3, "")
        assert CANARY not in err
        assert "bearer" in err
        code, _, err = place.run("new", "cats", "--from", url)
    assert code == 3
    assert "--token" in err
    assert place.written() == ""


def test_nothing_is_overwritten(place: Place) -> None:
    with serving(by_link_header) as server:
        place.new(f"{server.url}cats")
        before = place.written()
        asked = len(server.asked)
        code, _, err = place.run("new", "cats", "--from", f"{server.url}cats")
        assert (code, len(server.asked)) == (2, asked)
    assert "already exists" in err
    assert place.written() == before


def test_a_second_dataset_of_an_api_uses_its_file(place: Place) -> None:
    with serving(by_link_header) as server:
        place.new(f"{server.url}v1/cats")
        code, out, _ = place.run("new", "dogs", "--from", f"{server.url}v1/dogs")
    assert code == 0
    assert "dogs.yaml" in out
    assert sorted(one.name for one in (place.root / "apis").iterdir()) == ["cats.yaml"]
    assert place.run("check")[0] == 0


@pytest.mark.parametrize(("app", "form"), [(as_csv, "csv"), (as_lines, "jsonl")])
def test_other_formats_are_noticed(
    app: Callable[[Asked], Answer], form: str, place: Place
) -> None:
    with serving(app) as server:
        found = place.new(f"{server.url}cats")
        assert found["format"] == form
        place.works(len(CATS))
    columns = place.dataset().columns or {}
    assert (columns["id"], columns["weight"]) == ("integer", "number")
    assert found["primary_key"] == ["id"]


@pytest.mark.parametrize(("delimiter", "written"), [(";", ";"), ("\t", "\\t")])
def test_the_delimiter_of_a_csv_is_noticed(
    delimiter: str, written: str, place: Place
) -> None:
    def app(asked: Asked) -> Answer:
        answer = as_csv(asked)
        body = answer.body.replace(b",", delimiter.encode())
        return Answer(body=body, headers=answer.headers)

    with serving(app) as server:
        place.new(f"{server.url}cats")
        place.works(len(CATS))
    assert f'format: {{type: csv, delimiter: "{written}"}}' in place.written()


def test_what_is_not_found_stands_as_a_choice(place: Place) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]
    answer = answer_json({"data": rows, "has_more": True})
    with serving(lambda _: answer) as server:
        found = place.new(f"{server.url}cats")
        assert place.run("check")[0] == 0
        assert place.run("preview", "cats")[0] == 3
    assert (found["paginator"], found["primary_key"], found["cursor_path"]) == (
        None, [], None,
    )  # fmt: skip
    written = place.written()
    assert "# paginator: {type: cursor" in written
    assert "# primary_key: [b]" in written
    assert "# incremental: {cursor_path: updated_at}" in written


def test_no_rows_yet_is_a_dataset_too(place: Place) -> None:
    with serving(lambda _: answer_json([])) as server:
        place.new(f"{server.url}cats")
        place.works(0)


HOSTILE = 'x"\n: [&*!|>%@`{}#\u2028\x7f\U0001f63a'


def test_hostile_names_and_values_cannot_leave_their_place(place: Place) -> None:
    rows = [{"id": n, HOSTILE: "x", "PAYLOAD": 1, "Id": n, "": 2} for n in range(3)]
    with serving(lambda _: answer_json({HOSTILE: rows})) as server:
        place.new(f"{server.url}cats?q=%22%0A%23:%7Bx")
        place.works(3)
    dataset = place.dataset()
    assert dataset.owner.team == "change-me"
    paths = {getattr(one, "path", None) for one in (dataset.columns or {}).values()}
    assert len(paths) == 4


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("Cats", "http://127.0.0.1:1/", "cannot name a dataset"),
        ("cats", "http://example.com/cats", "accepted: https"),
        ("cats", "file:///etc/passwd", "accepted: https"),
        ("cats", "example.com", "accepted: https"),
        ("cats", "http://[", "accepted: https"),
    ],
)
def test_bad_arguments_end_with_two(
    name: str, url: str, says: str, place: Place
) -> None:
    code, _, err = place.run("new", name, "--from", url)
    assert code == 2
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>log in</html>", headers={"Content-Type": "text/html"}),
        Answer(status=404),
        Answer(body=b'{"data": [{"id": 1'),
        Answer(status=302, headers={"Location": "https://elsewhere.example/"}),
    ],
)
def test_an_api_without_records_ends_with_three(answer: Answer, place: Place) -> None:
    with serving(lambda _: answer) as server:
        code, _, err = place.run("new", "cats", "--from", f"{server.url}cats")
    assert code == 3
    assert "127.0.0.1" in err
    assert place.written() == ""


def test_of_several_refusals_the_one_that_knows_who_asks_is_told(place: Place) -> None:
    def app(asked: Asked) -> Answer:
        known = asked.headers.get("authorization") == basic("tom", CANARY)
        return Answer(status=403 if known else 401)

    with serving(app) as server:
        given = ("--from", f"{server.url}cats", "--token", f"tom:{CANARY}")
        code, _, err = place.run("new", "cats", *given)
    assert code == 3
    assert "answered 403; the credentials are known but may not read this" in err
    assert "answered 401" not in err


def test_a_token_as_django_rest_framework_wants_it_is_told_by_its_refusal(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Token {CANARY}":
            return Answer(status=401, headers={"WWW-Authenticate": "Token"})
        return by_link_header(asked)

    with serving(app) as server:
        code, out, _ = place.run(
            "new", "cats", "--from", f"{server.url}cats", "--token", CANARY
        )
        assert code == 0
        assert "as `Token …`" in out
        assert CANARY not in place.written()
        assert "name: Authorization" in place.written()
        monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", f"Token {CANARY}")
        place.works(len(CATS))


def test_a_post_with_a_body_is_asked_and_written(place: Place) -> None:
    def app(asked: Asked) -> Answer:
        assert (asked.method, asked.json.get("kind")) == ("POST", "all")
        number = int(str(asked.json.get("page", 1)))
        rows, _ = page_of(number - 1)
        return answer_json({"cats": rows, "page": number, "pages": 3})

    with serving(app) as server:
        found = place.new(f"{server.url}search", "--body", '{"kind": "all"}')
        assert found["paginator"] == {
            "type": "page_number", "base_page": 1, "page": 1, "page_body_path": "page",
            "total_path": "pages",
        }  # fmt: skip
        assert "method: POST" in place.written()
        assert "json: {kind: all}" in place.written()
        place.works(len(CATS))


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--body", "[1]"], "JSON object"),
        (["--body", "{"], "JSON object"),
        (["--body", "{}", "--method", "GET"], "needs a POST"),
        (["--body", '{"api_key": "CANARY-x"}'], "sounds like a secret"),
    ],
)
def test_a_body_that_cannot_be_sent_is_refused(
    options: list[str], wrong: str, place: Place
) -> None:
    code, _, err = place.run("new", "cats", "--from", "http://127.0.0.1:1/", *options)
    assert code == 2
    assert wrong in err
    assert "CANARY" not in err


def test_exactly_25_rows_are_likely_a_page(place: Place) -> None:
    document = {"cats": [{"id": n, "updated_at": "2024-01-01"} for n in range(25)]}
    with serving(lambda _: answer_json(document)) as server:
        code, out, _ = place.run("new", "cats", "--from", f"{server.url}cats?kind=all")
    assert code == 0
    assert "exactly 25 rows: likely a page" in out
    assert "exactly 25 rows: likely a page" in place.written()
    assert "# paginator: {type: page_number" in place.written()
    # what is commented fits into the parameters that are there
    assert place.written().count("params:") == 1
    assert '      # updated_since: "{incremental.start_value}"' in place.written()


@pytest.mark.parametrize("end", [{"next": None}, {"total": 25}, {"has_more": False}])
def test_25_rows_that_are_said_to_be_all_are_all(
    end: dict[str, object], place: Place
) -> None:
    document = {"cats": [{"id": n} for n in range(25)], **end}
    with serving(lambda _: answer_json(document)) as server:
        place.new(f"{server.url}cats")
        assert len(server.asked) == 1
    assert "everything fits one page" in place.written()


def test_what_says_that_there_is_more_stands_in_the_file(place: Place) -> None:
    document = {"cats": [{"id": n} for n in range(7)], "meta": {"total": 90}}
    with serving(lambda _: answer_json(document)) as server:
        place.new(f"{server.url}cats")
    assert "`meta.total` is 90. Nothing in the answer says how" in place.written()


def test_a_next_link_that_is_not_there_names_its_parameter_all_the_same(
    place: Place,
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path != "/api/cats":
            return Answer(status=404, body=b"no such page")
        number = at(asked, "_page", 1)
        rows, more = page_of(number - 1)
        after = None if more is None else f"/cats?_page={number + 1}"
        return answer_json({"data": rows, "total": len(CATS), "next": after})

    with serving(answer) as server:
        code, _, err = place.run("new", "cats", "--from", f"{server.url}/api/cats")

    assert (code, err) == (0, "")
    written = (place.root / "datasets/cats.yaml").read_text()
    assert "paginator: {type: page_number, page_param: _page, base_page: 1}" in written


def test_a_next_link_that_is_not_there_is_said(place: Place) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path != "/api/cats":
            return Answer(status=404, body=b"no such page")
        rows, _ = page_of(0)
        return answer_json({"data": rows, "next": "/more/x7f"})

    with serving(answer) as server:
        code, out, _ = place.run("new", "cats", "--from", f"{server.url}/api/cats")

    assert code == 0
    assert "its next page is not there" in out
    assert "answered 404" in out


def test_a_total_beside_an_offset_is_read_on_by_the_parameter_that_works(
    place: Place,
) -> None:
    def answer(asked: Asked) -> Answer:
        start = at(asked, "skip", 0)
        rows = CATS[start : start + at(asked, "limit", 10)]
        return answer_json({"total_rows": len(CATS), "offset": start, "rows": rows})

    with serving(answer) as server:
        code, _, err = place.run("new", "cats", "--from", f"{server.url}cats?limit=10")

    assert (code, err) == (0, "")
    assert "offset_param: skip" in place.written()
