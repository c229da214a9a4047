"""Identity policies, enforced as AWS enforces them.

moto checks Action and, for S3 and SQS, Resource; for other services it asks about the
resource `*`, so that a grant on an ARN is refused; it ignores conditions. Here every
call is taken apart into what it needs (`needs`), each need is put to the caller's
policies (`policy`), and a refusal is worded as the service words it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

from moto import settings
from moto.core import responses
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMRequestBase, S3IAMRequest
from moto.iam.models import Policy, iam_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response

from local.aws.strict.grants_used import FILE, UsedGrants
from local.aws.strict.needs import Asked, Need, needs, parsed_body
from local.aws.strict.policy import (
    Call,
    Decision,
    Document,
    admitted_by,
    decide,
    trusts,
)

SERVICE_PRINCIPAL_SUFFIX = ".amazonaws.com"
"""An IAM user of such a name stands for the AWS service itself: embedded services
(Lambda, Scheduler) take roles as AWS's do, and only roles that trust them."""

_IAM_PREFIXES = {"monitoring": "cloudwatch"}
"""Signing names that are not the prefix of the service's actions."""

_QUERY_CODES = {
    "sns": "AuthorizationError",
    "sqs": "AccessDenied",
    "sts": "AccessDenied",
}
_JSON_CODE = "AccessDeniedException"


_USED = UsedGrants(Path(os.environ[FILE])) if FILE in os.environ else None


class Refused(ServiceException):
    """A denial by any service but S3."""


class RefusedByS3(S3ClientError):
    """A denial by S3."""


def enforce(on: bool) -> None:  # noqa: FBT001 - a switch
    """Check every call from now on, or none."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if on else float("inf")
    ActionAuthenticatorMixin.request_count = 0


def install() -> None:
    """Replace moto's own checks, in this process."""
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _authorize  # type: ignore[assignment]  # noqa: SLF001 - moto's one door for all checks
    original = responses.BaseResponse.call_action

    def call_action(self: responses.BaseResponse) -> TYPE_RESPONSE:
        try:
            return original(self)
        except Refused as refused:
            status, headers, body = self.serialized(ActionResult(refused))
            return _forbidden(status), headers, body

    responses.BaseResponse.call_action = call_action  # type: ignore[method-assign]


def _forbidden(status: int) -> int:
    """AWS's JSON services answer a denial with 400, the others with 403."""
    return status if status in (400, 403) else 403


def _authorize(
    response: Any,  # noqa: ANN401 - a mixin of moto's response classes
    request_class: type[IAMRequestBase],
    resource: str = "*",
) -> None:
    """Raise unless the caller is who it says and may do what it asks."""
    if ActionAuthenticatorMixin.request_count < settings.INITIAL_NO_AUTH_ACTION_COUNT:
        ActionAuthenticatorMixin.request_count += 1
        return
    is_s3 = issubclass(request_class, S3IAMRequest)
    if "Authorization" not in response.headers:
        message = "Access Denied: anonymous and presigned requests are not admitted"
        if is_s3:
            raise RefusedByS3("AccessDenied", message)
        raise Refused("AccessDenied", message)
    url = urlparse(response.uri)
    signed = request_class(
        account_id=response.current_account,
        method=response.method,
        path=response.raw_path + (f"?{url.query}" if url.query else ""),
        # moto would sign a query that names the operation a second time, as a body:
        # Snowflake's workload identity is a POST of that kind; and these have none
        data=(
            {}
            if "Action=" in url.query
            or (response.method in ("GET", "DELETE") and not is_s3)
            else response.data
        ),
        body=response.raw_body,
        headers=response.headers,
        action=response._get_action(),  # noqa: SLF001 - moto's name for the operation
    )
    signed.check_signature()
    signing_name, _, operation = signed._action.partition(":")  # noqa: SLF001 - moto offers no other way
    service = _IAM_PREFIXES.get(signing_name, signing_name)
    if (service, operation) == ("sts", "GetCallerIdentity"):
        return  # allowed even under an explicit Deny (STS API reference)
    asked = Asked(
        service=service,
        operation=operation,
        resource=resource,
        account=response.current_account,
        region=signed._region,  # noqa: SLF001 - as above
        method=response.method,
        params=_parameters(response),
        query=parse_qs(url.query, keep_blank_values=True),
        headers=response.headers,
        body=_bytes(response.raw_body),
        path=url.path,
    )
    caller = signed._access_key  # noqa: SLF001 - as above
    response.catflap_caller = (asked, caller)
    _check(asked, caller, needs(asked), is_s3=is_s3)


