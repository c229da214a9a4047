"""The upstream as an API that answers in JSON, read by the product's own paging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.core.dataset import Api, Dataset, ResponseAction
from lambdas.core.errors import UpstreamError
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from lambdas.core.source.response import judge
from tests.soak.faults import Mishap
from tests.soak.styles import NOWHERE, WINDOW, Answered, Style, response
from tests.soak.upstream import Reading
from tests.soak.world import World


class _NoSecrets:
    def value(self, reference: str) -> str:
        return reference


@dataclass(slots=True, kw_only=True)
class UpstreamApi:
    """Stands in for HttpApi: answers requests, or lets them go wrong."""

    world: World
    reading: Reading
    style: Style
    api: Api = field(default_factory=lambda: Api(base_url="http://127.0.0.1:1/"))
    secrets: _NoSecrets = field(default_factory=_NoSecrets)
    retries: int = 0
    tells_more: bool | None = None
    """Whether what was answered last says that there is more, or is a full page; not
    known before the first, nor how much a page may hold where another was first."""
    longest: int = 0
    """Rows of the longest page so far."""
    is_full_window: bool = False

    @property
    def requests(self) -> int:
        """Pages asked for."""
        return self.reading.requests

    def hide(self, secrets: frozenset[str]) -> None:
        """There are none."""

    def public(self, url: str) -> str:
        """As it is."""
        return url

    def at_page(self, error: UpstreamError, number: int, url: str) -> UpstreamError:
        """The error, and where."""
        return type(error)(f"page {number} of {url}: {error}", kind=error.kind)

    def wait_to_ask_again(self) -> None:
        """A moment."""
        self.world.counts["ends that were asked for again"] += 1
        self.retries += 1

    def fetch(
        self,
        request: HttpRequest,
        *,
        actions: Sequence[ResponseAction] = (),
        **_: object,
    ) -> HttpResponse | None:
        """A page, or what a broken API answers with 200 in its place."""
        asked = dict(parse_qsl(urlsplit(request.url).query)) | dict(request.params)
        is_later = self.reading.requests > 0 or self.reading.goes_on
        failure = self._failure(is_later=is_later)
        if failure is not None:
            return response(failure)
        rows, answered = self._page(asked)
        if self._is_refused(asked, rows):
            self._refuse(actions)
            return None
        if is_later and self.style.may_lose_rows and self._comes_empty():
            rows = ()
        self.tells_more = self._tells_more(asked, rows, answered)
        body = self.style.writes(self.style.says(answered), rows)
        return response(body, self.style.headers(answered))

    def _failure(self, *, is_later: bool) -> bytes | None:
        """An error as the body of an answer that is fine by its status."""
        if self.world.happens(Mishap.ERROR_IN_BODY, 0.02):
            self.reading.failed()
            return self.world.rng.choice(_ERRORS)
        if is_later and not self.style.may_end_empty and self._comes_empty():
            return self.world.rng.choice((*_EMPTY, _NO_CONTENT))
        return None

    def _comes_empty(self) -> bool:
        """Whether a page comes without its rows."""
        if not self.world.happens(Mishap.EMPTY_IN_BETWEEN, self.reading.empties):
            return False
        self.reading.failed()
        return True

    def _is_refused(self, asked: Mapping[str, str], rows: Sequence[bytes]) -> bool:
        """Whether this page is past the end, or is taken for it. Past a full page, or
        with more to come, a refusal is an error: an API that refuses does not do so.
        """
        if not self.style.refuses or asked.get("page") == "0":
            return False
        if not rows:
            return self.style.is_silent is False or self.tells_more is False
        is_wrong = bool(self.tells_more) and self.world.happens(
            Mishap.PAGE_REFUSED, 0.02
        )
        if is_wrong:
            self.reading.failed()
        return is_wrong

    def _refuse(self, actions: Sequence[ResponseAction]) -> None:
        """Raises UpstreamError, unless one of `actions` ignores it."""
        self.world.counts["pages refused"] += 1
        status = self.world.rng.choice((400, 404, 416, 422))
        verdict = judge(
            response(b"no such page", status=status), actions, self.world.now()
        )
        if isinstance(verdict, UpstreamError):
            raise verdict

    def _tells_more(
        self, asked: Mapping[str, str], rows: Sequence[bytes], answered: Answered
    ) -> bool | None:
        if not self.style.is_silent:
            return answered.read < answered.total
        if self.reading.goes_on:
            return None
        full = self.longest or int(asked["limit"])
        self.longest = max(self.longest, len(rows))
        return len(rows) >= full

    def _page(self, asked: Mapping[str, str]) -> tuple[Sequence[bytes], Answered]:
        if self.style.is_window:
            rows, total = self.reading.at(0, WINDOW)
            self.is_full_window = len(rows) == WINDOW
            return rows, Answered(after=None, read=len(rows), total=total)
        if not self.style.by_number:
            token = asked.get("after")
            if token == NOWHERE:
                self.reading.failed()
            first, _, second = (token or "").partition(".")
            after = (int(first), int(second)) if token else None
            rows, upcoming, total = self.reading.after(after)
            return rows, Answered(after=upcoming, read=len(rows), total=total)
        page, offset = int(asked.get("page", 0)), int(asked.get("offset", 0))
        size = int(asked.get("limit", self.reading.page_rows))
        offset = offset or page * size
        rows, total = self.reading.at(offset, size)
        if self.style.is_silent and self.world.happens(Mishap.SHORT_PAGE, 0.3):
            rows = rows[: max(1, size // 2)]
        there = offset + len(rows)
        upcoming = (there, 0) if there < total else None
        pages = -(-total // size)
        return rows, Answered(after=upcoming, read=there, total=total, pages=pages)


_NO_CONTENT = b""
_EMPTY = (b'{"rows":[]}', b'{"rows":[],"next":null,"total":1000}')
_ERRORS = (
    b'{"status":"error","message":"try later","rows":[]}',
    b'{"error":{"code":500,"message":"internal"}}',
    b'{"rows":[],"errors":[{"message":"shard 3 did not answer"}]}',
    b'{"rows":[],"success":false}',
    b'{"message":"Service temporarily unavailable"}',
)


class UpstreamAnswers:
    """One pull's pages, out of answers (a PageSource)."""

    reached: None = None

    def __init__(
        self,
        *,
        dataset: Dataset,
        window: Window,
        world: World,
        reading: Reading,
        style: Style,
    ) -> None:
        endpoint = dataset.source.endpoint
        assert endpoint is not None
        self.api = UpstreamApi(world=world, reading=reading, style=style)
        self._pages = ApiPages(
            http=self.api,  # type: ignore[arg-type]  # what pages call of it
            endpoint=endpoint,
            position=window.position,
        )

    @property
    def requests(self) -> int:
        """Pages asked for."""
        return self.api.requests

    @property
    def retries(self) -> int:
        """Ends that were asked for again."""
        return self.api.retries

    def pages(self) -> Iterator[Page]:
        """As the port says."""
        with self.api.reading.under_way():
            yield from self._pages.pages()
