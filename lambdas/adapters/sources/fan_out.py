"""The pages of a child: one endpoint asked once for each distinct row of its parent."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from lambdas.adapters.sources.ahead import PARALLEL
from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.columns.declared import known_names
from lambdas.core.dataset import Dataset, Endpoint, Parent
from lambdas.core.errors import BadInput, Terminal, UpstreamError
from lambdas.core.pull.ports import Page
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.segment import has_expired
from lambdas.core.source.fan_out import (
    Distinct,
    Fields,
    ParentReading,
    ParentRow,
    Place,
    RunRead,
    place_of,
    skipped_sentence,
    tuple_of,
)
from lambdas.core.source.request import Value

LOG = logging.getLogger("catflap.fan_out")

ROWS_WITHOUT_A_REQUEST = 100_000
"""After so many rows that ask for nothing an empty page lets the pull look at its
time: a day of repetitions must not outlast a function, again and again."""

_LONGEST_ERROR = 1000
_HEAD, _TAIL = 600, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A row that is asked for, and its pages, which nobody has read from yet."""

    place: Place
    values: Mapping[str, Value]
    pages: ApiPages
    went_on: bool


class FanOut:
    """One pull of a child (a PageSource).

    With `side_by_side` the first requests of the next few rows are under way while the
    pages of one are read. Each UpstreamError names the parent's row.
    """

    def __init__(
        self,
        *,
        dataset: Dataset,
        reading: ParentReading,
        http: HttpApi,
        position: JsonValue = None,
        side_by_side: bool = False,
        open_pages: Callable[..., ApiPages] = ApiPages,
    ) -> None:
        """Raises BadInput if the dataset has no parent, or no endpoint."""
        parent, endpoint = dataset.source.parent, dataset.source.endpoint
        if parent is None or endpoint is None:
            raise BadInput(f"{dataset.name} has no source.parent, or no endpoint")
        self._dataset = dataset
        self._parent: Parent = parent
        self._endpoint: Endpoint = endpoint
        self._fields = Fields(parent, endpoint)
        self._reading = reading
        self._http = http
        self._place, self._page = place_of(position)
        self._ahead = PARALLEL if side_by_side and endpoint.body_format == "json" else 1
        self._open_pages = open_pages
        self._selector: str | None = None
        self._read: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._distinct = Distinct()
        self._number = 0

    @property
    def requests(self) -> int:
        """HTTP requests answered or refused so far, retries included."""
        return self._http.requests

    @property
    def retries(self) -> int:
        """How many of those were second or later tries."""
        return self._http.retries

    @property
    def reached(self) -> CursorPosition:
        """Where the cursor stands: after the runs whose last row was asked for."""
        return self._reading.reached(self._read)

    def pages(self) -> Iterator[Page]:
        """The pages of each row, in the order of the parent's rows; each has a
        position, since a pull may go on at any row. Raises UpstreamError.
        """
        try:
            for item in self._in_turn():
                match item:
                    case RunRead():
                        self._read.append(item.run)
                    case Place():
                        yield self._empty(item)
                    case _Question():
                        yield from self._answers(item)
        finally:
            self._tell()

    def _in_turn(self) -> Iterator[_Question | RunRead | Place]:
        """What is to do, in order, and a few questions further than it is done."""
        waiting: deque[_Question | RunRead | Place] = deque()
        asked = 0
        for item in self._questions():
            waiting.append(item)
            if isinstance(item, _Question):
                asked += 1
                if self._ahead > 1:
                    item.pages.ask_ahead()
            while waiting and (
                asked >= self._ahead or not isinstance(waiting[0], _Question)
            ):
                done = waiting.popleft()
                asked -= isinstance(done, _Question)
                yield done
        yield from waiting

    def _questions(self) -> Iterator[_Question | RunRead | Place]:
        idle = 0
        for item in self._reading.rows():
            if isinstance(item, RunRead):
                yield item
                continue
            question = self._question(item)
            idle = 0 if question is not None else idle + 1
            if question is not None:
                yield question
            elif idle >= ROWS_WITHOUT_A_REQUEST and not item.was_read:
                idle = 0
                yield item.place.following

    def _question(self, row: ParentRow) -> _Question | None:
        values = self._fields.values(row.record)
        if isinstance(values, str):
            if not row.was_read:
                self._skipped[values] += 1
            return None
        went_on = self._page is not None and row.place == self._place
        is_new = self._distinct.is_new(tuple_of(values))
        if row.was_read or not (is_new or went_on):
            return None
        return _Question(
            place=row.place,
            values=values,
            pages=self._pages_of(values, self._page if went_on else None),
            went_on=went_on,
        )

    def _pages_of(self, values: Mapping[str, Value], page: JsonValue) -> ApiPages:
        return self._open_pages(
            http=self._http,
            endpoint=self._endpoint,
            values=values,
            position=page,
            needed=known_names(self._dataset),
        )

    def _answers(self, question: _Question) -> Iterator[Page]:
        pages = question.pages
        try:
            try:
                yield from self._numbered(question, pages)
            except Terminal as error:
                if not (question.went_on and self._may_begin_anew(error, pages)):
                    raise
                anew = self._pages_of(question.values, None)
                yield from self._numbered(question, anew)
        except UpstreamError as error:
            self._http.hide(self._fields.secrets(question.values))
            named = self._http.without_secrets(
                error, f"for {self._fields.named(question.values)}: "
            )
            raise _short(named) from None

    def _may_begin_anew(self, error: Terminal, pages: ApiPages) -> bool:
        """Whether a row's stored page expired and its first pages may land again."""
        return (
            pages.read == 0
            and has_expired(error)
            and self._dataset.write_disposition != "append"
        )

    def _numbered(self, question: _Question, pages: ApiPages) -> Iterator[Page]:
        pages.selector = pages.selector or self._selector
        for page in pages.pages():
            self._number += 1
            position = (
                question.place.following.position()
                if page.next_position is None
                else question.place.position(page.next_position)
            )
            yield replace(page, number=self._number, next_position=position)
        self._selector = pages.selector

    def _empty(self, place: Place) -> Page:
        self._number += 1
        return Page(
            records=(), number=self._number, url="", next_position=place.position()
        )

    def _tell(self) -> None:
        child, parent = self._dataset.name, self._parent.dataset
        if self._skipped:
            LOG.warning(skipped_sentence(child, parent, self._skipped))
        if self._distinct.has_forgotten:
            LOG.warning(
                "%s: one pull cannot remember so many rows of %s; a row that came "
                "twice may have been requested twice",
                child,
                parent,
            )


def _short(error: UpstreamError) -> UpstreamError:
    """The same error in fewer words: a URL holds a row's values."""
    text = str(error)
    if len(text) <= _LONGEST_ERROR:
        return error
    return type(error)(
        f"{text[:_HEAD]}…{text[-_TAIL:]}",
        kind=error.kind,
        retry_after_s=error.retry_after_s,
    )
