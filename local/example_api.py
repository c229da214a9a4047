"""The demo's data as an API on loopback: `catflap example-api` becomes this process."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from local.upstream import new_york_flights

PORT = 8001
END = datetime(2013, 2, 1, tzinfo=UTC)
OUTSIDE_FAILED, INTERRUPTED = 3, 130


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


def serve(folder: Path, port: int) -> None:
    """Start the API, say where it is, and wait."""
    with closing(new_york_flights(folder, until=END)) as upstream:
        upstream.release(END)
        upstream.port = port
        upstream.start()
        print(f"the flights and the weather of January 2013: {upstream.base_url}")
        print("it serves until Ctrl-C; in another terminal: catflap preview flights")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
