"""One source each, in the words that dlt's `rest_api` and catflap share.

`endpoint` goes to both as it is. `rows` says what each has to bring: the ids, or the
kind of error. Where the two differ, `because` says why ours is meant so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.api_server import Answer, Asked, answer_json
from tests.unit.adapters.sources.paged_apis import PAGINATORS

ERROR = "error"
App = Callable[[Asked], Answer]

CATS: list[dict[str, object]] = [
    {"id": n, "at": n // 3, "name": f"cat {n}"} for n in range(24)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A source, and what may come of it. `app` is made anew for each contender, with
    the origin of its server. `pulls` is how often it is pulled; from the second on,
    `grown(n)` rows are there.
    """

    name: str
    app: Callable[[str], App]
    endpoint: Mapping[str, object]
    because: str = ""
    pulls: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


def _paged(name: str) -> Case:
    paging, endpoint, _ = PAGINATORS[name]

    def app(origin: str) -> App:
        def answer(asked: Asked) -> Answer:
            records, envelope, headers = paging(asked, origin)
            body = answer_json({"results": records, **envelope})
            return Answer(body=body.body, headers={**body.headers, **headers})

        return answer

    return Case(
        name=f"paging: {name}",
        app=app,
        endpoint={"data_selector": "results", **endpoint},
    )


def _fixed(document: object) -> Callable[[str], App]:
    return lambda _: lambda _: answer_json(document)


def _circles(_: str) -> App:
    """The same cursor until the tenth request: without an end, nothing would end."""
    asked_for: list[int] = []

    def answer(_: Asked) -> Answer:
        asked_for.append(1)
        cursor = "again" if len(asked_for) < 10 else None
        return answer_json({"results": [{"id": 1}], "cursors": {"next": cursor}})

    return answer


