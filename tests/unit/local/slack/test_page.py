"""The look-alike's page shows what Slack would, and runs nothing of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.slack.page import Post, mrkdwn, page
from local.slack.webhook import SlackLookAlike

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)


@pytest.fixture
def slack() -> Iterator[SlackLookAlike]:
    made = SlackLookAlike(now=lambda: NOW)
    yield made
    made.close()


def post(url: str, message: object) -> tuple[int, str]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    try:
        with urllib.request.urlopen(url, data=body) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*late* and _new_", "<b>late</b> and <i>new</i>"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("`a &amp; b`", "<code>a &amp; b</code>"),
        ("<https://a.b/c|here>", '<a href="https://a.b/c">here</a>'),
        ("<!date^1^{date}|today>", "today"),
        ("<!channel>", "<b>channel</b>"),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("<script>", "&lt;script&gt;"),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
    ],
)
def test_markup_is_shown_as_slack_shows_it(text: str, shown: str) -> None:
    assert mrkdwn(text) == shown


def test_a_page_runs_nothing_of_what_was_posted() -> None:
    hostile = "<img src=x onerror=alert(1)><script>1</script>"
    header = {"type": "header", "text": {"type": "plain_text", "text": hostile}}
    section = {"type": "section", "text": {"type": "mrkdwn", "text": hostile}}
    shown = page([Post(at=NOW, message={"text": "t", "blocks": [header, section]})])

    assert "<img" not in shown
    assert "<script" not in shown


def test_what_is_refused_is_told_to_who_posts_and_shown(slack: SlackLookAlike) -> None:
    message = {"text": "t", "blocks": [{"type": "divider"}] * 51}

    assert post(slack.webhook_url, message) == (400, "invalid_blocks")
    assert slack.posts == []
    assert "Slack refuses this: invalid_blocks" in page(slack.all)


def test_posts_are_kept_and_written_as_a_file(
    slack: SlackLookAlike, tmp_path: Path
) -> None:
    assert post(slack.webhook_url, {"text": "flights late"}) == (200, "ok")
    assert post(slack.url + "services/other", {"text": "t"}) == (404, "no_service")
    assert post(slack.webhook_url, b"{") == (400, "invalid_payload")
    slack.is_down = True
    assert post(slack.webhook_url, {"text": "t"}) == (503, "service_unavailable")
    slack.write(tmp_path / "inbox.html")

    assert slack.texts() == ["flights late"]
    assert "flights late" in (tmp_path / "inbox.html").read_text()
