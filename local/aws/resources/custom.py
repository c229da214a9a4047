"""Custom resources: the real function, asked as CloudFormation asks it.

The answer is what the function PUTs to the event's ResponseURL, here a listener on
loopback (CloudFormation user guide, "Custom resource reference").
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local.aws.intrinsics import stringified
from local.aws.invoke import FunctionError
from local.aws.resources.registry import (
    Created,
    DeployFailed,
    Existing,
    NotHandled,
    Request,
    Run,
    handles,
)
from local.loopback import Answer, Asked, LoopbackServer

MAX_ANSWER_BYTES = 4096
"""Of a response (CloudFormation user guide, "Custom resource response objects")."""


def _delete(run: Run, existing: Existing) -> None:
    _ask(
        run,
        request_type="Delete",
        address=f"{existing.type} {existing.created.physical_id}",
        stack=str(existing.created.details),
        logical_id=str(existing.created.details).partition("/")[2],
        type_name=existing.type,
        properties=existing.properties,
        before=existing,
    )


@handles("Custom::", properties="*", updatable="*", delete=_delete)
def custom(request: Request) -> Created:
    """Create it, or update it if a property has changed."""
    answer = _ask(
        request.run,
        request_type="Create" if request.before is None else "Update",
        address=request.address,
        stack=request.stack,
        logical_id=request.logical_id,
        type_name=request.type,
        properties=request.properties,
        before=request.before,
    )
    physical_id = answer["PhysicalResourceId"]
    if request.before and physical_id != request.before.created.physical_id:
        _delete(request.run, request.before)
    return Created(
        physical_id=physical_id,
        attributes=answer.get("Data") or {},
        details=f"{request.stack}/{request.logical_id}",
    )


handles(
    "AWS::CloudFormation::CustomResource", properties="*", updatable="*", delete=_delete
)(custom)


def _ask(
    run: Run,
    *,
    request_type: str,
    address: str,
    stack: str,
    logical_id: str,
    type_name: str,
    properties: Mapping[str, Any],
    before: Existing | None,
) -> Mapping[str, Any]:
    token = properties.get("ServiceToken", "")
    function = run.functions.get(token)
    if function is None:
        raise NotHandled(
            f"{address}: its ServiceToken `{token}` is no function of this deployment"
        )
    answers: list[bytes] = []

    def take(asked: Asked) -> Answer:
        answers.append(asked.body)
        return Answer()

    with LoopbackServer(take) as listener:
        event: dict[str, Any] = {
            "RequestType": request_type,
            "RequestId": str(uuid.uuid4()),
            "ResponseURL": f"{listener.url}response",
            "ResourceType": type_name,
            "LogicalResourceId": logical_id,
            "StackId": run.arn("cloudformation", f"stack/{stack}/embedded"),
            "ServiceToken": token,
            "ResourceProperties": stringified(properties),
        }
        if before is not None:
            event["PhysicalResourceId"] = before.created.physical_id
            if request_type == "Update":
                event["OldResourceProperties"] = stringified(before.properties)
        try:
            run.host.invoke(function, event)
        except FunctionError as fault:
            if not answers:
                raise DeployFailed(f"{address}: {fault}\n{fault.trace}") from fault
    if not answers:
        raise DeployFailed(
            f"{address}: {function.handler} returned without an answer to its "
            "ResponseURL: CloudFormation would wait for it for an hour"
        )
    body = answers[-1]
    if len(body) > MAX_ANSWER_BYTES:
        raise DeployFailed(
            f"{address}: the answer has {len(body)} bytes, more than CloudFormation's "
            f"{MAX_ANSWER_BYTES}"
        )
    return _checked(address, event, json.loads(body))


def _checked(
    address: str, event: Mapping[str, Any], answer: Mapping[str, Any]
) -> Mapping[str, Any]:
    if answer.get("Status") != "SUCCESS":
        raise DeployFailed(
            f"{address}: {event['RequestType']} failed: "
            f"{answer.get('Reason') or 'no reason given'}"
        )
    for name in ("RequestId", "StackId", "LogicalResourceId"):
        if answer.get(name) != event[name]:
            raise DeployFailed(f"{address}: the answer's {name} is not the request's")
    if not answer.get("PhysicalResourceId"):
        raise DeployFailed(f"{address}: the answer has no PhysicalResourceId")
    return answer
