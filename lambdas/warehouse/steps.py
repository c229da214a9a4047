"""What a request or an event asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambdas.core.custom_resource import (
    CatalogueProperties,
    EventsProperties,
    IntegrationProperties,
    ObjectsProperties,
    Request,
)
from lambdas.core.dataset import Catalogue
from lambdas.core.pull.column_events import columns_observed_from
from lambdas.warehouse.provision import Provisioner


def take(
    request: Request,
    *,
    provisioner: Callable[[], Provisioner],
    catalogue: Callable[[], Catalogue],
    publish: Callable[[CatalogueProperties], None],
    tell: Callable[[EventsProperties], None],
    rolls_back: Callable[[str], bool],
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
            return {}


def remake(
    event: Mapping[str, object],
    *,
    provisioner: Callable[[], Provisioner],
    known: Callable[[], Catalogue],
) -> Mapping[str, object]:
    """Make the relation that an event's columns belong to; what was done, for the log.

    A dataset that was removed has none any more, and one that declares its columns
    takes none from the data. Raises BadInput for another event.
    """
    observed = columns_observed_from(event)
    catalogue = known()
    dataset = catalogue.datasets.get(observed.dataset)
    done = {"dataset": observed.dataset, "columns": len(observed.columns)}
    if dataset is None or dataset.columns is not None:
        return {**done, "status": "nothing to do"}
    provisioner().make_relation(dataset, observed.columns, catalogue)
    return {**done, "status": "made"}
