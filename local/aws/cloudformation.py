"""The life of stacks, by CloudFormation's own rules.

`deploy` of a whole assembly is what `cdk deploy --all` does. What is modelled stands in
`local.aws.strict.cloudformation`, each rule with its source. What is not:
drift, imports, stack policies, nested stacks, time limits, and code of before
(functions run from the repository, whatever zip a template names).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.aws.assembly import AssembledStack, read_assembly
from local.aws.cloud import Cloud
from local.aws.deploy import Deployment, StackDeployment, delete_resource
from local.aws.intrinsics import TemplateNotUnderstood
from local.aws.invoke import FunctionHost
from local.aws.resources.registry import (
    Created,
    DeployFailed,
    Existing,
    NotHandled,
    Run,
    fixed_changes,
)

_FAULTS = (DeployFailed, NotHandled, TemplateNotUnderstood)
_CREATED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
}


class StackFailed(DeployFailed):
    """An operation began and did not succeed; `status` is where the stack is now."""

    def __init__(self, stack: str, status: str, reason: str) -> None:
        super().__init__(f"{stack} is {status}: {reason}")
        self.status = status


class StackRefused(DeployFailed):
    """CloudFormation did not begin; nothing has changed."""


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack as CloudFormation knows it. `protected`: it must not be deleted."""

    template: AssembledStack
    status: str
    protected: bool = False


