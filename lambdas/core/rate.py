"""A budget of requests on our side: a token bucket, decided purely.

The bucket holds a tenth of a period's requests and fills so slowly that burst and
filling together stay within the budget in every window of one period: a bucket that
held them all would let twice the budget through at the start. Who keeps it (a process,
or the state table for all functions of an API) is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.core.dataset import RateLimit

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`tokens` at the moment `at` (seconds on any clock that never goes back).

    Below zero, requests have been promised that the future pays for.
    """

    tokens: float
    at: float


def full(limit: RateLimit, now: float) -> Bucket:
    """A bucket nobody has taken from."""
    return Bucket(tokens=_burst(limit), at=now)


def take(bucket: Bucket, limit: RateLimit, now: float) -> tuple[Bucket, float]:
    """One request: the bucket after it, and the seconds to wait before it."""
    burst = _burst(limit)
    rate = (limit.requests - burst + 1) / _SECONDS[limit.period]
    filled = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
    left = filled - 1
    return Bucket(tokens=left, at=now), max(0.0, -left / rate)


def _burst(limit: RateLimit) -> float:
    return float(max(1, limit.requests // 10))
