"""What a request asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambdas.core.dataset import Catalogue
from lambdas.core.warehouse_resource import (
    IntegrationProperties,
    ObjectsProperties,
    Request,
)
from lambdas.warehouse.provision import Provisioner


def take(
    request: Request,
    *,
    provisioner: Callable[[], Provisioner],
    catalogue: Callable[[], Catalogue],
) -> Mapping[str, str]:
    """The attributes of the resource.

    A deletion touches nothing: data outlives its stack, and a stack goes even while
    Snowflake is away. An update does what a creation does, so that a rollback to old
    properties changes only what differs.
    """
    if request.kind == "Delete":
        return {}
    match request.properties:
        case IntegrationProperties(access_role_arn=role):
            return provisioner().make_integration(role)
        case ObjectsProperties():
            provisioner().make_objects(catalogue())
            return {}