@dataclass(slots=True, kw_only=True)
class CloudFormation:
    """The stacks of one deployment. `names` are those that are taken in the account,
    by type; several deployments of one account share them.
    """

    cloud: Cloud
    host: FunctionHost
    deployment: Deployment = field(default_factory=Deployment)
    stacks: dict[str, Stack] = field(default_factory=dict)
    names: set[tuple[str, str]] = field(default_factory=set)
    _replaced: list[tuple[str, Existing]] = field(default_factory=list)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def deploy(self, assembly: Path) -> None:
        """Every stack, each after those it depends on; the first failure ends it.

        Raises StackFailed, StackRefused.
        """
        for stack in read_assembly(assembly):
            self.deploy_stack(stack)

    def destroy(self) -> None:
        """Every stack, each before those it depends on. Raises as `deploy`."""
        for name in list(reversed(self.stacks)):
            self.delete(name)

    def deploy_stack(self, stack: AssembledStack) -> None:
        """Create it or update it. Raises StackFailed, StackRefused."""
        known = self.stacks.get(stack.name)
        if known is not None and known.status == "ROLLBACK_COMPLETE":
            self.delete(stack.name)
            known = None
        if known is None:
            self._create(stack)
        elif known.status in _CREATED:
            self._update(stack, known)
        else:
            raise StackRefused(
                f"Stack:{stack.name} is in {known.status} state and can not be updated."
            )

    def delete(self, name: str) -> None:
        """Delete a stack and what does not outlive it. Raises StackFailed,
        StackRefused.
        """
        known = self.stacks[name]
        if known.protected:
            raise StackRefused(
                f"Stack [{name}] cannot be deleted while TerminationProtection is "
                "enabled"
            )
        if users := self._importers(name, _exported(known.template)):
            raise StackRefused(
                f"Cannot delete export of {name} as it is in use by {', '.join(users)}."
            )
        self._say(known, "DELETE_IN_PROGRESS")
        failures = self._delete_all(known.template, on_create=False)
        if failures:
            self._say(known, "DELETE_FAILED")
            raise StackFailed(name, known.status, "; ".join(failures))
        del self.stacks[name]

    def _create(self, stack: AssembledStack) -> None:
        made = self.stacks[stack.name] = Stack(template=stack, status="")
        self._say(made, "CREATE_IN_PROGRESS")
        work, run = self._work(stack)
        touched: list[str] = []
        try:
            for logical_id in work.order():
                touched.append(logical_id)
                self._apply(work, logical_id)
            work.finish()
        except _FAULTS as fault:
            run.late.clear()
            self._say(made, "ROLLBACK_IN_PROGRESS")
            failures = self._delete_half_made(work, touched[-1])
            failures += self._delete_all(stack, on_create=True)
            self._say(made, "ROLLBACK_FAILED" if failures else "ROLLBACK_COMPLETE")
            raise StackFailed(stack.name, made.status, str(fault)) from fault
        self._say(made, "CREATE_COMPLETE")

    def _update(self, stack: AssembledStack, known: Stack) -> None:
        before = {
            key: one
            for key, one in self.deployment.resources.items()
            if key[0] == stack.name
        }
        outputs = self.deployment.outputs.get(stack.name, {})
        exports = {
            name: self.deployment.exports[name] for name in _exported(known.template)
        }
        self._replaced.clear()
        self._say(known, "UPDATE_IN_PROGRESS")
        work, run = self._work(stack)
        touched: list[str] = []
        try:
            for logical_id in work.order():
                touched.append(logical_id)
                if not self._apply(work, logical_id):
                    touched.pop()
            work.finish()
            self._keep_what_is_imported(stack, exports)
        except _FAULTS as fault:
            run.late.clear()
            self._say(known, "UPDATE_ROLLBACK_IN_PROGRESS")
            self.deployment.outputs[stack.name] = outputs
            self.deployment.exports.update(exports)
            for logical_id in touched[-1:]:
                self._delete_half_made(work, logical_id)
            self._roll_back(known, before, touched, str(fault))
            raise StackFailed(stack.name, known.status, str(fault)) from fault
        gone = [key[1] for key in before if key[1] not in work.order()]
        for logical_id in reversed(_ordered(gone, self._work(known.template)[0])):
            with suppress(*_FAULTS):
                self._delete_one(known.template, logical_id, on_create=False)
        self._clean_up(known.template)
        known.template = stack
        self._say(known, "UPDATE_COMPLETE")

    def _roll_back(
        self,
        known: Stack,
        before: Mapping[tuple[str, str], Existing],
        touched: list[str],
        reason: str,
    ) -> None:
        """Take what was changed, the resource that failed included, to the properties
        of before; then delete what is new.
        """
        name = known.template.name
        work, _ = self._work(known.template)
        instead = [
            (logical_id, self.deployment.resources[name, logical_id])
            for logical_id, _ in self._replaced
        ]
        for logical_id, old in self._replaced:
            self.deployment.resources[name, logical_id] = old
        changed = set(touched) - {logical_id for logical_id, _ in self._replaced}
        try:
            for logical_id in work.order():
                if logical_id in changed and (name, logical_id) in before:
                    self._undo(work, name, logical_id)
            work.finish()
        except _FAULTS as fault:
            self._say(known, "UPDATE_ROLLBACK_FAILED")
            raise StackFailed(name, known.status, f"{reason}; then {fault}") from fault
        new = [one for one in touched if (name, one) not in before]
        for logical_id in reversed(new):
            if (name, logical_id) in self.deployment.resources:
                self._discard((name, logical_id))
        for logical_id, made in instead:
            self._delete_quietly(f"{name}/{logical_id}", made)
        self._say(known, "UPDATE_ROLLBACK_COMPLETE")

    def _undo(self, work: StackDeployment, stack: str, logical_id: str) -> None:
        """A resource whose update failed has its old properties on record, and is sent
        them all the same.
        """
        key = (stack, logical_id)
        current = self.deployment.resources[key]
        request = work.request(logical_id)
        if current.properties == dict(request.properties):
            self.deployment.resources[key] = Existing(
                type=current.type, properties={}, created=current.created
            )
        try:
            work.apply_one(logical_id)
        except BaseException:
            self.deployment.resources[key] = current
            raise

    def _apply(self, work: StackDeployment, logical_id: str) -> bool:
        """Make it, change it, or make it anew where it cannot be changed in place."""
        request = work.request(logical_id)
        if request.before is not None and not fixed_changes(request):
            return work.apply_one(logical_id)
        key = (request.stack, logical_id)
        name = _named(request.type, request.properties)
        if name is not None and name in self.names:
            raise DeployFailed(f"{request.address}: {name[1]} already exists")
        # CloudFormation gives a name of its own to each that it makes
        number = self._numbers.get(key, -1) + 1
        work.apply_one(logical_id, number=number)
        self._numbers[key] = number
        if request.before is not None:
            self._replaced.append((logical_id, request.before))
        if name is not None:
            self.names.add(name)
        return True

    def _delete_half_made(self, work: StackDeployment, logical_id: str) -> list[str]:
        """A custom resource that could not be made may have made something."""
        request = work.request(logical_id)
        if request.before is not None or not request.type.startswith("Custom::"):
            return []
        half = Created(
            physical_id=f"{request.stack}-{logical_id}",
            details=f"{request.stack}/{logical_id}",
        )
        existing = Existing(
            type=request.type, properties=request.properties, created=half
        )
        try:
            delete_resource(self._run(), existing, address=request.address)
        except _FAULTS as fault:
            return [str(fault)]
        return []

    def _delete_all(self, stack: AssembledStack, *, on_create: bool) -> list[str]:
        """In reverse; what could not be deleted, and why. The others go, too."""
        work, _ = self._work(stack)
        failures = []
        for logical_id in reversed(work.order()):
            if (stack.name, logical_id) in self.deployment.resources:
                try:
                    self._delete_one(stack, logical_id, on_create=on_create)
                except _FAULTS as fault:
                    failures.append(str(fault))
        if not failures:
            self.deployment.outputs.pop(stack.name, None)
        return failures

    def _delete_one(
        self, stack: AssembledStack, logical_id: str, *, on_create: bool
    ) -> None:
        key = (stack.name, logical_id)
        resource = stack.template["Resources"][logical_id]
        if _stays(resource.get("DeletionPolicy"), on_create=on_create):
            # out of the stack, and its name stays taken
            del self.deployment.resources[key]
            return
        self._discard(key)

    def _discard(self, key: tuple[str, str]) -> None:
        existing = self.deployment.resources[key]
        run, address = self._run(), f"{key[0]}/{key[1]} ({existing.type})"
        delete_resource(run, existing, address=address)
        del self.deployment.resources[key]
        self.deployment.changed.append(address)
        self._free(existing, run)

    def _clean_up(self, stack: AssembledStack) -> None:
        """What was replaced goes, unless it is kept."""
        for logical_id, old in self._replaced:
            resource: Mapping[str, Any] = stack.template["Resources"][logical_id]
            if not _stays(resource.get("UpdateReplacePolicy"), on_create=False):
                self._delete_quietly(f"{stack.name}/{logical_id}", old)

    def _delete_quietly(self, address: str, existing: Existing) -> None:
        """In a clean-up, whose failures leave a resource behind and fail nothing."""
        run = self._run()
        with suppress(*_FAULTS):
            delete_resource(run, existing, address=address)
            self._free(existing, run)

    def _free(self, existing: Existing, run: Run) -> None:
        if (name := _named(existing.type, existing.properties)) is not None:
            self.names.discard(name)
        self.deployment.functions = {
            one.logical_id: one for one in run.functions.values()
        }

    def _keep_what_is_imported(
        self, stack: AssembledStack, before: Mapping[str, object]
    ) -> None:
        """Raises DeployFailed for an export that is other or gone, and in use."""
        after = _exported(stack)
        for name, value in before.items():
            if name in after and self.deployment.exports[name] == value:
                continue
            if users := self._importers(stack.name, {name}):
                done = "updated" if name in after else "deleted"
                raise DeployFailed(
                    f"Export {name} cannot be {done} as it is in use by "
                    f"{', '.join(users)}"
                )

    def _importers(self, name: str, exported: set[str]) -> list[str]:
        """The other stacks that import one of these exports of this one."""
        return sorted(
            other
            for other, stack in self.stacks.items()
            if other != name and exported & set(_imports(stack.template.template))
        )

    def _run(self) -> Run:
        run = Run(cloud=self.cloud, host=self.host)
        run.functions.update(
            {one.arn: one for one in self.deployment.functions.values()}
        )
        return run

    def _work(self, stack: AssembledStack) -> tuple[StackDeployment, Run]:
        run = self._run()
        return StackDeployment(run, self.deployment, stack), run

    def _say(self, stack: Stack, status: str) -> None:
        """So that a function that asks is told as well."""
        stack.status = status
        name = stack.template.name
        stack_id = self._run().arn("cloudformation", f"stack/{name}/embedded")
        self.cloud.keep_stack(name, stack_id, status)


def _exported(stack: AssembledStack) -> set[str]:
    return {
        str(output["Export"]["Name"])
        for output in stack.template.get("Outputs", {}).values()
        if "Export" in output
    }


def _stays(policy: str | None, *, on_create: bool) -> bool:
    return policy == "Retain" or (policy == "RetainExceptOnCreate" and not on_create)


def _named(kind: str, properties: Mapping[str, Any]) -> tuple[str, str] | None:
    name = properties.get(_NAMES.get(kind, ""))
    return None if name is None else (kind, str(name))


def _ordered(names: Iterable[str], work: StackDeployment) -> list[str]:
    wanted = set(names)
    return [name for name in work.order() if name in wanted]


def _imports(value: object) -> list[str]:
    match value:
        case {"Fn::ImportValue": str(name)}:
            return [name]
        case dict():
            return [one for part in value.values() for one in _imports(part)]
        case list():
            return [one for part in value for one in _imports(part)]
        case _:
            return []
