"""What paginators share that count: rows skipped, or pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, TypeAlias

from pydantic import Field

from lambdas.core.errors import RunErrorKind
from lambdas.core.paging.base import BasePaginator, CapReached, Promises
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import Counted, Sign
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import AnswerPath, answer_steps, path_of
from lambdas.core.text.number import whole_number

PAGE_PARAMS = ("page", "page_number", "pageNumber", "p", "page[number]", "pg", "$page",
               "pagination[page]", "current_page", "pageNo", "pageIndex")  # fmt: skip
OFFSET_PARAMS = ("offset", "skip", "start", "startAt", "from", "$skip", "page[offset]",
                 "$offset", "startIndex", "sysparm_offset", "resultOffset")  # fmt: skip
LIMIT_PARAMS = (
    "limit", "take", "top", "$top", "size", "page_size", "pageSize", "per_page",
    "count", "maxResults", "rows", "page[limit]", "$limit", "itemsPerPage",
    "resultsPerPage", "sysparm_limit", "page[size]", "resultRecordCount",
)  # fmt: skip

Sent: TypeAlias = Mapping[str, str]


class CountingPaginator(BasePaginator):
    """Goes on until a total, a flag, an empty page or a maximum says that it is all."""

    total_path: AnswerPath | None = Field(
        default="total", description="where an answer says how many there are"
    )
    stop_after_empty_page: bool = Field(
        default=True, description="whether a page without rows is the end"
    )
    has_more_path: AnswerPath | None = Field(
        default=None, description="where an answer says whether there is more"
    )

    counts_rows: ClassVar[bool] = True
    promises: ClassVar[Promises] = Promises(
        appended="land, once",
        inserted="a row may come twice (merge makes one of it)",
        deleted="**a row may be on no page**",
    )

    def heeds_flags(self, page: AnsweredPage) -> bool:
        """They are weighed against the total already."""
        del page
        return False

    def is_declared_end(self, page: AnsweredPage) -> bool:
        """No more by the declared flag."""
        return page.flag(self.has_more_path, "has_more_path") is False

    def promised_by(self, page: AnsweredPage) -> str | None:
        """The declared flag, if it says that there is more."""
        more = page.flag(self.has_more_path, "has_more_path")
        return self.has_more_path if more else super().promised_by(page)

    @property
    def total_at(self) -> str | None:
        """Where the total is declared to stand, written as an answer's paths are."""
        return (
            None if self.total_path is None else path_of(answer_steps(self.total_path))
        )

    def goes_on(
        self,
        page: AnsweredPage,
        *,
        by_total: bool | None,
        rows_read: int | None,
        is_full: bool | None,
        maximum: int | None,
    ) -> bool:
        """Whether there is another page: by the declared flag, else by the total or
        any other sign; without either as long as pages are full, or up to the maximum
        if empty pages are to be passed over (`is_full` is None).
        """
        for path, says in ((self.has_more_path, True), (self.last_page_path, False)):
            flag = page.flag(path, "has_more_path" if says else "last_page_path")
            if flag is not None:
                return flag is says
        if by_total or self._is_shown(page, rows_read):
            return True
        if by_total is False or page.signs.end is not None:
            return False
        if is_full is not None:
            return is_full
        if maximum is not None:
            return True
        raise bad_response(
            "the answer holds neither the total nor has_more that were declared, and "
            "an empty page may not end it: correct total_path or has_more_path, or set "
            "stop_after_empty_page: true"
        )

    def _is_shown(self, page: AnsweredPage, rows_read: int | None) -> bool:
        """Whether an undeclared sign says there is more, which the count reaches."""
        signs = page.signs
        if page.rows == 0 or signs.end is not None:
            return False
        if signs.more or signs.link or signs.header_link:
            return True
        rows = None if self.ignore_total else rows_read
        above = signs.above(rows, but=self.counts_pages_at)
        return above is not None and not signs.is_lower_bound(above)

    def must_end(self, name: str, maximum: int | None) -> None:
        """Raise ValueError if nothing that is declared would end it."""
        if (
            self.total_path is None
            and maximum is None
            and self.has_more_path is None
            and self.last_page_path is None
            and not self.stop_after_empty_page
        ):
            raise ValueError(
                f"nothing would end it: give total_path, {name}, has_more_path, "
                "last_page_path or stop_after_empty_page: true"
            )


def cap_reached(name: str, maximum: int) -> CapReached:
    """The declared maximum, with more behind it."""
    return CapReached(
        f"{name} {maximum} is reached, and there is more behind it: rows would be "
        "missing. Raise it, ask for a smaller range, or declare `incremental` with "
        "`row_order: asc` if the API sorts so: then the pull goes on from the cursor",
        kind=RunErrorKind.RESPONSE,
    )


def sent_by(page: AnsweredPage) -> Sent:
    """What the dataset sends itself, by name: its query, or the body of a POST."""
    if page.request.method != "POST":
        return page.request.params
    body = {name: str(value) for name, value in (page.request.json or {}).items()}
    return {**page.request.params, **body}


def own(sent: Sent, names: Iterable[str], value: int | None = None) -> str | None:
    """The first of these parameters that is sent, with this value."""
    return next(
        (
            name
            for name in names
            if name in sent and (value is None or _integer(sent[name]) == value)
        ),
        None,
    )


def placed(page: AnsweredPage, key: str, param: str) -> dict[str, str]:
    """The key that sends a value as `param`: in the query, or in the body of a POST."""
    if page.request.method == "POST" and param not in page.request.params:
        return {f"{key}_body_path": param if param.isidentifier() else f"$['{param}']"}
    return {f"{key}_param": param}


def number_of(sign: Sign | None) -> int | None:
    """The number that it holds."""
    return sign.value if sign is not None and isinstance(sign.value, int) else None


def groups_in_body(page: AnsweredPage) -> Iterable[Counted]:
    """Numbers that stand together in the body."""
    return (
        one
        for one in page.signs.counted
        if not any(
            sign is not None and sign.is_header for sign in (one.total, one.pages)
        )
    )


def _integer(value: str) -> int:
    number = whole_number(value)
    return -1 if number is None else number
