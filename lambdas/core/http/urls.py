"""URLs: origins, links, and how a URL may appear in a message.

An origin is scheme, host and port (RFC 6454). What proves who we are is sent to one
origin only, so every link an answer holds is resolved here, and refused here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import (
    parse_qsl,
    unquote,
    urlencode,
    urljoin,
    urlsplit,
    urlunsplit,
)

from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.http.redaction import BLANK, redact, sounds_secret

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ABSOLUTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://")


def origin_of(url: str) -> str:
    """`https://api.example.com:443`: scheme, host and port, in lower case.

    Raises ValueError if `url` is not an absolute http or https URL.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an http or https URL: {scheme or 'no scheme'}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}:{parts.port or _DEFAULT_PORTS[scheme]}"


def is_private_enough(url: str) -> bool:
    """Whether a secret may be sent to `url`: https, or http to this machine."""
    try:
        origin_of(url)
    except ValueError:
        return False
    parts = urlsplit(url)
    return parts.scheme.lower() == "https" or parts.hostname in _LOOPBACK


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine, by the host that it names."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def join(base_url: str, path: str) -> str:
    """The URL of `path` below `base_url`; a slash between them is never doubled.

    Raises BadInput if `path` is a URL of another origin, or `base_url` is not
    https (http on loopback).
    """
    if not is_private_enough(base_url):
        raise BadInput(
            f"base_url {public_url(base_url)} must be https (http only on loopback): "
            "what proves who we are would travel in the open"
        )
    if _ABSOLUTE.match(path):
        try:
            same = origin_of(path) == origin_of(base_url)
        except ValueError:
            same = False
        if not same:
            raise BadInput(
                f"path {public_url(path)} is of another origin than base_url "
                f"{public_url(base_url)}; give that origin a file of its own in apis/"
            )
        return path
    rest = path.lstrip("/")
    return f"{base_url.rstrip('/')}/{rest}" if rest else base_url


def follow(link: str, *, from_url: str, origin: str, what: str) -> str:
    """The absolute URL of `link`, found in the answer of `from_url` (RFC 3986).

    `origin` is the API's. A link to plain http on the API's own https host, as proxies
    that end TLS let servers write, is followed over https. User information and the
    fragment are dropped. Raises Terminal for every other origin: a token never
    follows. `what` names the link in the message.
    """
    try:
        resolved = urljoin(from_url, link.strip())
        parts = urlsplit(resolved)
        target = origin_of(resolved)
    except ValueError:
        shown = public_url(link.strip())
        raise _outside(what, shown, origin) from None
    ours = urlsplit(origin)
    if (parts.scheme.lower(), ours.scheme) == ("http", "https") and (
        parts.hostname,
        parts.port or 80,
        ours.port,
    ) == (ours.hostname, 80, 443):
        parts, target = parts._replace(scheme="https"), origin
    if target != origin:
        raise _outside(what, public_url(resolved), origin)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def _outside(what: str, shown: str, origin: str) -> Terminal:
    return Terminal(
        f"{what} leads to {shown}, outside {origin}; it is not followed, so that no "
        "token reaches another origin. If that origin is the API's own, make it the "
        "base_url",
        kind=RunErrorKind.RESPONSE,
    )


def without_params(url: str, names: Collection[str]) -> str:
    """`url` without the query parameters called `names`; untouched if it has none."""
    parts = urlsplit(url)
    if not names or not parts.query:
        return url
    kept = [
        pair
        for pair in parts.query.split("&")
        if unquote(pair.partition("=")[0].replace("+", " ")) not in names
    ]
    return urlunsplit(parts._replace(query="&".join(kept)))


def public_url(url: str, secrets: Collection[str] = ()) -> str:
    """`url` for a message: no user, fragment, secret or secret-sounding value."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a text that is no URL"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode(
        [(k, BLANK if sounds_secret(k) else v) for k, v in pairs],
        safe="*:/,{}$",
    )
    host = parts.netloc.rpartition("@")[2]
    return redact(urlunsplit((parts.scheme, host, parts.path, query, "")), secrets)
