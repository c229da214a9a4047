"""The demo's data as an API on loopback: `catflap example-api` becomes this process."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from local.loopback import Answer, Asked, LoopbackServer
from local.upstream import Upstream, new_york_flights

PORT = 8001
END = datetime(2013, 2, 1, tzinfo=UTC)
OUTSIDE_FAILED, INTERRUPTED = 3, 130

PLUGIN = """
import asyncio
import urllib.request
from datasette import Response, hookimpl

def ask(body):
    with urllib.request.urlopen("%(url)s", data=body) as answer:
        return answer.read().decode()

async def clock(request):
    body = await request.post_body() if request.method == "POST" else None
    text = await asyncio.to_thread(ask, body)
    return Response(text, content_type="application/json")

@hookimpl
def register_routes():
    return [("^/-/clock$", clock)]

@hookimpl
def skip_csrf(scope):
    return scope["path"] == "/-/clock"
"""
"""Datasette asks this process what time it is, and tells it: `GET` and `POST /-/clock`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 130 then, 3 if the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m local.example_api", description=__doc__
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"the port ({PORT})")
    port = parser.parse_args(arguments).port
    # ended by another process it stops as by Ctrl-C, and leaves no file behind
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="catflap-example-api-"))
    try:
        serve(folder, port)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except OSError as error:
        print(
            f"port {port} cannot be used ({error.strerror}); another one: "
            "catflap example-api --port 8002",
            file=sys.stderr,
        )
        return OUTSIDE_FAILED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return INTERRUPTED


class Clock:
    """What time it is for the API: it has the rows up to then."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._turn = threading.Lock()
        self.upstream: Upstream

    def answer(self, asked: Asked) -> Answer:
        """What time it is; with a POST after it was set."""
        with self._turn:
            if asked.method == "POST":
                self.set(datetime.fromisoformat(str(asked.json["now"])))
            return Answer(body=json.dumps({"now": self._now.isoformat()}).encode())

    def set(self, now: datetime) -> None:
        """Let the rows up to `now` be there, and no others."""
        if now < self._now:
            self.upstream.rewind(now)
        else:
            self.upstream.release(now)
        self._now = now


def serve(folder: Path, port: int) -> None:
    """Start the API, say where it is, and wait."""
    clock = Clock(END)
    plugins = folder / "plugins"
    plugins.mkdir()
    with (
        LoopbackServer(clock.answer) as control,
        closing(new_york_flights(folder, until=END, plugins=plugins)) as upstream,
    ):
        (plugins / "clock.py").write_text(PLUGIN % {"url": control.url})
        clock.upstream = upstream
        upstream.release(END)
        upstream.port = port
        upstream.start()
        print(f"the flights and the weather of January 2013: {upstream.base_url}")
        print("it serves until Ctrl-C; in another terminal: catflap preview flights")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
