"""How a request proves who we are: configuration and behaviour together.

All of it is pure: a request goes in with resolved secrets, and comes out proven. What
a request is proven with is named by `secrets`, so that messages can blank it out.

An auth is one class in one file of `lambdas.core.http.auths`: its keys, what they mean
and how it proves a request. Schema, reference, rules and redaction follow from it.
"""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.ports import Clock

Resolve: TypeAlias = Callable[[str], str]
"""What a `secret:` reference stands for; any other text is itself."""

SECRET = "secret:"  # noqa: S105 - the prefix of a reference
PROOF = "proof"
Proof: TypeAlias = Annotated[
    str, Field(description="a secret: `secret:NAME#KEY`"), PROOF
]
"""The value of a key that nobody else may know."""

# https://www.rfc-editor.org/rfc/rfc9110#name-field-names
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token, and when it has to be replaced. Its value is in no `repr`."""

    value: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    """The refresh token that takes the place of the one that was sent."""

    def is_due(self, now: datetime) -> bool:
        """Whether to fetch another one before the next request."""
        return now >= self.expires_at


class BaseAuth(BaseModel, ABC):
    """Frozen, strict configuration, and how it proves a request."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    type: str

    @abstractmethod
    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """`request` with the proof. `token` is what a token request gave, if this
        kind of auth makes one.
        """

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """Every text that must not be in a message: proofs, and all secrets used."""
        texts = {*self.proofs().values(), *self.references()}
        return frozenset(resolve(text).strip("\r\n") for text in texts)

    def query_names(self) -> frozenset[str]:
        """Query parameters that hold a secret."""
        return frozenset()

    def urls(self) -> Mapping[str, str]:
        """Where else than to base_url secrets are sent, by key."""
        return {}

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong beyond the types: a key and a sentence, each."""
        return iter(())

    def proofs(self) -> dict[str, str]:
        """The values that nobody else may know, by key."""
        fields = type(self).model_fields
        return {
            key: getattr(self, key)
            for key, one in fields.items()
            if PROOF in one.metadata
        }

    def references(self) -> frozenset[str]:
        """Every `secret:` reference in the configuration."""
        return frozenset(references_in(self.model_dump(mode="json")))


def references_in(value: object) -> Iterator[str]:
    """Every `secret:` reference in mappings and lists."""
    match value:
        case str() if value.startswith(SECRET):
            yield value
        case dict():
            for below in value.values():
                yield from references_in(below)
        case list():
            for below in value:
                yield from references_in(below)


@runtime_checkable
class TokenKeeper(Protocol):
    """Secrets that can be written back."""

    def renewed(
        self,
        reference: str,
        *,
        refused: str | None,
        fetch: Callable[[str], AccessToken],
        clock: Clock,
        within_s: float,
    ) -> AccessToken:
        """An access token for the refresh token at `reference`: one that somebody else
        got meanwhile, or `fetch` by the stored refresh token, whose successor is
        stored before this returns. One caller fetches at a time, over all functions.

        `refused` is the access token that is known to be no good. Raises
        UpstreamError.
        """


def clean(secret: str) -> str:
    """A secret without the line break that files and consoles add.

    Raises Terminal(kind=auth) for one inside, which would begin another header.
    """
    value = secret.strip("\r\n")
    if any(character in value for character in "\r\n\0"):
        raise Terminal(
            "a secret for auth holds a line break inside; store it on one line",
            kind=RunErrorKind.AUTH,
        )
    return value


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """`request` with a header, in the place of one of that name."""
    kept = {k: v for k, v in request.headers.items() if k.lower() != name.lower()}
    return replace(request, headers={**kept, name: value})


def basic(user: str, password: str) -> str:
    """User and password as HTTP Basic writes them."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()
