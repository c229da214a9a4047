"""The messages of a channel as Slack shows them, as one HTML file without a script."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdas.core.text.count import counted

_STYLE = """
body{font:15px/1.46 Lato,system-ui,sans-serif;margin:0;color:#1d1c1d;background:#fff}
main{max-width:46rem;margin:0 auto;padding:1rem}
h1{font-size:1.1rem;border-bottom:1px solid #ddd;padding-bottom:.6rem}
article{display:flex;gap:.6rem;padding:.6rem 0}
.icon{flex:0 0 36px;height:36px;border-radius:6px;background:#4a154b;color:#fff;
text-align:center;line-height:36px;font-weight:900}
.who{font-weight:900}.app{font-size:.65rem;background:#e8e8e8;border-radius:2px;
padding:0 .2rem;margin:0 .3rem;color:#616061}time{color:#616061;font-size:.75rem}
.header{font-size:1.15rem;font-weight:900;margin:.3rem 0}
.section,.context{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}
.context{font-size:.8rem;color:#616061}code,pre{font:12px/1.5 monospace;
background:#f6f6f6;border:1px solid #ddd;border-radius:3px;padding:0 .2rem}
.button{display:inline-block;border:1px solid #bbb;border-radius:4px;
padding:.2rem .7rem;margin:.2rem .4rem .2rem 0;font-weight:700;font-size:.85rem}
.thread{margin-left:2.6rem;border-left:2px solid #ddd;padding-left:.8rem}
.primary{background:#007a5a;color:#fff;border-color:#007a5a}
.refused{border-left:4px solid #e01e5a;padding-left:.6rem}
@media(prefers-color-scheme:dark){body{background:#1a1d21;color:#d1d2d3}
h1{border-color:#444}.context,time{color:#ababad}code,pre{background:#232529;
border-color:#444}}
"""
_MARKS = (
    (re.compile(r"```(.+?)```", re.DOTALL), r"<pre>\1</pre>"),
    (re.compile(r"`([^`\n]+)`"), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?! )([^*\n]+)(?<! )\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?! )([^_\n]+)(?<! )_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?! )([^~\n]+)(?<! )~(?![\w~])"), r"<s>\1</s>"),
)
_ANGLED = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What was posted, when, and with which word Slack refused it, if it did."""

    at: datetime
    message: Mapping[str, Any]
    refused: str | None = None
    channel: str = ""
    """Its name; absent = the webhook's."""
    ts: str = ""
    thread_ts: str | None = None
    edits: int = 0
    is_in_channel: bool = True
    """Not if it is a reply that only its thread shows."""


def page(posts: Sequence[Post], *, refresh_s: int | None = None) -> str:
    """The page, newest message last. Every text is escaped."""
    again = f"<meta http-equiv=refresh content={refresh_s}>" if refresh_s else ""
    shown = "".join(_channel(name, posts) for name in _channels(posts))
    shown = shown or "<p>Nothing was posted yet.</p>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        "<meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"{again}<title>Slack look-alike</title><style>{_STYLE}</style><main>"
        f"{shown}</main></html>\n"
    )


def _channels(posts: Sequence[Post]) -> list[str]:
    return list(dict.fromkeys(one.channel for one in posts))


def _channel(name: str, posts: Sequence[Post]) -> str:
    """A channel's messages, each with its thread below it."""
    mine = [one for one in posts if one.channel == name]
    title = html.escape(name.lstrip("#")) or "what Slack would show"
    shown = ""
    for one in mine:
        if one.thread_ts is None:
            replies = [x for x in mine if x.thread_ts and x.thread_ts == one.ts]
            shown += _post(one) + _thread(replies)
        elif one.is_in_channel:
            shown += _post(one, lead="replied to a thread")
    return f"<h1># {title}</h1>{shown}"


def _thread(replies: Sequence[Post]) -> str:
    if not replies:
        return ""
    count = counted(len(replies), "reply")
    shown = "".join(_post(one) for one in replies)
    return f"<div class=thread><div class=context>{count}</div>{shown}</div>"


def _post(post: Post, lead: str = "") -> str:
    at = f"{post.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    blocks = post.message.get("blocks")
    body = (
        "".join(_block(one) for one in blocks)
        if isinstance(blocks, list) and post.refused is None
        else f"<div class=section>{mrkdwn(str(post.message.get('text', '')))}</div>"
    )
    if post.refused is not None:
        refused = html.escape(post.refused)
        body = f"<div class=refused>Slack refuses this: {refused}{body}</div>"
    return (
        "<article><div class=icon>c</div><div><span class=who>catflap</span>"
        f"<span class=app>APP</span><time>{at}</time>"
        f"{f'<div class=context>{lead}</div>' if lead else ''}{body}</div></article>"
    )


def _block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "header":
            return f"<div class=header>{_text(block['text'])}</div>"
        case "section":
            parts = [block["text"]] if block.get("text") else []
            shown = "\n".join(_text(one) for one in [*parts, *block.get("fields", ())])
            return f"<div class=section>{shown}</div>"
        case "context":
            shown = " ".join(_text(one) for one in block.get("elements", ()))
            return f"<div class=context>{shown}</div>"
        case "actions":
            return "".join(_button(one) for one in block.get("elements", ()))
        case "divider":
            return "<hr>"
        case other:
            return f"<div class=context>({html.escape(str(other))})</div>"


def _button(element: Mapping[str, Any]) -> str:
    style = html.escape(str(element.get("style", "")))
    return f"<span class='button {style}'>{_text(element['text'])}</span>"


def _text(value: Mapping[str, Any]) -> str:
    text = str(value.get("text", ""))
    return mrkdwn(text) if value.get("type") == "mrkdwn" else html.escape(text)


def mrkdwn(text: str) -> str:
    """Slack's markup as HTML ("Formatting text for app surfaces")."""
    parts: list[str] = []
    last = 0
    for match in _ANGLED.finditer(text):
        parts += [_marked(text[last : match.start()]), _angled(match[1])]
        last = match.end()
    return "".join([*parts, _marked(text[last:])])


def _marked(text: str) -> str:
    # Slack's own three escapes are undone, then all is escaped for HTML.
    shown = html.escape(html.unescape(text), quote=False)
    for mark, into in _MARKS:
        shown = mark.sub(into, shown)
    return shown


def _angled(inner: str) -> str:
    target, _, label = inner.partition("|")
    if target.startswith(("https://", "http://", "mailto:")):
        name = html.escape(html.unescape(label or target))
        return f'<a href="{html.escape(html.unescape(target))}">{name}</a>'
    if target.startswith("!date^"):
        return html.escape(label)
    if target.startswith(("@", "#", "!")):
        return f"<b>{html.escape(label or target.lstrip('!'))}</b>"
    return html.escape(f"<{inner}>")
