"""One page, no script: how each dataset is, from the state that the check keeps."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import datetime

from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;color:#1f2328;
padding:0 1rem}
table{border-collapse:collapse;width:100%}
td,th{padding:.45rem .7rem;border-bottom:1px solid #d0d7de;text-align:left;
vertical-align:top}
.state{font-weight:600}.pass{color:#1a7f37}.warn{color:#9a6700}.error{color:#cf222e}
.unknown{color:#57606a}small{color:#57606a}
"""


def page(
    datasets: Sequence[str],
    watches: Mapping[str, Watch],
    incidents: Sequence[Incident],
    *,
    now: datetime,
) -> str:
    """The page as HTML. Every text that is not ours is escaped."""
    open_by_dataset = {one.dataset: one for one in incidents if one.resolved_at is None}
    rows = "".join(
        _row(name, watches.get(name), open_by_dataset.get(name), now=now)
        for name in datasets
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta http-equiv=refresh content=5><title>catflap</title>"
        f"<style>{_STYLE}</style><h1>catflap</h1>"
        f"<p><small>as of {now:%Y-%m-%d %H:%M} UTC</small></p>"
        "<table><tr><th>dataset<th>state<th>newest data<th>rows<th>what is known</tr>"
        f"{rows}</table></html>"
    )


def _row(
    name: str, watch: Watch | None, incident: Incident | None, *, now: datetime
) -> str:
    state = "unknown" if watch is None else watch.state
    newest = None if watch is None else watch.newest_at
    age = "" if newest is None else f" <small>{_age(now - newest)}</small>"
    count = watch.row_count if watch is not None else None
    if incident is not None:
        expected = incident.expected_at
        due = "not known yet" if expected is None else f"{expected:%Y-%m-%d %H:%M} UTC"
        known = (
            f"{html.escape(incident.headline)}<br><small>next expected: {due}</small>"
        )
    else:
        known = "<small>nothing to tell</small>"
    return (
        f"<tr><td>{html.escape(name)}<td class='state {html.escape(state)}'>"
        f"{html.escape(state)}<td>{'' if newest is None else f'{newest:%d %b %H:%M}'}"
        f"{age}<td>{'' if count is None else f'{count:,}'}<td>{known}</tr>"
    )


def _age(age: object) -> str:
    return str(age).split(".", 1)[0].removesuffix(":00") + " h old"
