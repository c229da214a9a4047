"""What Slack's refusals mean ("chat.postMessage", "chat.update": errors)."""

from __future__ import annotations

LATER = frozenset({
    "ratelimited", "rate_limited", "service_unavailable", "internal_error",
    "fatal_error", "request_timeout", "team_added_to_org",
})  # fmt: skip
"""Slack takes nothing for now. After two of them part may have been done."""

OF_THE_APP = {
    "invalid_auth": "the bot token is not accepted",
    "not_authed": "the secret holds no bot token",
    "token_revoked": "the bot token was revoked",
    "token_expired": "the bot token has expired",
    "account_inactive": "the app was removed from the workspace",
    "missing_scope": "the app lacks a scope",
    "org_login_required": "the workspace is being moved to an organization",
    "team_access_not_granted": "the app may not use this workspace",
    "ekm_access_denied": "an administrator has suspended the app",
    "message_limit_exceeded": "the free workspace takes no more messages",
}
"""Nothing passes until somebody mends the app."""

OF_THE_CHANNEL = {
    "channel_not_found": "does not exist, or is private and the app is not a member; "
    "type /invite @{app} there",
    "not_in_channel": "does not have the app as a member; type /invite @{app} there",
    "is_archived": "is archived; unarchive it, or name another channel",
    "is_inactive": "is archived; unarchive it, or name another channel",
    "restricted_action": "does not let the app post; ask a workspace administrator",
    "restricted_action_read_only_channel": "does not let the app post; ask a workspace "
    "administrator",
    "restricted_action_thread_only_channel": "takes replies only; name another channel",
    "restricted_action_non_threadable_channel": "takes no threads; name another "
    "channel",
    "no_permission": "does not let the app post; ask a workspace administrator",
}
"""This channel takes no message, others do; `{app}` is the name of the app's bot."""

NOT_EDITABLE = frozenset({
    "message_not_found", "cant_update_message", "edit_window_closed", "update_failed",
    "no_dual_broadcast_content_update", "thread_not_found", "cannot_reply_to_message",
    "restricted_action_thread_locked", "cant_broadcast_message",
})  # fmt: skip
"""This message can be edited or answered no more: another takes its place."""
