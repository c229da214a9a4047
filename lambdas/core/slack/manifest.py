"""The app as Slack makes it: its manifest ("Reference: app manifest")."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from lambdas.core.dataset import Dataset
from lambdas.core.slack.asked import REPORT
from lambdas.core.slack.mentions import handles_of

NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_json="
_ALWAYS = ("channels:read", "chat:write", "chat:write.public", "commands",
           "groups:read")  # fmt: skip


def manifest(
    datasets: Iterable[Dataset], *, environment: str, url: str, command: str
) -> dict[str, Any]:
    """For the environment's own app, with the scopes that the datasets need.

    No event subscriptions: nothing listens to messages. No token rotation, which
    cannot be turned off again, and whose tokens live for twelve hours.
    """
    return {
        "display_information": {
            "name": f"catflap {environment}",
            "description": "Says which data are late, and takes your word on it",
        },
        "features": {
            # where a person who reported something is answered
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": bot_name(environment)},
            "slash_commands": [
                {
                    "command": command,
                    "url": url,
                    "description": "Report that something looks wrong with a dataset",
                    "usage_hint": "report NAME what looks wrong",
                    "should_escape": False,
                }
            ],
            "shortcuts": [
                {
                    "name": "Report a dataset",
                    "type": "message",
                    "callback_id": REPORT,
                    "description": "Tell a dataset's owners what looks wrong",
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": _scopes(datasets)}},
        "settings": {
            "interactivity": {"is_enabled": True, "request_url": url},
            "org_deploy_enabled": False,
            "socket_mode_enabled": False,
            "token_rotation_enabled": False,
        },
    }


def bot_name(environment: str) -> str:
    """By which the environment's app is invited to a channel."""
    return f"catflap-{environment}"


def link_to_create(document: dict[str, Any]) -> str:
    """Where Slack makes the app of it."""
    return NEW_APP + quote(json.dumps(document, separators=(",", ":")))


def _scopes(datasets: Iterable[Dataset]) -> list[str]:
    has_handles = bool(handles_of(datasets))
    return sorted([*_ALWAYS, *(["usergroups:read"] if has_handles else [])])
