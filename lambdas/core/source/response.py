"""What an answer means: take it, try again, follow it elsewhere, or give up.

Decided by the dataset's own `response_actions` first, then by HTTP (RFC 9110).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from math import inf

from lambdas.core.dataset import ResponseAction, Retry
from lambdas.core.errors import RunErrorKind, Terminal, Transient, UpstreamError
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.urls import follow
from lambdas.core.records.documents import excerpt
from lambdas.core.text.count import counted

MAX_REDIRECTS = 5
_QUOTED_FROM = 16_384
"""Bytes of a body that a message may quote from."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429})
_OK = range(200, 300)
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429

NOT_READY = ResponseAction(status_code=202, action="retry")
"""Where rows are asked for, 202 (Accepted) means that they are being made. Behind a
dataset's own actions."""
_SERVER_ERRORS = range(500, 600)


class TokenRefused(Terminal):
    """A new token may mend it, once, where auth fetches tokens."""


class Disposition(Enum):
    """What to do with an answer."""

    TAKE = "take"
    IGNORE = "ignore"
    REDIRECT = "redirect"


def judge(
    response: HttpResponse,
    actions: Sequence[ResponseAction],
    now: datetime,
    hide: Callable[[str], str] = str,
) -> Disposition | UpstreamError:
    """What to do, or the error it is: Transient is worth another try.

    Of `actions` the first that fits by status and by content decides. Messages hold no
    URL: who asked knows it. `hide` blanks secrets out of what they quote, before it is
    cut: the beginning of a secret is not known for one.
    """
    for action in actions:
        if action.status_code not in {None, response.status}:
            continue
        if action.content is not None and action.content.encode() not in response.body:
            continue
        if action.status_code is None and action.content is None:
            continue
        return _decided(action, response, now, hide)
    if response.status in _OK:
        return Disposition.TAKE
    if response.status in _REDIRECTS and response.headers.get("location"):
        return Disposition.REDIRECT
    return _error(response, now, hide)


def _decided(
    action: ResponseAction,
    response: HttpResponse,
    now: datetime,
    hide: Callable[[str], str],
) -> Disposition | UpstreamError:
    why = " and ".join(
        part
        for part in (
            f"status {action.status_code}" if action.status_code else "",
            f"{action.content!r} in the body" if action.content else "",
        )
        if part
    )
    kind = _kind(response.status)
    match action.action:
        case "ignore":
            return Disposition.IGNORE
        case "retry" if action is NOT_READY:
            return Transient(
                "answered 202: it has accepted the request, and the rows are not ready",
                kind=kind,
                retry_after_s=retry_after(response, now),
            )
        case "retry":
            return Transient(
                f"answered {response.status}, and a response_action retries {why}",
                kind=kind,
                retry_after_s=retry_after(response, now),
            )
        case "renew":
            return TokenRefused(
                f"answered {response.status}, and a response_action renews the token "
                f"on {why}: {_quoted(response, hide)}",
                kind=RunErrorKind.AUTH,
            )
        case "fail":
            return Terminal(
                f"answered {response.status}, and a response_action fails on {why}: "
                f"{_quoted(response, hide)}",
                kind=kind,
            )


def _kind(status: int) -> RunErrorKind:
    if status in {401, 403, 407}:
        return RunErrorKind.AUTH
    if status == _TOO_MANY:
        return RunErrorKind.THROTTLED
    if status in {408, 504}:
        return RunErrorKind.TIMEOUT
    if status in _OK:
        return RunErrorKind.RESPONSE
    return RunErrorKind.HTTP


def _quoted(response: HttpResponse, hide: Callable[[str], str]) -> str:
    text = response.body[:_QUOTED_FROM].decode("utf-8", "replace")
    return excerpt(hide(text).encode())


