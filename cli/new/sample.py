"""Asking an API one or two pages, and finding out how it pages.

The pages are read as a pull reads them. An answer is remembered: whatever is tried
with it costs no second request. Where nothing in the answer says how to go on, the
parameters that most APIs know are tried; one counts only if other rows come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain, islice
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Endpoint, ResponseAction
from lambdas.core.errors import RunErrorKind, UpstreamError
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.paging.counts import LIMIT_PARAMS, OFFSET_PARAMS, PAGE_PARAMS
from lambdas.core.paging.position import restored
from lambdas.core.paging.signs import NOTHING_BEFORE, Signs
from lambdas.core.pull.ports import Page
from lambdas.core.records.csv_header import delimiter_in
from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import Envelope
from lambdas.core.records.json_path import kind_of
from lambdas.core.records.nested import NestedRows
from lambdas.core.records.select import WHOLE
from lambdas.core.text.count import counted
from lambdas.core.text.number import whole_number

ROWS = 2000
"""Records of a sample; a page may hold more."""

_OFFSET_OF = {
    "$limit": "$offset", "$top": "$skip", "top": "skip", "take": "skip",
    "count": "startIndex", "rows": "start", "maxResults": "startAt", "size": "from",
    "resultRecordCount": "resultOffset", "page[limit]": "page[offset]",
}  # fmt: skip
"""The parameter that skips rows, by the one that says how many."""
_CURSOR_PARAMS = (
    "cursor", "after", "page_token", "starting_after", "next_token", "pageToken",
)  # fmt: skip
_AFTER_PARAMS = ("starting_after", "after", "after_id")
_ROUND = 5
_FEW = 10


class RememberingApi(HttpApi):
    """An API that is asked each thing once."""

    challenge: str = ""
    """What the API wants in `Authorization`, as it said with the newest refusal."""
    is_known: bool = False
    """Whether an answer did not say that it does not know who asks."""
    _known: dict[tuple[object, ...], HttpResponse | None]

    def _send(
        self,
        request: HttpRequest,
        references: Collection[str],
        into: BinaryIO | None = None,
    ) -> HttpResponse:
        response = super()._send(request, references, into)
        self.is_known = response.status != HTTPStatus.UNAUTHORIZED
        self.challenge = response.headers.get("www-authenticate", self.challenge)
        return response

    def fetch(
        self,
        request: HttpRequest,
        *,
        actions: Sequence[ResponseAction] = (),
        into: BinaryIO | None = None,
    ) -> HttpResponse | None:
        """The remembered answer, or a new one."""
        known = self.__dict__.setdefault("_known", {})
        key: tuple[object, ...] = (
            request.method,
            request.url,
            *sorted(request.params.items()),
            json.dumps(request.json, default=str),
        )
        if key not in known:
            known[key] = super().fetch(request, actions=actions)
        answer: HttpResponse | None = known[key]
        if into is not None and answer is not None:
            into.write(answer.body)
            plain = {k: v for k, v in answer.headers.items() if k != "content-encoding"}
            return replace(answer, headers=plain)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was asked and what came. `paginator` is None if nothing was found out, and
    `is_all` says that the sample is everything there is.
    """

    endpoint: Endpoint
    paginator: Mapping[str, JsonValue] | None
    selector: str | None
    records: tuple[bytes, ...]
    pages: int
    is_all: bool
    key_hint: tuple[str, ...] = ()
    style: str = ""
    sign: str = ""
    """What says that there is more, where nothing says how to ask for it."""
    nested: str = ""
    """What is to be known of a record that may hold rows."""


