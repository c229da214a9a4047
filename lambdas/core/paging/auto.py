"""`auto`: find out from the first answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lambdas.core.errors import Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator, Promises
from lambdas.core.paging.counts import LIMIT_PARAMS, own, sent_by
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.paginators.single_page import SinglePagePaginator
from lambdas.core.paging.registry import PAGINATORS
from lambdas.core.paging.signs import Sign
from lambdas.core.records.documents import bad_response
from lambdas.core.text.count import counted

_PAGE_SIZES = frozenset({10, 20, 25, 30, 50, 100, 200, 250, 500})


class AutoPaginator(BasePaginator):
    """Found from the first answer: the first of the others that recognizes it decides.

    Position: `{"paginator": <configuration>, "at": <its position>}`.
    """

    type: Literal["auto"] = "auto"

    known_by: ClassVar[str] = "not at all: it is what is done where none is declared"
    promises: ClassVar[Promises] = Promises(
        appended="as the one that it finds",
        inserted="as the one that it finds",
        deleted="as the one that it finds",
    )

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The dataset's own request, then the detected paginator's."""
        if position is None:
            return base
        paginator, at = self._at(position)
        return paginator.request(base, at)

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """Detect after the first page; later do as detected."""
        if page.flag(self.last_page_path, "last_page_path"):
            return None
        return self.following(page, position)

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """As the detected paginator, which sees to the end as well."""
        paginator, at = (
            (self._configured(detect(page, ignore_total=self.ignore_total)), None)
            if position is None
            else self._at(position)
        )
        upcoming = paginator.after(page, at)
        if upcoming is None:
            return None
        known = paginator.model_dump(mode="json", exclude_defaults=True)
        return {"paginator": {**known, "type": paginator.kind()}, "at": upcoming}

    def doubt(self, page: AnsweredPage, position: JsonValue) -> str | None:
        """As many rows as pages have, and not a word of whether these are all."""
        if position is not None:
            paginator, at = self._at(position)
            return paginator.doubt(page, at)
        is_declared = self.last_page_path or page.signs.says_all
        if is_declared or not _is_like_a_page(page):
            return super().doubt(page, position)
        return (
            f"exactly {page.rows:,} rows came, as many as a page may have, and the "
            "answer does not say whether there are more: declare the paginator, or "
            "`{type: single_page}` if these are all"
        )

    def may_be_past_the_end(self, position: JsonValue) -> bool:
        """As detected."""
        if position is None:
            return False
        paginator, at = self._at(position)
        return paginator.may_be_past_the_end(at)

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """As detected."""
        paginator, at = self._at(upcoming)
        known = upcoming["paginator"] if isinstance(upcoming, dict) else None
        return [
            {"paginator": known, "at": one}
            for one in paginator.foreseen(page, at, count)
        ]

    def _configured(self, paginator: BasePaginator) -> BasePaginator:
        if not self.ignore_total:
            return paginator
        return paginator.model_copy(update={"ignore_total": True})

    @staticmethod
    def _at(position: JsonValue) -> tuple[BasePaginator, JsonValue]:
        if not isinstance(position, dict):
            raise bad_response(f"not a position of auto: {position!r}")
        holder = _Holder.model_validate_json(
            msgspec.json.encode({"paginator": position.get("paginator")})
        )
        return holder.paginator, position.get("at")


def detect(page: AnsweredPage, *, ignore_total: bool = False) -> BasePaginator:
    """The paginator that this first page asks for; the same answer always gives the
    same.

    Raises Terminal if there is more than this page and nothing says how to get it.
    """
    for one in PAGINATORS:
        found = one.detected(page)
        if found is not None:
            return found
    rows = None if ignore_total else page.rows_read
    sign = page.signs.of_more(rows, bare=page.rows > 0)
    if sign is None:
        return SinglePagePaginator()
    raise _unclear(page, sign)


def _is_like_a_page(page: AnsweredPage) -> bool:
    is_round = page.rows in _PAGE_SIZES or (page.rows > 0 and page.rows % 1_000 == 0)
    return is_round or (
        page.rows > 0 and own(sent_by(page), LIMIT_PARAMS, page.rows) is not None
    )


def _unclear(page: AnsweredPage, sign: Sign) -> Terminal:
    return bad_response(
        f"the first page has {counted(page.rows, 'row')} and is not all: "
        f"{sign.sentence}. The answer does not say how to ask for the next "
        "page; declare the paginator "
        f"({_declare(page, sign)}), or `{{type: single_page}}` if this page is all "
        "you want"
    )


def _declare(page: AnsweredPage, sign: Sign) -> str:
    """What to write, as far as the sign tells."""
    if sign == page.signs.header_token:
        return f"header_cursor with `cursor_key: {sign.where}` and its cursor_param"
    token = next(iter(page.signs.tokens), None)
    if token is not None:
        more = page.signs.more
        flag = f", `has_more_path: {more.where}`" if more is not None else ""
        place = "cursor_body_path" if page.request.method == "POST" else "cursor_param"
        return f"cursor with `cursor_path: {token.where}`{flag} and the {place}"
    if sign == page.signs.more:
        return (
            f"page_number or offset with `has_more_path: {sign.where}`, or cursor, "
            "with the parameter that the API takes"
        )
    total = "" if sign.is_header else f" and `total_path: {sign.where}`"
    return f"offset with its limit{total}, page_number or cursor"


def _tagged(*models: type[BaseModel]) -> Any:  # noqa: ANN401 - a union made at run time
    return Annotated[reduce(or_, models), Field(discriminator="type")]


if TYPE_CHECKING:
    Paginator = BasePaginator
    _OneDetected = BasePaginator
else:
    Paginator = _tagged(AutoPaginator, *PAGINATORS)
    _OneDetected = _tagged(*PAGINATORS)


class _Holder(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )
    paginator: _OneDetected
