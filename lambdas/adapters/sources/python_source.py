"""Sources where declaration ends: `python: sources/foo.py:pages`.

The function gets a `PullContext` and yields pages: lists of records, each a dict or the
bytes of one JSON object. They go through the engine and the commit protocol as an
API's pages do, and the cursor is kept the same way::

    def pages(context):
        answer = context.http.get("export", params={"since": context.start})
        yield answer.records("rows")          # bytes, every digit as the API wrote it
        yield [{"id": 1, "at": "2026-01-01T00:00:00Z"}]

A dict is encoded by msgspec: a float as the shortest text that reads back the same,
Decimal as a number with all its digits, datetime as ISO 8601, NaN as null. Where the
digits of an API's own numbers matter, hand on its bytes.
"""

from __future__ import annotations

import decimal
import importlib.util
import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from pydantic import JsonValue

from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.cursor.order import CursorValue
from lambdas.core.dataset import Dataset, Endpoint
from lambdas.core.errors import (
    BadInput,
    CatflapError,
    RunErrorKind,
    Terminal,
    Transient,
    UpstreamError,
)
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.redaction import redact
from lambdas.core.http.urls import join
from lambdas.core.paging.loops import LoopGuard
from lambdas.core.ports import Clock, Secrets
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from lambdas.core.records.documents import MAX_RECORD_BYTES, Document, with_room
from lambdas.core.records.select import detect_selector, parted, select_records
from lambdas.core.source.request import SECRET, base_request

PAGES_IN_A_ROW_WITHOUT_ROWS = LoopGuard.EMPTY_PAGES
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_RAW = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An API's answer: its status, headers (names in lower case) and whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the API says
        """The body as Python values. Raises UpstreamError if it is not JSON."""
        return json.loads(self._document().body)

    def records(self, selector: str | None = None) -> list[bytes]:
        """The records at `selector`, found by itself if it is None, each as the bytes
        that the API wrote. Raises UpstreamError if there are none such.
        """
        document = self._document()
        found = detect_selector(document) if selector is None else None
        return select_records(document, selector, found=found)

    def _document(self) -> Document:
        content_type = self.headers.get("content-type", "")
        return Document(self.body, content_type=content_type)


