"""The circuit breaker: which runs are shown, which are held back, which wait.

It shows what passed, and never hides what failed: between load and check a row that
nobody looked at would show otherwise. Runs wait until their checks have passed on what
would then be shown; one that fails is held back until a person shows it; one whose
checks cannot run is shown once it has waited for `hold_at_most`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.core.dataset import Dataset, QualityCheck
from lambdas.core.landing.names import OF_PULL
from lambdas.core.quality.comparison import comparison_of
from lambdas.core.quality.result import QualityResult
from lambdas.core.sql import names
from lambdas.core.sql.views import loaded_runs, released_runs
from lambdas.core.text.duration import lasting

LONGEST_HOLD = timedelta(days=1)
"""Where neither the breaker nor the promise says how long a run may wait."""
ONE_BY_ONE = 10
"""Runs that are judged each for itself in one look, where all together fail."""
KEPT = 5
"""Run ids that a message names; the rest is counted."""


class Shown(StrEnum):
    """Why a run is shown, or is not."""

    BEFORE = "before"
    """It was there before the breaker was."""
    PASSED = "passed"
    UNCHECKED = "unchecked"
    BY_HAND = "by hand"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRun:
    """A run that is loaded, and neither shown nor held back. `is_whole`: with as many
    rows as it landed.
    """

    run_id: str
    is_whole: bool
    loaded_at: datetime | None


class RunJudgement(StrEnum):
    """What the checks say of a run."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"


def outcome_of(
    dataset: Dataset,
    results: Sequence[QualityResult],
    before: Sequence[QualityResult] | None = None,
) -> RunJudgement:
    """Only checks of severity error hold a run back, and only for what it brings:
    where one of the relation fails `before` it as well, it has to be worse.
    """
    states = set()
    known = before or (None,) * len(results)
    for check, one, other in zip(dataset.quality, results, known, strict=True):
        if one.severity == "error":
            is_new = other is None or _is_worse(check, one, other)
            states.add(one.state if one.state != "fail" or is_new else "pass")
    if "fail" in states:
        return RunJudgement.FAIL
    return RunJudgement.UNKNOWN if "error" in states else RunJudgement.PASS


def _is_worse(check: QualityCheck, one: QualityResult, before: QualityResult) -> bool:
    if before.state != "fail" or check.on == "run":
        return True
    comparison = comparison_of(check)
    if comparison is None or one.value is None or before.value is None:
        return False
    return comparison.excess(one.value) > comparison.excess(before.value)


def is_by_pull(dataset: Dataset) -> bool:
    """Whether a check looks at the rows of one pull, so that pulls are judged each for
    itself.
    """
    return any(one.on == "run" and one.severity == "error" for one in dataset.quality)


def oldest_pull(runs: Iterable[str]) -> tuple[str, ...]:
    """The runs of the oldest pull among some, its segments."""
    ordered = sorted(runs)
    return tuple(one for one in ordered if one[:OF_PULL] == ordered[0][:OF_PULL])


def longest_hold(dataset: Dataset) -> timedelta:
    """How long a run may wait for checks that cannot run."""
    breaker = dataset.breaker
    if breaker is not None and breaker.hold_at_most is not None:
        return breaker.hold_at_most.duration
    promised = dataset.freshness.error_after
    return LONGEST_HOLD if promised is None else promised.duration


def overdue(
    dataset: Dataset, waiting: Sequence[WaitingRun], now: datetime
) -> list[WaitingRun]:
    """Runs that have waited for too long."""
    limit = now - longest_hold(dataset)
    return [one for one in waiting if one.loaded_at is None or one.loaded_at <= limit]


def waiting_query(database: str, datasets: Sequence[Dataset]) -> str:
    """(DATASET, RUN_ID, IS_WHOLE, LOADED_AT) of every run that waits."""
    return " UNION ALL ".join(_waiting(database, one) for one in datasets)


def _waiting(database: str, dataset: Dataset) -> str:
    name = names.literal(dataset.name)
    known = (
        f"SELECT DISTINCT RUN_ID AS KNOWN_RUN_ID FROM {names.released_table(database)} "
        f"WHERE DATASET = {name}"
    )
    return (
        f"SELECT {name} AS DATASET, A.RUN_ID, A.IS_WHOLE, A.LOADED_AT "
        f"FROM ({loaded_runs(database, dataset)}) AS A "
        f"LEFT JOIN ({known}) ON KNOWN_RUN_ID = A.RUN_ID WHERE KNOWN_RUN_ID IS NULL"
    )


