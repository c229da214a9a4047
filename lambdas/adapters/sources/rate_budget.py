"""Who waits for whom when an API's requests are counted.

A budget belongs to an API (its base_url), however many datasets, threads, processes or
functions ask it. Within one process a lock is enough. Beyond it, the bucket stands
where all can change it, on condition that nobody else did meanwhile: a lost answer, a
refused write or a death can only waste requests, never let more of them through.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Protocol

from lambdas.core.dataset import Api, RateLimit
from lambdas.core.errors import OverBudget, RunErrorKind
from lambdas.core.ports import Clock, RateBudget
from lambdas.core.source.rate_limit import (
    Bucket,
    batch,
    full,
    held_back,
    lateness_s,
    reserve,
)

MOST_AT_ONCE = 10
"""Requests reserved by one write at most."""

TRIES = 60
"""Writes that others may be faster than, or that the store may refuse, in a row."""
HOLD_TRIES = 10
"""As many to tell others of a Retry-After, which they would hear of by themselves."""
LOG = logging.getLogger("catflap.sources")
SAID_WAIT_S = 10.0
"""Whoever waits as long says so: in the log, and on a terminal."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 2.0


class Unlimited:
    """The budget of an API without a rate_limit."""

    def wait(self, *, within_s: float) -> None:
        """Return at once."""

    def hold_back(self, seconds: float) -> None:
        """Nobody is counted, so nobody is told."""


