"""What a request or an event asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from lambdas.core.custom_resource import (
    CatalogueProperties,
    EventsProperties,
    IntegrationProperties,
    ObjectsProperties,
    Request,
)
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import CatflapError
from lambdas.core.loading.repair import RELATION_NOT_MADE, Problem
from lambdas.core.pull.column_events import columns_observed_from
from lambdas.warehouse.provision import Provisioner


class UnmadeReports(Protocol):
    """Where the next check finds which relations could not be made."""

    def report(self, problem: Problem) -> None:
        """Have the next check tell of it."""

    def made(self, dataset: str) -> None:
        """It is made now; never reported is fine."""

    def all_made(self) -> None:
        """Every relation is."""


def take(
    request: Request,
    *,
    provisioner: Callable[[], Provisioner],
    catalogue: Callable[[], Catalogue],
    publish: Callable[[CatalogueProperties], None],
    tell: Callable[[EventsProperties], None],
    rolls_back: Callable[[str], bool],
    unmade: UnmadeReports,
) -> Mapping[str, str]:
    """The attributes of the resource.

    A deletion touches nothing: data outlives its stack, and a stack goes even while
    Snowflake is away. A rollback, in which CloudFormation sends the properties of
    before, gives functions the datasets of before and asks Snowflake nothing: what was
    made for the others stays, and the stack gets back to a state in which it can be
    deployed.
    """
    if request.kind == "Delete":
        return {}
    is_undone = request.kind == "Update" and rolls_back(request.stack_id)
    match request.properties:
        case CatalogueProperties() as source:
            publish(source)
            return {}
        case EventsProperties() as events:
            tell(events)
            return {}
        case IntegrationProperties(access_role_arn=role):
            known = provisioner().remembered_integration() if is_undone else {}
            return known or provisioner().make_integration(role)
        case ObjectsProperties():
            if not is_undone:
                provisioner().make_objects(catalogue())
                unmade.all_made()
            return {}


def remake(
    event: Mapping[str, object],
    *,
    provisioner: Callable[[], Provisioner],
    known: Callable[[], Catalogue],
    unmade: UnmadeReports,
    at: datetime,
) -> Mapping[str, object]:
    """Make the relation that an event's columns belong to; what was done, for the log.
    One that cannot be made is reported, and the error raised.

    A dataset that was removed has none any more, and one that declares its columns
    takes none from the data. Raises BadInput for another event.
    """
    observed = columns_observed_from(event)
    catalogue = known()
    dataset = catalogue.datasets.get(observed.dataset)
    done = {"dataset": observed.dataset, "columns": len(observed.columns)}
    if dataset is None or dataset.columns is not None:
        return {**done, "status": "nothing to do"}
    try:
        provisioner().make_relation(dataset, observed.columns, catalogue)
    except Exception as error:
        unmade.report(_problem(dataset.name, error, at))
        raise
    unmade.made(dataset.name)
    return {**done, "status": "made"}


def _problem(dataset: str, error: Exception, at: datetime) -> Problem:
    why = str(error) if isinstance(error, CatflapError) else type(error).__name__
    return Problem(
        code=RELATION_NOT_MADE,
        dataset=dataset,
        sentence=f"its relation could not be made of its new columns: {why}",
        next_step="it is tried twice again; if that fails too, the next deploy makes "
        "it; the warehouse function's log says more",
        since=at,
    )