def shown_until_query(database: str, dataset: Dataset) -> str:
    """The newest time among the rows of runs that are shown, by its own clock."""
    clock = "_LOADED_AT" if dataset.freshness.loaded_at_field is None else "_EVENT_AT"
    return (
        f"SELECT MAX({clock}) FROM {names.raw_table(database, dataset.name)} AS T "
        f"INNER JOIN ({released_runs(database, dataset.name)}) AS R "
        "ON R.RELEASED_RUN_ID = T._RUN_ID"
    )


def added_delay(dataset: Dataset) -> str | None:
    """How much later rows show with a breaker, in a sentence; without one, nothing."""
    if dataset.breaker is None:
        return None
    return (
        "new rows show once their checks of severity error pass, which is with the "
        "next check after the load; where those cannot run, up to "
        f"{lasting(longest_hold(dataset).total_seconds())} later"
    )


def held_query(database: str, dataset: Dataset) -> str:
    """(RUN_ID) of every run that is held back and not shown since. Where a run replaces
    all before it, those older than one that shows have nothing more to show.
    """
    of_dataset = (
        f"FROM {names.released_table(database)} "
        f"WHERE DATASET = {names.literal(dataset.name)}"
    )
    held = f"SELECT RUN_ID {of_dataset} GROUP BY RUN_ID HAVING COUNT_IF(IS_SHOWN) = 0"
    if dataset.write_disposition != "replace":
        return held
    newest = f"SELECT MAX(RUN_ID) AS NEWEST {of_dataset} AND IS_SHOWN"
    return (
        f"SELECT RUN_ID FROM ({held}) CROSS JOIN ({newest}) "
        "WHERE RUN_ID > COALESCE(NEWEST, '')"
    )


def record_runs(
    database: str, dataset: str, runs: Iterable[str], how: Shown, now: datetime
) -> str:
    """That runs are shown from now on, or are held back; again it says the same."""
    is_shown = str(how is not Shown.HELD).upper()
    at = names.literal(now.isoformat())
    rows = ", ".join(
        f"({names.literal(dataset)}, {names.literal(run)}, {is_shown}, "
        f"{names.literal(how.value)}, {at})"
        for run in runs
    )
    return (
        f"INSERT INTO {names.released_table(database)} "
        f"(DATASET, RUN_ID, IS_SHOWN, HOW, RECORDED_AT) VALUES {rows}"
    )


def create_released_table(database: str) -> str:
    """`RAW._RELEASED`: which runs the breakers show."""
    return (
        f"CREATE TABLE IF NOT EXISTS {names.released_table(database)} "
        "(DATASET VARCHAR, RUN_ID VARCHAR, IS_SHOWN BOOLEAN, HOW VARCHAR, "
        "RECORDED_AT TIMESTAMP_TZ)"
    )


def release_before(database: str, dataset: str) -> Iterator[str]:
    """Show all runs that were loaded before there was a breaker, and mark that it was
    done, so that it is done once.
    """
    table, name = names.released_table(database), names.literal(dataset)
    is_new = f"NOT EXISTS (SELECT 1 FROM {table} WHERE DATASET = {name})"
    how = names.literal(Shown.BEFORE.value)
    now = "CURRENT_TIMESTAMP()::TIMESTAMP_TZ"
    yield (
        f"INSERT INTO {table} (DATASET, RUN_ID, IS_SHOWN, HOW, RECORDED_AT) "
        f"SELECT R.DATASET, R.RUN_ID, TRUE, {how}, {now} FROM "
        f"(SELECT {name} AS DATASET, '' AS RUN_ID UNION SELECT {name}, _RUN_ID "
        f"FROM {names.raw_table(database, dataset)} UNION SELECT {name}, _RUN_ID "
        f"FROM {names.runs_table(database)} WHERE DATASET = {name}) AS R "
        f"WHERE {is_new}"
    )


def released_with(database: str, dataset: str, candidates: Iterable[str]) -> str:
    """The runs that are shown, and those that may be."""
    more = "".join(f" UNION SELECT {names.literal(one)}" for one in candidates)
    return released_runs(database, dataset) + more


def in_short(runs: Sequence[str]) -> str:
    """Run ids for a message."""
    more = len(runs) - KEPT
    listed = ", ".join(runs[:KEPT])
    return listed + (f" and {more} more" if more > 0 else "")
