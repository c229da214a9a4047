"""Whether a request is Slack's: `v0=HMAC-SHA256("v0:{timestamp}:{raw body}")`.

Slack: "Verifying requests from Slack". Whatever is malformed is not Slack's; nothing
here raises anything but NotSlack. slack-sdk's verifier raises four other errors on
malformed input, each of which would be a 500 that anyone can cause.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

MAX_BODY = 64 * 1024
"""Bytes. A click on a long message is the longest request that there is."""
MAX_AGE_S = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class NotSlack(Exception):
    """A request that is not answered; the text says why, and holds nothing of it."""


class TooLarge(NotSlack):
    """Larger than anything that Slack sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRequest:
    """What came to a function's URL (Lambda, payload format 2.0)."""

    headers: Mapping[str, object]
    body: bytes


def request_of(event: Mapping[str, object]) -> UrlRequest:
    """The request with its raw body, decoded. Raises NotSlack."""
    headers, body = event.get("headers"), event.get("body")
    if not isinstance(headers, Mapping) or not isinstance(body, str):
        raise NotSlack("no headers, or no body")
    is_encoded = event.get("isBase64Encoded") is True
    if len(body) > (MAX_BODY * 4 // 3 + 4 if is_encoded else MAX_BODY):
        raise TooLarge("the body is too large")
    try:
        raw = base64.b64decode(body, validate=True) if is_encoded else body.encode()
    except (binascii.Error, ValueError):
        raise NotSlack("the body is no base64") from None
    if len(raw) > MAX_BODY:
        raise TooLarge("the body is too large")
    return UrlRequest(headers={str(k).lower(): v for k, v in headers.items()}, body=raw)


def verify(request: UrlRequest, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise NotSlack unless one of `secrets` signed the request in the last minutes.

    Two are accepted, so that a signing secret can be changed without a gap.
    """
    stamp = request.headers.get("x-slack-request-timestamp")
    signature = request.headers.get("x-slack-signature")
    if not isinstance(stamp, str) or _TIMESTAMP.fullmatch(stamp) is None:
        raise NotSlack("no timestamp")
    if not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        raise NotSlack("no signature")
    if abs(now.timestamp() - int(stamp)) > MAX_AGE_S:
        raise NotSlack("the timestamp is not of these minutes")
    signed = b"v0:%s:%s" % (stamp.encode(), request.body)
    matches = [
        hmac.compare_digest(signature, sign(signed, secret)) for secret in secrets
    ]
    if not any(matches):
        raise NotSlack("the signature is another")


def sign(signed: bytes, secret: str) -> str:
    """The signature that Slack would send."""
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"v0={digest}"