def require(response: S3Response, *, action: str, resource: str) -> None:
    """Raise the denial if the caller lacks one more permission."""
    asked, caller = getattr(response, "catflap_caller", (None, None))
    if asked is not None:
        _check(asked, caller, [Need(action=action, resource=resource)], is_s3=True)


def _check(
    asked: Asked,
    caller: Any,  # noqa: ANN401 - moto's two kinds of access key
    wanted: Sequence[Need],
    *,
    is_s3: bool,
) -> None:
    context = _context(asked, caller.arn)
    documents = list(_documents(caller))
    for need in wanted:
        full = {
            **context,
            **{key.lower(): value for key, value in need.context.items()},
        }
        call = Call(action=need.action, resource=need.resource, context=full)
        decision = decide(documents, call)
        if decision is not Decision.ALLOWED:
            raise _refusal(asked, caller.arn, need, decision, is_s3=is_s3)
        if _USED is not None:
            _USED.keep(caller.arn, admitted_by(documents, call))
        if need.action == "sts:AssumeRole" and not _is_trusted(asked, caller.arn, full):
            raise _refusal(asked, caller.arn, need, decision, is_s3=is_s3)


def _is_trusted(asked: Asked, caller: str, context: Mapping[str, list[str]]) -> bool:
    name = asked.params["RoleArn"].rsplit("/", 1)[-1]
    role = iam_backends[asked.account]["aws"].get_role(name)
    principal = caller.rsplit("/", 1)[-1]
    if not principal.endswith(SERVICE_PRINCIPAL_SUFFIX):
        principal = caller
    return trusts(
        _parsed(role.assume_role_policy_document),
        action="sts:AssumeRole",
        principal=principal,
        context=context,
    )


def _context(asked: Asked, caller: str) -> dict[str, list[str]]:
    """The global condition keys, as if the embedded AWS were reached by HTTPS."""
    by_service = (
        {"aws:sourceaccount": [asked.account]}
        if caller.endswith(SERVICE_PRINCIPAL_SUFFIX)
        else {}
    )
    return {
        **by_service,
        "aws:securetransport": ["true"],
        "aws:principalaccount": [asked.account],
        "aws:principalarn": [_role_of(caller)],
        "aws:requestedregion": [asked.region],
        "aws:sourceip": ["127.0.0.1"],
        "aws:currenttime": [datetime.now(UTC).isoformat()],
    }


def _role_of(caller: str) -> str:
    """`aws:PrincipalArn` of a session is its role's ARN."""
    parts = caller.split(":")
    if not parts[5].startswith("assumed-role/"):
        return caller
    return f"arn:aws:iam::{parts[4]}:role/{parts[5].split('/')[1]}"


def _refusal(
    asked: Asked, caller: str, need: Need, decision: Decision, *, is_s3: bool
) -> ServiceException:
    """In AWS's words (IAM user guide, "Troubleshoot access denied error messages")."""
    because = (
        "with an explicit deny in an identity-based policy"
        if decision is Decision.EXPLICITLY_DENIED
        else "because no resource-based policy allows the sts:AssumeRole action"
        if decision is Decision.ALLOWED
        else f"because no identity-based policy allows the {need.action} action"
    )
    message = (
        f"User: {caller} is not authorized to perform: {need.action} "
        f"on resource: {need.resource} {because}"
    )
    if is_s3:
        return RefusedByS3("AccessDenied", message)
    return Refused(_QUERY_CODES.get(asked.service, _JSON_CODE), message)


def _documents(caller: Any) -> Iterator[Document]:  # noqa: ANN401 - moto's two kinds of access key
    for policy in caller.collect_policies():
        if isinstance(policy, Policy):
            yield _parsed(
                next(one.document for one in policy.versions if one.is_default)
            )
        else:
            yield _parsed(
                policy if isinstance(policy, str) else policy["policy_document"]
            )


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Document:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise TypeError(f"a policy document is an object, not {document!r}")
    return document


def _parameters(response: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a mixin of moto's response classes
    """What the call was given, whichever protocol carried it."""
    parsed = getattr(response, "params", None)
    if isinstance(parsed, Mapping) and parsed:
        return parsed
    body = parsed_body(response.body)
    if body:
        return body
    return {
        name: value[0]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else value
        for name, value in response.querystring.items()
    }


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b""
