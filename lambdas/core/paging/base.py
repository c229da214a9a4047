"""What every paginator is, and how a value gets into a request.

A paginator is one class in one file of `lambdas.core.paging.paginators`: its keys with
their meanings, its behaviour, how `auto` knows it by an answer (`detected`), and what
it promises (`Promises`). Whoever needs one finds it by `lambdas.core.paging.registry`.

The names, keys and defaults are those of dlt's `rest_api`. A paginator decides two
things, both purely:

`request(base, position)`  the request for a page, from the dataset's own request
`after(page, position)`    the position of the next page, or None after the last one

A position is a JSON value (a URL, a cursor, a number), so that a long pull can stop and
go on later; None is the first page.

Past dlt: an absent total is no error when an empty page ends the run; an empty next
link or cursor ends it; no link is followed to another origin; a page or position that
comes again is an error (`lambdas.core.paging.loops`); and no pull ends where the answer
shows that there is more (`lambdas.core.paging.signs`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import Sign, vanished
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import AnswerPath, Step, steps
from lambdas.core.text.count import counted

_CAPS = frozenset({1_000, 5_000, 10_000, 50_000, 100_000})
"""Of how many results APIs give no more."""


class CapReached(Terminal):
    """There is more, and neither the paginator nor the API goes on to it: a maximum
    that is declared, or a window of results. Where rows come in the cursor's order, the
    pull goes on from the cursor; elsewhere this is its error.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What becomes of rows while a pull reads, for docs/paging.md."""

    appended: str
    """Rows that are added at the end."""
    inserted: str
    """Rows that are inserted or changed before the place that is read."""
    deleted: str
    """Rows that are deleted."""


class BasePaginator(BaseModel, ABC):
    """Frozen, strict configuration, and the two decisions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    last_page_path: AnswerPath | None = Field(
        default=None,
        description="where an answer says that it is the last page (true) or not",
    )
    ignore_total: bool = Field(
        default=False,
        description="ignore a total above the rows read, for APIs whose total includes "
        "rows that they do not return",
    )

    rank: ClassVar[int] = 100
    """Where `auto` tries it; smaller is earlier."""
    promises: ClassVar[Promises]
    known_by: ClassVar[str]
    """What in a first answer `auto` knows it by, for docs/paging.md."""
    reads_body: ClassVar[bool] = False
    """Whether what leads on stands in a JSON body."""
    counts_rows: ClassVar[bool] = False
    """Whether places are counted, so that a row that is deleted hides another one."""

    @classmethod
    def kind(cls) -> str:
        """Its name in the YAML."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """How `auto` goes on after a first page with this paginator's sign; None if
        the sign is not there. Raises Terminal if it is there and more must be said.
        """
        del page
        return None

    @abstractmethod
    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The request for the page at `position`."""

    @abstractmethod
    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The position after the page at `position`, as far as this paginator looks;
        None if it finds none. Raises Terminal if the answer does not say what it must.
        """

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The position after the page at `position`; None if that was the last.

        Raises Terminal if the answer does not say what it must, or shows in another way
        that there is more: to end here would lose rows. Raises CapReached if there is
        more than may be asked for.
        """
        is_last = page.flag(self.last_page_path, "last_page_path")
        if is_last:
            return None
        upcoming = self.following(page, position)
        if upcoming is not None:
            return None if self._is_ended(page, is_last) else upcoming
        if not self.is_declared_end(page):
            self._must_be_all(page, position)
        return None

    def is_doubtful_end(self, page: AnsweredPage, position: JsonValue) -> bool:
        """Whether a page without rows ends the pull only because a total stood lower
        before: by what it says itself there is more. Rows that were added behind the
        place that is read look like this, and so does an error without a word; whoever
        asks once more can tell them apart.
        """
        if page.rows or not self._is_end(page, position):
            return False
        return not self._is_end(page.without_totals_before(), position)

    def _is_end(self, page: AnsweredPage, position: JsonValue) -> bool:
        try:
            return self.after(page, position) is None
        except Terminal:
            return False

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """Up to `count` positions from `upcoming`, the one after `page`, on that will
        follow as far as this answer tells; [] where each answer names the next.
        """
        del page, upcoming, count
        return []

    def heeds_flags(self, page: AnsweredPage) -> bool:
        """Whether a flag that was not declared may end the pull."""
        del page
        return True

    def is_declared_end(self, page: AnsweredPage) -> bool:
        """Whether a declared key ends the pull: then nothing else counts."""
        del page
        return False

    def doubt(self, page: AnsweredPage, position: JsonValue) -> str | None:
        """What a person should know of a page that is taken for the last."""
        read = self.rows_up_to(page, position)
        if read not in _CAPS or not page.signs.has_total(read):
            return None
        return (
            f"exactly {read:,} rows came, and {read:,} is the total that the answer "
            "tells: an API that gives no more than so many results may count no more, "
            "too. If there may be more, ask for a smaller range (`incremental`)"
        )

    def may_be_past_the_end(self, position: JsonValue) -> bool:
        """Whether a page is asked for only to see that there is nothing: an API that
        refuses it has told the end.
        """
        del position
        return False

    @property
    def counts_pages_at(self) -> str | None:
        """Where a number is declared that counts pages, whatever it is called."""
        return None

    def rows_up_to(self, page: AnsweredPage, position: JsonValue) -> int | None:
        """How many rows lie before the end of this page; None if not known."""
        del position
        return page.rows_read

    def looked_at(self, page: AnsweredPage) -> str | None:
        """What it looks for and the answer lacks, in words; None if all is there."""
        del page
        return None

    def short_of_total(self, page: AnsweredPage, position: JsonValue) -> Sign | None:
        """The total that is declared, where this page does not reach it."""
        del page, position
        return None

    def promised_by(self, page: AnsweredPage) -> str | None:
        """The declared path that says that there is more, if one does."""
        is_last = page.flag(self.last_page_path, "last_page_path")
        return self.last_page_path if is_last is False else None

    def _is_ended(self, page: AnsweredPage, is_last: bool | None) -> bool:  # noqa: FBT001 - three states
        if is_last is not None or not self.heeds_flags(page):
            return False
        if page.signs.end is not None:
            return True
        return not self.ignore_total and page.signs.has_read_total

    def _must_be_all(self, page: AnsweredPage, position: JsonValue) -> None:
        missing = self.looked_at(page)
        promised = self.promised_by(page)
        if promised is not None:
            raise bad_response(
                f"`{promised}` says that there is more, but "
                + (f"{missing} is not there" if missing else "nothing leads to it")
                + ": correct the paginator"
            )
        rows = None if self.ignore_total else self.rows_up_to(page, position)
        is_first = page.before.pages == 0
        sign = page.signs.of_more(
            rows, bare=is_first and missing is not None, but=self.counts_pages_at
        )
        if sign is None and page.rows == 0 and not self.ignore_total:
            sign = self.short_of_total(page, position)
        if sign is not None:
            raise _more_than(self, page, sign, missing)
        if page.rows == 0 and not is_first:
            lost = vanished(page.before, page.signs)
            if lost is not None:
                raise bad_response(
                    f"this page has no rows, and `{lost}`, which announced more on the "
                    "page before, is gone: that is an error, not the end. If the "
                    "API ends so, set stop_after_empty_page: true or last_page_path"
                )


