"""Moved out of ports.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as a paginator decides it. `params` are added to the URL's own."""

    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    json: Mapping[str, object] | None = None
    form: Mapping[str, str] | None = None
    """A body as `application/x-www-form-urlencoded`, instead of `json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer: its last `url`, lower-case header names, the decompressed body."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
