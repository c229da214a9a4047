from __future__ import annotations

import pytest

from lambdas.core.reports.text import plain_text, web_address


def test_what_turns_text_around_is_shown_as_unknown() -> None:
    assert plain_text("a\u202eb\x00c\u2066d", 80) == "a\ufffdb\ufffdc\ufffdd"


def test_emoji_and_scripts_keep_their_joiners() -> None:
    family = "\U0001f468\u200d\U0001f469"
    assert plain_text(family, 80) == family


def test_text_stands_on_one_line_and_is_cut() -> None:
    assert plain_text("a\n\n b", 80) == "a b"
    assert plain_text("x" * 100_000, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://[",
        "https://",
        "//example.com",
        "https://example.com/\u202e",
        "https://example.com/" + "x" * 600,
        None,
    ],
)
def test_only_an_address_of_the_web_is_a_link(text: str | None) -> None:
    assert web_address(text) is None


def test_an_address_of_the_web_is_kept_as_it_is() -> None:
    address = "https://example.com/pull/1?a=b#c"
    assert web_address(address) == address
