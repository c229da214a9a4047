"""Pages that can be counted are fetched side by side, and land as one by one."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections import Counter
from collections.abc import Mapping

import pytest

from lambdas.adapters.sources.ahead import PARALLEL
from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.deadline import UntilDeadline
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.adapters.sources.open import ApiSources
from lambdas.core.dataset import Api, Dataset, Endpoint
from lambdas.core.errors import Terminal
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.landing.names import RAW
from lambdas.core.paging.base import CapReached
from lambdas.core.ports import Clock
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.run import RunStatus
from lambdas.core.pull.segment import Budget
from lambdas.core.pull.window import Window
from tests.api_pull import CANARY, PlannedClock, PlannedSecrets
from tests.api_server import Answer, ApiServer, Asked, answer_json, rows, serving
from tests.datasets import a_dataset
from tests.memory import FakeClock, MemoryEvents, MemoryLanding, MemoryState

ROWS = rows(95)
SIZE = 10
SOON_S = 60


class Counted:
    """An API with a total, whose answers take a while, those after the first page until
    two are at work if that comes before; knows how many are.
    """

    def __init__(self, *, total: int = len(ROWS), takes_s: float = 0.02) -> None:
        self.at_once = self.most = 0
        self._total, self._takes_s = total, takes_s
        self._two_at_once = threading.Event()
        self._lock = threading.Lock()

    def fetch(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            if self.at_once > 1:
                self._two_at_once.set()
        at = int(request.params["offset"])
        if at:
            self._two_at_once.wait(self._takes_s)
        with self._lock:
            self.at_once -= 1
        document = {"results": ROWS[at : at + SIZE], "total": self._total}
        body = json.dumps(document).encode()
        return HttpResponse(status=200, url=request.url, headers={}, body=body)


class Stood(HttpApi):
    """An HttpApi over `Counted`, which no lock of a test's server makes one by one."""

    def __init__(self, counted: Counted) -> None:
        super().__init__(
            api=Api(base_url="http://127.0.0.1:1/"),
            secrets=PlannedSecrets(),
            clock=PlannedClock(),
            random=lambda: 0.0,
            deadline_s=900,
        )
        self.counted = counted
        self.fetched: list[int] = []

    def fetch(self, request: HttpRequest, **_: object) -> HttpResponse:
        self.fetched.append(int(request.params["offset"]))
        return self.counted.fetch(request)


def endpoint(paginator: Mapping[str, object]) -> Endpoint:
    return Endpoint.model_validate_json(
        json.dumps({"path": "cats", "paginator": paginator})
    )


OFFSET = {"type": "offset", "limit": SIZE}


def test_pages_up_to_the_total_are_fetched_side_by_side() -> None:
    http = Stood(Counted(takes_s=SOON_S))
    pages = list(ApiPages(http=http, endpoint=endpoint(OFFSET), ahead=True).pages())
    assert [json.loads(one) for page in pages for one in page.records] == ROWS
    assert [page.number for page in pages] == list(range(1, 11))
    assert 2 <= http.counted.most <= PARALLEL
    assert sorted(http.fetched) == list(range(0, 95, SIZE))


def test_without_ahead_there_is_one_request_at_a_time() -> None:
    http = Stood(Counted())
    assert len(list(ApiPages(http=http, endpoint=endpoint(OFFSET)).pages())) == 10
    assert http.counted.most == 1
    assert http.fetched == list(range(0, 95, SIZE))


def test_a_total_that_is_too_high_is_an_error_unless_it_may_differ() -> None:
    http = Stood(Counted(total=1000))
    pages = ApiPages(http=http, endpoint=endpoint(OFFSET), ahead=True).pages()
    with pytest.raises(CapReached, match="after 95 rows"):
        list(pages)
    assert len(http.fetched) <= 11 + PARALLEL

    http = Stood(Counted(total=1000))
    lenient = endpoint({**OFFSET, "ignore_total": True})
    read = list(ApiPages(http=http, endpoint=lenient, ahead=True).pages())
    assert [json.loads(one) for page in read for one in page.records] == ROWS


PAGED = [
    {"type": "page_number", "base_page": 1, "total_path": "pages"},
    {"type": "offset", "limit": SIZE},
    {"type": "auto"},
]


