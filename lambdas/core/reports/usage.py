"""What a week has cost in Snowflake, whose it was, why it was more, what saves most.

A warehouse is billed a minute each time that it wakes, and no view of Snowflake says
for whom: a wake-up is divided among the datasets that the statements until it slept
served, as their tags say. What others asked on our warehouse is theirs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from lambdas.core.sql.account_usage import LOOK, purpose_of, served_by
from lambdas.core.text.count import counted

WEEK = timedelta(days=7)
LATENCY = timedelta(hours=8)
"""Of the slowest view that is read (QUERY_ATTRIBUTION_HISTORY)."""
JUMP = 1.5
"""So many times the week before is a jump, where it is worth a word:"""
WORTH_USD = 0.5
NEARLY, ALL = 0.8, 1.0
"""Shares of a budget at which a team is told."""
RARE = 4
"""So many pulls for each that brought rows: the schedule is too tight."""
OTHERS = "others"
"""Who asked on our warehouse and is not catflap."""
SHARED = "shared"
"""What is loaded for all: the table of complete runs."""
WEEKS_A_MONTH = 365 / 12 / 7
GB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """A warehouse woke. `purposes` are those of our statements until it slept, `serves`
    the datasets that they name; neither, if somebody else woke it. `woken_for` is what
    the one that woke it was for, if its tag is known.
    """

    at: datetime
    by: str
    woken_for: str | None = None
    purposes: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether catflap woke it."""
        return bool(self.purposes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeUse:
    """What a dataset's pipe loaded."""

    credits: float
    gb: float
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWeek:
    """What the account's views say of the days from `since` to `until`. `metered` is
    what the warehouse was billed; None: it could not be read, as `not_seen` says.
    """

    since: datetime
    until: datetime
    metered: float | None = 0.0
    wake_ups: Sequence[WakeUp] = ()
    pipes: Mapping[str, PipeUse] = field(default_factory=dict)
    refreshes: Mapping[str, int] = field(default_factory=dict)
    not_seen: Sequence[str] = ()

    @property
    def woken_by_looks(self) -> int:
        """How often something woke it that was shown to need no warehouse."""
        return sum(one.woken_for == LOOK for one in self.wake_ups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one dataset had of it; `wake_ups` is its share of them."""

    warehouse: float = 0.0
    snowpipe: float = 0.0
    wake_ups: float = 0.0
    alone: int = 0
    """Wake-ups that served nobody else."""

    @property
    def credits(self) -> float:
        """Both."""
        return self.warehouse + self.snowpipe


Lates: TypeAlias = Mapping[str, Sequence[tuple[datetime, datetime]]]
"""From when to when each dataset was late."""
Resume = tuple[datetime, str, str]
"""When, by which statement, by which user."""
Statement = tuple[datetime, str, str]
"""When, which, and its tag."""


def weeks(now: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """The week before the last one and the last one, of whole days in UTC of which the
    views know everything.
    """
    end = (now - LATENCY).replace(hour=0, minute=0, second=0, microsecond=0)
    return (end - 2 * WEEK, end - WEEK), (end - WEEK, end)


def wake_ups(
    resumes: Sequence[Resume],
    statements: Sequence[Statement],
    *,
    ours: Iterable[str],
    everybody: Sequence[str],
) -> list[WakeUp]:
    """Who was served by each. `ours` are users of catflap: a statement too short to be
    listed is known by its user; where names did not fit it served `everybody`.
    """
    users = frozenset(ours)
    starts = [at for at, _, _ in resumes]
    during: defaultdict[int, list[Statement]] = defaultdict(list)
    for one in sorted(statements):
        during[bisect_right(starts, one[0]) - 1].append(one)
    found = []
    for place, (at, query_id, user) in enumerate(resumes):
        tags = {query: tag for _, query, tag in during[place]}
        is_ours = user in users or served_by(tags.get(query_id)) is not None
        if not is_ours:
            found.append(WakeUp(at=at, by=user))
            continue
        named: set[str] = set()
        for tag in tags.values():
            served = served_by(tag)
            if isinstance(served, tuple):
                named |= set(served)
            elif served:
                named |= set(everybody)
        purposes = sorted(set(filter(None, map(purpose_of, tags.values()))))
        found.append(
            WakeUp(
                at=at,
                by=user,
                woken_for=purpose_of(tags.get(query_id)),
                purposes=tuple(purposes) or ("not known",),
                serves=tuple(sorted(named & set(everybody))) or tuple(everybody),
            )
        )
    return found


def spent(week: AccountWeek) -> dict[str, Spent]:
    """By dataset, and what is `OTHERS`'."""
    each = (week.metered or 0.0) / max(1, len(week.wake_ups))
    shares: defaultdict[str, float] = defaultdict(float)
    alone: Counter[str] = Counter()
    for one in week.wake_ups:
        served = one.serves if one.is_ours else (OTHERS,)
        for name in served:
            shares[name] += 1 / len(served)
        if len(served) == 1:
            alone[served[0]] += 1
    return {
        name: Spent(
            warehouse=shares[name] * each,
            snowpipe=week.pipes[name].credits if name in week.pipes else 0.0,
            wake_ups=shares[name],
            alone=alone[name],
        )
        for name in sorted({*shares, *week.pipes})
    }


def while_late(week: AccountWeek, lates: Lates, name: str | None = None) -> int:
    """How often checks woke it while a dataset that they served was late: each check
    looks at those. `name`: of this dataset alone.
    """
    return sum(_was_late(one, lates, name) for one in week.wake_ups)


def _was_late(one: WakeUp, lates: Lates, name: str | None = None) -> bool:
    names = one.serves if name is None else [name]
    return one.is_ours and any(
        since <= one.at <= until
        for each in names
        if each in one.serves
        for since, until in lates.get(each, ())
    )


def total(week: AccountWeek) -> float:
    """Credits, of everybody on our warehouse."""
    piped = sum(one.credits for one in week.pipes.values())
    return (week.metered or 0.0) + piped


def jumps(
    before: AccountWeek, after: AccountWeek, *, price: float, lates: Lates
) -> list[str]:
    """Whose cost has grown much, and by what; what grew most at first."""
    old, new = spent(before), spent(after)
    found = []
    for name, now in new.items():
        then = old.get(name, Spent())
        more = (now.credits - then.credits) * price
        if more >= WORTH_USD and now.credits >= JUMP * then.credits:
            old_usd = f"${then.credits * price:,.2f}" if then.credits else "nothing"
            usd = f"${now.credits * price:,.2f}, {old_usd}"
            why = _why(name, before, after, then, now)
            count = while_late(after, lates, name)
            because = f", {count:,} of them while it was late" if count else ""
            said = f"{name}: {usd} the week before: {why}{because}"
            found.append((more, said))
    return [said for _, said in sorted(found, reverse=True)]


def _why(
    name: str, before: AccountWeek, after: AccountWeek, then: Spent, now: Spent
) -> str:
    if now.snowpipe - then.snowpipe > now.warehouse - then.warehouse:
        old, new = (one.pipes.get(name) for one in (before, after))
        return f"Snowpipe loaded {_gb(new)} GB, {_gb(old)} GB the week before"
    old_purposes, new_purposes = _purposes(name, before), _purposes(name, after)
    grew = {
        what: count - old_purposes[what]
        for what, count in new_purposes.items()
        if count > old_purposes[what]
    }
    if not grew:
        return (
            f"it shares wake-ups with fewer datasets ({now.wake_ups:,.0f} are its own, "
            f"{then.wake_ups:,.0f} before), or statements took longer"
        )
    what = max(grew, key=lambda one: (grew[one], one))
    who = what if name == OTHERS else f"{_OF[what]} for it"
    times = counted(new_purposes[what], "time")
    return f"{who} woke the warehouse {times}, {old_purposes[what]:,} the week before"


class _Of(dict[str, str]):
    def __missing__(self, what: str) -> str:
        return f"statements ({what})"


_OF = _Of(
    check="checks",
    repair="the repair function",
    deploy="deploys",
    command="people's commands",
)


def _purposes(name: str, week: AccountWeek) -> Counter[str]:
    """How often it was woken for a dataset, by what for; for others, by whom."""
    if name == OTHERS:
        return Counter(one.by for one in week.wake_ups if not one.is_ours)
    return Counter(
        one.purposes[0] for one in week.wake_ups if one.is_ours and name in one.serves
    )


def _gb(use: PipeUse | None) -> str:
    return f"{0 if use is None else use.gb:,.1f}"


def savings(
    week: AccountWeek, *, pulls: Mapping[str, float], price: float, lates: Lates
) -> Iterator[str]:
    """What would save most, what saves more at first; `pulls` are those of a week. No
    deadline saves what was looked at because it was late.
    """
    each = (week.metered or 0.0) / max(1, len(week.wake_ups)) * price
    on_time = [one for one in week.wake_ups if not _was_late(one, lates)]
    ranked = sorted(
        spent(replace(week, wake_ups=on_time)).items(),
        key=lambda one: (-one[1].alone, one[0]),
    )
    for name, one in ranked[:3]:
        usd = one.alone * each * WEEKS_A_MONTH
        if name != OTHERS and usd >= WORTH_USD:
            times = counted(one.alone, "time")
            yield (
                f"{name} alone woke the warehouse {times}: a longer "
                "freshness.tolerance, or a later deadline, lets it share others' "
                f"wake-ups (up to ${usd:,.2f} a month)"
            )
    for name, count in sorted(pulls.items()):
        files = week.pipes[name].files if name in week.pipes else 0
        if files and count >= RARE * files:
            times = counted(round(count), "time")
            yield (
                f"{name} is pulled {times} a week, and {files:,} "
                "brought rows: a schedule that follows the source asks less"
            )


def budget_said(usd: float, budget: float | None) -> str:
    """What a month's cost is of a team's budget."""
    if budget is None:
        return ""
    share = usd / budget
    said = f", {share:.0%} of its budget of ${budget:,.2f}"
    if share >= ALL:
        return f"{said}: more than it has"
    return f"{said}: nearly all of it" if share >= NEARLY else said
