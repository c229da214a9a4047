"""The workspace's user groups, by handle."""

from __future__ import annotations

from lambdas.adapters.slack.api import SlackApi


def user_groups(api: SlackApi) -> dict[str, str]:
    """Their ids by handle ("usergroups.list"). Raises DeliveryError."""
    found = api.call("usergroups.list", {}).get("usergroups", [])
    return {str(one["handle"]): str(one["id"]) for one in found}
