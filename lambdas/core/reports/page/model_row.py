"""A model's row: it is as what it is made from, and as its own promise has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset, SqlModel
from lambdas.core.freshness.attainment import AttainmentState, attainment, combined
from lambdas.core.freshness.model_state import InputState, model_state
from lambdas.core.freshness.promise import is_promised
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import promise_of
from lambdas.core.incidents.incident import in_plain_words
from lambdas.core.incidents.models import INPUT_TOO_OLD
from lambdas.core.models.graph import inputs_of
from lambdas.core.reports.page.facts import PageFacts
from lambdas.core.reports.page.page_row import (
    SHORT,
    PageRow,
    checks_fail,
    details_of,
    late_since,
    remarks,
    told,
)
from lambdas.core.reports.page.row_state import LATE, OF_STATE, RowState
from lambdas.core.reports.page.strip import strip_of
from lambdas.core.reports.text import plain_text
from lambdas.core.sql.target_lag import parse_target_lag


def model_row(
    facts: PageFacts,
    model: SqlModel,
    dataset: Dataset,
    rows: Mapping[str, PageRow],
) -> PageRow:
    """The row of a model. `dataset` is it as one, `rows` are those of the datasets."""
    name = model.name
    inputs = [rows[one] for one in inputs_of(facts.catalogue, name)]
    incident, watch = facts.incidents.get(name), facts.state.watches.get(name)
    how = model_state(
        facts.catalogue,
        model,
        {
            one.name: InputState(state=one.state, newest_at=one.newest_at)
            for one in inputs
        },
        facts.now,
    )
    state = OF_STATE[how.state]
    if state is RowState.ON_TIME:
        is_open = incident is not None or checks_fail(facts, name)
        state = _while_it_is_kept(dataset, inputs, is_open=is_open)
    late = [one for one in inputs if one.is_late]
    expected = _expected(model, inputs, state)
    waits_for = _last(late) if late else None
    tally = _tally(facts, [one.name for one in inputs], watch)
    return PageRow(
        name=name,
        is_model=True,
        description=plain_text(dataset.description, SHORT),
        team=plain_text(dataset.owner.team, 60),
        engineers_at=told(dataset.owner.slack),
        stakeholders_at=told(dataset.owner.stakeholders),
        timezone=_zone(dataset, inputs),
        promise=promise_of(dataset.freshness)
        if is_promised(dataset.freshness)
        else "as what it is made from",
        state=state,
        since=min(
            filter(None, (late_since(incident), *(one.since for one in late))),
            default=None,
        )
        if state in LATE
        else None,
        newest_at=how.newest_at,
        expected_at=expected,
        promised=waits_for is not None and expected is not None and waits_for.promised,
        why=_why(state, inputs, late),
        strip=strip_of(tally, now=facts.now),
        month=None if tally is None else attainment(tally, days=30, now=facts.now),
        newest_run=None,
        remarks=tuple(remarks(facts, dataset, incident)),
        details=details_of(facts, name, tally),
    )


def _tally(
    facts: PageFacts, inputs: Sequence[str], own: Watch | None
) -> AttainmentState | None:
    """How late it has been; None while one of its inputs was never seen."""
    watches = [facts.state.watches.get(one) for one in inputs]
    found = [one.tally for one in watches if one is not None and one.tally is not None]
    if len(found) < len(inputs):
        return None
    return combined([*found, *([own.tally] if own and own.tally else [])])


def _while_it_is_kept(
    dataset: Dataset, inputs: Sequence[PageRow], *, is_open: bool
) -> RowState:
    """What is known of it, nothing that it is made from being late."""
    if is_open or any(one.state is RowState.AT_RISK for one in inputs):
        return RowState.AT_RISK
    if is_promised(dataset.freshness) or any(
        one.state is RowState.ON_TIME for one in inputs
    ):
        return RowState.ON_TIME
    return RowState.NO_PROMISE


def _why(
    state: RowState, inputs: Sequence[PageRow], late: Sequence[PageRow]
) -> str | None:
    if state in LATE:
        return _named("Late with what it is made from", late) or in_plain_words(
            INPUT_TOO_OLD
        )
    if state is RowState.UNKNOWN:
        unknown = [one for one in inputs if one.state is RowState.UNKNOWN]
        return _named("It is not known how new this is that it is made from", unknown)
    risky = [one for one in inputs if one.state is RowState.AT_RISK]
    return _named("At risk with what it is made from", risky)


def _named(what: str, rows: Sequence[PageRow]) -> str | None:
    names = ", ".join(one.name for one in rows)
    return plain_text(f"{what}: {names}.", SHORT) if rows else None


def _last(rows: Sequence[PageRow]) -> PageRow | None:
    """The one that comes last; None where that is not known of one of them."""
    times = [(one.expected_at, one) for one in rows]
    dated = [(at, one) for at, one in times if at is not None]
    if not dated or len(dated) < len(times):
        return None
    return max(dated, key=lambda pair: pair[0])[1]


def _expected(
    model: SqlModel, inputs: Sequence[PageRow], state: RowState
) -> datetime | None:
    """When its newest time moves: once all late inputs came, else with the oldest."""
    late = [one for one in inputs if one.is_late]
    dated = [(one.newest_at, one) for one in inputs if one.newest_at is not None]
    if late:
        awaited = _last(late)
    elif dated and len(dated) == len(inputs) and state is not RowState.UNKNOWN:
        awaited = min(dated, key=lambda pair: pair[0])[1]
    else:
        awaited = None
    if awaited is None or awaited.expected_at is None:
        return None
    lag = parse_target_lag(model.target_lag) if model.target_lag else None
    return awaited.expected_at + (lag or timedelta())


def _zone(dataset: Dataset, inputs: Sequence[PageRow]) -> str:
    """Its own where it declares one, else that of what it is made from first."""
    declared = dataset.freshness.calendar.timezone
    return inputs[0].timezone if declared == "UTC" and inputs else declared
