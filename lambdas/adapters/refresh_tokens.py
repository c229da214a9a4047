"""Refresh tokens in Secrets Manager, each the member of a JSON object.

A server that rotates them takes the old one back as it gives the new one, and one that
sees an old one again may take all of them back. So one caller renews at a time, and
what comes of it is stored before it is used:

1. The secret is read anew. An access token that somebody stored meanwhile is used.
2. A version of the secret is written under the label `CATFLAP_RENEWING`, its id made
   of the version that was read: Secrets Manager refuses a second one of that id
   (PutSecretValue, ClientRequestToken). Whoever is refused waits and reads again. So
   it is also known, before a token is spent, that its successor can be stored.
3. The token is fetched, and stored with the new refresh token as AWSCURRENT. The old
   one stays as AWSPREVIOUS, and is tried again if the new one is refused.

A function that dies on the way leaves its claim, which ends after a while, and the old
token in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import JsonValue

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.http.auth import AccessToken
from lambdas.core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CLAIM = "CATFLAP_RENEWING"
CLAIM_LASTS = timedelta(seconds=90)
"""Longer than a token request takes; a claim that is older is a dead function's."""

LOOK_EVERY_S = 1.0
_CLAIMS = 50
"""Dead claims on one version before it is told instead of passed over."""

_WRITES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """One version of the secret: its members, and those of one refresh token."""

    version_id: str
    members: Mapping[str, JsonValue]
    key: str

    @property
    def refresh_token(self) -> str:
        value = self.members.get(self.key)
        return value if isinstance(value, str) else ""

    @property
    def access_token(self) -> AccessToken | None:
        kept = self.members.get(_beside(self.key))
        if not isinstance(kept, dict):
            return None
        value, until = kept.get("value"), kept.get("expires_at")
        if not isinstance(value, str) or not isinstance(until, str):
            return None
        return AccessToken(value=value, expires_at=datetime.fromisoformat(until))


def _beside(key: str) -> str:
    return f"{key}.access_token"


class StoredTokens:
    """The refresh token at `key` of the secret `name`, and its last access token."""

    def __init__(
        self, *, client: SecretsManagerClient, name: str, key: str, clock: Clock
    ) -> None:
        self._client = client
        self._name = name
        self._key = key
        self._clock = clock
        self._me = uuid4().hex

    def renewed(
        self,
        *,
        refused: str | None,
        fetch: Callable[[str], AccessToken],
        within_s: float,
    ) -> AccessToken:
        """As `TokenKeeper.renewed`. Raises what `fetch` raises, UpstreamError, and
        ClientError for what Secrets Manager refuses.
        """
        ends = self._clock.monotonic() + within_s
        while True:
            current = self._read()
            shared = current.access_token
            if (
                shared is not None
                and shared.value != refused
                and not shared.is_due(self._clock.now())
            ):
                return shared
            if self._claims(current.version_id):
                break
            if self._clock.monotonic() + LOOK_EVERY_S >= ends:
                raise Transient(
                    f"another pull is renewing `{self._reference}`, and did not end "
                    "in time",
                    kind=RunErrorKind.AUTH,
                )
            self._clock.sleep(LOOK_EVERY_S)
        token, sent = self._fetched(current, fetch)
        self._store(token, token.refresh_token or sent)
        return token

    @property
    def _reference(self) -> str:
        return f"secret:{self._name}#{self._key}"

    def _read(self, **which: str) -> _Version:
        answer = self._client.get_secret_value(SecretId=self._name, **which)
        try:
            document: object = json.loads(answer.get("SecretString", ""))
        except json.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise Terminal(
                f"`{self._reference}`: the secret is not a JSON object",
                kind=RunErrorKind.AUTH,
            )
        return _Version(version_id=answer["VersionId"], members=document, key=self._key)

    def _claims(self, version_id: str) -> bool:
        """Whether nobody else renews from this version."""
        for number in range(_CLAIMS):
            claim = str(uuid5(NAMESPACE_URL, f"{self._name} {version_id} {number}"))
            until = self._clock.now() + CLAIM_LASTS
            mine: JsonValue = {"by": self._me, "until": until.isoformat()}
            try:
                self._client.put_secret_value(
                    SecretId=self._name,
                    ClientRequestToken=claim,
                    SecretString=json.dumps(mine),
                    VersionStages=[CLAIM],
                )
            except self._client.exceptions.ResourceExistsException:
                if self._is_mine(claim):
                    return True
                if not self._is_over(claim):
                    return False
            else:
                return True
        raise Terminal(
            f"`{self._reference}` could not be renewed {_CLAIMS} times: authorize "
            "again, and store the new refresh token in the secret",
            kind=RunErrorKind.AUTH,
        )

    def _is_mine(self, claim: str) -> bool:
        return self._claim(claim).get("by") == self._me

    def _is_over(self, claim: str) -> bool:
        until = self._claim(claim).get("until")
        return (
            not isinstance(until, str)
            or datetime.fromisoformat(until) <= self._clock.now()
        )

    def _claim(self, claim: str) -> Mapping[str, JsonValue]:
        return self._read(VersionId=claim).members

    def _fetched(
        self, current: _Version, fetch: Callable[[str], AccessToken]
    ) -> tuple[AccessToken, str]:
        """A token, and the refresh token that gave it: the stored or the last one."""
        try:
            return fetch(current.refresh_token), current.refresh_token
        except Terminal as refusal:
            for older in self._older(current):
                try:
                    return fetch(older), older
                except Terminal:
                    break
            raise refusal from None

    def _older(self, current: _Version) -> Iterator[str]:
        try:
            before = self._read(VersionStage="AWSPREVIOUS").refresh_token
        except self._client.exceptions.ResourceNotFoundException:
            return
        if before and before != current.refresh_token:
            yield before

    def _store(self, token: AccessToken, refresh_token: str) -> None:
        """Beside whatever else the secret holds by now."""
        for left in reversed(range(_WRITES)):
            try:
                self._client.put_secret_value(
                    SecretId=self._name,
                    SecretString=json.dumps(
                        {
                            **self._read().members,
                            self._key: refresh_token,
                            _beside(self._key): {
                                "value": token.value,
                                "expires_at": token.expires_at.isoformat(),
                            },
                        }
                    ),
                )
            except self._client.exceptions.ClientError as error:
                if left == 0:
                    code = error.response.get("Error", {}).get("Code", "")
                    raise Terminal(
                        f"the API gave a new refresh token, and it could not be "
                        f"stored in `{self._reference}` ({code}); if the next pull is "
                        "refused, authorize again and store the new one",
                        kind=RunErrorKind.AUTH,
                    ) from None
                self._clock.sleep(LOOK_EVERY_S)
            else:
                return