def _error(
    response: HttpResponse, now: datetime, hide: Callable[[str], str]
) -> UpstreamError:
    status, kind = response.status, _kind(response.status)
    wait = retry_after(response, now)
    said = _quoted(response, hide)
    message = f"answered {status}" + (f": {said}" if said else "")
    # a 403 with Retry-After, or with a budget that is used up, is how GitHub and
    # others throttle
    throttled = status == _FORBIDDEN and (
        "retry-after" in response.headers or _is_used_up(response)
    )
    if throttled or status in _TRANSIENT or status in _SERVER_ERRORS:
        return Transient(
            message,
            kind=RunErrorKind.THROTTLED if throttled else kind,
            retry_after_s=wait,
        )
    advice = {
        401: "; check auth and its secret",
        403: "; the credentials are known but may not read this",
        404: "; check base_url and path, or ignore it with response_actions",
        405: "; check method",
        406: "; check the Accept header",
    }.get(status, "")
    tree = TokenRefused if status == _UNAUTHORIZED else Terminal
    return tree(message + advice, kind=kind)


def retry_after(response: HttpResponse, now: datetime) -> float | None:
    """Seconds that the API asks to wait: a number or a date (RFC 9110, 10.2.3). Where
    it asks for nothing, and says that the budget is used up, the time to its reset.

    None where the moment has come already: how long is then left to us.
    """
    asked = _asked(response, now)
    if asked is not None or response.status not in {_FORBIDDEN, _TOO_MANY}:
        return asked
    says_nothing = response.status == _TOO_MANY and not _remaining(response)
    if not says_nothing and not _is_used_up(response):
        return None
    resets = (_seconds(text, now) for text in _resets(response))
    return max((one for one in resets if one is not None), default=None)


def _asked(response: HttpResponse, now: datetime) -> float | None:
    """Of several proxies on the way each may have its own line: the longest counts."""
    text = response.headers.get("retry-after", "")[:_LONGEST_FIELD]
    # a date has a comma in it, and begins with a letter
    texts = text.split(",") if text.strip()[:1].isdigit() else [text]
    found = [_seconds(one, now) for one in texts]
    found += [_milliseconds(response.headers.get(name, "")) for name in _IN_MS]
    return max((one for one in found if one is not None), default=None)


_IN_MS = ("retry-after-ms", "x-ms-retry-after-ms")
"""Azure and OpenAI send these beside whole seconds, or in their place."""
_BUDGETS = ("x-ratelimit", "x-rate-limit", "ratelimit")
_EPOCHS = ((10**14, 10**6), (10**11, 10**3), (10**9, 1))
"""Numbers above these are moments since 1970, in so many parts of a second; a number
below them all is seconds from now."""
_FIELD = re.compile(r"\b(r|remaining|t|reset)\s*=\s*\"?(\d+)", re.IGNORECASE)
"""Of the one header `RateLimit: "default";r=0;t=30` (IETF: "RateLimit fields")."""


def _fields(response: HttpResponse) -> dict[str, str]:
    found = _FIELD.findall(response.headers.get("ratelimit", "")[:_LONGEST_FIELD])
    return {name.lower(): value for name, value in found}


_LONGEST_FIELD = 1_000
_LONGEST_NUMBER = 20
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_SPAN = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d))+")


def _is_used_up(response: HttpResponse) -> bool:
    """Whether a rate limit's header says that nothing is left of it."""
    return not {"0", "0.0"}.isdisjoint(_remaining(response))


def _remaining(response: HttpResponse) -> list[str]:
    fields = _fields(response)
    left = [response.headers.get(f"{name}-remaining", "") for name in _BUDGETS]
    left += [fields.get("r", ""), fields.get("remaining", "")]
    return [text.strip() for text in left if text]


def _resets(response: HttpResponse) -> list[str]:
    """GitHub's `X-RateLimit-Reset` is an epoch, others' seconds from now, or a date."""
    fields = _fields(response)
    names = (f"{name}-reset{after}" for name in _BUDGETS for after in ("", "-after"))
    told = [response.headers.get(name, "") for name in names]
    return [*told, fields.get("t", ""), fields.get("reset", "")]


