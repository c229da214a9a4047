"""The upstream as an API that answers in JSON, read by the product's own paging."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import UpstreamError
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from tests.soak.faults import Mishap
from tests.soak.upstream import Place, Reading
from tests.soak.world import World

URL = "http://127.0.0.1:1/cats"
NOWHERE = "1000000000000.0"
"""A place after all rows."""
CAP = 8
"""Rows that an API with a window of results gives at once; twice the ties it has."""

Extras = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One page: the place after it if there is more, what was read with it, and all
    there is.
    """

    after: Place | None
    read: int
    total: int

    @property
    def token(self) -> str | None:
        """The place as a text."""
        return None if self.after is None else f"{self.after[0]}.{self.after[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How an API tells of more, and what a dataset declares of it. One that counts
    `by_number` needs rows that are only added at the end.
    """

    paginator: Mapping[str, object]
    says: Callable[[Answered], Extras]
    headers: Callable[[Answered], dict[str, str]] = lambda _: {}
    may_end_empty: bool = False
    """Whether a page without rows and without a word of more may be its last."""
    by_number: bool = False
    is_capped: bool = False
    is_silent: bool = False
    """Whether nothing is told of more; pages may be shorter than they could be."""


def _link(answered: Answered) -> str | None:
    return None if answered.token is None else f"{URL}?after={answered.token}"


def _link_for_ever(answered: Answered) -> str:
    return _link(answered) or f"{URL}?after={NOWHERE}"


def _links(answered: Answered) -> dict[str, str]:
    link = _link(answered)
    return {} if link is None else {"link": f'<{link}>; rel="next"'}


STYLES: dict[str, Style] = {
    "a link, found": Style(
        paginator={"type": "auto"},
        says=lambda one: {"links": {"next": _link(one)}},
    ),
    "a link that is gone at the end": Style(
        paginator={"type": "json_link", "next_url_path": "meta.next"},
        says=lambda one: {"meta": {"next": _link(one)} if one.after else {}},
    ),
    "a link in a header": Style(
        paginator={"type": "header_link"},
        says=lambda _: {},
        headers=_links,
        may_end_empty=True,
    ),
    "a cursor and a flag": Style(
        paginator={
            "type": "cursor",
            "cursor_path": "cursor",
            "cursor_param": "after",
            "has_more_path": "has_more",
        },
        says=lambda one: {"cursor": one.token or "end", "has_more": bool(one.after)},
    ),
    "a cursor, found": Style(
        paginator={"type": "cursor", "cursor_path": "next", "cursor_param": "after"},
        says=lambda one: {"next": one.token, "total": one.total},
    ),
    "an offset and a total": Style(
        paginator={"type": "offset", "limit": 5},
        says=lambda one: {"total": one.total},
        by_number=True,
    ),
    "an offset and nothing else": Style(
        paginator={"type": "offset", "limit": 5, "total_path": None},
        says=lambda _: {},
        by_number=True,
        may_end_empty=True,
        is_silent=True,
    ),
    "a link for ever and a total": Style(
        paginator={"type": "json_link"},
        says=lambda one: {"next": _link_for_ever(one), "total": one.total},
    ),
    "pages and a flag": Style(
        paginator={"type": "page_number", "total_path": None, "has_more_path": "more"},
        says=lambda one: {"more": bool(one.after)},
        by_number=True,
    ),
    "an offset up to a cap": Style(
        paginator={"type": "offset", "limit": 2, "maximum_offset": CAP},
        says=lambda one: {"total": one.total},
        by_number=True,
        is_capped=True,
    ),
}


class _NoSecrets:
    def value(self, reference: str) -> str:
        return reference


@dataclass(slots=True, kw_only=True)
class UpstreamApi:
    """Stands in for HttpApi: answers requests, or lets them go wrong."""

    world: World
    reading: Reading
    style: Style
    api: Api = field(default_factory=lambda: Api(base_url="http://127.0.0.1:1/"))
    secrets: _NoSecrets = field(default_factory=_NoSecrets)
    retries: int = 0

    @property
    def requests(self) -> int:
        """Pages asked for."""
        return self.reading.requests

    def hide(self, secrets: frozenset[str]) -> None:
        """There are none."""

    def public(self, url: str) -> str:
        """As it is."""
        return url

    def at_page(self, error: UpstreamError, number: int, url: str) -> UpstreamError:
        """The error, and where."""
        return type(error)(f"page {number} of {url}: {error}", kind=error.kind)

    def wait_to_ask_again(self) -> None:
        """A moment."""
        self.world.counts["ends that were asked for again"] += 1
        self.retries += 1

    def fetch(self, request: HttpRequest, **_: object) -> HttpResponse:
        """A page, or what a broken API answers with 200 in its place."""
        asked = dict(parse_qsl(urlsplit(request.url).query)) | dict(request.params)
        failure = self._failure()
        if failure is not None:
            return _response(failure, {})
        rows, answered = self._page(asked)
        extras = self.style.says(answered)
        head = json.dumps(extras).encode()[:-1]
        comma = b"," if extras else b""
        body = b'%b%b"rows":[%b]}' % (head, comma, b",".join(rows))
        return _response(body, self.style.headers(answered))

    def _failure(self) -> bytes | None:
        """An error as the body of an answer that is fine by its status."""
        if self.world.happens(Mishap.ERROR_IN_BODY, 0.02):
            self.reading.failed()
            return self.world.rng.choice(_ERRORS)
        is_later = self.reading.requests > 0 or self.reading.goes_on
        is_wrong = is_later and not self.style.may_end_empty
        if is_wrong and self.world.happens(Mishap.EMPTY_IN_BETWEEN, 0.02):
            self.reading.failed()
            return self.world.rng.choice((*_EMPTY, _NO_CONTENT))
        return None

    def _page(self, asked: Mapping[str, str]) -> tuple[Sequence[bytes], Answered]:
        if not self.style.by_number:
            token = asked.get("after")
            if token == NOWHERE:
                self.reading.failed()
            first, _, second = (token or "").partition(".")
            after = (int(first), int(second)) if token else None
            rows, upcoming, total = self.reading.after(after)
            return rows, Answered(after=upcoming, read=len(rows), total=total)
        page, offset = int(asked.get("page", 0)), int(asked.get("offset", 0))
        size = int(asked.get("limit", self.reading.page_rows))
        offset = offset or page * size
        rows, total = self.reading.at(offset, size)
        if self.style.is_silent and self.world.happens(Mishap.SHORT_PAGE, 0.3):
            rows = rows[: max(1, size // 2)]
        there = offset + len(rows)
        upcoming = (there, 0) if there < total else None
        return rows, Answered(after=upcoming, read=there, total=total)


_NO_CONTENT = b""
_EMPTY = (b'{"rows":[]}', b'{"rows":[],"next":null,"total":1000}')
_ERRORS = (
    b'{"status":"error","message":"try later","rows":[]}',
    b'{"error":{"code":500,"message":"internal"}}',
    b'{"rows":[],"errors":[{"message":"shard 3 did not answer"}]}',
    b'{"rows":[],"success":false}',
    b'{"message":"Service temporarily unavailable"}',
)


def _response(body: bytes, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(
        status=200 if body else 204,
        url=URL,
        headers={"content-type": "application/json", **headers},
        body=body,
    )


class UpstreamAnswers:
    """One pull's pages, out of answers (a PageSource)."""

    reached: None = None

    def __init__(
        self,
        *,
        dataset: Dataset,
        window: Window,
        world: World,
        reading: Reading,
        style: Style,
    ) -> None:
        endpoint = dataset.source.endpoint
        assert endpoint is not None
        self._api = UpstreamApi(world=world, reading=reading, style=style)
        self._pages = ApiPages(
            http=self._api,  # type: ignore[arg-type]  # what pages call of it
            endpoint=endpoint,
            position=window.position,
        )

    @property
    def requests(self) -> int:
        """Pages asked for."""
        return self._api.requests

    @property
    def retries(self) -> int:
        """Ends that were asked for again."""
        return self._api.retries

    def pages(self) -> Iterator[Page]:
        """As the port says."""
        with self._api.reading.under_way():
            yield from self._pages.pages()
