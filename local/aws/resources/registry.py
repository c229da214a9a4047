"""Which resource types are made here, and how.

A type is one function: called without `before` it creates, called with it, it brings
the resource to its new properties. What a type does not handle is refused by name,
never skipped in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lambdas.core.errors import CatflapError
from local.aws.cloud import Cloud
from local.aws.invoke import DeployedFunction, FunctionHost


class NotHandled(Exception):
    """A type, a property or a change that is not handled; the text names it."""


class DeployFailed(CatflapError):
    """A resource could not be made; the text names it and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A resource that exists: what `Ref` gives, what `Fn::GetAtt` gives, and
    `details` for whoever drives it (a DeployedFunction, a schedule, a mapping).
    """

    physical_id: str
    attributes: Mapping[str, object] = field(default_factory=dict)
    details: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A resource as the deployment before this one left it."""

    type: str
    properties: Mapping[str, Any]
    created: Created


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a deployment shares; `late` runs after all other resources of a stack."""

    cloud: Cloud
    host: FunctionHost
    late: list[Callable[[], None]] = field(default_factory=list)
    functions: dict[str, DeployedFunction] = field(default_factory=dict)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the deployment's account and region."""
        return f"arn:aws:{service}:{self.cloud.region}:{self.cloud.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One resource to make or to change, its properties resolved."""

    run: Run
    stack: str
    logical_id: str
    type: str
    properties: Mapping[str, Any]
    before: Existing | None
    number: int = 0
    """How many of the same logical id were replaced before it."""

    @property
    def address(self) -> str:
        """How errors name it."""
        return f"{self.stack}/{self.logical_id} ({self.type})"

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """An administrator's client."""
        return self.run.cloud.client(service)

    def name(self, limit: int, *, suffix: str = "") -> str:
        """`<stack>-<logical id>` for what has no name, cut so that it stays unique."""
        full = f"{self.stack}-{self.logical_id}"
        if self.number:
            full += f"-{self.number}"
        room = limit - len(suffix)
        if len(full) > room:
            digest = hashlib.sha256(full.encode()).hexdigest()[:8]
            full = f"{full[: room - 9]}-{digest}"
        return full + suffix

    def changed(self) -> frozenset[str]:
        """Properties that are not as they were."""
        old = self.before.properties if self.before else {}
        names = {*old, *self.properties}
        return frozenset(
            name for name in names if old.get(name) != self.properties.get(name)
        )


Apply: TypeAlias = Callable[[Request], Created]
Delete: TypeAlias = Callable[[Run, Existing], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type. A change outside `updatable` would replace the resource, which
    is not handled. `ignored` are properties that decide nothing here, and why.
    """

    apply: Apply
    properties: frozenset[str] | None
    updatable: frozenset[str] | None
    ignored: Mapping[str, str]
    delete: Delete | None


KINDS: dict[str, Kind] = {}

IGNORED_EVERYWHERE = {"Tags": "nothing embedded reads tags"}


def handles(
    type_name: str,
    *,
    properties: str,
    updatable: str = "",
    ignored: Mapping[str, str] | None = None,
    delete: Delete | None = None,
) -> Callable[[Apply], Apply]:
    """Register a function for a type. Names in `properties` and `updatable` are
    separated by spaces; what is updatable need not be repeated; `*` is any.
    """

    def register(apply: Apply) -> Apply:
        any_update = updatable == "*"
        KINDS[type_name] = Kind(
            apply=apply,
            properties=None
            if properties == "*"
            else frozenset(f"{properties} {updatable}".split()) - {"*"},
            updatable=None if any_update else frozenset(updatable.split()),
            ignored={**IGNORED_EVERYWHERE, **(ignored or {})},
            delete=delete,
        )
        return apply

    return register


def fixed_changes(request: Request) -> frozenset[str]:
    """What is other and cannot be changed in place: the resource has to be replaced."""
    kind = _kind(request)
    if request.before is None or kind.updatable is None:
        return frozenset()
    return request.changed() - kind.updatable - set(kind.ignored)


def kind_of(request: Request) -> Kind:
    """The kind of a resource, once it is sure that all of it is handled.

    Raises NotHandled.
    """
    kind = _kind(request)
    if kind.properties is not None:
        unknown = set(request.properties) - kind.properties - set(kind.ignored)
        if unknown:
            raise NotHandled(
                f"{request.address}: not handled: {', '.join(sorted(unknown))}; "
                f"handled: {', '.join(sorted(kind.properties))}"
            )
    if fixed := fixed_changes(request):
        raise NotHandled(
            f"{request.address}: a change of {', '.join(sorted(fixed))} would "
            "replace it, which is not handled; start a new embedded AWS"
        )
    return kind


def _kind(request: Request) -> Kind:
    name = "Custom::" if request.type.startswith("Custom::") else request.type
    kind = KINDS.get(name)
    if kind is None:
        raise NotHandled(
            f"{request.address}: this resource type is not handled; handled are "
            f"{', '.join(sorted(KINDS))}"
        )
    return kind
