"""``make serve``: the example API, and `catflap try --stay` beside it; a minute of 2013
passes each second.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

START, SPEED = "2013-01-01T12:00:00Z", "60"
CATFLAP = str(Path(sys.executable).with_name("catflap"))


def main() -> int:
    """Until Ctrl-C; the exit code of `catflap try`."""
    command = [CATFLAP, "example-api"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:  # noqa: S603 - our own command
        assert api.stdout is not None
        try:
            print(api.stdout.readline(), end="", flush=True)
            options = ["--stay", "--start", START, "--speed", SPEED]
            done = subprocess.run([CATFLAP, "try", *options], check=False)  # noqa: S603 - as above
        except KeyboardInterrupt:
            return 0
        finally:
            api.terminate()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
