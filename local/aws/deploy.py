"""The synthesized templates, applied to the embedded AWS.

Stacks in the order of their dependencies; in each, resources in the order in which
they name each other. Not through the stand-in's own CloudFormation, which skips
subscriptions, policies, schedules and custom resources in silence.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.assembly import AssembledStack, read_assembly
from local.aws.cloud import Cloud
from local.aws.intrinsics import Resolver, TemplateNotUnderstood, references
from local.aws.invoke import DeployedFunction, FunctionHost
from local.aws.resources import access, compute, custom, messages, storage
from local.aws.resources.compute import DeployedEventSource
from local.aws.resources.messages import DeployedRule, DeployedSchedule
from local.aws.resources.registry import (
    KINDS,
    Created,
    DeployFailed,
    Existing,
    NotHandled,
    Request,
    Run,
    kind_of,
)

Details = TypeVar("Details")

REGISTERED_BY = (access, compute, custom, messages, storage)
"""Importing them is what registers the resource types."""


@dataclass(slots=True, kw_only=True)
class Deployment:
    """What stands after a deployment, by stack and logical id.

    Kept and given to the next `deploy`, it makes that one an update.
    """

    resources: dict[tuple[str, str], Existing] = field(default_factory=dict)
    functions: dict[str, DeployedFunction] = field(default_factory=dict)
    """By logical id."""
    outputs: dict[str, dict[str, object]] = field(default_factory=dict)
    """By stack, then by the output's name."""
    exports: dict[str, object] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    """Addresses that the last deployment made or changed, in order."""
    seconds: float = 0.0
    resting: frozenset[str] = frozenset()
    """Patterns of addresses (`*-reports/Page`) whose schedules do not tick."""

    @property
    def total_resources(self) -> int:
        """How many resources stand."""
        return len(self.resources)

    @property
    def schedules(self) -> list[DeployedSchedule]:
        """Every schedule that ticks."""
        return [
            one.created.details
            for address, one in self.resources.items()
            if isinstance(one.created.details, DeployedSchedule)
            and not any(fnmatchcase("/".join(address), at) for at in self.resting)
        ]

    @property
    def rules(self) -> list[DeployedRule]:
        """Every rule that invokes functions."""
        return list(self._details(DeployedRule))

    @property
    def event_sources(self) -> list[DeployedEventSource]:
        """Every queue that feeds a function."""
        return list(self._details(DeployedEventSource))

    def physical_id(self, stack: str, logical_id: str) -> str:
        """What `Ref` gives. Raises KeyError naming what there is."""
        try:
            return self.resources[stack, logical_id].created.physical_id
        except KeyError:
            here = sorted(other for name, other in self.resources if name == stack)
            raise KeyError(
                f"no {logical_id} in {stack}; there: {', '.join(here) or 'nothing'}"
            ) from None

    def physical_ids(self, type_name: str) -> list[str]:
        """What `Ref` gives, of all resources of a type."""
        return [
            one.created.physical_id
            for one in self.resources.values()
            if one.type == type_name
        ]

    def function(self, handler: str) -> DeployedFunction:
        """The one function with this handler. Raises KeyError."""
        found = [one for one in self.functions.values() if one.handler == handler]
        if len(found) != 1:
            known = sorted(one.handler for one in self.functions.values())
            raise KeyError(f"{len(found)} functions have {handler}; there: {known}")
        return found[0]

    def _details(self, kind: type[Details]) -> Iterator[Details]:
        for existing in self.resources.values():
            if isinstance(existing.created.details, kind):
                yield existing.created.details


def deploy(
    cloud: Cloud,
    assembly_dir: Path,
    *,
    host: FunctionHost,
    previous: Deployment | None = None,
) -> Deployment:
    """Bring the embedded AWS to what the assembly says.

    `previous` is changed and returned, also when this raises NotHandled,
    DeployFailed or TemplateNotUnderstood in the middle: what was made stays.
    """
    started = time.monotonic()
    deployment = previous or Deployment()
    deployment.changed = []
    run = Run(cloud=cloud, host=host)
    run.functions.update({one.arn: one for one in deployment.functions.values()})
    stacks = read_assembly(assembly_dir)
    for stack in stacks:
        _check_environment(cloud, stack)
        StackDeployment(run, deployment, stack).apply()
    wanted = {
        (stack.name, name) for stack in stacks for name in stack.template["Resources"]
    }
    for key in [one for one in deployment.resources if one not in wanted]:
        _remove(run, deployment, key)
    deployment.seconds = time.monotonic() - started
    return deployment


def _check_environment(cloud: Cloud, stack: AssembledStack) -> None:
    if stack.account not in (None, cloud.account) or stack.region not in (
        None,
        cloud.region,
    ):
        raise DeployFailed(
            f"{stack.name} is for account {stack.account} in {stack.region}, the "
            f"embedded AWS is {cloud.account} in {cloud.region}: start it with "
            "Cloud(account=…, region=…)"
        )


def _remove(run: Run, deployment: Deployment, key: tuple[str, str]) -> None:
    """Delete what no template holds any more, if its type can be deleted."""
    address = f"{key[0]}/{key[1]} ({deployment.resources[key].type})"
    delete_resource(run, deployment.resources[key], address=address)
    del deployment.resources[key]
    deployment.changed.append(address)


def delete_resource(run: Run, existing: Existing, *, address: str) -> None:
    """Raises DeployFailed, or NotHandled for a type that cannot be deleted here."""
    name = "Custom::" if existing.type.startswith("Custom::") else existing.type
    delete = KINDS[name].delete
    if delete is None:
        raise NotHandled(
            f"{address} is in no template any more; removing is not handled"
        )
    try:
        delete(run, existing)
    except (ClientError, BotoCoreError) as fault:
        raise DeployFailed(f"{address}: {fault}") from fault


