"""Paginators: configuration and behaviour together, one class each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lambdas.core.json_path import JsonPath


class _Paginator(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AutoPaginator(_Paginator):
    """Find out from the first answer."""

    type: Literal["auto"] = "auto"


class SinglePagePaginator(_Paginator):
    """One answer holds everything."""

    type: Literal["single_page"] = "single_page"


class JsonLinkPaginator(_Paginator):
    """The next page's URL stands in the body."""

    type: Literal["json_link"] = "json_link"
    next_url_path: JsonPath = "next"


Paginator = Annotated[
    AutoPaginator | SinglePagePaginator | JsonLinkPaginator,
    Field(discriminator="type"),
]
