"""The rules of paging that types cannot say: what a paginator needs of the rest of a
dataset, and what it cannot promise.
"""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.core.dataset import Api, Dataset, Endpoint
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.registry import PAGINATORS
from lambdas.core.rules.findings import Finding, Location

_ENDPOINT: Location = ("source", "endpoint")


def paging_findings(dataset: Dataset, api: Api | None) -> Iterator[Finding]:
    """What is wrong with its paging; `api` is its client, if that can be read."""
    endpoint = dataset.source.endpoint
    if endpoint is None:
        return
    if endpoint.body_format != "json" and endpoint.data_selector is not None:
        yield Finding(
            key=(*_ENDPOINT, "data_selector"),
            sentence=f"selects from JSON, and every line of {endpoint.body_format} is "
            "a record; accepted: no data_selector, or `format: json`",
            because=((*_ENDPOINT, "format"),),
        )
    paginator, at = _paginator(endpoint, api)
    because: tuple[Location, ...] = (
        ("source", "client"),
        (*_ENDPOINT, "format"),
        (*_ENDPOINT, "method"),
    )
    if paginator is None:
        return
    if endpoint.body_format != "json" and paginator.reads_body:
        others = ", ".join(one.kind() for one in PAGINATORS if not one.reads_body)
        yield Finding(
            key=at,
            sentence="finds the next page in JSON, and the format is "
            f"{endpoint.body_format}; accepted: auto, {others}",
            because=because,
        )
    for key in type(paginator).model_fields:
        if not key.endswith("_body_path") or getattr(paginator, key) is None:
            continue
        if endpoint.method != "POST":
            yield Finding(
                key=(*at, key) if at[-1] == "paginator" else at,
                sentence=f"{key} needs a body, and a GET has none; accepted: "
                f"{key.replace('_body_path', '_param')}, or `method: POST`",
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
    if paginator is None or not paginator.counts_rows:
        return
    if endpoint.incremental.lag or dataset.deleted_when is not None:
        return
    yield Finding(
        key=at,
        sentence="a row that is deleted upstream while a pull counts by "
        f"{paginator.kind()} hides another one, and the cursor moves past it; "
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
