"""CloudFormation's HTTP interface over our model of it, for the CDK's command line.

What it asks of stacks that nobody made here, such as its own `CDKToolkit`, goes on to
the embedded AWS. An operation runs beside the server, as it does in AWS: whoever began
it asks how far it is. Which names, statuses and errors there are: CloudFormation's API
reference, page by page.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from local.aws.assembly import AssembledStack
from local.aws.cloudformation import CloudFormation
from local.aws.resources.registry import DeployFailed
from local.loopback import Answer, Asked, LoopbackServer

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information "
    "to create a change set."
)
_XML = {"Content-Type": "text/xml"}
_OF_A_HOP = {"connection", "content-length", "accept-encoding"}


class _Invalid(Exception):
    """CloudFormation's ValidationError."""

    code = "ValidationError"


class _NoSuchChangeSet(_Invalid):
    """What it answers of a change set that was executed or deleted."""

    code = "ChangeSetNotFound"


@dataclass(kw_only=True)
class _Operated:
    """What is known of a stack besides what the model knows."""

    id: str
    status: str = "REVIEW_IN_PROGRESS"
    busy: bool = False
    protected: bool = False
    token: str = ""
    events: list[dict[str, str]] = field(default_factory=list)
    change_sets: dict[str, AssembledStack] = field(default_factory=dict)


