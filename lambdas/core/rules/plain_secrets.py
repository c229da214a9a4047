"""Secrets in plain text: a file in a repository is read by everybody.

Told by the name that holds them (`api_key`, `X-Auth-Token`) or by their own shape
(`ghp_…`, `Bearer …`, a JSON web token). What pages by a token (`page_token`) is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from lambdas.core.dataset import Api, Dataset
from lambdas.core.http.auth import SECRET
from lambdas.core.http.urls import is_loopback
from lambdas.core.rules.findings import Finding, Location

HOW_IT_IS_WRITTEN = "accepted: secret:NAME#KEY"

_NAMED = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret|credentials?|token|jwt|bearer"
    r"|authorization|(?:api|access|private|secret|subscription|auth|client|app"
    r"|application|license|service|account|master|encryption)keys?)$"
)
_PAGES = re.compile(
    r"(?:page|next|prev(?:ious)?|cursor|continu\w*|sync|start|end|scroll|skip|resum\w*"
    r"|offset|delta|change|list|after|before|iteration|max|min|count)token$"
)
_HEADERS = frozenset({"cookie", "xapikey", "xauthtoken", "xauth", "proxyauthorization"})
_OFTEN = frozenset({"key", "auth", "sig", "signature", "session", "sessionid", "sid",
                    "appid", "hash", "accesscode", "authcode"})  # fmt: skip
"""Names of secrets and of much else: the value has to look drawn as well."""

_DRAWN = re.compile(r"(?=\S*[A-Za-z])(?=\S*[0-9])[A-Za-z0-9+/=_.~-]{12,}")
_SHAPED = re.compile(
    r"(?i:bearer|basic|token|apikey|digest)\s+[A-Za-z0-9+/=_.~:-]{8,}$"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}"
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abeprs]-[\w-]{10,}|[sr]k_(?:live|test)_\w{10,}|sk-[\w-]{20,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30,}|ya29\.[\w-]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|shp(?:at|ca|pa|ss)_\w{16,}|pat-[a-z]{2}\d-[\w-]{16,}"
    r"|(?:dop_v1|npm|hf|lin_api|ATATT|EAA[A-Z])_?\w{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_PLACEHOLDER = re.compile(r"\{(?:incremental|parent)\.")


def is_plain_secret(name: str, value: JsonValue) -> bool:
    """Whether `value`, sent under `name`, is most likely a secret in plain text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = str(value).strip()
    if not text or text.startswith(SECRET) or _PLACEHOLDER.search(text):
        return False
    if _SHAPED.match(text):
        return True
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _HEADERS or (_NAMED.search(plain) and not _PAGES.search(plain)):
        return True
    return plain in _OFTEN and _DRAWN.fullmatch(text) is not None


def plain_in_api(api: Api) -> Iterator[Finding]:
    """Secrets of an API in plain text; on loopback they leave no machine."""
    urls: Mapping[str, str] = {} if api.auth is None else api.auth.urls()
    if all(is_loopback(url) for url in (api.base_url, *urls.values())):
        return
    because: tuple[Location, ...] = (
        ("base_url",),
        *(("auth", key) for key in urls),
    )
    if api.auth is not None:
        for key, value in api.auth.proofs().items():
            if not value.startswith(SECRET):
                yield _finding(("auth", key), because)
    for name, value in api.headers.items():
        if is_plain_secret(name, value):
            yield _finding(("headers", name), because)


def plain_in_dataset(dataset: Dataset, api: Api | None) -> Iterator[Finding]:
    """Secrets it sends in plain text; `api` is its client, if readable."""
    if api is not None and is_loopback(api.base_url):
        return
    endpoint, probe = dataset.source.endpoint, dataset.freshness.probe
    sent: dict[Location, JsonValue] = {("source", "options"): dataset.source.options}
    paths: dict[Location, str] = {}
    if endpoint is not None:
        at: Location = ("source", "endpoint")
        paths[*at, "path"] = endpoint.path
        sent[*at, "params"] = dict(endpoint.params)
        sent[*at, "headers"] = dict(endpoint.headers)
        sent[*at, "json"] = endpoint.json_body
    if probe is not None:
        paths["freshness", "probe", "path"] = probe.path
        sent["freshness", "probe", "params"] = dict(probe.params)
    for key, value in sent.items():
        yield from _below(key, "", value)
    for key, path in paths.items():
        if any(is_plain_secret(*pair) for pair in parse_qsl(urlsplit(path).query)):
            yield _finding(key, ())


def _below(key: Location, name: str, value: JsonValue) -> Iterator[Finding]:
    match value:
        case dict():
            for inner, below in value.items():
                yield from _below((*key, inner), inner, below)
        case list():
            for index, below in enumerate(value):
                yield from _below((*key, index), name, below)
        case _ if is_plain_secret(name, value):
            yield _finding(key, ())


def _finding(key: Location, because: tuple[Location, ...]) -> Finding:
    return Finding(
        key=key,
        sentence="is a secret in plain text, put it in Secrets Manager; "
        f"{HOW_IT_IS_WRITTEN} (plain text on loopback only)",
        because=because,
    )
