"""The pages of an endpoint, as a pull, a probe and a preview read them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from pydantic import JsonValue

from lambdas.adapters.sources.ahead import AHEAD_BYTES, PARALLEL, Prefetched, one_ahead
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Endpoint, ResponseAction
from lambdas.core.errors import RunErrorKind, Terminal, UpstreamError
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.urls import origin_of
from lambdas.core.paging.base import BasePaginator, CapReached
from lambdas.core.paging.loops import LoopGuard
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.position import refuse_too_long, restored, stored
from lambdas.core.pull.ports import Page
from lambdas.core.records.compression import DAMAGE, broken_gzip, unpacked
from lambdas.core.records.documents import Document, bad_response, members
from lambdas.core.records.failure import refuse_failure
from lambdas.core.records.json_line import refuse_no_record
from lambdas.core.records.nested import NestedRows, nested_rows
from lambdas.core.records.select import (
    WHOLE,
    detect_selector,
    parted,
    select_records,
)
from lambdas.core.records.streams import csv_rows, json_lines
from lambdas.core.source.request import Values, base_request, secret_params, secrets_in
from lambdas.core.source.response import NOT_READY
from lambdas.core.text.count import counted

NOTHING_YET: Values = {
    "incremental.start_value": None,
    "incremental.last_value": None,
    "incremental.end_value": None,
    "incremental.initial_value": None,
}
"""The placeholders of an endpoint that is asked for everything."""

_IN_MEMORY_BYTES = 8 * 1024 * 1024
"""A longer answer in JSON Lines or CSV waits in a temporary file."""

_NO_CONTENT = frozenset({204, 205})
_PAST_THE_END = tuple(
    ResponseAction(status_code=status, action="ignore")
    for status in (400, 404, 416, 422)
)
"""Of what is asked for only to see that there is nothing."""


class ApiPages:
    """One endpoint's pages, from the first or from `position` (a PageSource).

    `values` are what the placeholders stand for, formatted as the API wants them. With
    `ahead` the next page is fetched while one is worked on, and, as with
    `side_by_side`, the next few at once where pages can be counted.
    Each UpstreamError names the page's number and the URL, without secrets.
    """

    reached: None = None
    """The rows tell where the cursor stands."""

    def __init__(
        self,
        *,
        http: HttpApi,
        endpoint: Endpoint,
        values: Values = NOTHING_YET,
        position: JsonValue = None,
        ahead: bool = False,
        side_by_side: bool = False,
        needed: Collection[str] = (),
    ) -> None:
        """`needed` are names that the first row of a CSV must hold."""
        self.selector = endpoint.data_selector
        """Where the records stand; found on the first page if it is not declared."""
        self.nested: NestedRows | None = None
        """Rows within an answer that is taken for one record, and not by declaration.
        """
        self.read = 0
        """Answers that have been read whole."""
        self.paginator: BasePaginator = endpoint.paginator or http.api.paginator
        self._http = http
        self._endpoint = endpoint
        self._values = {**NOTHING_YET, **values}
        self._position, self._before = restored(position)
        self._upcoming: JsonValue = None
        self._needed = needed
        self._fields: Sequence[str] = ()
        self._ahead = ahead
        self._side_by_side = ahead or side_by_side
        self._actions = (*endpoint.response_actions, NOT_READY)
        self._prefetched = Prefetched(
            lambda request: http.fetch(request, actions=self._actions)
        )

    @property
    def requests(self) -> int:
        """HTTP requests answered or refused so far, retries included."""
        return self._http.requests

    @property
    def retries(self) -> int:
        """How many of those were second or later tries."""
        return self._http.retries

    def pages(self) -> Iterator[Page]:
        """The pages, in order; a page without records is one too.

        Raises UpstreamError, or BadInput if the endpoint cannot make a request.
        """
        return one_ahead(self._pages()) if self._ahead else self._pages()

    def _pages(self) -> Iterator[Page]:
        base = self._base()
        guard = LoopGuard()
        position, number = self._position, 1
        read = self._page if self._endpoint.body_format == "json" else self._pieces
        while True:
            # no page is held here while the next one is fetched
            for page in read(base, position, number, guard):
                upcoming, capped = self._upcoming, page.capped
                self.read = number
                yield page
                del page
            if capped is not None:
                raise self._http.at_page(capped, number, base.url)
            if upcoming is None:
                return
            position, number = upcoming, number + 1
            self._refuse_over(base, number)

    def _refuse_over(self, base: HttpRequest, number: int) -> None:
        most = self._endpoint.max_pages
        if most is not None and number > most:
            where = f"page {number} of {self._http.public(base.url)}"
            raise Terminal(
                f"{where}: max_pages is {most}, and there are more: nothing "
                "of this pull lands. Raise max_pages, or ask for a smaller range",
                kind=RunErrorKind.RESPONSE,
            )

    def ask_ahead(self) -> None:
        """Have a thread ask for the first page, which will be read later.

        Raises BadInput if the endpoint cannot make a request.
        """
        if not self.paginator.may_be_past_the_end(self._position):
            self._prefetched.ask([self._whole(self._base(), self._position)])

    def request(self) -> HttpRequest:
        """The request for the first page, or that at `position`, before auth."""
        return self.paginator.request(self._base(), self._position)

    def document(self) -> Document | None:
        """The first answer's whole JSON, as a probe looks at it; None if there is no
        content. Raises what `pages` raises.
        """
        base = self._base()
        try:
            response = self._fetch(base, self.paginator.request(base, self._position))
            if response is None or response.status in _NO_CONTENT:
                return None
            content_type = response.headers.get("content-type", "")
            return Document(response.body, content_type=content_type)
        except UpstreamError as error:
            raise self._http.at_page(error, 1, base.url) from None

    def _base(self) -> HttpRequest:
        http, resolve = self._http, self._http.secrets.value
        http.hide(secrets_in(http.api, self._endpoint, resolve))
        return base_request(
            http.api, self._endpoint, values=self._values, resolve=resolve
        )

    def _page(
        self, base: HttpRequest, position: JsonValue, number: int, guard: LoopGuard
    ) -> Iterator[Page]:
        """An answer in JSON: one page."""
        try:
            request = self._request(base, position, guard)
            answer = self._asked(base, request, position)
            if answer is not None and self.paginator.is_doubtful_end(
                answer[0], position
            ):
                self._http.wait_to_ask_again()
                answer = self._asked(base, request, position)
            if answer is None:
                yield self._nothing(request, number)
                return
            answered, records, size = answer
            guard.seen(records, is_another=answered.is_another)
            page = self._made(answered, position, records, number)
            if self._side_by_side and size <= AHEAD_BYTES:
                self._prefetch(base, answered, self._upcoming)
            del answer, records, answered
        except UpstreamError as error:
            raise self._http.at_page(error, number, base.url) from None
        yield page

    def _asked(
        self, base: HttpRequest, request: HttpRequest, position: JsonValue
    ) -> tuple[AnsweredPage, list[bytes], int] | None:
        """An answer in JSON, its records and its bytes; None if it is to be ignored.

        Raises UpstreamError, if it is an error, too.
        """
        response = self._fetch(
            base,
            request,
            past_the_end=self.paginator.may_be_past_the_end(position),
        )
        if response is None:
            return None
        if response.status in _NO_CONTENT:
            # says no more than an empty object; the page before may say more
            response = replace(response, body=b"{}")
            document = Document(response.body)
            records: list[bytes] = []
        else:
            document, records = self._read(response)
        answered = self._answered(base, request, response, len(records), document)
        refuse_failure(
            document,
            answered.envelope,
            rows=len(records),
            is_record=self._is_whole(document),
            declared=self._endpoint.data_selector is not None,
        )
        return answered, records, len(response.body)

    def _pieces(
        self, base: HttpRequest, position: JsonValue, number: int, guard: LoopGuard
    ) -> Iterator[Page]:
        """An answer that can be read piece by piece: a page for each, all with the
        same number. A position within it is `{"within": <its own>, "records": n}`.
        """
        try:
            request = self._request(base, _within(position)[0], guard)
            again = yield from self._piece_by_piece(
                base, request, position, number, guard, may_doubt=True
            )
            if again:
                self._http.wait_to_ask_again()
                yield from self._piece_by_piece(base, request, position, number, guard)
        except UpstreamError as error:
            raise self._http.at_page(error, number, base.url) from None

    def _piece_by_piece(
        self,
        base: HttpRequest,
        request: HttpRequest,
        position: JsonValue,
        number: int,
        guard: LoopGuard,
        *,
        may_doubt: bool = False,
    ) -> Generator[Page, None, bool]:
        """The pages of one answer; returns whether it is to be requested once more.
        With `may_doubt`, one whose end is doubtful is: it has no page.
        """
        position, skip = _within(position)
        with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
            file = cast("BinaryIO", spool)
            response = self._fetch(
                base,
                request,
                into=file,
                past_the_end=self.paginator.may_be_past_the_end(position),
            )
            if response is None or response.status in _NO_CONTENT:
                yield self._nothing(request, number)
                return False
            held: list[bytes] = []
            odd: list[bytes] = []
            rows = 0
            first = last = b""
            for piece in self._pieces_of(response, file):
                if rows == 0:
                    guard.seen(piece)
                    first = piece[0]
                last = piece[-1]
                if rows > skip and held:
                    held, odd = parted(held)
                    yield Page(
                        records=held,
                        odd=odd,
                        number=number,
                        url=self._http.public(response.url),
                        next_position=stored(
                            {"within": position, "records": rows}, self._before
                        ),
                    )
                held = piece[max(0, skip - rows) :]
                rows += len(piece)
            if rows and self._endpoint.body_format == "jsonl":
                refuse_no_record(first, last, rows=rows, needed=self._needed)
            answered = self._answered(base, request, response, rows, None)
            if may_doubt and self.paginator.is_doubtful_end(answered, position):
                return True
            if rows == 0:
                guard.seen([])
            yield self._made(answered, position, held, number)
        return False

    def _made(
        self,
        answered: AnsweredPage,
        position: JsonValue,
        records: list[bytes],
        number: int,
    ) -> Page:
        capped, doubt, self._upcoming = None, None, None
        try:
            self._upcoming = self.paginator.after(answered, position)
            if self._upcoming is None:
                doubt = self.paginator.doubt(answered, position)
        except CapReached as error:
            capped = error
        except Terminal as error:
            if self.nested is None:
                raise
            raise bad_response(f"{self.nested.sentence}. Besides, {error}") from None
        refuse_too_long(self._upcoming)
        self._before = answered.remembered()
        objects, odd = parted(records)
        return Page(
            records=objects,
            odd=odd,
            number=number,
            url=self._http.public(answered.url),
            next_position=stored(self._upcoming, self._before),
            capped=capped,
            warning=doubt if self.nested is None else self.nested.sentence,
        )

    def _pieces_of(
        self, response: HttpResponse, file: BinaryIO
    ) -> Iterator[list[bytes]]:
        content_type = response.headers.get("content-type", "")
        try:
            stream = unpacked(file, response.headers.get("content-encoding", ""))
            if self._endpoint.body_format == "csv":
                for piece in csv_rows(
                    stream,
                    self._endpoint.csv,
                    content_type,
                    needed=self._needed,
                    before=self._fields,
                ):
                    self._fields = self._fields or _fields_of(piece)
                    yield piece
            else:
                yield from json_lines(stream, content_type)
        except DAMAGE:
            raise broken_gzip() from None

    def _prefetch(
        self, base: HttpRequest, answered: AnsweredPage, upcoming: JsonValue
    ) -> None:
        """Ask for the pages that are known to follow, some at a time."""
        if upcoming is not None:
            foreseen = self.paginator.foreseen(answered, upcoming, PARALLEL)
            # one by one where there is one left: nothing is won by another thread
            if len(foreseen) > 1:
                self._prefetched.ask([self._whole(base, one) for one in foreseen])

    def _request(
        self, base: HttpRequest, position: JsonValue, guard: LoopGuard
    ) -> HttpRequest:
        request = self._whole(base, position)
        guard.before(self.paginator.request(base, position))
        return request

    def _whole(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        request = self.paginator.request(base, position)
        # a link comes back without our secrets: no position holds them
        own = secret_params(self._endpoint)
        kept = {name: base.params[name] for name in own if name in base.params}
        return replace(request, params={**kept, **request.params})

    def _nothing(self, request: HttpRequest, number: int) -> Page:
        """An answer without rows that ends the pull, unless a total says otherwise."""
        rows, totals = self._before.rows, self._before.totals
        above = [(one, n) for one, n in totals.items() if rows and n > rows]
        if above and not self.paginator.ignore_total:
            where, total = above[0]
            raise bad_response(
                f"this answer has no rows (response_actions ignores it, or it is 204), "
                f"though `{where}` was {total} and {counted(rows or 0, 'row')} came: "
                "that is not the end. Set ignore_total: true if that number counts "
                "other rows"
            )
        self._upcoming = None
        return Page(records=(), number=number, url=self._http.public(request.url))

    def _answered(
        self,
        base: HttpRequest,
        request: HttpRequest,
        response: HttpResponse,
        rows: int,
        document: Document | None,
    ) -> AnsweredPage:
        auth = self._http.api.auth
        selector = self._endpoint.data_selector or self.selector
        is_one_record = self._is_whole(document)
        if (
            document is not None
            and self.nested is not None
            and not self.nested.is_keyed
        ):
            # what it says of pages is held to these rows
            selector, rows, is_one_record = (
                self.nested.selector,
                self.nested.count,
                False,
            )
        return AnsweredPage(
            url=response.url,
            origin=origin_of(base.url),
            headers=response.headers,
            rows=rows,
            document=document,
            request=request,
            status=response.status,
            selector=selector,
            is_one_record=is_one_record,
            before=self._before,
            secret_params=secret_params(self._endpoint)
            | (auth.query_names() if auth else frozenset()),
        )

    def _fetch(
        self,
        base: HttpRequest,
        request: HttpRequest,
        into: BinaryIO | None = None,
        *,
        past_the_end: bool = False,
    ) -> HttpResponse | None:
        """The answer, or None if it is to be ignored."""
        if origin_of(request.url) != origin_of(base.url):
            raise Terminal(
                f"the position leads to {self._http.public(request.url)}, outside "
                "base_url; start over",
                kind=RunErrorKind.RESPONSE,
            )
        if into is None and not past_the_end:
            return self._prefetched.take(request)
        actions = (*self._actions, *(_PAST_THE_END if past_the_end else ()))
        return self._http.fetch(request, actions=actions, into=into)

    def _read(self, response: HttpResponse) -> tuple[Document, list[bytes]]:
        content_type = response.headers.get("content-type", "")
        document = Document(response.body, content_type=content_type)
        declared = self._endpoint.data_selector
        if declared is None and self.selector is None:
            hint = _last_word(self._endpoint.path)
            self.selector = detect_selector(document, hint=hint)
        is_guessed = declared is None and self._is_whole(document)
        self.nested = nested_rows(document) if is_guessed else None
        return document, select_records(document, declared, found=self.selector)

    def _is_whole(self, document: Document | None) -> bool:
        """Whether the document itself is the record."""
        is_object = document is not None and document.kind == "object"
        return is_object and (self._endpoint.data_selector or self.selector) == WHOLE


def _fields_of(piece: Sequence[bytes]) -> Sequence[str]:
    first = next((one for one in piece if one.startswith(b"{")), b"{}")
    return list(members(first))


def _within(position: JsonValue) -> tuple[JsonValue, int]:
    """A position, and how many of its answer's records have been read already."""
    if isinstance(position, dict) and set(position) == {"within", "records"}:
        records = position["records"]
        return position["within"], records if isinstance(records, int) else 0
    return position, 0


def _last_word(path: str) -> str:
    """`flights` of `/v1/flights.json`: what the records may be called."""
    return urlsplit(path).path.rstrip("/").rpartition("/")[2].partition(".")[0]
