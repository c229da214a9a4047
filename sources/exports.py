"""Tables that an API exports on demand: order one, wait for it, fetch its parts.

The dance of many analytics and CRM APIs, which no declaration describes::

    POST exports {"table": …, "since": …}   202 {"id": "e1", "status": "queued"}
    GET  exports/e1                         {"status": "done", "parts": ["…", "…"]}
    GET  exports/e1/parts/1                 JSON Lines, one record a line

Options: `table`, what to export, and `wait_s`, the seconds between two looks at it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.adapters.sources.python_source import PullContext
from lambdas.core.errors import RunErrorKind, Terminal

PAGE_LINES = 5000


def pages(context: PullContext) -> Iterator[list[bytes]]:
    """The export's records since the cursor, a few thousand a page."""
    order = {"table": context.options["table"], "since": context.start}
    export = context.http.post("exports", json=order).json()
    while export["status"] in {"queued", "running"}:
        context.sleep(float(context.options.get("wait_s", 5)))
        export = context.http.get(f"exports/{export['id']}").json()
    if export["status"] != "done":
        raise Terminal(
            f"the export {export['id']} ended as {export['status']}",
            kind=RunErrorKind.RESPONSE,
        )
    context.log.info("export %s has %d parts", export["id"], len(export["parts"]))
    for part in export["parts"]:
        lines = context.http.get(part).body.splitlines()
        for at in range(0, len(lines), PAGE_LINES):
            # a line goes on as the bytes it is: every digit stays
            yield lines[at : at + PAGE_LINES]
