"""How a request proves who we are: configuration and behaviour together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BearerAuth(_Auth):
    """`Authorization: Bearer …`."""

    type: Literal["bearer"]
    token: str


class ApiKeyAuth(_Auth):
    """A key in a header, the query or a cookie."""

    type: Literal["api_key"]
    name: str = "Authorization"
    api_key: str
    location: Literal["header", "query", "cookie"] = "header"


class HttpBasicAuth(_Auth):
    """User and password (RFC 7617)."""

    type: Literal["http_basic"]
    username: str
    password: str


class OAuth2ClientCredentials(_Auth):
    """A token fetched with client credentials (RFC 6749, section 4.4)."""

    type: Literal["oauth2_client_credentials"]
    access_token_url: str
    client_id: str
    client_secret: str
    access_token_request_data: dict[str, str] = {}
    default_token_expiration: int = 3600


Auth = Annotated[
    BearerAuth | ApiKeyAuth | HttpBasicAuth | OAuth2ClientCredentials,
    Field(discriminator="type"),
]