class CloudFormationApi:
    """Enter it to serve; `url` is for `AWS_ENDPOINT_URL_CLOUDFORMATION`. `ours` says
    which stacks are the model's.
    """

    def __init__(self, model: CloudFormation, *, ours: Callable[[str], bool]) -> None:
        self._model = model
        self._ours = ours
        self._stacks: dict[str, _Operated] = {}
        self._workers: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._answer)
        self._actions: Mapping[str, Callable[[Mapping[str, str]], object]] = {
            "CreateChangeSet": self._create_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "DeleteStack": self._delete_stack,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStacks": self._describe_stacks,
            "ExecuteChangeSet": self._execute_change_set,
            "GetTemplate": self._get_template,
            "ListStackResources": self._list_stack_resources,
            "UpdateTerminationProtection": self._update_termination_protection,
        }

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.join()
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url.rstrip("/")

    def status(self, name: str) -> str:
        """Where a stack is. Raises KeyError."""
        return self._stacks[name].status

    def stands(self, name: str) -> bool:
        """Whether there is such a stack."""
        return name in self._stacks

    def _answer(self, asked: Asked) -> Answer:
        parameters = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        action, stack = parameters.get("Action", ""), _name(parameters)
        if not self._ours(stack):
            return self._pass_on(asked)
        try:
            result = self._actions.get(action, _not_modelled)(parameters)
        except _Invalid as fault:
            text = _elements(
                {"Type": "Sender", "Code": fault.code, "Message": str(fault)}
            )
            body = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
            return Answer(status=400, body=body.encode(), headers=_XML)
        body = f"<{action}Result>{_elements(result)}</{action}Result>"
        whole = f"<{action}Response>{body}</{action}Response>"
        return Answer(body=whole.encode(), headers=_XML)

    def _pass_on(self, asked: Asked) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - the embedded AWS, on loopback
            self._model.cloud.endpoint_url + asked.target,
            data=asked.body or None,
            method=asked.method,
            headers={
                name: value
                for name, value in asked.headers.items()
                if name not in _OF_A_HOP
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                return Answer(status=answer.status, body=answer.read(), headers=_XML)
        except HTTPError as refused:
            with refused:
                return Answer(status=refused.code, body=refused.read(), headers=_XML)

    def _describe_stacks(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        operated = self._operated(asked)
        outputs = self._model.deployment.outputs.get(name, {})
        described = {
            "StackName": name,
            "StackId": operated.id,
            "StackStatus": self.status(name),
            "CreationTime": _now(),
            "EnableTerminationProtection": str(operated.protected).lower(),
            "Outputs": [
                {"OutputKey": key, "OutputValue": str(value)}
                for key, value in outputs.items()
            ],
            "Parameters": [],
            "Tags": [],
        }
        return {"Stacks": [described]}

    def _get_template(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        self._operated(asked)
        known = self._model.stacks.get(name)
        template = {} if known is None else known.template.template
        return {"TemplateBody": json.dumps(template)}

    def _list_stack_resources(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        self._operated(asked)
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": existing.created.physical_id,
                    "ResourceType": existing.type,
                    "ResourceStatus": "CREATE_COMPLETE",
                    "LastUpdatedTimestamp": _now(),
                }
                for (stack, logical_id), existing in list(
                    self._model.deployment.resources.items()
                )
                if stack == name
            ]
        }

    def _create_change_set(self, asked: Mapping[str, str]) -> object:
        name, change_set = _name(asked), asked["ChangeSetName"]
        creates = asked.get("ChangeSetType") == "CREATE"
        if creates == (name in self._model.stacks):
            word = "already exists" if creates else "does not exist"
            raise _Invalid(f"Stack [{name}] {word}")
        if name not in self._stacks:
            self._stacks[name] = _Operated(id=self._id(name))
        template = asked.get("TemplateBody") or self._read(asked["TemplateURL"])
        operated = self._stacks[name]
        operated.change_sets[change_set] = AssembledStack(
            name=name, account=None, region=None, template=json.loads(template)
        )
        return {"Id": self._change_set_id(change_set), "StackId": operated.id}

    def _describe_change_set(self, asked: Mapping[str, str]) -> object:
        name, change_set = _name(asked), _short(asked["ChangeSetName"])
        wanted = self._operated(asked).change_sets.get(change_set)
        if wanted is None:
            raise _NoSuchChangeSet(f"ChangeSet [{change_set}] does not exist")
        changes = self._changes(wanted)
        described: dict[str, object] = {
            "ChangeSetName": change_set,
            "ChangeSetId": self._change_set_id(change_set),
            "StackName": name,
            "StackId": self._stacks[name].id,
            "Status": "CREATE_COMPLETE" if changes else "FAILED",
            "ExecutionStatus": "AVAILABLE" if changes else "UNAVAILABLE",
            "Changes": [{"Type": "Resource", "ResourceChange": one} for one in changes],
        }
        return described if changes else {**described, "StatusReason": NO_CHANGES}

    def _delete_change_set(self, asked: Mapping[str, str]) -> object:
        operated = self._operated(asked)
        operated.change_sets.pop(_short(asked["ChangeSetName"]), None)
        return {}

    def _changes(self, wanted: AssembledStack) -> list[dict[str, str]]:
        """What is other than in the template that stands."""
        known = self._model.stacks.get(wanted.name)
        after: Mapping[str, Any] = wanted.template["Resources"]
        before: Mapping[str, Any] = (
            {} if known is None else known.template.template["Resources"]
        )
        return [
            {
                "Action": "Add"
                if name not in before
                else "Remove"
                if name not in after
                else "Modify",
                "LogicalResourceId": name,
                "ResourceType": (after.get(name) or before[name])["Type"],
            }
            for name in sorted({*after, *before})
            if after.get(name) != before.get(name)
        ]

    def _execute_change_set(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        operated = self._operated(asked)
        wanted = operated.change_sets.pop(_short(asked["ChangeSetName"]))
        is_new = name not in self._model.stacks
        self._begin(
            name,
            status="CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS",
            token=asked.get("ClientRequestToken", ""),
            work=lambda: self._model.deploy_stack(wanted),
        )
        return {}

    def _delete_stack(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        if self._operated(asked).protected:
            raise _Invalid(
                f"Stack [{name}] cannot be deleted while TerminationProtection is "
                "enabled"
            )
        if name not in self._model.stacks:  # only looked at
            del self._stacks[name]
            return {}
        self._begin(
            name,
            status="DELETE_IN_PROGRESS",
            token=asked.get("ClientRequestToken", ""),
            work=lambda: self._model.delete(name),
        )
        return {}

    def _update_termination_protection(self, asked: Mapping[str, str]) -> object:
        operated = self._operated(asked)
        operated.protected = asked["EnableTerminationProtection"] == "true"
        return {"StackId": operated.id}

    def _describe_stack_events(self, asked: Mapping[str, str]) -> object:
        name = _name(asked)
        if name not in self._stacks:
            raise _Invalid(f"Stack [{asked['StackName']}] does not exist")
        return {"StackEvents": list(reversed(self._stacks[name].events))}

    def _begin(
        self, name: str, *, status: str, token: str, work: Callable[[], None]
    ) -> None:
        operated = self._stacks[name]
        if operated.busy:
            raise _Invalid(
                f"Stack:{operated.id} is in {operated.status} state and can not be "
                "updated."
            )
        operated.status, operated.busy, operated.token = status, True, token
        self._tell(name, status, "User Initiated")

        def run() -> None:
            with self._lock:
                reason = ""
                try:
                    work()
                except DeployFailed as fault:
                    reason = str(fault)
                known = self._model.stacks.get(name)
                if known is None:
                    del self._stacks[name]
                    return
                if reason:
                    failed = status.replace("IN_PROGRESS", "FAILED")
                    self._tell(name, failed, reason, logical_id="Resource")
                known.protected = operated.protected
                self._tell(name, known.status, "")
                operated.status, operated.busy = known.status, False

        worker = threading.Thread(target=run, daemon=True)
        self._workers.append(worker)
        worker.start()

    def _tell(
        self, name: str, status: str, reason: str, *, logical_id: str | None = None
    ) -> None:
        operated = self._stacks[name]
        operated.events.append(
            {
                "EventId": f"{name}-{len(operated.events)}",
                "StackId": operated.id,
                "StackName": name,
                "LogicalResourceId": logical_id or name,
                "PhysicalResourceId": "" if logical_id else operated.id,
                "ResourceType": "AWS::CloudFormation::Stack"
                if logical_id is None
                else "AWS::CloudFormation::CustomResource",
                "Timestamp": _now(),
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "ClientRequestToken": operated.token,
            }
        )

    def _operated(self, asked: Mapping[str, str]) -> _Operated:
        name = _name(asked)
        if name not in self._stacks:
            raise _Invalid(f"Stack with id {asked['StackName']} does not exist")
        return self._stacks[name]

    def _id(self, name: str) -> str:
        cloud = self._model.cloud
        place = f"{cloud.region}:{cloud.account}"
        return f"arn:aws:cloudformation:{place}:stack/{name}/embedded"

    def _change_set_id(self, name: str) -> str:
        return f"{self._id(name)}".replace(":stack/", ":changeSet/")

    def _read(self, url: str) -> str:
        """A template that was uploaded to `https://s3.…/<bucket>/<key>`."""
        parts = urlsplit(url)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        if not parts.netloc.startswith(("s3.", "127.")):
            bucket, key = parts.netloc.split(".", 1)[0], parts.path.lstrip("/")
        found = self._model.cloud.client("s3").get_object(Bucket=bucket, Key=key)
        text: str = found["Body"].read().decode()
        return text


def _not_modelled(asked: Mapping[str, str]) -> object:
    raise _Invalid(f"{asked.get('Action')} is not modelled here")


def _name(asked: Mapping[str, str]) -> str:
    return _short(asked.get("StackName", ""))


def _short(name_or_arn: str) -> str:
    """The name in `arn:…:stack/<name>/<id>`, or what is no ARN."""
    return name_or_arn.split("/")[1] if "/" in name_or_arn else name_or_arn


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _elements(value: object) -> str:
    match value:
        case Mapping():
            return "".join(
                f"<{name}>{_elements(one)}</{name}>" for name, one in value.items()
            )
        case list():
            return "".join(f"<member>{_elements(one)}</member>" for one in value)
        case _:
            return escape(str(value))