class EndpointProbe:
    """Asks one endpoint in several ways."""

    def __init__(self, *, http: RememberingApi, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint
        self._selector: str | None = None
        self._nested: NestedRows | None = None
        self._why = ""

    def sample(self) -> Sample:
        """A page or two. Raises UpstreamError if there is not one page of records."""
        self._endpoint = _with(self._endpoint, format=self._format())
        hint, style = self._members()
        if style == "datasette":
            self._prefer({"_shape": "objects", "_size": "max"})
        page, unclear = self._first()
        if self._nested is not None and self._nested.is_named_within:
            self._endpoint = _with(self._endpoint, data_selector=self._nested.selector)
            page, unclear = self._first()
        records = list(page.records[:ROWS])
        sign = unclear or self._suspicion(page)
        found: Mapping[str, JsonValue] | None = None
        second: Sequence[bytes] | None = None
        position, _ = restored(page.next_position)
        if isinstance(position, dict) and "paginator" in position:
            found = _mapping(position["paginator"])
            second = self._second(found, position.get("at"), records)
            if second is None and found.get("type") == "cursor":
                found, second = self._other_cursor(found, position.get("at"), records)
            if second is None:
                # a link that is built wrong names the parameter all the same
                sign = sign or f"its next page {self._why}"
                named = _ways_of_link(position.get("at"), len(records))
                ways = islice(chain(named, self._ways(len(records))), 6)
                found, second = self._tried(records, ways)
        elif position is None and self._may_go_on(page, unclear=bool(unclear)):
            ways = islice(self._ways(len(records)), 6)
            found, second = self._tried(records, ways)
        is_all = position is None and not sign and found is None
        if found is not None and second is None:
            found = None
        return Sample(
            endpoint=self._without_paging(found),
            paginator=found,
            selector=self._selector,
            records=(*records, *(second or ())[:ROWS]),
            pages=1 + (second is not None),
            is_all=is_all,
            key_hint=hint,
            style=style,
            sign=sign if found is None else "",
            nested="" if self._nested is None else self._nested.sentence,
        )

    def first_records(self) -> list[bytes]:
        """The first page's records. Raises UpstreamError."""
        return list(self._first()[0].records[:ROWS])

    def _format(self) -> JsonValue:
        """A CSV's delimiter is told by its first line."""
        form = self._body_format()
        if form != "csv":
            return form
        probe = ApiPages(http=self._http, endpoint=self._endpoint)
        response = self._http.fetch(probe.request())
        first = b"" if response is None else response.body.strip().partition(b"\n")[0]
        is_usual = b"," in first or not _is_text(first)
        other = None if is_usual else delimiter_in(first.decode("utf-8", "replace"))
        return form if other is None else {"type": form, "delimiter": other}

    def _body_format(self) -> str:
        """By the suffix, the Content-Type, or the first line."""
        probe = ApiPages(http=self._http, endpoint=self._endpoint)
        name = self._endpoint.path.partition("?")[0].lower().removesuffix(".gz")
        for suffix, form in (
            (".csv", "csv"),
            (".ndjson", "jsonl"),
            (".jsonl", "jsonl"),
        ):
            if name.endswith(suffix):
                return form
        response = self._http.fetch(probe.request())
        if response is None:
            return "json"
        kind = response.headers.get("content-type", "").lower()
        if "csv" in kind:
            return "csv"
        if any(word in kind for word in ("ndjson", "jsonl", "json-lines", "json-seq")):
            return "jsonl"
        lines = response.body.strip().split(b"\n", 2)
        return "jsonl" if len(lines) > 1 and all(map(_is_object, lines[:2])) else "json"

    def _members(self) -> tuple[tuple[str, ...], str]:
        """The key that the answer names, and whose style it is."""
        if self._endpoint.body_format != "json":
            return (), ""
        document = ApiPages(http=self._http, endpoint=self._endpoint).document()
        if document is None or document.kind != "object":
            return (), ""
        named = document.value("primary_keys")
        hint = tuple(one for one in named if isinstance(one, str)) if isinstance(
            named, list
        ) else ()  # fmt: skip
        there = set(document.members)
        if {"rows", "next_url", "truncated"} <= there:
            return hint, "datasette"
        return hint, "odata" if "@odata.context" in there else ""

    def _prefer(self, params: dict[str, str]) -> None:
        """Take these parameters too if the same rows come."""
        known = dict(self._endpoint.params)
        added = {name: v for name, v in params.items() if name not in known}
        before = self._endpoint
        plain = list(self._first()[0].records)
        self._endpoint = _with(before, params={**known, **added})
        try:
            more = list(self._first()[0].records)
        except UpstreamError:
            more = []
        if len(more) < len(plain) or _first_row(more) != _first_row(plain):
            self._endpoint = before

    def _first(self) -> tuple[Page, str]:
        """The first page, and what shows that there is more but not where."""
        try:
            return self._page({"type": "auto"}, None), ""
        except UpstreamError as error:
            if error.kind is not RunErrorKind.RESPONSE:
                raise
            # if a single page is fine, it was the paging that nothing was said of
            told = re.search(r"is not all: (.*?)\. The answer", str(error))
            return self._page({"type": "single_page"}, None), (
                told[1] if told else "the answer says so"
            )

    def _suspicion(self, page: Page) -> str:
        """Exactly 25 rows, or exactly as many as were asked for, are likely a page."""
        rows = len(page.records)
        likely = page.next_position is None and self._is_like_a_page(rows)
        if not likely or self._says_all(rows):
            return ""
        return f"exactly {counted(rows, 'row')}: likely a page"

    def _is_like_a_page(self, rows: int) -> bool:
        sent = self._sent()
        limited = any(sent.get(name) == str(rows) for name in LIMIT_PARAMS)
        return limited or (rows >= _FEW and rows % _ROUND == 0)

    def _says_all(self, rows: int) -> bool:
        """Whether the first answer itself says that nothing comes after it."""
        request = ApiPages(http=self._http, endpoint=self._endpoint).request()
        response = self._http.fetch(request)
        if response is None or self._endpoint.format != "json":
            return False
        kind = response.headers.get("content-type", "")
        document = Document(response.body, content_type=kind)
        signs = Signs(
            envelope=Envelope(document, self._selector),
            headers=response.headers,
            status=response.status,
            rows=rows,
            before=NOTHING_BEFORE,
            request=request,
        )
        return signs.says_all

    def _sent(self) -> dict[str, str]:
        """What the endpoint sends itself, by name: its query, or its body."""
        body = self._endpoint.json_body or {}
        own = {**self._endpoint.params, **body}
        return {name: str(value) for name, value in own.items()}

    def _page(self, paginator: Mapping[str, JsonValue], position: JsonValue) -> Page:
        source = ApiPages(
            http=self._http,
            endpoint=_with(self._endpoint, paginator=dict(paginator)),
            position=position,
        )
        page = next(source.pages())
        self._selector, self._nested = source.selector or self._selector, source.nested
        return page

    def _second(
        self,
        paginator: Mapping[str, JsonValue],
        position: JsonValue,
        first: Sequence[bytes],
    ) -> list[bytes] | None:
        """Other rows than the first page's, or None if none came."""
        try:
            page = self._page(paginator, position)
        except UpstreamError as error:
            if error.kind in {RunErrorKind.AUTH, RunErrorKind.TIMEOUT}:
                raise
            self._why = f"is not there: {f'{error}'.partition(': ')[2] or error}"
            return None
        rows = list(page.records)
        is_other = not set(rows) <= set(first)
        self._why = "has the same rows again"
        return rows if is_other or not rows else None

    def _other_cursor(
        self,
        found: Mapping[str, JsonValue],
        position: JsonValue,
        first: Sequence[bytes],
    ) -> tuple[Mapping[str, JsonValue] | None, Sequence[bytes] | None]:
        """The parameter that takes the cursor back, by trying."""
        path = str(found.get("cursor_path", ""))
        names = dict.fromkeys((path.rpartition(".")[2], *_CURSOR_PARAMS))
        for name in islice((n for n in names if n != found.get("cursor_param")), 6):
            other = {**found, "cursor_param": name}
            rows = self._second(other, position, first)
            if rows:
                return other, rows
        return None, None

    def _may_go_on(self, page: Page, *, unclear: bool) -> bool:
        """Whether more may be behind a page that does not say so."""
        rows, sent = len(page.records), self._sent()
        counts = any(name in sent for name in (*PAGE_PARAMS, *OFFSET_PARAMS))
        if unclear or not rows:
            return unclear and rows > 0
        return (counts or self._is_like_a_page(rows)) and not self._says_all(rows)

    def _tried(
        self,
        first: Sequence[bytes],
        ways: Iterable[tuple[dict[str, JsonValue], JsonValue]],
    ) -> tuple[Mapping[str, JsonValue] | None, Sequence[bytes] | None]:
        """The first way of going on that brings other rows."""
        for paginator, position in chain(self._after_the_last(first), ways):
            rows = self._second(paginator, position, first)
            if rows and not set(rows) & set(first):
                return self._without_its_total(paginator), rows
        return None, None

    def _without_its_total(
        self, paginator: Mapping[str, JsonValue]
    ) -> Mapping[str, JsonValue]:
        """The paginator, without a total that would end it before the second page."""
        if paginator["type"] == "cursor" or self._goes_on(paginator):
            return paginator
        blind = {**paginator, "total_path": None}
        return blind if self._goes_on(blind) else paginator

    def _goes_on(self, paginator: Mapping[str, JsonValue]) -> bool:
        try:
            return self._page(paginator, None).next_position is not None
        except UpstreamError:
            return False

    def _after_the_last(
        self, first: Sequence[bytes]
    ) -> Iterator[tuple[dict[str, JsonValue], JsonValue]]:
        """The last record's id as the cursor, beside a `has_more`, as Stripe has it."""
        if self._endpoint.body_format != "json" or self._selector in {None, WHOLE}:
            return
        last: object = json.loads(first[-1])
        at = last.get("id") if isinstance(last, dict) else None
        document = ApiPages(http=self._http, endpoint=self._endpoint).document()
        more = document.value("has_more") if document is not None else None
        if more is not True or not isinstance(at, str | int):
            return
        for name in _AFTER_PARAMS:
            yield (
                {
                    "type": "cursor",
                    "cursor_path": f"{self._selector}[-1].id",
                    "cursor_param": name,
                    "has_more_path": "has_more",
                },
                at,
            )

    def _ways(self, rows: int) -> Iterator[tuple[dict[str, JsonValue], JsonValue]]:
        """Paginators to try, each with the position of its second page."""
        sent = self._sent()
        limit_name = next((name for name in LIMIT_PARAMS if name in sent), None)
        own_page = next((n for n in PAGE_PARAMS if sent.get(n, "").isdecimal()), None)
        own_offset = next(
            (n for n in OFFSET_PARAMS if sent.get(n, "").isdecimal()), None
        )
        where = "body_path" if self._endpoint.method == "POST" else "param"
        if own_page is None and own_offset is None:
            for known in self._limits_by_shape(limit_name):
                yield (
                    {
                        "type": "offset",
                        "limit": rows,
                        f"offset_{where}": _OFFSET_OF[known],
                        f"limit_{where}": known,
                    },
                    {"offset": rows, "limit": rows},
                )
        if own_page is not None:
            at = int(sent[own_page])
            yield _by_page(own_page, min(at, 1), at, where=where), at + 1
            return
        if own_offset is None:
            for name in ("page", "page[number]") if "page[size]" in sent else ("page",):
                # an API that counts from 0 gives other rows for page 1 already
                yield _by_page(name, 0, where=where), 1
                yield _by_page(name, 1, where=where), 2
        for name in (own_offset,) if own_offset else ("offset", "skip"):
            start = int(sent.get(name, "0"))
            asked = sent.get(limit_name or "", "")
            limit = max(0, whole_number(asked) or 0) or rows
            paginator: dict[str, JsonValue] = {
                "type": "offset",
                "limit": limit,
                f"offset_{where}": name,
                f"limit_{where}": limit_name or "limit",
            }
            if start:
                paginator["offset"] = start
            yield paginator, {"offset": start + rows, "limit": limit}

    def _limits_by_shape(self, sent: str | None) -> Iterator[str]:
        """What says how many rows, as far as the request or the answer tells."""
        if sent in _OFFSET_OF:
            yield sent
        elif self._selector == "hits.hits":
            yield "size"  # Elasticsearch
        elif (self._selector or "").startswith("result."):
            yield "rows"  # CKAN
        elif self._selector == "features":
            yield from ("resultRecordCount", "count")  # ArcGIS, WFS

    def _without_paging(self, found: Mapping[str, JsonValue] | None) -> Endpoint:
        """The endpoint without the parameters that the paginator sends itself."""
        own = {
            value
            for name, value in (found or {}).items()
            if name.endswith(("_param", "_body_path"))
        }
        kept = {n: v for n, v in self._endpoint.params.items() if n not in own}
        body = self._endpoint.json_body
        if body is None:
            return _with(self._endpoint, params=kept)
        left = {name: value for name, value in body.items() if name not in own}
        return _with(self._endpoint, params=kept, json=left)


def _by_page(
    name: str, base: int, page: int | None = None, *, where: str = "param"
) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"type": "page_number", f"page_{where}": name}
    if base:
        found["base_page"] = base
    if page is not None and page != base:
        found["page"] = page
    return found


def _ways_of_link(
    link: object, rows: int
) -> Iterator[tuple[dict[str, JsonValue], JsonValue]]:
    """The parameters of a link that count pages or rows, as ways to go on."""
    query = parse_qsl(urlsplit(link).query) if isinstance(link, str) else []
    for name, value in query:
        if value in {"1", "2"}:
            yield _by_page(name, int(value) - 1), int(value)
        if value == str(rows):
            yield (
                {"type": "offset", "limit": rows, "offset_param": name},
                {"offset": rows, "limit": rows},
            )


def _is_text(line: bytes) -> bool:
    """Whether it is neither compressed nor in UTF-16."""
    return b"\0" not in line and not line.startswith(b"\x1f\x8b")


def _with(endpoint: Endpoint, **changes: object) -> Endpoint:
    """`endpoint` with other values, validated anew."""
    document = endpoint.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Endpoint.model_validate_json(json.dumps({**document, **changes}))


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _first_row(records: Sequence[bytes]) -> object:
    return json.loads(records[0]) if records else None


def _is_object(line: bytes) -> bool:
    try:
        return kind_of(line.strip()) == "object" and isinstance(json.loads(line), dict)
    except ValueError:
        return False
