"""The app's manifest, within what Slack's schema takes."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lambdas.core.slack.manifest import link_to_create, manifest
from tests.datasets import a_dataset

URL = "https://abc.lambda-url.eu-central-1.on.aws/"


def made(mention: str | None = None) -> dict[str, Any]:
    owner = {"team": "cats", "mention": mention}
    return manifest(
        [a_dataset(owner=owner)], environment="prod", url=URL, command="/catflap"
    )


def test_it_is_within_slacks_limits() -> None:
    document = made()
    shown = document["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    bot = document["features"]["bot_user"]["display_name"]
    assert re.fullmatch(r"[a-z0-9._-]{1,80}", bot)
    (command,) = document["features"]["slash_commands"]
    assert re.fullmatch(r"/[a-z0-9_-]{1,31}", command["command"])
    assert len(command["description"]) <= 2_000
    assert len(command["usage_hint"]) <= 1_000
    assert command["url"] == URL
    (shortcut,) = document["features"]["shortcuts"]
    assert (shortcut["type"], shortcut["callback_id"]) == ("message", "report")
    assert len(shortcut["name"]) <= 24
    assert len(shortcut["description"]) <= 150
    settings = document["settings"]
    assert settings["interactivity"] == {"is_enabled": True, "request_url": URL}
    assert "event_subscriptions" not in settings
    assert settings["token_rotation_enabled"] is False


@pytest.mark.parametrize(
    ("mention", "asks"), [(None, False), ("U0123456 S0123456", False), ("@duty", True)]
)
def test_it_asks_for_user_groups_only_where_a_handle_is_named(
    mention: str | None, *, asks: bool
) -> None:
    scopes = made(mention)["oauth_config"]["scopes"]["bot"]
    assert ("usergroups:read" in scopes) == asks
    assert {"chat:write", "commands", "channels:read", "groups:read"} <= set(scopes)


def test_the_link_holds_it_whole() -> None:
    query = parse_qs(urlsplit(link_to_create(made())).query)
    assert json.loads(query["manifest_json"][0]) == made()