class StackDeployment:
    """One stack being deployed; also what `Ref` and `Fn::GetAtt` of it look at."""

    def __init__(self, run: Run, deployment: Deployment, stack: AssembledStack) -> None:
        self._run = run
        self._deployment = deployment
        self._stack = stack
        self._template = stack.template
        self._resolver = Resolver(
            pseudo={
                "AWS::AccountId": run.cloud.account,
                "AWS::Region": run.cloud.region,
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
                "AWS::StackName": stack.name,
                "AWS::StackId": run.arn(
                    "cloudformation", f"stack/{stack.name}/embedded"
                ),
                "AWS::NotificationARNs": [],
            },
            parameters=_parameters(stack),
            conditions=self._template.get("Conditions", {}),
            mappings=self._template.get("Mappings", {}),
            exports=deployment.exports,
            resources=self,
        )

    def ref(self, logical_id: str) -> str:
        """The physical id of a resource of this stack."""
        return self._created(logical_id).physical_id

    def attribute(self, logical_id: str, name: str) -> object:
        """An attribute of a resource of this stack."""
        found: object = self._created(logical_id).attributes
        attributes = self._created(logical_id).attributes
        if name in attributes:
            return attributes[name]
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise TemplateNotUnderstood(
                    f"{self._stack.name}/{logical_id} has no attribute `{name}`; it "
                    f"has {', '.join(sorted(attributes)) or 'none'}"
                )
            found = found[part]
        return found

    def apply(self) -> None:
        """Make or change every resource, then what waits for all of them."""
        for logical_id in self.order():
            self.apply_one(logical_id)
        self.finish()

    def finish(self) -> None:
        """What waits for all resources, and the outputs."""
        while self._run.late:
            self._run.late.pop(0)()
        outputs = self._deployment.outputs[self._stack.name] = {}
        for name, output in self._template.get("Outputs", {}).items():
            if "Condition" in output and not self._resolver.condition(
                output["Condition"]
            ):
                continue
            outputs[name] = self._resolver.resolve(output["Value"])
            if "Export" in output:
                exported = str(self._resolver.resolve(output["Export"]["Name"]))
                self._deployment.exports[exported] = outputs[name]

    def _created(self, logical_id: str) -> Created:
        existing = self._deployment.resources.get((self._stack.name, logical_id))
        if existing is None:
            raise TemplateNotUnderstood(
                f"{self._stack.name} names `{logical_id}`, neither a parameter "
                "nor a resource made so far"
            )
        return existing.created

    def order(self) -> list[str]:
        """Logical ids, each after those it names; without those of false conditions."""
        resources = {
            name: one
            for name, one in self._template["Resources"].items()
            if "Condition" not in one or self._resolver.condition(one["Condition"])
        }
        graph: dict[str, set[str]] = {}
        for name, one in resources.items():
            depends = one.get("DependsOn", [])
            named = {
                *references(one.get("Properties", {})),
                *([depends] if isinstance(depends, str) else depends),
            }
            graph[name] = {other for other in named if other in resources}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as cycle:
            raise TemplateNotUnderstood(
                f"{self._stack.name}: resources depend on each other: {cycle.args[1]}"
            ) from None

    def apply_one(self, logical_id: str, *, number: int = 0) -> bool:
        """Make a resource or change it in place; whether there was anything to do.
        With `number` it takes the place of one that stands.

        Raises NotHandled, DeployFailed or TemplateNotUnderstood.
        """
        request = self.request(logical_id, number=number)
        if request.before is not None and request.before.properties == dict(
            request.properties
        ):
            return False
        kind = kind_of(request)
        try:
            created = kind.apply(request)
        except (ClientError, BotoCoreError) as fault:
            raise DeployFailed(f"{request.address}: {fault}") from fault
        self._deployment.resources[self._stack.name, logical_id] = Existing(
            type=request.type, properties=request.properties, created=created
        )
        self._deployment.changed.append(request.address)
        self.keep_functions()
        return True

    def request(self, logical_id: str, *, number: int = 0) -> Request:
        """What is asked for of a resource, its properties resolved."""
        resource: Mapping[str, Any] = self._template["Resources"][logical_id]
        before = self._deployment.resources.get((self._stack.name, logical_id))
        return Request(
            run=self._run,
            stack=self._stack.name,
            logical_id=logical_id,
            type=resource["Type"],
            properties=self._resolver.resolve(resource.get("Properties", {})),
            before=None if number else before,
            number=number,
        )

    def keep_functions(self) -> None:
        """Let the deployment know the functions that stand."""
        functions: dict[str, DeployedFunction] = {}
        for one in self._run.functions.values():
            if one.logical_id in functions:
                raise NotHandled(
                    f"two functions of the logical id {one.logical_id}: "
                    f"{functions[one.logical_id].name}, {one.name}"
                )
            functions[one.logical_id] = one
        self._deployment.functions = functions


def _parameters(stack: AssembledStack) -> dict[str, object]:
    """Defaults; a parameter without one has no value here.

    An SSM parameter (such as the bootstrap version) is not looked up.
    """
    found: dict[str, object] = {}
    for name, parameter in stack.template.get("Parameters", {}).items():
        if "Default" in parameter:
            value = parameter["Default"]
            listed = parameter["Type"] in ("CommaDelimitedList", "List<String>")
            found[name] = str(value).split(",") if listed else value
    return found
