"""Values from AWS Secrets Manager."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lambdas.adapters.refresh_tokens import StoredTokens
from lambdas.core.errors import RunErrorKind, Terminal, Transient, UpstreamError
from lambdas.core.http.auth import SECRET, AccessToken
from lambdas.core.ports import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_secretsmanager import SecretsManagerClient

_REFERENCE = re.compile(r"secret:(?P<name>[^#\s]+)(?:#(?P<key>\S+))?")
_PASSING = frozenset({
    "InternalServiceError", "InternalServiceErrorException", "ThrottlingException",
    "RequestLimitExceeded", "ServiceUnavailable", "ServiceUnavailableException",
})  # fmt: skip


class SecretsManagerSecrets:
    """`secret:NAME#KEY` is the member KEY of the JSON object in the secret NAME;
    `secret:NAME` alone is the whole text.

    `client` makes the client on first use. What was read is kept as long as this
    object, so that a new value counts from the next cold start or refresh.
    """

    def __init__(self, *, client: Callable[[], SecretsManagerClient]) -> None:
        self._make_client = client
        self._client: SecretsManagerClient | None = None
        self._texts: dict[str, str] = {}

    def value(self, reference: str) -> str:
        """What `reference` stands for; a text without the prefix is itself.

        Raises UpstreamError(kind=auth) naming the reference, never its value.
        """
        if not reference.startswith(SECRET):
            return reference
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise _auth(f"`{reference}` is not of the form secret:NAME#KEY")
        text = self._text(match["name"], reference)
        return text if match["key"] is None else _member(text, match["key"], reference)

    def forget(self) -> None:
        """Read every secret anew when it is next asked for."""
        self._texts.clear()

    def renewed(
        self,
        reference: str,
        *,
        refused: str | None,
        fetch: Callable[[str], AccessToken],
        clock: Clock,
        within_s: float,
    ) -> AccessToken:
        """As `TokenKeeper`; the object that `reference` names is written back."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as in `_read`

        match = _REFERENCE.fullmatch(reference)
        if match is None or match["key"] is None:
            raise _auth(f"`{reference}` is not of the form secret:NAME#KEY")
        if self._client is None:
            self._client = self._make_client()
        stored = StoredTokens(
            client=self._client, name=match["name"], key=match["key"], clock=clock
        )
        try:
            return stored.renewed(refused=refused, fetch=fetch, within_s=within_s)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            action = "PutSecretValue" if "Put" in error.operation_name else None
            raise _refused(code, match["name"], reference, action) from None

    def _text(self, name: str, reference: str) -> str:
        if name not in self._texts:
            self._texts[name] = self._read(name, reference)
        return self._texts[name]

    def _read(self, name: str, reference: str) -> str:
        # botocore takes a third of a second to import: only those pay who need it
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
        )

        try:
            if self._client is None:
                self._client = self._make_client()
            answer = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise _refused(code, name, reference) from None
        except BotoCoreError as error:
            raise Transient(
                f"`{reference}` could not be read: Secrets Manager did not answer "
                f"({type(error).__name__})",
                kind=RunErrorKind.AUTH,
            ) from None
        text = answer.get("SecretString")
        if text is None:
            raise _auth(f"the secret {name} of `{reference}` is binary; store a text")
        return text


def _refused(
    code: str, name: str, reference: str, action: str | None = None
) -> UpstreamError:
    if code == "ResourceNotFoundException":
        return _auth(
            f"the secret {name} of `{reference}` does not exist in this account and "
            "region; create it, or correct its name"
        )
    if code in {"AccessDeniedException", "AccessDenied"}:
        return _auth(
            f"this function may not {'write' if action else 'read'} the secret {name} "
            f"of `{reference}` (secretsmanager:{action or 'GetSecretValue'}); deploy "
            "again, so that its role names it"
        )
    if code in _PASSING:
        return Transient(
            f"`{reference}` could not be read just now ({code})",
            kind=RunErrorKind.AUTH,
        )
    return _auth(f"`{reference}` could not be read ({code})")


def _member(text: str, key: str, reference: str) -> str:
    try:
        document: object = json.loads(text)
    except json.JSONDecodeError:
        document = None
    members: Mapping[str, object] = document if isinstance(document, dict) else {}
    if key not in members:
        raise _auth(
            f"`{reference}`: the secret is not a JSON object with a member `{key}`"
        )
    value = members[key]
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _auth(message: str) -> Terminal:
    return Terminal(message, kind=RunErrorKind.AUTH)