class OwnBudget:
    """A budget that one process keeps for itself."""

    def __init__(self, *, limit: RateLimit, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._bucket = full(limit, clock.monotonic())
        self._lock = Lock()

    def wait(self, *, within_s: float) -> None:
        """Return when a request may be sent; OverBudget if none may in time."""
        with self._lock:
            now = self._clock.monotonic()
            after, (moment,) = reserve(self._bucket, self._limit, now)
            if moment - now >= within_s:
                raise over_budget(self._limit, moment - now)
            self._bucket = after
        _sleep(self._clock, moment - now, self._limit)

    def hold_back(self, seconds: float) -> None:
        """Let nobody send before so many seconds have passed."""
        with self._lock:
            now = self._clock.monotonic()
            self._bucket = held_back(self._bucket, self._limit, now, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBucket:
    """A bucket as it stands in a store; version 0 if it does not yet."""

    bucket: Bucket | None
    version: int


class BucketStore(Protocol):
    """Where a bucket stands that many share. Its moments are seconds since 1970."""

    def read(self, key: str) -> StoredBucket | None:
        """What stands there now; None if the store has no time for us."""

    def write(self, key: str, after: StoredBucket) -> bool:
        """Write it in place of the version before; False if that is gone or busy."""


class SharedBudget:
    """A budget that many processes keep together."""

    def __init__(
        self,
        *,
        key: str,
        limit: RateLimit,
        store: BucketStore,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._key = key
        self._limit = limit
        self._store = store
        self._clock = clock
        self._random = random
        self._late_s = lateness_s(limit)
        self._most = batch(limit, MOST_AT_ONCE)
        self._count = 1
        self._known: StoredBucket | None = None
        self._reserved: deque[float] = deque()
        self._lock = Lock()

    def wait(self, *, within_s: float) -> None:
        """Return when a request may be sent; OverBudget if none may in time, or if the
        bucket cannot be had: an API is never asked on the chance that it is.
        """
        until = self._now() + within_s
        while True:
            with self._lock:
                moment = self._next(until)
            wait_s = moment - self._now()
            _sleep(self._clock, wait_s, self._limit)
            if self._now() <= moment + self._late_s:
                return
            # the process slept longer than it wanted: its turn is over

    def hold_back(self, seconds: float) -> None:
        """Let nobody send before so many seconds have passed."""
        with self._lock:
            self._reserved.clear()
            for attempt in range(HOLD_TRIES):
                stored = self._store.read(self._key)
                if stored is not None:
                    now = self._now()
                    bucket = held_back(
                        stored.bucket or full(self._limit, now),
                        self._limit,
                        now,
                        seconds=seconds,
                        late_s=self._late_s,
                    )
                    if self._written(stored, bucket):
                        return
                self._pause(attempt)

    def _next(self, until: float) -> float:
        """The moment of the next request: one that is reserved, or a new one."""
        now = self._now()
        wasted = 0
        while self._reserved and self._reserved[0] + self._late_s < now:
            self._reserved.popleft()
            wasted += 1
        if wasted:
            # who is slower than the budget leaves it to others
            self._count = max(1, self._count - wasted)
        if not self._reserved:
            self._reserve(until)
        if self._reserved[0] >= until:
            raise over_budget(self._limit, self._reserved[0] - now)
        return self._reserved.popleft()

    def _reserve(self, until: float) -> None:
        for attempt in range(TRIES):
            stored = self._known or self._store.read(self._key)
            now = self._now()
            if stored is not None:
                bucket, moments = reserve(
                    stored.bucket or full(self._limit, now),
                    self._limit,
                    now,
                    count=self._count,
                    late_s=self._late_s,
                )
                if moments[0] >= until:
                    self._known = None
                    raise over_budget(self._limit, moments[0] - now)
                if self._written(stored, bucket):
                    self._reserved.extend(moments)
                    self._count = min(self._most, self._count + 1)
                    return
            if now >= until:
                break
            self._pause(attempt)
        raise OverBudget(
            "is not sent: others change the API's rate budget all the time, or the "
            "state table is throttled",
            kind=RunErrorKind.THROTTLED,
        )

    def _written(self, before: StoredBucket, bucket: Bucket) -> bool:
        after = StoredBucket(bucket=bucket, version=before.version + 1)
        is_written = self._store.write(self._key, after)
        self._known = after if is_written else None
        return is_written

    def _pause(self, attempt: int) -> None:
        grown = min(_FIRST_PAUSE_S * 2 ** min(attempt, 10), _LONGEST_PAUSE_S)
        self._clock.sleep(grown * self._random())

    def _now(self) -> float:
        return self._clock.now().timestamp()


class Budgets(Protocol):
    """The budgets of all APIs."""

    def of(self, api: Api) -> RateBudget:
        """The budget of one; the same object for the same base_url."""


class OwnBudgets:
    """Budgets that one process keeps for itself."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._budgets: dict[str, RateBudget] = {}

    def of(self, api: Api) -> RateBudget:
        """The budget of an API, for all of its datasets in this process."""
        limit = api.rate_limit
        if limit is None:
            return Unlimited()
        key = budget_key(api)
        if key not in self._budgets:
            self._budgets[key] = OwnBudget(limit=limit, clock=self._clock)
        return self._budgets[key]


class SharedBudgets:
    """Budgets that stand in a store."""

    def __init__(
        self, *, store: BucketStore, clock: Clock, random: Callable[[], float]
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._budgets: dict[str, RateBudget] = {}

    def of(self, api: Api) -> RateBudget:
        """The budget of an API, for whoever shares the store."""
        limit = api.rate_limit
        if limit is None:
            return Unlimited()
        key = budget_key(api)
        if key not in self._budgets:
            self._budgets[key] = SharedBudget(
                key=key,
                limit=limit,
                store=self._store,
                clock=self._clock,
                random=self._random,
            )
        return self._budgets[key]


def _sleep(clock: Clock, seconds: float, limit: RateLimit) -> None:
    if seconds >= SAID_WAIT_S:
        LOG.warning(
            "waiting %.0f s: the rate_limit is %d requests a %s",
            seconds,
            limit.requests,
            limit.period,
        )
    if seconds > 0:
        clock.sleep(seconds)


def budget_key(api: Api) -> str:
    """Tells one API's budget from another's; no URL, which may name a secret."""
    base = api.base_url.rstrip("/").encode()
    return blake2b(base, digest_size=16).hexdigest()


def over_budget(limit: RateLimit, wait_s: float) -> OverBudget:
    """No request is left for as long as there is time."""
    return OverBudget(
        f"is not sent: the rate_limit of {limit.requests} a {limit.period} "
        f"leaves no request for {wait_s:.0f} s, and less time is left",
        kind=RunErrorKind.THROTTLED,
    )
