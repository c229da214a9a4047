"""The rules of paging that types cannot say: what a paginator needs of the rest of a
dataset, and what it cannot promise.
"""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.core.dataset import Api, Dataset, Endpoint
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.links import CursorPaginator, JsonLinkPaginator
from lambdas.core.paging.numbers import OffsetPaginator, PageNumberPaginator
from lambdas.core.rules.findings import Finding, Location

_ENDPOINT: Location = ("source", "endpoint")


def paging_findings(dataset: Dataset, api: Api | None) -> Iterator[Finding]:
    """What is wrong with how a dataset reads its pages; `api` is its client, if that
    can be read.
    """
    endpoint = dataset.source.endpoint
    if endpoint is None:
        return
    if endpoint.format != "json" and endpoint.data_selector is not None:
        yield Finding(
            key=(*_ENDPOINT, "data_selector"),
            sentence=f"selects from JSON, and every line of {endpoint.format} is a "
            "record; accepted: no data_selector, or `format: json`",
            because=((*_ENDPOINT, "format"),),
        )
    paginator, at = _paginator(endpoint, api)
    because: tuple[Location, ...] = (
        ("source", "client"),
        (*_ENDPOINT, "format"),
        (*_ENDPOINT, "method"),
    )
    reads_json = isinstance(paginator, JsonLinkPaginator | CursorPaginator)
    if endpoint.format != "json" and reads_json:
        yield Finding(
            key=at,
            sentence=f"finds the next page in JSON, and the format is "
            f"{endpoint.format}; accepted: auto, header_link, header_cursor, offset, "
            "page_number or single_page",
            because=because,
        )
    for name in ("cursor", "offset", "limit", "page"):
        body_path = getattr(paginator, f"{name}_body_path", None)
        if body_path is not None and endpoint.method != "POST":
            yield Finding(
                key=(*at, f"{name}_body_path") if at[-1] == "paginator" else at,
                sentence=f"{name}_body_path needs a body, and a GET has none; "
                f"accepted: {name}_param, or `method: POST`",
                because=because,
            )


def paging_warnings(dataset: Dataset, api: Api | None) -> Iterator[Finding]:
    """What a dataset most likely relies on, and its paging does not promise.

    A count is no place among rows: one that is deleted while a pull reads moves those
    behind it up, and one of them is on no page. Without a cursor the next pull brings
    it; one with a cursor has moved past it, unless its lag goes back far enough.
    """
    endpoint = dataset.source.endpoint
    if endpoint is None or endpoint.incremental is None:
        return
    paginator, at = _paginator(endpoint, api)
    if not isinstance(paginator, OffsetPaginator | PageNumberPaginator):
        return
    if endpoint.incremental.lag or dataset.deleted_when is not None:
        return
    yield Finding(
        key=at,
        sentence="a row that is deleted upstream while a pull counts by "
        f"{paginator.type} hides another one, and the cursor moves past it; "
        "accepted, and safe: json_link, header_link or cursor if the API has them, or "
        "`incremental.lag` of at least the time between two pulls, with merge",
    )


def _paginator(
    endpoint: Endpoint, api: Api | None
) -> tuple[BasePaginator | None, Location]:
    """How pages are found, and where that was written."""
    if endpoint.paginator is not None:
        return endpoint.paginator, (*_ENDPOINT, "paginator")
    return (api.paginator if api is not None else None), ("source", "client")
