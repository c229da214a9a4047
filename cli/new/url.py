"""A URL as a person pastes it, taken apart: base, path, parameters, credentials."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from lambdas.core.errors import BadInput
from lambdas.core.http.redaction import sounds_secret
from lambdas.core.http.urls import is_private_enough, origin_of, public_url

_PAGING_TOKEN = re.compile(r"page|next|contin|cursor|skip", re.IGNORECASE)
_NO_NAMES = frozenset({
    "api", "apis", "www", "rest", "data", "open", "public", "services", "gateway",
    "com", "org", "net", "io", "dev", "app", "gov", "edu", "co", "eu", "uk", "de",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedUrl:
    """`params` are written as they are; `secrets` are parameters whose values are not.
    `user` and `password` come from the URL's user information.
    """

    base_url: str
    path: str
    params: Mapping[str, str]
    secrets: Mapping[str, str]
    user: str | None
    password: str | None
    api_name: str
    shown: str

    @property
    def noun(self) -> str:
        """`flights` of `/v1/flights.json`: what the records may be called."""
        last = urlsplit(self.path).path.rstrip("/").rpartition("/")[2]
        return last.partition(".")[0].lower()


def taken_apart(url: str, *, name: str) -> PastedUrl:
    """`url` in its parts; the API is called by its host, or by `name` if that has none.

    Raises BadInput if it is no URL that secrets may be sent to.
    """
    accepted = "accepted: https://…, or http://… on 127.0.0.1, ::1 or localhost"
    try:
        origin_of(url)
        parts = urlsplit(url)
    except ValueError:
        raise BadInput(f"--from is not an absolute URL; {accepted}") from None
    if not is_private_enough(url) or any(ord(one) <= ord(" ") for one in url):
        raise BadInput(f"--from {public_url(url)} cannot be asked; {accepted}")
    host = parts.netloc.rpartition("@")[2]
    folder, _, last = parts.path.rpartition("/")
    if not last and folder:
        folder, _, last = folder.rpartition("/")
        last += "/"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    repeated = len({key for key, _ in pairs}) != len(pairs)
    secrets = {
        key: value
        for key, value in pairs
        if sounds_secret(key) and not _PAGING_TOKEN.search(key) and value
    }
    if repeated and secrets:
        raise BadInput(
            f"--from {public_url(url)} repeats a parameter and holds a secret; leave "
            "the secret out and give it with --token"
        )
    path = last.replace("{", "%7B").replace("}", "%7D")
    if repeated:
        # a mapping has each name once: these stay in the path as they are
        path, pairs = f"{path}?{parts.query}", []
    return PastedUrl(
        base_url=f"{parts.scheme.lower()}://{host}{folder}/",
        path=path or "/",
        params={key: value for key, value in pairs if key not in secrets},
        secrets=secrets,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        api_name=_api_name(parts.hostname or "", name),
        shown=public_url(f"{parts.scheme.lower()}://{host}{parts.path}"),
    )


def _api_name(host: str, name: str) -> str:
    words = [one for one in host.lower().split(".") if one not in _NO_NAMES]
    word = max(words, key=len, default="")
    plain = re.sub(r"[^a-z0-9]+", "_", word).strip("_")
    return plain[:48] if re.match(r"[a-z]{2}", plain) and word != "localhost" else name


def free_name(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or with the first number behind it that nobody has."""
    number, found = 1, wanted
    while found in taken:
        number += 1
        found = f"{wanted[:44]}_{number}"
    return found
