"""The rules of an API that types cannot say: URLs, headers, references to secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import JsonValue

from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import Terminal
from lambdas.core.http.auth import (
    HEADER_NAME,
    SECRET,
    BaseAuth,
    references_in,
)
from lambdas.core.http.destinations import Destinations
from lambdas.core.http.token import TokenAuth
from lambdas.core.http.urls import is_private_enough, origin_of
from lambdas.core.rules.findings import Finding, Location
from lambdas.core.rules.plain_secrets import (
    HOW_IT_IS_WRITTEN,
    plain_in_api,
    plain_in_dataset,
)

# names: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_SECRET = re.compile(r"secret:[A-Za-z0-9/_+=.@-]{1,512}#[A-Za-z0-9_.-]{1,256}")


def api_findings(api: Api) -> list[Finding]:
    """What is wrong with an API beyond its types."""
    return [
        *url_findings(("base_url",), api.base_url),
        *header_findings(("headers",), api.headers),
        *secret_findings(("headers",), dict(api.headers)),
        *([] if api.auth is None else _auth_findings(api.auth)),
        *_ca_findings(api.ca),
        *plain_in_api(api),
    ]


def client_findings(dataset: Dataset, api: Api | None) -> Iterator[Finding]:
    """What does not fit between a dataset and its API, if that can be read."""
    yield from plain_in_dataset(dataset, api)
    endpoint = dataset.source.endpoint
    if api is None or endpoint is None or isinstance(api.auth, TokenAuth):
        return
    for index, action in enumerate(endpoint.response_actions):
        if action.action == "renew":
            yield Finding(
                key=("source", "endpoint", "response_actions", index, "action"),
                sentence="renews a token, and the API's auth fetches none; accepted: "
                "an auth of a type that begins with oauth2_, or another action",
                because=(("source", "client"),),
            )


def origin_faults(dataset: Dataset, destinations: Destinations) -> Iterator[str]:
    """Secrets that the environment does not let go where they are sent."""
    api, endpoint = dataset.source.client, dataset.source.endpoint
    if not isinstance(api, Api) or api.base_url.startswith(SECRET):
        return
    auth = api.auth
    by_auth = auth.references() if auth is not None else frozenset()
    urls = [] if auth is None else list(auth.urls().values())
    sent = endpoint.model_dump(mode="json") if endpoint is not None else {}
    below = {*references_in(dict(api.headers)), *references_in(sent)}
    asked = below if urls else {*below, *by_auth}
    for url, references in ((api.base_url, asked), *((url, by_auth) for url in urls)):
        try:
            destinations.refuse(url, references)
        except Terminal as refusal:
            yield str(refusal)


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
        if not HEADER_NAME.fullmatch(name):
            yield Finding(
                key=(*key, name),
                sentence="cannot name a header; accepted: letters, digits and -",
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
        if value.startswith(SECRET) and not _SECRET.fullmatch(value):
            yield Finding(
                key=key,
                sentence="begins with `secret:` and is not a reference to a secret; "
                f"{HOW_IT_IS_WRITTEN}",
            )
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from secret_findings((*key, name), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from secret_findings((*key, index), below)


def _auth_findings(auth: BaseAuth) -> Iterator[Finding]:
    yield from secret_findings(("auth",), auth.model_dump(mode="json"))
    for key, url in auth.urls().items():
        yield from url_findings(("auth", key), url)
    for key, sentence in auth.faults():
        yield Finding(key=("auth", key), sentence=sentence)


def _ca_findings(ca: str | None) -> Iterator[Finding]:
    if ca is not None and not _SECRET.fullmatch(ca):
        yield Finding(
            key=("ca",),
            sentence=f"is not a reference to a secret; {HOW_IT_IS_WRITTEN}, whose "
            "value is the certificate in PEM",
        )


def path_findings(key: Location, path: str) -> Iterator[Finding]:
    """A path below base_url; a whole URL keeps the rules of URLs."""
    if any(ord(char) < ord(" ") for char in path):
        yield Finding(
            key=key, sentence="holds a control character; accepted: one line of text"
        )
    if "://" in path.partition("?")[0]:
        yield from url_findings(key, path.partition("?")[0])
