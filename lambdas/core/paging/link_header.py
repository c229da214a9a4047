"""The Link header (RFC 8288, section 3), read by its grammar."""

from __future__ import annotations

import re

_PARAM = re.compile(
    r"""\s*;\s*(?P<name>[!#$&+\-.^_`|~0-9A-Za-z]+)\*?\s*
        (?:=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;,"]*)))?""",
    re.VERBOSE,
)
_TARGET = re.compile(r"[\s,]*<(?P<target>[^>]*)>")


def links(header: str) -> dict[str, str]:
    """Targets by relation type (in lower case); of several the first one counts.

    A comma or semicolon inside `<…>` or quotes belongs to it; a link may have several
    relations (`rel="next last"`), and of several `rel` parameters the first counts.
    Links with an anchor of their own speak of another resource and are left out, and
    so are those that say that nothing is there (`results="false"`, as Sentry's do).
    What follows something that is not a link is not read.
    """
    found: dict[str, str] = {}
    at = 0
    while (link := _TARGET.match(header, at)) is not None:
        at = link.end()
        params: dict[str, str] = {}
        while (param := _PARAM.match(header, at)) is not None:
            at = param.end()
            value = param["quoted"]
            value = (
                re.sub(r"\\(.)", r"\1", value)
                if value is not None
                else param["token"] or ""
            )
            params.setdefault(param["name"].lower(), value)
        if "anchor" not in params and params.get("results") != "false":
            for relation in params.get("rel", "").lower().split():
                found.setdefault(relation, link["target"])
    return found
