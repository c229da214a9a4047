"""What Slack is answered: verified first, then queued, or a modal opened.

::

    too large ────────────────────────────> 413
    unsigned, malformed, stale ───────────> 401
    signed, and nothing that Slack sends ─> 400
    a click or a command ──> the queue ───> 200
    a click that asks more ──> a modal ───> 200
    the queue or Slack does not answer ───> 503: the person sees that it failed
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.core.errors import BadInput, DeliveryError
from lambdas.core.slack.asked import (
    REPORT,
    FieldFault,
    ModalRequest,
    PersonRequest,
    SlashHelp,
    asked,
    queue_id,
)
from lambdas.core.slack.blocks import reply
from lambdas.core.slack.modals import modal, thanks
from lambdas.core.slack.signature import NotSlack, TooLarge, request_of, verify

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOG = logging.getLogger("catflap.slack")
UrlAnswer = dict[str, Any]


class SlackFront:
    """Answers within Slack's three seconds; the work is done by another function."""

    def __init__(
        self,
        *,
        secret: SlackSecret,
        api: SlackApi,
        sqs: SQSClient,
        queue_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._secret = secret
        self._api = api
        self._sqs = sqs
        self._queue_url = queue_url
        self._now = now

    def answer(self, event: Mapping[str, object]) -> UrlAnswer:
        """The answer to one request. Raises nothing that a request can cause."""
        now = self._now()
        try:
            request = request_of(event)
            verify(request, self._signing_secrets(), now=now)
        except NotSlack as refused:
            return _refused(413 if isinstance(refused, TooLarge) else 401, str(refused))
        except DeliveryError as error:
            LOG.error("a request could not be verified: %s", error)  # noqa: TRY400 - its cause may hold the secret
            return _answer(503)
        return self._taken(request.body, now)

    def _taken(self, body: bytes, now: datetime) -> UrlAnswer:
        try:
            return self._done(body, now)
        except BadInput as error:
            return _refused(400, str(error))
        except FieldFault as fault:
            errors = {fault.block_id: str(fault)}
            return _answer(200, {"response_action": "errors", "errors": errors})
        except (ClientError, BotoCoreError, DeliveryError) as error:
            LOG.warning("what a person asked for was not taken: %s", error)
            return _answer(503)

    def _done(self, body: bytes, now: datetime) -> UrlAnswer:
        match asked(body, now=now):
            case ModalRequest() as wanted:
                view = modal(wanted, now=now)
                arguments = {"trigger_id": wanted.trigger_id, "view": view}
                self._api.call("views.open", arguments)
                return _answer(200)
            case PersonRequest() as wanted:
                self._queue(wanted)
                return _answer(200, _said(wanted))
            case SlashHelp(command=command):
                return _answer(200, _ephemeral(_help(command)))
            case None:
                return _answer(200)

    def _queue(self, wanted: PersonRequest) -> None:
        self._sqs.send_message(
            QueueUrl=self._queue_url,
            MessageBody=msgspec.json.encode(wanted).decode(),
            MessageGroupId=queue_id(wanted.target),
            MessageDeduplicationId=queue_id(wanted.key),
        )

    def _signing_secrets(self) -> list[str]:
        kept = [self._secret.value("signing_secret")]
        if self._secret.has("old_signing_secret"):
            kept.append(self._secret.value("old_signing_secret"))
        return kept


def _said(wanted: PersonRequest) -> dict[str, object] | None:
    if wanted.action != REPORT:
        return None
    said = (
        f"The owners of {wanted.target} are told by the next check. You get a message "
        "when it ends, or at once if there is no such dataset."
    )
    if wanted.key.startswith("view:"):
        return {"response_action": "update", "view": thanks(said)}
    return _ephemeral(f"Thank you. {said}")


def _help(command: str) -> str:
    return (
        f"`{command} report NAME WORDS` tells the owners of the dataset NAME that "
        f"something looks wrong, such as `{command} report flights no rows since noon`"
    )


def _ephemeral(text: str) -> dict[str, object]:
    return {"response_type": "ephemeral", **reply(text)}


def _refused(status: int, why: str) -> UrlAnswer:
    LOG.warning("refused with %s: %s", status, why)
    return _answer(status)


def _answer(status: int, body: Mapping[str, object] | None = None) -> UrlAnswer:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": "" if body is None else json.dumps(body),
    }
