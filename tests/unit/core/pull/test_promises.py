"""After the last pull, what has landed is what upstream has: through the engine, the
commit and the state, whatever grew between two pages, in every mode that promises it.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Api, Dataset, ResponseAction
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.landing.names import RAW
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.run import RunStatus
from lambdas.core.pull.window import Window
from tests.api_pull import PlannedSecrets
from tests.datasets import a_dataset
from tests.memory import FakeClock, MemoryEvents, MemoryLanding, MemoryState

LAG = 1000
URL = "http://127.0.0.1:1/cats"


@dataclass(kw_only=True)
class Upstream:
    """Rows ordered by `at` and by when they came. Before each request it grows by the
    next batch: each number is how far a row stands from the newest.
    """

    rows: list[tuple[int, int]]
    growth: list[list[int]]
    size: int
    way: str
    is_descending: bool = False
    requests: int = field(default=0)

    def grow(self, batch: Sequence[int]) -> None:
        for distance in batch:
            newest = max((at for at, _ in self.rows), default=LAG)
            self.rows.append((max(0, newest + distance), len(self.rows)))

    def answer(self, request: HttpRequest) -> HttpResponse:
        self.requests += 1
        self.grow(self.growth.pop() if self.growth else [])
        query = dict(
            pair.split("=") for pair in request.url.partition("?")[2].split("&") if pair
        )
        asked = {**query, **request.params}
        since = int(asked.get("since", 0))
        found = sorted(
            (row for row in self.rows if row[0] >= since), reverse=self.is_descending
        )
        if self.way == "offset":
            at = int(asked["offset"])
            page = found[at : at + min(self.size, int(asked["limit"]))]
            return self._told(page, {"total": len(found)})
        after = asked.get("cursor") or asked.get("p")
        if request.json is not None:
            after = request.json.get("after")  # type: ignore[assignment]  # a text
        if after is not None:
            at, number = map(int, str(after).split("."))
            behind = (at, number)
            found = [
                row
                for row in found
                if (row < behind if self.is_descending else row > behind)
            ]
        page = found[: self.size]
        more = f"{page[-1][0]}.{page[-1][1]}" if len(found) > self.size else None
        link = f"/cats?since={since}&p={more}" if more else None
        match self.way:
            case "json_link":
                return self._told(page, {"next": link})
            case "header_link":
                return self._told(page, link=f'<{link}>; rel="next"' if link else "")
            case "header_cursor":
                return self._told(page, next=more or "")
            case _:
                return self._told(page, {"cursors": {"next": more}})

    @staticmethod
    def _told(
        page: Sequence[tuple[int, int]],
        envelope: dict[str, object] | None = None,
        **headers: str,
    ) -> HttpResponse:
        records = [{"id": number, "at": at} for at, number in page]
        body = json.dumps({"rows": records, **(envelope or {})}).encode()
        return HttpResponse(status=200, url=URL, headers=headers, body=body)


class UpstreamApi(HttpApi):
    """The API without a socket."""

    upstream: Upstream

    def fetch(
        self,
        request: HttpRequest,
        *,
        actions: Sequence[ResponseAction] = (),
        into: BinaryIO | None = None,
    ) -> HttpResponse | None:
        del actions, into
        return self.upstream.answer(request)


class World:
    """One dataset's landing zone and state, and pulls upon them."""

    def __init__(self, dataset: Dataset, upstream: Upstream) -> None:
        self.landing, self.state = MemoryLanding(), MemoryState()
        self.dataset, self.upstream = dataset, upstream
        self.clock = FakeClock()
        self._numbers = itertools.count()

    def pull(self) -> list[int]:
        """Pull once; the ids that landed."""
        puller = Puller(
            landing=self.landing,
            state=self.state,
            events=MemoryEvents(),
            clock=self.clock,
            source=self._source,
            random=lambda size: next(self._numbers).to_bytes(size, "big"),
        )
        result = puller.pull(self.dataset)
        assert result.run.status is RunStatus.LANDED, result.run.error
        return [
            json.loads(line)["id"]
            for item in result.objects
            for line in gzip.decompress(self.landing.objects[item.key]).splitlines()
        ]

    def landed(self) -> list[int]:
        """Every id that is visible."""
        return [
            json.loads(line)["id"]
            for key, body in self.landing.objects.items()
            if key.startswith(RAW)
            for line in gzip.decompress(body).splitlines()
        ]

    def _source(self, dataset: Dataset, window: Window) -> ApiPages:
        api, endpoint = dataset.source.client, dataset.source.endpoint
        assert isinstance(api, Api)
        assert endpoint is not None
        http = UpstreamApi(
            api=api,
            secrets=PlannedSecrets(),
            clock=self.clock,
            random=lambda: 0.0,
            deadline_s=10**9,
        )
        http.upstream = self.upstream
        values = {"incremental.start_value": window.start_text}
        return ApiPages(
            http=http, endpoint=endpoint, values=values, position=window.position
        )


