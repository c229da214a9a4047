"""Functions and what stands around them: mappings, permissions, logs, alarms.

The stand-in needs Docker to run a function; here `local.aws.invoke` does, so that
functions are kept in the deployment and not in the stand-in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from local.aws.invoke import DeployedFunction
from local.aws.resources.registry import (
    Created,
    DeployFailed,
    Existing,
    NotHandled,
    Request,
    Run,
    handles,
)

FUNCTION_NAME_LIMIT = 64
DEFAULT_TIMEOUT_S = 3
DEFAULT_MEMORY_MIB = 128
DEFAULT_RETRIES = 2
"""Lambda developer guide: "Asynchronous invocation"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedEventSource:
    """A queue that feeds a function."""

    queue_arn: str
    function_arn: str
    batch_size: int
    reports_item_failures: bool
    maximum_concurrency: int | None
    enabled: bool


def _delete_function(run: Run, existing: Existing) -> None:
    if isinstance(known := existing.created.details, DeployedFunction):
        run.functions.pop(known.arn, None)


def _forget(_run: Run, _existing: Existing) -> None:
    """Nothing of it is outside the deployment."""


@handles(
    "AWS::Lambda::Function",
    properties="FunctionName",
    updatable="Architectures Code DeadLetterConfig Description Environment Handler "
    "LoggingConfig MemorySize ReservedConcurrentExecutions Role Runtime Timeout",
    ignored={
        "TracingConfig": "there is no X-Ray",
        "VpcConfig": "all of it is on loopback",
        "RecursiveLoop": "the fabric ends no loops",
        "EphemeralStorage": "the machine's own disk",
    },
    delete=_delete_function,
)
def function(request: Request) -> Created:
    """A function. Its code is the repository's: what is bundled is not unpacked."""
    given = request.properties
    if not str(given.get("Runtime", "")).startswith("python"):
        raise NotHandled(f"{request.address}: only Python runs here")
    name = given.get("FunctionName") or request.name(FUNCTION_NAME_LIMIT)
    arn = request.run.arn("lambda", f"function:{name}")
    variables = given.get("Environment", {}).get("Variables", {})
    wrong = [key for key, value in variables.items() if not isinstance(value, str)]
    if wrong:
        raise DeployFailed(
            f"{request.address}: environment variables must be texts: "
            f"{', '.join(wrong)}"
        )
    known = request.run.functions.get(arn)
    details = DeployedFunction(
        logical_id=request.logical_id,
        name=name,
        arn=arn,
        handler=given["Handler"],
        environment=variables,
        role_arn=given["Role"],
        timeout_s=int(given.get("Timeout", DEFAULT_TIMEOUT_S)),
        memory_mib=int(given.get("MemorySize", DEFAULT_MEMORY_MIB)),
        reserved_concurrency=given.get("ReservedConcurrentExecutions"),
        failed_events=given.get("DeadLetterConfig", {}).get("TargetArn"),
        max_retries=known.max_retries if known else DEFAULT_RETRIES,
        log_group=given.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}"),
    )
    request.run.functions[arn] = details
    return Created(physical_id=name, attributes={"Arn": arn}, details=details)


def _function_named(request: Request, name: str) -> DeployedFunction:
    """By name or ARN, with or without a version or alias."""
    for arn, one in request.run.functions.items():
        if name in (arn, one.name) or name.startswith((f"{arn}:", f"{one.name}:")):
            return one
    raise DeployFailed(f"{request.address}: there is no function `{name}`")


@handles(
    "AWS::Lambda::EventInvokeConfig",
    properties="FunctionName Qualifier",
    updatable="DestinationConfig MaximumRetryAttempts MaximumEventAgeInSeconds",
)
def event_invoke_config(request: Request) -> Created:
    """How often a failed event is tried again, and where it goes then."""
    given = request.properties
    known = _function_named(request, given["FunctionName"])
    destinations = given.get("DestinationConfig", {})
    if "OnSuccess" in destinations:
        raise NotHandled(f"{request.address}: a destination on success")
    request.run.functions[known.arn] = replace(
        known,
        max_retries=int(given.get("MaximumRetryAttempts", DEFAULT_RETRIES)),
        failed_events=destinations.get("OnFailure", {}).get(
            "Destination", known.failed_events
        ),
    )
    return Created(physical_id=request.name(128))


