"""The source itself: one short question, never a pull."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import (
    Api,
    Dataset,
    Endpoint,
    Incremental,
    Parent,
    Probe,
    Retry,
)
from lambdas.core.diagnosis.signals import Upstream
from lambdas.core.errors import UpstreamError
from lambdas.core.freshness.probe import (
    NOT_PROBED,
    EventTime,
    declared_answer,
    derived_answer,
    event_time,
    failed_probe,
)
from lambdas.core.pull.ports import RunState
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import plan_window
from lambdas.core.source.request import base_request, secrets_in

TIMEOUT_S = 10.0
"""Seconds, a request: a probe that takes longer is an answer too."""


class UpstreamSource:
    """Probes an API, as declared, or by its endpoint from the cursor on."""

    def __init__(self, *, open_api: Callable[[Api], HttpApi], state: RunState) -> None:
        """`open_api` makes the connection of one probe."""
        self._open_api = open_api
        self._state = state

    def collect(self, dataset: Dataset, *, now: datetime) -> Upstream:
        """What upstream says of its newest record. Never raises UpstreamError."""
        del now
        api, endpoint = dataset.source.client, dataset.source.endpoint
        if not isinstance(api, Api) or endpoint is None:
            return NOT_PROBED
        when = event_time(dataset)
        probe = dataset.freshness.probe
        http = self._open_api(_hasty(api))
        try:
            _read_secrets(http, endpoint)
        except UpstreamError:
            # That we may not read a secret says nothing of the source.
            return Upstream(probe="failed")
        try:
            if probe is not None:
                return _ask(http, endpoint, probe, when, parent=dataset.source.parent)
            if when is None or dataset.source.parent is not None:
                return NOT_PROBED
            position = self._state.read(dataset.name).cursor
            return _look(http, endpoint, when, position)
        except UpstreamError as error:
            return failed_probe(error)


def _hasty(api: Api) -> Api:
    return api.model_copy(
        update={
            "retry": Retry(max_attempts=1),
            "timeout": min(api.timeout, TIMEOUT_S),
        }
    )


def _read_secrets(http: HttpApi, endpoint: Endpoint) -> None:
    secrets_in(http.api, endpoint, http.secrets.value)
    http.read_auth()


def _ask(
    http: HttpApi,
    endpoint: Endpoint,
    probe: Probe,
    when: EventTime | None,
    *,
    parent: Parent | None,
) -> Upstream:
    question = Endpoint(path=probe.path, params=probe.params, headers=endpoint.headers)
    # for no row of a parent in particular: a header that needs one is left out
    values = {f"parent.{name}": None for name in (parent.fields if parent else ())}
    resolve = http.secrets.value
    request = base_request(http.api, question, values=values, resolve=resolve)
    response = http.fetch(request)
    if response is None:
        return NOT_PROBED
    return declared_answer(
        response.body,
        probe.newest_at,
        when.order if when is not None else CursorOrder(),
    )


def _look(
    http: HttpApi, endpoint: Endpoint, when: EventTime, position: CursorPosition
) -> Upstream:
    incremental = endpoint.incremental
    pages = ApiPages(
        http=http, endpoint=endpoint, values=_values(incremental, position)
    )
    return derived_answer(
        _records(pages),
        when=when,
        cursor=position.value if incremental is not None else None,
        newest_first=incremental is not None and incremental.row_order == "desc",
    )


def _records(pages: ApiPages) -> Iterator[tuple[Sequence[bytes], bool]]:
    """The records of each page, and whether there are more after it."""
    for page in pages.pages():
        yield page.records, page.next_position is not None or page.capped is not None
        if page.capped is not None:
            return


def _values(
    incremental: Incremental | None, position: CursorPosition
) -> dict[str, str | int | float | None]:
    if incremental is None:
        return {}
    window = plan_window(incremental, position)
    return {
        "incremental.start_value": window.start_text,
        "incremental.last_value": window.start_text,
        "incremental.end_value": window.end_text,
        "incremental.initial_value": window.initial_text,
    }
