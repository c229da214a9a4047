"""A budget of requests on our side: a token bucket, decided purely.

The bucket holds a tenth of a period's requests and fills so slowly that burst and
filling together stay within the budget in every window of one period: a bucket that
held them all would let twice the budget through at the start.

Whoever shares a bucket reserves a few requests at a time, each from a moment on. One
that is sent later than its moment may meet others in a window, so that it has to be
sent within `lateness`, and the bucket fills more slowly by as much: what is sent in a
period was reserved for that period and the `lateness` before it. Who keeps the bucket
(a process, a file, or the state table for all functions) is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.core.dataset import RateLimit

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_LATE = 0.1
LONGEST_HOLD_S = 3600.0
"""How long an API's Retry-After holds back those who did not get it. After that, one of
them asks, and is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`tokens` from the moment `at` on: seconds of any clock that never goes back.

    Below zero, requests have been promised that the future pays for. A moment to come
    means that nothing is sent before it.
    """

    tokens: float
    at: float


def full(limit: RateLimit, now: float) -> Bucket:
    """A bucket nobody has taken from."""
    return Bucket(tokens=_burst(limit), at=now)


def lateness_s(limit: RateLimit) -> float:
    """Seconds after its moment that a request reserved in a shared bucket holds."""
    return _SECONDS[limit.period] * _LATE


def reserve(
    bucket: Bucket, limit: RateLimit, now: float, *, count: int = 1, late_s: float = 0.0
) -> tuple[Bucket, tuple[float, ...]]:
    """The moments from which `count` requests may be sent, and the bucket after them.

    Each has to be sent within `late_s` of its moment, or not at all.
    """
    rate = _rate(limit, late_s)
    bucket = _filled(bucket, limit, now, rate)
    moments = tuple(
        bucket.at + max(0.0, number - bucket.tokens) / rate
        for number in range(1, count + 1)
    )
    return Bucket(tokens=bucket.tokens - count, at=bucket.at), moments


def held_back(
    bucket: Bucket, limit: RateLimit, now: float, *, seconds: float, late_s: float = 0.0
) -> Bucket:
    """The bucket after the API has asked for so many seconds of silence."""
    bucket = _filled(bucket, limit, now, _rate(limit, late_s))
    until = now + min(seconds, LONGEST_HOLD_S)
    return Bucket(tokens=bucket.tokens, at=max(bucket.at, until))


def batch(limit: RateLimit, most: int) -> int:
    """How many requests are worth reserving at once: what comes due within lateness."""
    late_s = lateness_s(limit)
    return max(1, min(most, int(_rate(limit, late_s) * late_s)))


def is_brisk(limit: RateLimit | None) -> bool:
    """Whether requests side by side win time: not where each waits for the budget
    longer than for its answer, and what is asked for too much is dear.
    """
    return limit is None or limit.requests >= _SECONDS[limit.period]


def _filled(bucket: Bucket, limit: RateLimit, now: float, rate: float) -> Bucket:
    # whose clock runs ahead, or who holds back, is waited for: up to a bound
    at = max(now, min(bucket.at, now + LONGEST_HOLD_S))
    tokens = bucket.tokens + max(0.0, at - bucket.at) * rate
    return Bucket(tokens=min(_burst(limit), tokens), at=at)


def _rate(limit: RateLimit, late_s: float) -> float:
    """Tokens a second, such that burst and filling in a window are the budget."""
    return (limit.requests - _burst(limit) + 1) / (_SECONDS[limit.period] + late_s)


def _burst(limit: RateLimit) -> float:
    return float(max(1, limit.requests // 10))