@handles(
    "AWS::Lambda::EventSourceMapping",
    properties="EventSourceArn",
    updatable="BatchSize Enabled FunctionName FunctionResponseTypes "
    "MaximumBatchingWindowInSeconds ScalingConfig",
    delete=_forget,
)
def event_source_mapping(request: Request) -> Created:
    """A queue that feeds a function."""
    given = request.properties
    if ":sqs:" not in given["EventSourceArn"]:
        raise NotHandled(f"{request.address}: an event source that is not a queue")
    source = DeployedEventSource(
        queue_arn=given["EventSourceArn"],
        function_arn=_function_named(request, given["FunctionName"]).arn,
        batch_size=int(given.get("BatchSize", 10)),
        reports_item_failures="ReportBatchItemFailures"
        in given.get("FunctionResponseTypes", []),
        maximum_concurrency=given.get("ScalingConfig", {}).get("MaximumConcurrency"),
        enabled=given.get("Enabled", True),
    )
    digest = hashlib.sha256(request.address.encode()).hexdigest()
    return Created(physical_id=digest[:32], details=source)


@handles("AWS::Lambda::Permission", properties="*", updatable="*", delete=_forget)
def permission(request: Request) -> Created:
    """Who may invoke a function; kept, but not enforced."""
    _function_named(request, request.properties["FunctionName"])
    return Created(physical_id=request.name(100))


@handles(
    "AWS::Lambda::Url",
    properties="TargetFunctionArn",
    updatable="AuthType Cors InvokeMode",
    delete=_forget,
)
def url(request: Request) -> Created:
    """A function's address. Nothing answers there: invoke the function itself."""
    arn = _function_named(request, request.properties["TargetFunctionArn"]).arn
    digest = hashlib.sha256(arn.encode()).hexdigest()[:32]
    host = f"{digest}.lambda-url.{request.run.cloud.region}.on.aws"
    return Created(
        physical_id=arn,
        attributes={"FunctionUrl": f"https://{host}/", "FunctionArn": arn},
    )


@handles(
    "AWS::Lambda::Version",
    properties="FunctionName",
    updatable="Description CodeSha256",
)
def version(request: Request) -> Created:
    """There is one version, the newest."""
    arn = _function_named(request, request.properties["FunctionName"]).arn
    return Created(physical_id=f"{arn}:1", attributes={"Version": "1"})


@handles(
    "AWS::Lambda::Alias",
    properties="Name FunctionName",
    updatable="FunctionVersion Description",
)
def alias(request: Request) -> Created:
    """Another name of the one version."""
    arn = _function_named(request, request.properties["FunctionName"]).arn
    return Created(physical_id=f"{arn}:{request.properties['Name']}")


def _delete_log_group(run: Run, existing: Existing) -> None:
    name = existing.created.physical_id
    run.cloud.client("logs").delete_log_group(logGroupName=name)


@handles(
    "AWS::Logs::LogGroup",
    properties="LogGroupName KmsKeyId LogGroupClass",
    updatable="RetentionInDays",
    delete=_delete_log_group,
)
def log_group(request: Request) -> Created:
    """A log group. What functions print goes to files (`FunctionHost.log_file`)."""
    given = request.properties
    logs = request.client("logs")
    if request.before is None:
        name = given.get("LogGroupName") or request.name(512)
        logs.create_log_group(logGroupName=name)
    else:
        name = request.before.created.physical_id
    if "RetentionInDays" in given:
        logs.put_retention_policy(
            logGroupName=name, retentionInDays=given["RetentionInDays"]
        )
    arn = request.run.arn("logs", f"log-group:{name}:*")
    return Created(physical_id=name, attributes={"Arn": arn})


def _delete_alarm(run: Run, existing: Existing) -> None:
    name = existing.created.physical_id
    run.cloud.client("cloudwatch").delete_alarms(AlarmNames=[name])


@handles("AWS::CloudWatch::Alarm", properties="*", updatable="*", delete=_delete_alarm)
def alarm(request: Request) -> Created:
    """An alarm; the stand-in keeps it and never evaluates it."""
    given = dict(request.properties)
    given.pop("Tags", None)
    name = given.pop("AlarmName", None) or request.name(255)
    request.client("cloudwatch").put_metric_alarm(AlarmName=name, **given)
    return Created(
        physical_id=name,
        attributes={"Arn": request.run.arn("cloudwatch", f"alarm:{name}")},
    )


@handles("AWS::CloudWatch::Dashboard", properties="*", updatable="*", delete=_forget)
def dashboard(request: Request) -> Created:
    """A page for a person; nothing embedded draws it."""
    name = request.properties.get("DashboardName") or request.name(255)
    return Created(physical_id=name)


@handles("AWS::CDK::Metadata", properties="*", updatable="*")
def metadata(request: Request) -> Created:
    """What the CDK says about itself: nothing is made."""
    return Created(physical_id=request.name(64))