class HttpSession:
    """Requests to the dataset's `client`: with its auth, retries and rate limit, below
    its base URL, and never to another origin.
    """

    def __init__(self, http: HttpApi) -> None:
        self._http = http

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET `path`, or a whole URL of the API's own origin; parameters that are None
        are left out. Raises UpstreamError for every answer but a success.
        """
        return self._send("GET", path, params, headers)

    def post(
        self,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST `json`, or `form` as a web form does. As `get` otherwise; a request that
        failed on its way is sent again, so it has to be one that may be.
        """
        return self._send("POST", path, params, headers, json=json, form=form)

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
        *,
        json: Mapping[str, object] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        api, resolve = self._http.api, self._http.secrets.value
        self._http.hide(
            frozenset(resolve(v) for v in api.headers.values() if v.startswith(SECRET))
        )
        base = base_request(api, Endpoint(path=""), values={}, resolve=resolve)
        given = {n: v for n, v in (params or {}).items() if v is not None}
        request: HttpRequest = replace(
            base,
            method=method,
            url=join(resolve(api.base_url), path),
            params={name: str(value) for name, value in given.items()},
            headers={**base.headers, **(headers or {})},
            json=json,
            form=form,
        )
        response: HttpResponse | None = self._http.fetch(request)
        if response is None:
            raise Terminal("an answer was ignored", kind=RunErrorKind.RESPONSE)
        return Answer(
            status=response.status, headers=response.headers, body=response.body
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PullContext:
    """What a generator is given. `start` and `end` are cursor values (None: no such
    bound), `start_text` and `end_text` the same as `incremental.format` writes them.
    `options` are the dataset's, secrets resolved: send them, never yield or log them.
    """

    dataset: str
    start: CursorValue | None
    end: CursorValue | None
    start_text: str | None
    end_text: str | None
    options: Mapping[str, Any]
    log: logging.Logger
    sleep: Callable[[float], None]
    """Waits so many seconds; raises UpstreamError if a pull has not that long."""
    session: HttpSession | None

    @property
    def http(self) -> HttpSession:
        """Requests to `source.client`. Raises BadInput if there is none."""
        if self.session is None:
            raise BadInput(
                f"{self.dataset} has no source.client, and its generator asks for "
                "context.http; name an API in source.client"
            )
        return self.session


Pages = Callable[[PullContext], Iterable[object]]


class PythonPages:
    """The pages of a generator (a PageSource)."""

    reached: None = None
    """The rows tell where the cursor stands."""

    def __init__(
        self,
        *,
        dataset: Dataset,
        window: Window,
        root: Path,
        secrets: Secrets,
        http: HttpApi | None,
        clock: Clock,
        deadline_s: float,
    ) -> None:
        self._dataset = dataset
        self._window = window
        self._root = root
        self._secrets = secrets
        self._http = http
        self._clock = clock
        self._deadline_s = deadline_s
        self._hidden: set[str] = set()

    @property
    def requests(self) -> int:
        """HTTP requests answered or refused so far, retries included."""
        return self._http.requests if self._http is not None else 0

    @property
    def retries(self) -> int:
        """How many of those were second or later tries."""
        return self._http.retries if self._http is not None else 0

    def pages(self) -> Iterator[Page]:
        """The pages, in order. Raises UpstreamError: the generator's own, or one that
        names the file and line where it failed, and its error's type alone, for its
        text may hold anything.
        """
        reference = str(self._dataset.source.python)
        try:
            generator = loaded(self._root, reference)(self._context())
        except CatflapError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a person's code raises
            raise failed(error, reference) from None
        if not isinstance(generator, Iterator):
            raise Terminal(
                f"{reference} gave a {type(generator).__name__}; it has to be a "
                "generator of pages: a function that yields lists of records",
                kind=RunErrorKind.RESPONSE,
            )
        try:
            yield from self._read(generator, reference)
        finally:
            close = getattr(generator, "close", None)
            if close is not None:
                close()

    def _read(self, generator: Iterator[object], reference: str) -> Iterator[Page]:
        number, empty = 0, 0
        while True:
            try:
                page = next(generator)
            except StopIteration:
                return
            except UpstreamError as error:
                raise self._without_options(error) from None
            except CatflapError:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a person's code raises
                raise failed(error, reference) from None
            number += 1
            records = records_of(page, f"page {number} of {reference}")
            del page
            empty = 0 if records else empty + 1
            if empty > PAGES_IN_A_ROW_WITHOUT_ROWS:
                raise Terminal(
                    f"{reference} gave {empty} pages without a record in a row; it "
                    "has to end when there is no more",
                    kind=RunErrorKind.RESPONSE,
                )
            objects, odd = parted(records)
            yield Page(records=objects, odd=odd, number=number, url=reference)

    def _without_options(self, error: UpstreamError) -> UpstreamError:
        """What a person's code says of an API, without the secrets it was given."""
        return type(error)(
            redact(str(error), self._hidden),
            kind=error.kind,
            retry_after_s=error.retry_after_s,
        )

    def _context(self) -> PullContext:
        source, window = self._dataset.source, self._window
        options: dict[str, JsonValue] = {
            name: self._resolved(value) for name, value in source.options.items()
        }
        # one of its own, or each pull of a warm function would add another filter
        log = logging.Logger(f"catflap.sources.{self._dataset.name}")  # noqa: LOG001
        log.parent = logging.getLogger()
        log.addFilter(self._without_secrets)
        return PullContext(
            dataset=self._dataset.name,
            start=window.start,
            end=window.end,
            start_text=window.start_text,
            end_text=window.end_text,
            options=MappingProxyType(options),
            log=log,
            sleep=self._sleep,
            session=HttpSession(self._http) if self._http is not None else None,
        )

    def _sleep(self, seconds: float) -> None:
        if self._clock.monotonic() + seconds >= self._deadline_s:
            raise Transient(
                f"{self._dataset.source.python} would wait {seconds:.0f} s more, and "
                "the time given to this pull ends before",
                kind=RunErrorKind.TIMEOUT,
            )
        self._clock.sleep(seconds)

    def _resolved(self, value: JsonValue) -> JsonValue:
        match value:
            case dict():
                return {name: self._resolved(inner) for name, inner in value.items()}
            case list():
                return [self._resolved(inner) for inner in value]
            case str() if value.startswith(SECRET):
                secret = self._secrets.value(value)
                self._hidden.add(secret)
                if self._http is not None:
                    self._http.hide(frozenset({secret}))
                return secret
        return value

    def _without_secrets(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage(), self._hidden), ()
        return True


def loaded(root: Path, reference: str) -> Pages:
    """The function that `sources/foo.py:pages` names, below `root`.

    Raises BadInput if there is no such file or function, and what the file raises.
    """
    place, _, name = reference.partition(":")
    path = root / place
    if not path.is_file():
        raise BadInput(f"there is no {place}; accepted: a file in sources/")
    if str(root) not in sys.path:
        # so that one file in sources/ may import another
        sys.path.append(str(root))
    spec = importlib.util.spec_from_file_location(f"catflap_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{place} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: object = getattr(module, name, None)
    if not inspect.isfunction(found):
        known = sorted(
            each
            for each, value in vars(module).items()
            if inspect.isgeneratorfunction(value) and not each.startswith("_")
        )
        raise BadInput(
            f"{place} has no function `{name}`; "
            + (f"there: {', '.join(known)}" if known else "it has no generator at all")
        )
    pages: Pages = found
    return pages


def records_of(page: object, where: str) -> list[bytes]:
    """A yielded page as records, each the bytes of one JSON object on one line.

    Raises Terminal(kind=response) if it is no list of dicts and such bytes.
    """
    if not isinstance(page, list | tuple):
        raise _bad_page(
            f"{where} is a {type(page).__name__}; yield lists of records, a page each"
        )
    records = [
        _record(one, f"record {at} of {where}") for at, one in enumerate(page, 1)
    ]
    if records and not any(one.startswith(b"{") for one in records):
        raise _bad_page(f"record 1 of {where} is not one JSON object")
    return records


def _record(record: object, where: str) -> bytes:
    if isinstance(record, Mapping):
        body = _encoded(record, where)
    elif isinstance(record, bytes):
        try:
            with_room(_RAW.decode, record)
        except (msgspec.DecodeError, RecursionError):
            raise _bad_page(f"{where} is not one JSON object") from None
        body = record.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    else:
        raise _bad_page(
            f"{where} is a {type(record).__name__}; a record is a dict, or the bytes "
            "of one JSON object"
        )
    if len(body) > MAX_RECORD_BYTES:
        raise _bad_page(
            f"{where} is {len(body)} bytes, longer than {MAX_RECORD_BYTES}, and does "
            "not load as one row; yield fewer fields"
        )
    return body


_UNWRITABLE = (
    TypeError,
    ValueError,  # half a surrogate pair, a number of too many digits
    OverflowError,
    RecursionError,
    msgspec.MsgspecError,
    decimal.DecimalException,
)


def _encoded(record: Mapping[object, object], where: str) -> bytes:
    try:
        return _ENCODER.encode(record)
    except _UNWRITABLE:
        raise _bad_page(
            f"{where} cannot be written as JSON; a value is a text, number, bool, "
            "None, list, dict, date or Decimal"
        ) from None


def failed(error: Exception | SystemExit, reference: str) -> Terminal:
    """The error of a person's code: where, and of what type."""
    return Terminal(
        f"{where_of(error, reference)}: {type(error).__name__}; fix the generator, or "
        "let it raise an UpstreamError that says what the API did",
        kind=RunErrorKind.INTERNAL,
    )


def where_of(error: BaseException, reference: str) -> str:
    """`sources/foo.py:12`, the innermost line of the file that failed."""
    place = reference.partition(":")[0]
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{place}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [one.lineno for one in frames if one.filename.endswith(place)]
    return f"{place}:{lines[-1]}" if lines else place


def _bad_page(message: str) -> Terminal:
    return Terminal(message, kind=RunErrorKind.RESPONSE)
