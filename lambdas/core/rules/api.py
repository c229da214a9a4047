"""The rules of an API that types cannot say: URLs, headers, secrets.

Plain text may only prove who we are to this machine: everywhere else it stands in
Secrets Manager, since a file in a repository is read by everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import JsonValue

from lambdas.core.dataset import Api
from lambdas.core.http.auth import (
    ApiKeyAuth,
    Auth,
    BearerAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)
from lambdas.core.http.urls import is_private_enough, origin_of
from lambdas.core.rules.findings import Finding, Location

SECRET_PREFIX = "secret:"  # noqa: S105 - a prefix, no secret
# names: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_SECRET = re.compile(r"secret:[A-Za-z0-9/_+=.@-]{1,512}#[A-Za-z0-9_.-]{1,256}")
_HOW_IT_IS_WRITTEN = "accepted: secret:NAME#KEY"
_SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"}
)
# https://www.rfc-editor.org/rfc/rfc9110#name-field-names
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def api_findings(api: Api) -> list[Finding]:
    """What is wrong with an API beyond its types."""
    return [
        *url_findings(("base_url",), api.base_url),
        *header_findings(("headers",), api.headers),
        *secret_findings(("headers",), dict(api.headers)),
        *_auth_findings(api),
    ]


def url_findings(key: Location, url: str) -> Iterator[Finding]:
    """A URL that is sent secrets is https, or stays on this machine."""
    accepted = "accepted: https://…, or http://… on 127.0.0.1, ::1 or localhost"
    try:
        origin_of(url)
        parts = urlsplit(url)
    except ValueError:
        yield Finding(
            key=key, sentence=f"is not an absolute URL with a host; {accepted}"
        )
        return
    if any(ord(char) <= ord(" ") for char in url):
        yield Finding(key=key, sentence=f"holds white space; {accepted}")
    if not is_private_enough(url):
        yield Finding(key=key, sentence=f"is plain http to another machine; {accepted}")
    if parts.username is not None or parts.password is not None:
        yield Finding(
            key=key,
            sentence="holds a user or password before the @; accepted: a URL without "
            "them, and `auth: {type: http_basic, …}`",
        )
    if parts.query or parts.fragment:
        yield Finding(
            key=key,
            sentence="holds a query (?) or fragment (#); accepted: scheme, host and "
            "path, with the query in `params`",
        )


def header_findings(key: Location, headers: dict[str, str]) -> Iterator[Finding]:
    """Headers whose name or value cannot be sent."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield Finding(
                key=(*key, name),
                sentence="is no name of a header; accepted: letters, digits and -",
            )
        if name.lower() in seen:
            yield Finding(
                key=(*key, name),
                sentence="the same header is written twice; accepted: each once, in "
                "upper or lower case",
            )
        seen.add(name.lower())
        if any(ord(char) < ord(" ") and char != "\t" for char in value):
            yield Finding(
                key=(*key, name),
                sentence="holds a line break or control character; accepted: one line",
            )


def secret_findings(key: Location, value: JsonValue) -> Iterator[Finding]:
    """Every text below `key` that begins like a reference to a secret and is none."""
    if isinstance(value, str):
        if value.startswith(SECRET_PREFIX) and not _SECRET.fullmatch(value):
            yield Finding(
                key=key,
                sentence="begins with `secret:` and is no reference to a secret; "
                f"{_HOW_IT_IS_WRITTEN}",
            )
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from secret_findings((*key, name), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from secret_findings((*key, index), below)


def _proofs(auth: Auth) -> dict[str, str]:
    """The values of an auth that nobody else may know, by key."""
    match auth:
        case BearerAuth():
            return {"token": auth.token}
        case ApiKeyAuth():
            return {"api_key": auth.api_key}
        case HttpBasicAuth():
            return {"password": auth.password}
        case OAuth2ClientCredentials():
            return {"client_secret": auth.client_secret}


def _auth_findings(api: Api) -> Iterator[Finding]:
    """A plain secret is only accepted where it does not leave this machine."""
    auth = api.auth
    upstreams = [api.base_url]
    if auth is not None:
        yield from secret_findings(("auth",), auth.model_dump(mode="json"))
    if isinstance(auth, OAuth2ClientCredentials):
        yield from url_findings(("auth", "access_token_url"), auth.access_token_url)
        upstreams.append(auth.access_token_url)
    if isinstance(auth, ApiKeyAuth) and not _HEADER_NAME.fullmatch(auth.name):
        yield Finding(
            key=("auth", "name"),
            sentence="is no name of a header, parameter or cookie; accepted: letters, "
            "digits and -",
        )
    if all(_is_loopback(url) for url in upstreams):
        return
    plain = (
        {("auth", key): value for key, value in _proofs(auth).items()} if auth else {}
    )
    for name, value in api.headers.items():
        if name.lower() in _SENSITIVE_HEADERS:
            plain["headers", name] = value
    for key, value in plain.items():
        if not value.startswith(SECRET_PREFIX):
            yield Finding(
                key=key,
                sentence="is a secret in plain text, put it in Secrets Manager; "
                f"{_HOW_IT_IS_WRITTEN} (plain text on loopback only)",
                because=(("base_url",), ("auth", "access_token_url")),
            )


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return is_private_enough(parts._replace(scheme="http").geturl())
    except ValueError:
        return False


def path_findings(key: Location, path: str) -> Iterator[Finding]:
    """A path below base_url; a whole URL keeps the rules of URLs."""
    if any(ord(char) < ord(" ") for char in path):
        yield Finding(
            key=key, sentence="holds a control character; accepted: one line of text"
        )
    if "://" in path.partition("?")[0]:
        yield from url_findings(key, path.partition("?")[0])