def _seconds(text: str, now: datetime) -> float | None:
    """Seconds from now to what a number or a date says; None if it is none, or past."""
    text = text.strip()[:_LONGEST_FIELD]
    left = _span(text)
    try:
        if left is None:
            is_number = text[:1].isdigit()
            left = _number(float(text), now) if is_number else _until(text, now)
    except ValueError:
        left = _date(text, now)
    return left if left is not None and 0 < left < inf else None


def _milliseconds(text: str) -> float | None:
    text = text.strip()
    is_number = text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER
    return int(text) / 1000 if is_number and int(text) else None


def _span(text: str) -> float | None:
    """`1m2.5s` and `250ms`, as Go writes a duration (OpenAI, Groq)."""
    if not _SPAN.fullmatch(text):
        return None
    return sum(float(count) * _UNITS[unit] for count, unit in _SPAN_PART.findall(text))


def _number(value: float, now: datetime) -> float:
    for least, parts in _EPOCHS:
        if value > least:
            return value / parts - now.timestamp()
    return value


def _date(text: str, now: datetime) -> float | None:
    """ISO 8601, which begins with a digit as numbers do."""
    try:
        return _left(datetime.fromisoformat(text), now)
    except ValueError:
        return None


def _until(text: str, now: datetime) -> float:
    return _left(parsedate_to_datetime(text), now)


def _left(at: datetime, now: datetime) -> float:
    # RFC 9110: an HTTP date is in GMT
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()


def redirected(
    request: HttpRequest, response: HttpResponse, origin: str
) -> HttpRequest:
    """The request that a redirect asks for (RFC 9110, 15.4).

    303 becomes a GET, and so does a POST under 301 and 302, as every browser does it.
    Raises Terminal if it leads to another origin.
    """
    url = follow(
        response.headers["location"],
        from_url=response.url,
        origin=origin,
        what=f"the redirect ({response.status})",
    )
    is_get = response.status == 303 or (  # noqa: PLR2004 - See Other
        response.status in {301, 302} and request.method == "POST"
    )
    moved = replace(request, url=url, params={})
    return replace(moved, method="GET", json=None, form=None) if is_get else moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No further try; `why` goes on where the error's sentence ends."""

    why: str


def delay_s(retry: Retry, *, attempt: int, random: float) -> float:
    """How long to wait, in seconds, after the `attempt`-th try (from 1): it doubles
    from `backoff_factor` on, with a jitter of half by `random` in [0, 1).
    """
    grown = min(retry.backoff_factor * 2.0 ** (attempt - 1), retry.max_delay)
    return grown * (0.5 + random / 2)


def next_try(
    error: UpstreamError,
    *,
    attempt: int,
    retry: Retry,
    seconds_left: float,
    random: float,
) -> Wait | GiveUp:
    """Whether, and when, to try again after the `attempt`-th try (from 1) failed.

    What the API asks for is never undercut: if it asks for more than `max_delay` or
    than the time that is left, trying is over. Otherwise the delay is `delay_s`.
    """
    if not isinstance(error, Transient):
        return GiveUp(why="")
    if attempt >= retry.max_attempts:
        tries = counted(attempt, "try")
        return GiveUp(why=f" (after {tries})")
    asked = error.retry_after_s
    if asked is not None and asked > retry.max_delay:
        return GiveUp(
            why=f" (it asks to wait {asked:.0f} s, more than max_delay "
            f"{retry.max_delay:.0f} s)"
        )
    delay = asked
    if delay is None:
        delay = delay_s(retry, attempt=attempt, random=random)
    if delay >= seconds_left:
        return GiveUp(
            why=f" (the next try would be {delay:.0f} s away, and {seconds_left:.0f} s "
            "are left)"
        )
    return Wait(seconds=delay)
