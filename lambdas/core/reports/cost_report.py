"""The report of a week's cost: for people, for scripts, and as a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lambdas.core.dataset import Dataset
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.reports.estimate import MonthlyCost
from lambdas.core.reports.notices import report_notices
from lambdas.core.reports.prices import PRICES
from lambdas.core.reports.usage import (
    ALL,
    NEARLY,
    WEEKS_A_MONTH,
    AccountWeek,
    Lates,
    Spent,
    budget_said,
    jumps,
    savings,
    spent,
    total,
    while_late,
)
from lambdas.core.text.count import counted

LISTED = 10
WORTH_LISTING = 0.0005
"""Credits; less is written as 0.000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """A week beside the one before and beside what was estimated. `credit_price` and
    budgets are those of the environment.
    """

    before: AccountWeek
    after: AccountWeek
    estimate: MonthlyCost
    datasets: Mapping[str, Dataset]
    budgets: Mapping[str, float]
    credit_price: float
    lates: Lates = field(default_factory=dict)
    unread: Sequence[str] = ()
    """Datasets and models that nobody has read for long, as far as that is known."""
    aws_billed: Sequence[str] = ()
    """What AWS billed, where it was asked; else it is as estimated."""
    simulated: bool = False

    def lines(self) -> Iterator[str]:
        """For people at a terminal."""
        yield self._headline()
        yield from self._whose()
        yield from self._teams()
        for title, texts in self._parts().items():
            if texts:
                yield f"{title}:"
                yield from (f"  {text}" for text in texts)

    def notices(self, *, routes: Routes, now: datetime) -> tuple[Notice, ...]:
        """To the engineers of all."""
        parts = {
            "By team": list(self._teams()),
            "By dataset": list(self._whose()),
            **self._parts(),
        }
        message = Message(
            headline=self._headline(),
            blocks=tuple(
                block(title, texts, listed=True)
                for title, texts in parts.items()
                if texts
            ),
        )
        return report_notices(
            f"cost-{self.after.until:%Y-%m-%d}", message, routes=routes, now=now
        )

    def budget_notices(
        self, team: str, *, routes: Routes, now: datetime
    ) -> tuple[Notice, ...]:
        """That a team is near the end of its budget, or beyond."""
        usd = self.team_usd()[team]
        said = budget_said(usd, self.budgets[team]).removeprefix(", ")
        mine = [
            f"{name}: ${each:,.2f}"
            for name, each in sorted(
                self.dataset_usd().items(), key=lambda one: (-one[1], one[0])
            )
            if self.datasets[name].owner.team == team
        ]
        message = Message(
            headline=f"{team}: ${usd:,.2f} a month at the rate of last week, {said}",
            blocks=(
                block("By dataset, a month", mine, listed=True),
                block(
                    "What would save most",
                    self._parts()["What would save most"],
                    listed=True,
                ),
            ),
        )
        owners = [one for one in self.datasets.values() if one.owner.team == team]
        return report_notices(
            f"budget-{team}-{now:%Y-%m}-{self.teams_near_their_budget()[team]:.0%}",
            message,
            routes=routes,
            now=now,
            team=team,
            address=context_of(owners[0]).address_of(Recipient.ENGINEERS),
        )

    def teams_near_their_budget(self) -> dict[str, float]:
        """Those at 80 % or more, and at which of the two marks."""
        found = {}
        for team, usd in self.team_usd().items():
            budget = self.budgets.get(team)
            if budget is not None and usd >= NEARLY * budget:
                found[team] = ALL if usd >= ALL * budget else NEARLY
        return found

    def team_usd(self) -> dict[str, float]:
        """What a month like this week costs each team: Snowflake as it was used, AWS as
        it is estimated.
        """
        found: defaultdict[str, float] = defaultdict(float)
        for name, usd in self.dataset_usd().items():
            if name in self.datasets:
                found[self.datasets[name].owner.team] += usd
        return dict(sorted(found.items()))

    def dataset_usd(self) -> dict[str, float]:
        """The same of each dataset."""
        used = spent(self.after)
        aws = self._aws_usd()
        return {
            name: used.get(name, Spent()).credits * self.credit_price * WEEKS_A_MONTH
            + aws
            for name in sorted(self.datasets)
        }

    def sentences(self) -> dict[str, str]:
        """What each dataset cost, in a sentence, the dearest first."""
        used, months = spent(self.after), self.dataset_usd()
        last = self.after.until - timedelta(days=1)
        first = self.after.since
        days = f"{first.day} {first:%B} to {last.day} {last:%B}"
        return {
            name: f"{days}: ${one.credits * self.credit_price:,.2f} in Snowflake, "
            f"{one.wake_ups:,.1f} wake-ups of the warehouse; "
            f"${months[name]:,.2f} a month with AWS as estimated"
            for name, one in sorted(
                ((name, used.get(name, Spent())) for name in self.datasets),
                key=lambda pair: (-pair[1].credits, pair[0]),
            )
        }

    def document(self) -> dict[str, Any]:
        """For scripts; credits and USD of the week unless a key says otherwise."""
        used, price = spent(self.after), self.credit_price
        return {
            "since": self.after.since.isoformat(),
            "until": self.after.until.isoformat(),
            "simulated": self.simulated,
            "credits": round(total(self.after), 4),
            "credits_before": round(total(self.before), 4),
            "credits_estimated": round(self.estimate.credits / WEEKS_A_MONTH, 4),
            "usd": round(total(self.after) * price, 2),
            "wake_ups": len(self.after.wake_ups),
            "wake_ups_before": len(self.before.wake_ups),
            "by_dataset": {
                name: {
                    "credits": round(one.credits, 4),
                    "wake_ups": round(one.wake_ups, 2),
                    "alone": one.alone,
                    "usd": round(one.credits * price, 2),
                }
                for name, one in used.items()
            },
            "by_team_a_month": {
                team: {"usd": round(usd, 2), "budget": self.budgets.get(team)}
                for team, usd in self.team_usd().items()
            },
            **dict(self._documented()),
        }

    def _documented(self) -> Iterator[tuple[str, list[str]]]:
        for title, texts in self._parts().items():
            yield title.lower().replace(" ", "_"), texts

    def _headline(self) -> str:
        now, then = total(self.after), total(self.before)
        expected = self.estimate.credits / WEEKS_A_MONTH
        simulated = " (simulated)" if self.simulated else ""
        return (
            f"Snowflake from {self.after.since:%Y-%m-%d} to "
            f"{self.after.until:%Y-%m-%d}{simulated}: {now:,.2f} credits, "
            f"${now * self.credit_price:,.2f}; {then:,.2f} the week before, "
            f"{expected:,.2f} estimated; the warehouse woke "
            f"{counted(len(self.after.wake_ups), 'time')}, "
            f"{len(self.before.wake_ups):,} before"
        )

    def _whose(self) -> Iterator[str]:
        ranked = sorted(
            spent(self.after).items(), key=lambda one: (-one[1].credits, one[0])
        )
        ranked = [one for one in ranked if one[1].credits >= WORTH_LISTING]
        for name, one in ranked[:LISTED]:
            yield (
                f"{name}: {one.credits:,.3f} credits, "
                f"${one.credits * self.credit_price:,.2f}, "
                f"{one.wake_ups:,.1f} wake-ups"
            )
        if len(ranked) > LISTED:
            yield f"and {len(ranked) - LISTED:,} more"

    def _teams(self) -> Iterator[str]:
        for team, usd in self.team_usd().items():
            said = budget_said(usd, self.budgets.get(team))
            yield f"{team}: ${usd:,.2f} a month at this rate, AWS as estimated{said}"

    def _parts(self) -> dict[str, list[str]]:
        pulls = {
            name: each * 7 for name, each in self.estimate.frequencies.pulls.items()
        }
        return {
            "AWS billed": list(self.aws_billed),
            "Not as it was shown": list(self._woken_by_looks()),
            "Beside the estimate": list(self._beside()),
            "More than before": jumps(
                self.before, self.after, price=self.credit_price, lates=self.lates
            ),
            "What would save most": [
                *savings(
                    self.after,
                    pulls=pulls,
                    price=self.credit_price,
                    lates=self.lates,
                ),
                *self._unread(),
            ],
            "Not seen": sorted({*self.before.not_seen, *self.after.not_seen}),
        }

    def _beside(self) -> Iterator[str]:
        """Where the difference is from."""
        week = self.after
        if not week.wake_ups:
            return
        lines = self.estimate.lines
        expected = sum(one.quantity for one in lines if one.item == "wake_ups")
        yield (
            f"estimated with every dataset on time: {expected / WEEKS_A_MONTH:,.0f} "
            f"wake-ups a week"
        )
        late = while_late(week, self.lates)
        each = {name: while_late(week, self.lates, name) for name in self.lates}
        named = ", ".join(f"{name} {count}" for name, count in each.items() if count)
        if late:
            yield (
                f"{late:,} because something was late: every check looks at it "
                f"({named})"
            )
        others = sum(not one.is_ours for one in week.wake_ups)
        if others:
            yield f"{others:,} by others"
        yield f"{len(week.wake_ups) - late - others:,} for what was on time"

    def _woken_by_looks(self) -> Iterator[str]:
        count = self.after.woken_by_looks
        if count:
            yield (
                "what a pipe reports was asked without a warehouse, and woke it "
                f"{counted(count, 'time')}: from now on checks read tables again, "
                "until `catflap doctor` has shown that pipes need none"
            )

    def _unread(self) -> Iterator[str]:
        months = self.dataset_usd()
        ranked = sorted(self.unread, key=lambda name: (-months.get(name, 0.0), name))
        for name in ranked[:LISTED]:
            costs = f"; it costs ${months[name]:,.2f} a month" if name in months else ""
            yield f"{name}: nobody has read it in 90 days{costs}"

    def _aws_usd(self) -> float:
        """A month of AWS, as estimated, of each dataset."""
        aws = sum(
            line.usd for line in self.estimate.lines if not PRICES[line.item].is_credits
        )
        return aws / max(1, len(self.datasets))
