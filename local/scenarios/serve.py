"""``make serve``: the embedded stack stays up; a minute of 2013 passes each second."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lambdas.adapters.state.incidents import IncidentTable
from local.loopback import Answer, Asked, LoopbackServer
from local.scenarios.replay import Replay
from local.scenarios.status_page import page
from local.stack import PERSON, ROOT, EmbeddedStack, Synthesis, read
from local.upstream import new_york_flights

START = datetime(2013, 1, 1, 12, tzinfo=UTC)
END = datetime(2013, 2, 1, tzinfo=UTC)
SPEED = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C, or until the data end; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m local.scenarios.serve", description=__doc__
    )
    parser.add_argument(
        "--speed", type=float, default=SPEED, help="simulated seconds a second (60)"
    )
    speed = parser.parse_args(arguments).speed
    folder = Path(tempfile.mkdtemp(prefix="catflap-serve-"))
    try:
        serve(folder, speed=speed)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def serve(folder: Path, *, speed: float) -> None:
    """Start everything, say where it is, and let time pass."""
    with (
        closing(Synthesis(folder / "cdk.out")) as templates,
        closing(new_york_flights(folder, until=END)) as upstream,
    ):
        upstream.start()
        project = read(ROOT, "dev", upstream_url=upstream.base_url)
        stack = EmbeddedStack(
            project=project, assembly=templates, folder=folder, start=START
        )
        with stack:
            freshness = stack.deployment.function("lambdas.freshness.handler.handle")
            table = IncidentTable(
                dynamodb=stack.cloud.client("dynamodb"),
                table=freshness.environment["STATE_TABLE"],
            )
            replay = Replay(
                stack=stack,
                upstream=upstream,
                start=START,
                end=END,
                turns=(),
                progress=_paced(speed),
            )

            def render(_: Asked) -> Answer:
                shown = page(
                    sorted(project.catalogue.datasets),
                    table.watches(),
                    table.incidents(),
                    now=replay.now,
                )
                headers = {"Content-Type": "text/html; charset=utf-8"}
                return Answer(body=shown.encode(), headers=headers)

            with LoopbackServer(render) as status:
                _say(status.url, stack)
                replay.live()


def _paced(speed: float) -> Callable[[datetime], None]:
    began = time.monotonic()

    def wait(now: datetime) -> None:
        passed = (now - START) / timedelta(seconds=1) / speed
        time.sleep(max(0.0, began + passed - time.monotonic()))

    return wait


def _say(url: str, stack: EmbeddedStack) -> None:
    access, secret = stack.cloud.administrator_keys()
    print(f"status page: {url}")
    print("for `catflap status` and `catflap diagnose NAME` in another terminal:")
    for name, value in {
        "AWS_ENDPOINT_URL": stack.cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": stack.cloud.region,
        **stack.snowflake.environment(),
        # A person's own login; the reader's is its function's own.
        "SNOWFLAKE_USER": PERSON,
        "CATFLAP_NOW": START.isoformat(),
    }.items():
        print(f"  export {name}={value}")
    print("  (CATFLAP_NOW is where the commands think they are: set it to the page's)")
    print("Ctrl-C stops it", flush=True)


if __name__ == "__main__":
    sys.exit(main())