def _no_total(_: str) -> App:
    def answer(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        return answer_json({"results": CATS[at : at + 10]})

    return answer


def _empty_link(_: str) -> App:
    return lambda _: answer_json({"results": [{"id": 1}], "next": ""})


def _odata(origin: str) -> App:
    del origin

    def answer(asked: Asked) -> Answer:
        at = int(asked.query.get("$skiptoken", 0))
        document: dict[str, object] = {"value": CATS[at : at + 10]}
        if at + 10 < len(CATS):
            document["@odata.nextLink"] = f"/cats?$skiptoken={at + 10}"
        return answer_json(document)

    return answer


def _growing(_: str) -> App:
    """Rows appear between pulls: four a pull, some with the time the cursor stands at.

    A pull is told by the header that its contender sends.
    """

    def answer(asked: Asked) -> Answer:
        there = CATS[: 6 + 4 * int(asked.headers.get("x-pull", 0))]
        since = int(asked.query.get("since", 0))
        return answer_json(
            {"results": [c for c in there if int(str(c["at"])) >= since]}
        )

    return answer


def _incremental(**keys: object) -> dict[str, object]:
    return {
        "data_selector": "results",
        "paginator": {"type": "single_page"},
        "incremental": {"cursor_path": "at", **keys},
    }


def _times(_: str) -> App:
    """As `_growing`, with times for cursors."""

    def answer(asked: Asked) -> Answer:
        there = 6 + 4 * int(asked.headers.get("x-pull", 0))
        rows = [
            {"id": n, "at": f"2024-01-01T{n // 3:02d}:00:00Z"} for n in range(there)
        ]
        since = asked.query["since"]
        return answer_json({"results": [one for one in rows if one["at"] >= since]})  # type: ignore[operator]  # texts

    return answer


def _search_after(_: str) -> App:
    """Elasticsearch: the last hit's sort values ask for what comes after them."""

    def answer(asked: Asked) -> Answer:
        after = asked.json.get("search_after", [-1, ""])
        assert isinstance(after, list)
        at = int(after[0]) + 1
        hits = [{"id": n, "sort": [n, "x"]} for n in range(at, min(at + 10, 25))]
        return answer_json({"hits": {"hits": hits}})

    return answer


def _refused(_: str) -> App:
    """Pages that are counted nowhere; behind the last one stands a 404."""

    def answer(asked: Asked) -> Answer:
        number = int(asked.query["page"])
        rows = CATS[(number - 1) * 10 : number * 10]
        if not rows:
            return Answer(status=404, body=b'{"detail": "Invalid page."}')
        return answer_json({"results": rows})

    return answer


def _hollow(_: str) -> App:
    """Numbered pages, of which the second comes without its rows."""

    def answer(asked: Asked) -> Answer:
        number = int(asked.query["page"])
        rows = CATS[(number - 1) * 10 : number * 10] if number != 2 else []
        return answer_json({"results": rows, "pages": 3})

    return answer


def _hollow_once(origin: str) -> App:
    """A list that grows while it is read; its third page comes without rows once."""
    asked_for: list[int] = []

    def answer(asked: Asked) -> Answer:
        at = int(asked.query.get("at", 0))
        total = 15 if at == 0 else len(CATS)
        asked_for.append(at)
        if at == 20 and asked_for.count(20) == 1:
            return answer_json({"results": [], "next": None, "total": total})
        following = f"{origin}{asked.path}?at={at + 10}" if at < 20 else None
        rows = CATS[at : at + 10]
        return answer_json({"results": rows, "next": following, "total": total})

    return answer


def _shorter(_: str) -> App:
    def answer(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        size = 4 if at == 10 else 10
        return answer_json({"results": CATS[at : at + size], "total": len(CATS)})

    return answer


def _elsewhere(_: str) -> App:
    return lambda _: answer_json(
        {"results": [{"id": 1}], "links": {"next": "/cats?page=2"}}
    )


def _linked(at: int, origin: str = "") -> dict[str, object]:
    following = f"{origin}/cats?at={at + 10}" if at + 10 < len(CATS) else None
    return {"results": CATS[at : at + 10], "next": following}


def _header_url(origin: str) -> App:
    """Kinto: the next page's URL stands bare in a header of its own."""

    def answer(asked: Asked) -> Answer:
        page = _linked(int(asked.query.get("at", 0)), origin)
        body = answer_json({"results": page["results"]})
        following = {"Next-Page": str(page["next"])} if page["next"] else {}
        return Answer(body=body.body, headers={**body.headers, **following})

    return answer


def _relations(origin: str) -> App:
    """FHIR: links in a list, by their relation."""

    def answer(asked: Asked) -> Answer:
        page = _linked(int(asked.query.get("at", 0)), origin)
        links = [{"relation": "self", "url": f"{origin}/cats"}]
        if page["next"]:
            links.append({"relation": "next", "url": str(page["next"])})
        return answer_json({"results": page["results"], "link": links})

    return answer


def _always_linked(origin: str) -> App:
    """Zendesk's export: the link is always there, and a flag says the end. After ten
    requests there is none, or nothing would end the other one.
    """
    asked_for: list[int] = []

    def answer(asked: Asked) -> Answer:
        asked_for.append(1)
        at = min(int(asked.query.get("at", 0)), 20)
        link = f"{origin}/cats?at={at + 10}" if len(asked_for) < 10 else None
        ended = at + 10 >= len(CATS)
        rows = CATS[at : at + 10]
        return answer_json({"results": rows, "next": link, "end_of_stream": ended})

    return answer


def _second(page: dict[str, object]) -> Callable[[str], App]:
    """An offset whose second page is `page`."""

    def answer(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        rows = CATS[at : at + 10]
        return answer_json(page if at == 10 else {"results": rows, "total": len(CATS)})

    return lambda _: answer


def _text(body: bytes) -> Callable[[str], App]:
    return lambda _: lambda _: Answer(body=body)


CASES: tuple[Case, ...] = (
    *(
        _paged(name)
        for name in PAGINATORS
        # what dlt has no words for, and what it cannot end, are cases of their own
        if name not in {"cursor in a body", "offset without total",
                        "page_number without total", "auto, page numbers",
                        "auto, offset"}
    ),
    Case(
        name="rows: an array is the answer",
        app=_fixed(CATS),
        endpoint={"paginator": {"type": "single_page"}},
    ),
    Case(
        name="rows: a selector with two steps",
        app=_fixed({"data": {"cats": CATS}}),
        endpoint={
            "data_selector": "data.cats", "paginator": {"type": "single_page"},
        },
    ),
    Case(
        name="incremental: rows with the cursor's own time appear later",
        app=_growing,
        endpoint={
            "data_selector": "results",
            "paginator": {"type": "single_page"},
            "params": {"since": "{incremental.start_value}"},
            "incremental": {
                "cursor_path": "at", "initial_value": 0,
            },
        },
        pulls=3,
    ),
    Case(
        name="incremental: from an initial value, the API does not filter",
        app=_fixed({"results": CATS}),
        endpoint=_incremental(initial_value=3),
    ),
    Case(
        name="incremental: up to an end value",
        app=_fixed({"results": CATS}),
        endpoint=_incremental(initial_value=2, end_value=5),
    ),
    Case(
        name="incremental: an end that belongs to it",
        app=_fixed({"results": CATS}),
        endpoint=_incremental(initial_value=2, end_value=5, range_end="closed"),
    ),
    Case(
        name="incremental: a start that does not belong to it",
        app=_growing,
        endpoint=_incremental(initial_value=0, range_start="open"),
        pulls=3,
    ),
    Case(
        name="incremental: newest first, so that a pull may stop early",
        app=_fixed({"results": CATS[::-1]}),
        endpoint=_incremental(initial_value=3, row_order="desc"),
    ),
    *(
        Case(
            name=f"incremental: rows without a cursor, {what}",
            app=_fixed({"results": [{"id": 1, "at": 1}, {"id": 2, "at": None}]}),
            endpoint=_incremental(initial_value=0, on_cursor_value_missing=what),
            because=because,
        )
        for what, because in (
            ("raise", ""),
            ("include", "the same rows: dlt leaves out a name that holds null."),
            ("exclude", ""),
        )
    ),
    Case(
        name="incremental: times, asked for by a parameter",
        app=_times,
        endpoint={
            **_incremental(initial_value="2024-01-01T00:00:00Z"),
            "params": {"since": "{incremental.start_value}"},
        },
        pulls=3,
        because="the same rows: dlt writes their times in its own way, ours land as "
        "the API wrote them.",
    ),
    Case(
        name="paging: a cursor that is an array, back in the body",
        app=_search_after,
        endpoint={
            "method": "POST",
            "json": {"size": 10},
            "data_selector": "hits.hits",
            "paginator": {
                "type": "cursor",
                "cursor_path": "hits.hits[-1].sort",
                "cursor_body_path": "search_after",
            },
        },
    ),
    Case(
        name="paging: an offset whose pages get shorter",
        app=_shorter,
        endpoint={
            "data_selector": "results", "paginator": {"type": "offset", "limit": 10},
        },
        because="dlt goes on by the limit, past rows that were on no page; ours goes "
        "on after the last row that came.",
    ),
    Case(
        name="paging: a page that is refused behind the last",
        app=_refused,
        endpoint={
            "data_selector": "results",
            "paginator": {
                "type": "page_number", "base_page": 1, "total_path": None,
            },
        },
        because="dlt takes the refusal for an error; ours was past the end there, "
        "behind a page that is shorter than those before it.",
    ),
    Case(
        name="paging: a link chosen by its relation",
        app=_relations,
        endpoint={
            "data_selector": "results",
            "paginator": {
                "type": "json_link", "next_url_path": "link[?relation=='next'].url",
            },
        },
    ),
    Case(
        name="paging: a header that holds the bare URL, nothing declared",
        app=_header_url,
        endpoint={"data_selector": "results"},
        because="dlt's auto knows the Link header alone, and stops after the first "
        "page; ours knows any header with `next` in its name and a URL in it.",
    ),
    Case(
        name="paging: a link that is always there, and a flag that says the end",
        app=_always_linked,
        endpoint={"data_selector": "results", "paginator": {"type": "json_link"}},
        because="dlt follows the link for as long as it is there, and brings the last "
        "rows again each time; ours heeds the flag.",
    ),
    Case(
        name="trap: an error in the middle, with status 200",
        app=_second({"status": "error", "message": "timeout", "results": []}),
        endpoint={
            "data_selector": "results", "paginator": {"type": "offset", "limit": 10},
        },
        because="to dlt the page without rows is the end; to ours an error never is.",
    ),
    Case(
        name="trap: an empty page below the total",
        app=_second({"results": [], "total": len(CATS)}),
        endpoint={
            "data_selector": "results", "paginator": {"type": "offset", "limit": 10},
        },
        because="to dlt the page without rows is the end; ours holds the total against "
        "it.",
    ),
    Case(
        name="trap: an empty page below the number of pages",
        app=_hollow,
        endpoint={
            "data_selector": "results",
            "paginator": {
                "type": "page_number", "base_page": 1, "total_path": "pages",
            },
        },
        because="to dlt the page without rows is the end; ours holds the number of "
        "pages against it.",
    ),
    Case(
        name="trap: an empty page below a total that has grown",
        app=_hollow_once,
        endpoint={
            "data_selector": "results",
            "paginator": {"type": "json_link", "next_url_path": "next"},
        },
        because="to dlt the page without rows is the end; ours asks once more, because "
        "the newest total is above the rows that came.",
    ),
    Case(
        name="trap: a maximum with more behind it",
        app=_second({"results": CATS[10:20], "total": len(CATS)}),
        endpoint={
            "data_selector": "results",
            "paginator": {"type": "offset", "limit": 10, "maximum_offset": 20},
        },
        because="dlt ends at the maximum; ours says that rows would be missing.",
    ),
    Case(
        name="trap: a link that stands elsewhere",
        app=_elsewhere,
        endpoint={"data_selector": "results", "paginator": {"type": "json_link"}},
        because="dlt ends after the first page; ours says where another link stands.",
    ),
    Case(
        name="trap: errors beside no data",
        app=_fixed({"data": None, "errors": [{"message": "no such field"}]}),
        endpoint={"data_selector": "data", "paginator": {"type": "single_page"}},
        because="dlt brings null as a row; to ours an answer that holds an error and "
        "no records is one.",
    ),
    Case(
        name="trap: a selector that matches nothing",
        app=_fixed({"cats": CATS}),
        endpoint={"data_selector": "rows", "paginator": {"type": "single_page"}},
        because="dlt brings no rows and no error; an API that renamed its list would "
        "look like one that has nothing new. Ours is an error that names the keys.",
    ),
    Case(
        name="trap: a cursor that never changes",
        app=_circles,
        endpoint={"data_selector": "results", "paginator": {"type": "cursor"}},
        because="dlt goes round for as long as the API does, and brings the same row "
        "each time; ours ends at the first page that comes again.",
    ),
    Case(
        name="trap: an offset without a total",
        app=_no_total,
        endpoint={
            "data_selector": "results", "paginator": {"type": "offset", "limit": 10},
        },
        because="dlt demands the total though an empty page may end the run; ours "
        "ends at the short page.",
    ),
    Case(
        name="trap: a next link that is empty",
        app=_empty_link,
        endpoint={"data_selector": "results", "paginator": {"type": "json_link"}},
        because="dlt asks for the empty URL and loses the run; to ours an "
        "empty link is the end, as null is.",
    ),
    Case(
        name="trap: OData, nothing declared",
        app=_odata,
        endpoint={"data_selector": "value"},
        because="dlt's auto does not know `@odata.nextLink`, and stops after the first "
        "page; ours reads on.",
    ),
    Case(
        name="numbers: more decimals than a float has",
        app=_text(b'[{"pi": 3.14159265358979323846}]'),
        endpoint={"paginator": {"type": "single_page"}},
        because="dlt reads a float, and the last digits are gone; ours lands the bytes "
        "that the API wrote.",
    ),
    Case(
        name="numbers: an integer beyond 64 bits",
        app=_text(b'[{"id": 12345678901234567890123}]'),
        endpoint={"paginator": {"type": "single_page"}},
        because="dlt's JSON writer refuses it; ours lands the bytes that the API "
        "wrote.",
    ),
)  # fmt: skip