def _more_than(
    paginator: BasePaginator, page: AnsweredPage, sign: Sign, missing: str | None
) -> Terminal:
    kind = paginator.kind()
    if isinstance(sign.value, int) and not isinstance(sign.value, bool):
        read = counted(page.rows_read or 0, "row")
        return CapReached(
            f"the paginator {kind} finds no more after {read}, but "
            f"{sign.sentence}: the API may give no more than so many results, or the "
            "paginator is not the right one. Ask for a smaller range (`incremental` "
            "with `row_order: asc` goes on from the cursor), correct the paginator, or "
            "set ignore_total: true if that number counts other rows",
            kind=RunErrorKind.RESPONSE,
        )
    what = f"{missing} is not there" if missing else f"the paginator {kind} ends here"
    return bad_response(
        f"{what}, but there is more: {sign.sentence}. Correct the paginator"
        + (
            f" (`next_url_path: {sign.where}`)"
            if sign == page.signs.link
            else f" (`has_more_path: {sign.where}`)"
            if sign == page.signs.more
            else f" (header_link with `header: {sign.where}`)"
            if sign == page.signs.header_link and sign.where != "link"
            else ""
        )
        + ", or declare `{type: single_page}` if this page is all you want"
    )


def text(position: JsonValue) -> str:
    """`position`, which must be a text."""
    if isinstance(position, str):
        return position
    raise bad_response(f"not a position of this paginator: {position!r}")


def put(
    base: HttpRequest, param: str, body_path: str | None, value: JsonValue
) -> HttpRequest:
    """`base` with `value` as a query parameter, or at a path in its JSON body."""
    if body_path is None:
        return replace(base, params={**base.params, param: str(value)})
    body = _with(base.json or {}, steps(body_path), value)
    return replace(base, json=body if isinstance(body, Mapping) else None)


def _with(body: object, path: tuple[Step, ...], value: object) -> object:
    """`body` with `value` at `path`; what is missing on the way there is made."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(body) if isinstance(body, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = _with(items[step], rest, value)
        return items
    known = body if isinstance(body, Mapping) else {}
    return {**known, str(step): _with(known.get(str(step)), rest, value)}


def at_most_one(name: str, param: str | None, body_path: str | None) -> None:
    """Raise ValueError if a value would go to two places, or to none."""
    if param is not None and body_path is not None:
        raise ValueError(f"either {name}_param or {name}_body_path, not both")
    if param == "":
        raise ValueError(f"{name}_param must not be empty")
    way = steps(body_path) if body_path is not None else ("",)
    if not way or not isinstance(way[0], str) or not all(map(_is_one_place, way)):
        raise ValueError(
            f"{name}_body_path must be one place in an object, such as `search.after` "
            "or `search_after[0]`"
        )


_MOST_ELEMENTS = 16


def _is_one_place(step: Step) -> bool:
    return isinstance(step, str) or (step is not None and 0 <= step < _MOST_ELEMENTS)