@pytest.mark.parametrize("paginator", PAGED, ids=lambda one: str(one["type"]))
def test_over_http_the_requests_are_those_of_one_by_one(
    paginator: dict[str, object],
) -> None:
    def app(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return Answer(status=401)
        number = int(asked.query.get("page", 1))
        at = int(asked.query.get("offset", (number - 1) * SIZE))
        document = {"results": ROWS[at : at + SIZE], "page": number, "pages": 10}
        return answer_json({**document, "total": len(ROWS)})

    asked: list[list[tuple[object, ...]]] = []
    for ahead in (False, True):
        with serving(app) as server:
            api = {
                "base_url": server.url,
                "auth": {"type": "bearer", "token": "secret:cats#key"},
            }
            http = HttpApi(
                api=Api.model_validate_json(json.dumps(api)),
                secrets=PlannedSecrets(),
                clock=PlannedClock(),
                random=lambda: 0.0,
                deadline_s=900,
            )
            source = ApiPages(http=http, endpoint=endpoint(paginator), ahead=ahead)
            pages = list(source.pages())
            assert [json.loads(one) for p in pages for one in p.records] == ROWS
            assert source.requests == len(server.asked) == 10
            asked.append(sorted(tuple(one.query.items()) for one in server.asked))
    assert asked[0] == asked[1]


def test_an_error_comes_after_the_pages_before_it() -> None:
    def app(asked: Asked) -> Answer:
        at = int(asked.query["offset"])
        if at >= 50:
            return Answer(status=404)
        return answer_json({"results": ROWS[at : at + SIZE], "total": len(ROWS)})

    with serving(app) as server:
        http = HttpApi(
            api=Api(base_url=server.url),
            secrets=PlannedSecrets(),
            clock=PlannedClock(),
            random=lambda: 0.0,
            deadline_s=900,
        )
        pages = ApiPages(http=http, endpoint=endpoint(OFFSET), ahead=True).pages()
        seen = [next(pages).number for _ in range(5)]
        with pytest.raises(Terminal, match=r"page 6: GET .*404"):
            next(pages)
    assert seen == [1, 2, 3, 4, 5]


def test_whoever_stops_leaves_no_thread() -> None:
    pages = ApiPages(
        http=Stood(Counted()), endpoint=endpoint(OFFSET), ahead=True
    ).pages()
    next(pages)
    pages.close()  # type: ignore[attr-defined]  # a generator, as every PageSource's
    for thread in threading.enumerate():
        if thread.name in {"prefetching", "reading-ahead"}:
            thread.join(SOON_S)
            assert not thread.is_alive()


class Numbered:
    """An API of 40 rows, four a page, whose pages say how many there are."""

    def __init__(self) -> None:
        self.tried: Counter[int] = Counter()
        self.is_deaf = False

    def __call__(self, asked: Asked) -> Answer:
        page = int(asked.query.get("page", 1))
        self.tried[page] += 1
        if page == 5 and self.tried[page] == 1:
            return Answer(status=503)
        at = 0 if self.is_deaf else (page - 1) * 4
        return answer_json({"results": ROWS[at : at + 4], "pages": 10})


def numbered(server: ApiServer, **client: object) -> Dataset:
    paginator = {"type": "page_number", "base_page": 1, "total_path": "pages"}
    return a_dataset(
        write_disposition="append",
        source={
            "client": {
                "base_url": server.url, "retry": {"backoff_factor": 0}, **client,
            },
            "endpoint": {"path": "cats", "paginator": paginator},
        },
    )  # fmt: skip


def sources(clock: Clock | None = None) -> ApiSources:
    clock = clock or PlannedClock()
    return ApiSources(secrets=PlannedSecrets(), clock=clock, deadline_s=60)


@pytest.mark.parametrize("rows_a_run", [None, 1, 5, 13])
def test_segments_of_pages_side_by_side_land_every_row_once(
    rows_a_run: int | None,
) -> None:
    landing, state, random = MemoryLanding(), MemoryState(), itertools.count()
    app = Numbered()
    with serving(app) as server:
        puller = Puller(
            landing=landing,
            state=state,
            events=MemoryEvents(),
            clock=FakeClock(),
            source=sources(),
            random=lambda size: next(random).to_bytes(size, "big"),
            budget=Budget(rows=rows_a_run),
        )
        runs = [puller.pull(numbered(server))]
        while runs[-1].continues:
            runs.append(puller.pull(numbered(server)))
    assert {one.run.status for one in runs} == {RunStatus.LANDED}
    assert (len(runs) == 1) is (rows_a_run is None)
    landed = [
        json.loads(line)
        for key, body in sorted(landing.objects.items())
        if key.startswith(RAW)
        for line in gzip.decompress(body).splitlines()
    ]
    assert landed == ROWS[:40]
    if rows_a_run is None:
        assert app.tried == Counter({page: 1 + (page == 5) for page in range(1, 11)})
        assert runs[0].run.retries == 1


def test_pages_side_by_side_stay_within_the_rate_budget() -> None:
    clock = PlannedClock()
    with serving(Numbered()) as server:
        dataset = numbered(server, rate_limit={"requests": 20})
        pages = list(sources(clock)(dataset, Window()).pages())
    assert [json.loads(one) for page in pages for one in page.records] == ROWS[:40]
    # eleven requests: two at once, then nineteen a second
    assert clock.monotonic() > 9 / 20


@pytest.mark.parametrize(
    ("limit", "is_side_by_side"),
    [
        (None, True),
        ({"requests": 1}, True),
        ({"requests": 60, "period": "minute"}, True),
        ({"requests": 59, "period": "minute"}, False),
    ],
)
def test_a_slow_budget_is_not_spent_on_pages_before_their_time(
    limit: object, *, is_side_by_side: bool
) -> None:
    with serving(Numbered()) as server:
        source = sources()(numbered(server, rate_limit=limit), Window())
        assert isinstance(source, UntilDeadline)
        pages = source.source
        assert isinstance(pages, ApiPages)
        next(pages.pages())
        assert bool(pages._prefetched._on_their_way) is is_side_by_side


def test_an_api_that_ignores_the_page_is_a_loop_side_by_side_too() -> None:
    app = Numbered()
    app.is_deaf = True
    with serving(app) as server:
        with pytest.raises(Terminal, match="go in circles"):
            list(sources()(numbered(server), Window()).pages())
        assert len(server.asked) <= 2 + PARALLEL + 1
