"""`single_page`: one answer holds everything."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator, Promises
from lambdas.core.paging.page import AnsweredPage


class SinglePagePaginator(BasePaginator):
    """One answer holds everything, or all of it that is wanted."""

    type: Literal["single_page"] = "single_page"

    known_by: ClassVar[str] = (
        "nothing in the answer says that there is more, or a flag says that it is "
        "the end"
    )
    rank: ClassVar[int] = 20
    promises: ClassVar[Promises] = Promises(
        appended="land with the next pull",
        inserted="land with the next pull",
        deleted="nothing is lost",
    )

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """An answer that is the record itself, or one that says that it is the end."""
        signs = page.signs
        is_all = page.is_one_record and signs.of_more(None, bare=False) is None
        return cls() if is_all or signs.end is not None else None

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The dataset's own request."""
        del position
        return base

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """Nothing comes after."""
        del page, position
        return None

    def is_declared_end(self, page: AnsweredPage) -> bool:
        """To declare it says that one page is wanted."""
        del page
        return True
