"""Show how late a dataset has been: attainment, error budget, incidents, causes.

Reads only the state table; the warehouse stays asleep. Without NAME it is the causes
report of all datasets: first what comes back and has no fix, compared with as many
days before.

Example: catflap history flights --days 30
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import deployed, now
from cli.output import columns, iso, percent, when
from lambdas.core.freshness.attainment import (
    Attainment,
    Day,
    Late,
    attainment,
    ranked_causes,
    usual,
)
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import late_of
from lambdas.core.incidents.message import as_mail
from lambdas.core.names import MONITOR
from lambdas.core.reports.causes import (
    CausesFacts,
    CausesReport,
    causes_document,
    causes_message,
    causes_report,
)
from lambdas.core.text.count import counted
from lambdas.core.text.duration import lasting
from project.names import declared, refuse_unknown
from project.yaml_files import read_files

DONE = 0
WINDOWS = (7, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One dataset; `days` are those that were watched, the oldest first."""

    dataset: str
    now: datetime
    watch: Watch | None
    days: Sequence[Day]
    lates: Sequence[Late]

    def attained(self, days: int) -> Attainment | None:
        """How the promise was kept over the last `days`."""
        tally = self.watch.tally if self.watch else None
        return None if tally is None else attainment(tally, days=days, now=self.now)

    @property
    def causes(self) -> list[tuple[str, int]]:
        """Those of all incidents shown, the most frequent first."""
        return ranked_causes(late.cause for late in self.lates)


def run(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A dataset; without it, all are ranked."),
    ] = None,
    *,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many days back.")
    ] = 90,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Print the last `days` of one dataset, or the causes of all."""
    reached = deployed(environment, environments=environments)
    table = reached.incidents()
    at = now()
    first = at - timedelta(days=days)
    with reached.reached():
        if name is None:
            known = read_files(datasets, apis, options.models_of(datasets, None)).sound
            report = causes_report(
                CausesFacts(
                    since=first,
                    until=at,
                    datasets=list(known.datasets.values()),
                    incidents=[x for x in table.incidents() if x.dataset != MONITOR],
                    watches=table.watches(),
                )
            )
            _print_causes(report, days, as_json=as_json)
            return DONE
        watches = table.watches()
        refuse_unknown(name, {*watches, *declared(datasets)}, apis=apis)
        watch = watches.get(name)
        found = History(
            dataset=name,
            now=at,
            watch=watch,
            days=[
                *table.days(name, since=first.date().isoformat()),
                *([watch.tally.today] if watch and watch.tally else []),
            ],
            lates=[
                late
                for one in table.incidents_of(name)
                if one.opened_at >= first and (late := late_of(one)) is not None
            ],
        )
    print(json.dumps(as_document(found)) if as_json else as_text(found))
    return DONE


def as_document(found: History) -> dict[str, object]:
    """For scripts."""
    tally = found.watch.tally if found.watch else None
    said = usual(found.lates, now=found.now)
    return {
        "dataset": found.dataset,
        "now": iso(found.now),
        "watched_since": iso(tally.since) if tally else None,
        "attainment": {f"{days}d": _attained(found.attained(days)) for days in WINDOWS},
        "usual": None
        if said is None
        else {
            "times": said.times,
            "days": said.days,
            "minutes": round(said.seconds / 60),
            "cause": said.cause,
        },
        "causes": [{"cause": code, "times": times} for code, times in found.causes],
        "days": [
            {
                "day": day.day,
                "warn_minutes": round(day.warn_s / 60, 2),
                "error_minutes": round(day.error_s / 60, 2),
                "ages": [{"second": at, "age_s": age} for at, age in day.ages],
            }
            for day in found.days
        ],
        "incidents": [
            {
                "incident_id": late.incident_id,
                "late_since": iso(late.at),
                "minutes": round(late.seconds / 60),
                "cause": late.cause,
            }
            for late in found.lates
        ],
    }


def _attained(one: Attainment | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {
        "share": round(one.share, 5),
        "warn_minutes": round(one.warn_s / 60, 2),
        "error_minutes": round(one.error_s / 60, 2),
        "error_budget_minutes": round(one.budget_s / 60, 2),
        "error_budget_left": round(one.left, 4),
    }


def as_text(found: History) -> str:
    """For a person."""
    tally = found.watch.tally if found.watch else None
    if tally is None:
        return f"{found.dataset}: no check has seen its table yet"
    lines = [f"{found.dataset}: watched since {when(tally.since)}"]
    for days in WINDOWS:
        one = found.attained(days)
        if one is None:
            continue
        lines.append(
            f"last "
            f"{counted(days, 'day')}: promise kept {percent(one.share)} of due time; "
            f"{lasting(one.warn_s)} in warn, {lasting(one.error_s)} in error; "
            f"{percent(max(0.0, one.left))} of the error budget "
            f"({lasting(one.budget_s)}) is left"
        )
    said = usual(found.lates, now=found.now)
    if said is not None:
        times = "once" if said.times == 1 else f"{said.times} times"
        lines.append(
            f"late {times} in the last {said.days} days, usually for "
            f"{lasting(said.seconds)}"
            + (f", usually {said.cause}" if said.cause else "")
        )
    bad = [day for day in found.days if day.out_s]
    if bad:
        rows = [
            (
                day.day,
                lasting(day.warn_s),
                lasting(day.error_s),
                lasting(max((age for _, age in day.ages), default=0)),
            )
            for day in bad
        ]
        lines += ["", columns(("day", "warn", "error", "oldest seen"), rows)]
    if found.lates:
        rows = [
            (late.incident_id, when(late.at), lasting(late.seconds), str(late.cause))
            for late in found.lates
        ]
        lines += ["", columns(("incident", "late since", "for", "cause"), rows)]
    if found.causes:
        lines += ["", _ranking(found.causes)]
    return "\n".join(lines)


def _print_causes(report: CausesReport, days: int, *, as_json: bool) -> None:
    """What keeps coming back, over all datasets."""
    if as_json:
        print(json.dumps({"days": days, **causes_document(report)}))
    elif not report.total.incidents:
        print(f"no incident in the last {counted(days, 'day')}")
    else:
        message = causes_message(report)
        print("" if message is None else as_mail(message)[1])


def _ranking(causes: Sequence[tuple[str, int]]) -> str:
    return columns(("cause", "times"), [(code, str(times)) for code, times in causes])