PAGINATORS: dict[str, dict[str, object]] = {
    "json_link": {"type": "json_link"},
    "header_link": {"type": "header_link"},
    "header_cursor": {"type": "header_cursor"},
    "cursor": {"type": "cursor"},
    "cursor in a body": {"type": "cursor", "cursor_body_path": "after"},
    "auto": {"type": "auto"},
    "offset": {"type": "offset", "limit": 5},
}
MODES: dict[str, dict[str, object]] = {
    "append": {},
    "append, ascending": {"row_order": "asc"},
    "append, not filtered": {},
    "merge with lag": {"lag": LAG},
}

BATCH = st.lists(st.integers(0, 2), max_size=5)
"""Rows with the newest cursor there is, or after it."""
LATE = st.lists(st.integers(-20, 2), max_size=5)
"""Rows that may stand well before the newest."""


def a_world(
    way: str, cursor: dict[str, object] | None, upstream: Upstream, **changes: object
) -> World:
    endpoint: dict[str, object] = {
        "path": "cats",
        "data_selector": "rows",
        "paginator": PAGINATORS[way],
    }
    if way == "cursor in a body":
        endpoint |= {"method": "POST", "json": {}}
    if cursor is not None:
        endpoint["incremental"] = {"cursor_path": "at", **cursor}
    if cursor is not None and "filtered" not in changes:
        endpoint["params"] = {"since": "{incremental.start_value}"}
    source = {"client": {"base_url": "http://127.0.0.1:1/"}, "endpoint": endpoint}
    changes.pop("filtered", None)
    return World(a_dataset(source=source, **changes), upstream)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", PAGINATORS)
@settings(max_examples=20)
@given(
    first=BATCH,
    between=st.lists(st.lists(LATE, max_size=6), min_size=1, max_size=4),
    size=st.integers(1, 7),
)
def test_what_has_landed_in_the_end_is_what_upstream_has(
    way: str, mode: str, first: list[int], between: list[list[list[int]]], size: int
) -> None:
    """Rows come between pages and between pulls, with equal cursors; with lag also
    late, though never where rows are counted: they would move those behind them.
    """
    may_be_late = mode == "merge with lag" and way != "offset"
    upstream = Upstream(rows=[], growth=[], size=size, way=way)
    upstream.grow(first)
    changes: dict[str, object] = {"write_disposition": "append"}
    if mode == "merge with lag":
        changes = {"write_disposition": "merge"}
    if mode == "append, not filtered":
        changes["filtered"] = False
    world = a_world(way, MODES[mode], upstream, **changes)
    for pull in between:
        upstream.growth = [
            batch if may_be_late else [abs(one) % 3 for one in batch] for batch in pull
        ]
        world.pull()
    upstream.growth = []
    world.pull()
    landed = world.landed()
    if mode == "merge with lag":
        landed = sorted(set(landed))  # one row a key is what merge makes of them
    assert sorted(landed) == list(range(len(upstream.rows)))


@pytest.mark.parametrize("way", [name for name in PAGINATORS if name != "offset"])
@settings(max_examples=20)
@given(
    first=BATCH,
    between=st.lists(st.lists(BATCH, max_size=6), min_size=1, max_size=4),
    size=st.integers(1, 7),
)
def test_newest_first_and_stopping_early_loses_nothing(
    way: str, first: list[int], between: list[list[list[int]]], size: int
) -> None:
    upstream = Upstream(rows=[], growth=[], size=size, way=way, is_descending=True)
    upstream.grow(first)
    world = a_world(
        way,
        {"row_order": "desc"},
        upstream,
        write_disposition="append",
        filtered=False,
    )
    for pull in between:
        upstream.growth = [list(batch) for batch in pull]
        world.pull()
    upstream.growth = []
    world.pull()
    assert sorted(world.landed()) == list(range(len(upstream.rows)))


@pytest.mark.parametrize("way", PAGINATORS)
@settings(max_examples=20)
@given(first=BATCH, growth=st.lists(BATCH, max_size=6), size=st.integers(1, 7))
def test_a_whole_pull_of_a_quiet_upstream_shows_all_of_it_once(
    way: str, first: list[int], growth: list[list[int]], size: int
) -> None:
    upstream = Upstream(rows=[], growth=growth, size=size, way=way)
    upstream.grow(first)
    world = a_world(way, None, upstream, write_disposition="replace", primary_key=[])
    world.pull()
    upstream.growth = []
    assert sorted(world.pull()) == list(range(len(upstream.rows)))
