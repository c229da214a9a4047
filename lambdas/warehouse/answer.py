"""Answers to CloudFormation (AWS: "Custom resource response objects")."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import urllib3
from aws_lambda_powertools import Logger

from lambdas.core.custom_resource import REASON_LENGTH, Request, request_from_event
from lambdas.core.errors import CatflapError, DeliveryError, OutOfTime

_TIMEOUT_S = 10.0
_TRIES = 4
_OK = range(200, 300)


class Answers(Protocol):
    """Where answers go."""

    def put(self, url: str, body: bytes) -> None:
        """Deliver one. Raises DeliveryError."""


class HttpAnswers:
    """PUTs to the signed URL of the request."""

    def put(self, url: str, body: bytes) -> None:
        """Deliver; the URL is a credential and stands in no message."""
        retries = urllib3.Retry(
            _TRIES,
            backoff_factor=1,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=("PUT",),
        )
        try:
            answer = urllib3.PoolManager().request(
                # the signature of the URL covers an empty content type
                "PUT",
                url,
                body=body,
                headers={"content-type": ""},
                retries=retries,
                timeout=_TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError as error:
            raise DeliveryError(
                f"CloudFormation's answer URL was not reached: {type(error).__name__}"
            ) from None
        if answer.status not in _OK:
            raise DeliveryError(
                f"CloudFormation's answer URL refused the answer: HTTP {answer.status}"
            )


def answered(
    event: Mapping[str, Any],
    *,
    work: Callable[[Request], Mapping[str, str]],
    answers: Answers,
    logger: Logger,
) -> None:
    """Do the work of a request and answer it, whatever becomes of it.

    Raises if the answer itself cannot be delivered, and OutOfTime without an answer:
    the same request comes again.
    """
    document = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event.get("PhysicalResourceId") or "catflap-unreadable",
        "StackId": event.get("StackId"),
        "RequestId": event.get("RequestId"),
        "LogicalResourceId": event.get("LogicalResourceId"),
    }
    try:
        request = request_from_event(event)
        document["PhysicalResourceId"] = request.resource_id
        document["Data"] = dict(work(request))
    except OutOfTime:
        raise
    except Exception as error:
        logger.exception("could not create the resource")
        said = str(error) if isinstance(error, CatflapError) else repr(error)
        if event.get("RequestType") != "Delete":
            document |= {"Status": "FAILED", "Reason": said[:REASON_LENGTH]}
    answers.put(str(event["ResponseURL"]), json.dumps(document).encode())
