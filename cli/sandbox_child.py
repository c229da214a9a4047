"""The child of `cli.sandbox`: fences itself in, imports one file, tells what is wrong.

``sandbox_child.py OUR_ROOT ROOT sources/foo.py:pages CPU_SECONDS MEGABYTES`` prints
``{"wrong": sentence or null}`` as the last line.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import json
import math
import os
import resource
import sys
import time

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # sched.h: CLONE_NEWUSER, CLONE_NEWNET
_REFUSED = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
    "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.system",
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.remove", "os.rename",
    "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.kill",
    "shutil.rmtree", "shutil.move", "ctypes.dlopen",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class FencedError(PermissionError):
    """The file does at its import what belongs into the generator."""


def fence(cpu_s: int, megabytes: int) -> None:
    """No way back from here, for this process; its work counts from here on."""
    cpu_s += math.ceil(time.process_time())
    size = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # where the kernel lets us, a network namespace without any interface
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)
    sys.addaudithook(_refuse)
    time.sleep = _no_sleep  # of which the audit hook is told from Python 3.13 on


def _no_sleep(_: object) -> None:
    raise FencedError("time.sleep")


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _REFUSED:
        raise FencedError(event)
    if event == "open":
        flags = arguments[2]
        if isinstance(flags, int) and flags & _WRITES:
            raise FencedError("open for writing")


def wrong_with(root: str, reference: str) -> str | None:
    """What is wrong with a source, as a sentence; None if nothing is."""
    from pathlib import Path  # noqa: PLC0415 - after the path is set

    from lambdas.adapters.sources.python_source import loaded, where_of  # noqa: PLC0415 - the fence goes up first
    from lambdas.core.errors import BadInput  # noqa: PLC0415 - the fence goes up first

    try:
        # the fence goes up once our own modules are there
        fence(int(sys.argv[4]), int(sys.argv[5]))
        found = loaded(Path(root), reference)
    except BadInput as error:
        return str(error)
    except FencedError as error:
        return (
            f"{where_of(error, reference)}: does `{error}` while it is imported; "
            "accepted: a file that only defines, and does its work in the generator"
        )
    except BaseException as error:  # noqa: BLE001 - whatever a person's code raises
        return (
            f"{where_of(error, reference)}: {type(error).__name__}: {error}; "
            "accepted: a file that can be imported"
        )
    return _wrong_with_function(found, reference)


def _wrong_with_function(found: object, reference: str) -> str | None:
    place, _, name = reference.partition(":")
    code = inspect.unwrap(found).__code__  # type: ignore[arg-type]  # a function
    line = f"{place}:{code.co_firstlineno}"
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        return f"{line}: `{name}` is async; accepted: a plain generator, with `yield`"
    try:
        inspect.signature(found).bind(object())  # type: ignore[arg-type]  # as above
    except TypeError:
        return f"{line}: `{name}` has to take one argument, the context"
    if not inspect.isgeneratorfunction(found):
        return f"{line}: `{name}` yields nothing; accepted: a generator of pages"
    return None


if __name__ == "__main__":
    sys.path += [sys.argv[2], sys.argv[1]]  # a person's own `sources` first
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    OUT = os.dup(1)
    os.dup2(2, 1)  # what the file prints is not the answer
    os.write(OUT, json.dumps({"wrong": wrong_with(sys.argv[2], sys.argv[3])}).encode())
