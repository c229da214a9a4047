"""A shared budget holds in every window, however its requests are used or wasted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.dataset import RateLimit
from lambdas.core.source.rate_limit import (
    LONGEST_HOLD_S,
    Bucket,
    batch,
    full,
    held_back,
    lateness_s,
    reserve,
)

SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
LIMITS = st.builds(
    lambda requests, period: RateLimit.model_validate(
        {"requests": requests, "period": period}
    ),
    st.integers(1, 200),
    st.sampled_from(["second", "minute", "hour"]),
)


def most_in_a_window(times: list[float], seconds: float) -> int:
    """The most that any window of that length holds, its end not included.

    Clocks tell whole microseconds, and several readings make one moment: a window that
    is short by a few of them is as long.
    """
    times = sorted(times)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds - 1e-5:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=100)
@given(
    limit=LIMITS,
    steps=st.lists(
        st.tuples(
            st.floats(0, 0.6),  # how much of a period passes
            st.floats(-0.02, 0.02),  # how far the worker's clock is off, in periods
            st.integers(1, 10),  # requests reserved
            st.lists(st.floats(0, 1), min_size=10, max_size=10),  # how late each is
        ),
        max_size=60,
    ),
)
def test_a_shared_budget_holds_in_every_window(
    limit: RateLimit, steps: list[tuple[float, float, int, list[float]]]
) -> None:
    seconds, late_s = SECONDS[limit.period], lateness_s(limit)
    now, bucket, sent = 1000.0, full(limit, 1000.0), list[float]()
    for pause, skew, count, late in steps:
        now += pause * seconds
        # a clock that is behind finds a bucket from the future: no token comes of it
        own = now - abs(skew) * seconds
        bucket, moments = reserve(bucket, limit, own, count=count, late_s=late_s)
        sent += [
            moment + share * late_s
            for moment, share in zip(moments, late, strict=False)
        ]
    assert most_in_a_window(sent, seconds) <= limit.requests


@given(limit=LIMITS)
def test_a_budget_that_is_wanted_is_used(limit: RateLimit) -> None:
    seconds = SECONDS[limit.period]
    bucket, moments = reserve(
        full(limit, 0.0), limit, 0.0, count=5 * limit.requests, late_s=lateness_s(limit)
    )
    assert moments[-1] <= 5 * seconds * 1.25
    assert bucket.tokens < 0


@given(limit=LIMITS, seconds=st.floats(0.1, 10_000), later=st.floats(0, 10_000))
def test_nothing_is_sent_while_the_api_wants_silence(
    limit: RateLimit, seconds: float, later: float
) -> None:
    bucket = held_back(full(limit, 0.0), limit, 0.0, seconds=seconds)
    _, (moment,) = reserve(bucket, limit, later)
    assert moment >= min(seconds, LONGEST_HOLD_S) - 1e-6
    assert moment >= later


def test_silence_gives_no_burst_of_all_who_waited() -> None:
    limit = RateLimit(requests=10)
    bucket = held_back(full(limit, 0.0), limit, 0.0, seconds=60)
    moments = list[float]()
    for _ in range(30):
        bucket, (moment,) = reserve(bucket, limit, 1.0)
        moments.append(moment)
    assert min(moments) == 60
    assert most_in_a_window(moments, 1.0) <= 10


def test_a_clock_that_is_far_ahead_holds_others_back_for_an_hour_at_most() -> None:
    limit = RateLimit(requests=10)
    _, (moment,) = reserve(Bucket(tokens=0.0, at=1e12), limit, 0.0)
    assert moment <= LONGEST_HOLD_S + 1


def test_a_slow_budget_is_reserved_one_by_one_and_a_fast_one_in_batches() -> None:
    assert batch(RateLimit(requests=1, period="second"), 10) == 1
    assert batch(RateLimit(requests=10, period="second"), 10) == 1
    assert batch(RateLimit(requests=100, period="second"), 10) == 8
    assert batch(RateLimit(requests=600, period="minute"), 10) == 10
