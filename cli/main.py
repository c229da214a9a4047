"""`catflap`: the commands, their options, and how each of them ends.

Exit codes: 0 done · 1 the thing asked about is not well · 2 bad input · 3 the outside
failed · 130 interrupted. A command's work is in the module of its name, imported when
it runs, so that `--help` and `diagnose` start at once.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from cli import stack_commands

if TYPE_CHECKING:
    from lambdas.core.errors import CatflapError

BAD_INPUT, OUTSIDE_FAILED, INTERRUPTED = 2, 3, 130

# A command's start is imports: a tenth of it would be looking for garbage among modules
# that stay, and another twentieth pydantic's asking every package for a plugin.
gc.set_threshold(50_000, 20, 100)
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

app = typer.Typer(
    name="catflap",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The door your data comes home through, and the one who tells you when it "
    "has not.",
)

Datasets = Annotated[
    Path, typer.Option("--datasets", metavar="DIR", help="Folder of datasets.")
]
Apis = Annotated[Path, typer.Option("--apis", metavar="DIR", help="Folder of APIs.")]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")]
DATASETS, APIS = Path("datasets"), Path("apis")


@app.callback()
def catflap() -> None:
    """The door your data comes home through."""


@app.command()
def check(
    *, datasets: Datasets = DATASETS, apis: Apis = APIS, as_json: Json = False
) -> int:
    """Validate all YAML; every fault is one line on stderr.

    Example: catflap check --datasets datasets --apis apis
    """
    from cli.commands.check import run  # noqa: PLC0415 - see the module's first lines

    return run(datasets=datasets, apis=apis, as_json=as_json)


@app.command()
def new(
    name: Name,
    *,
    url: Annotated[
        str, typer.Option("--from", metavar="URL", help="Where its records are.")
    ],
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN", help="Proves who you are; - reads it from stdin."
        ),
    ] = None,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Ask an API a page or two, and write the dataset they show.

    Example: catflap new flights --from https://api.example.com/v1/flights
    """
    from cli.commands.new import run  # noqa: PLC0415 - see the module's first lines

    return run(
        name, url=url, token=token, datasets=datasets, apis=apis, as_json=as_json
    )


@app.command()
def preview(
    name: Name,
    *,
    limit: Annotated[int, typer.Option(min=0, help="Rows at most.")] = 10,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Rows are NDJSON with or without it.")
    ] = False,
) -> int:
    """Print a dataset's first rows as NDJSON; nothing is landed or remembered.

    Example: catflap preview flights --limit 3
    """
    from cli.commands.preview import run  # noqa: PLC0415 - see the module's first lines

    del as_json
    return run(name, limit=limit, datasets=datasets, apis=apis)


@app.command()
def pull(
    name: Name,
    *,
    to: Annotated[
        str, typer.Option(metavar="URI", help="file:///folder or s3://bucket/prefix.")
    ],
    state: Annotated[
        Path, typer.Option(metavar="FILE", help="Remembers the cursor and the runs.")
    ],
    until: Annotated[
        str | None,
        typer.Option(
            metavar="ISO", help="Pull what is new up to here, and no further."
        ),
    ] = None,
    window: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="START END", help="Pull this past window; the cursor stays."
        ),
    ] = None,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Pull what is new, with the engine and commit protocol of the Lambda.

    Example: catflap pull flights --to file:///tmp/landing --state state.json
    """
    from cli.commands.pull import run  # noqa: PLC0415 - see the module's first lines

    return run(
        name,
        to=to,
        state=state,
        until=until,
        window=window,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


stack_commands.add_to(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; never raises."""
    from lambdas.core.errors import CatflapError  # noqa: PLC0415 - see above
    from project.fault import printable  # noqa: PLC0415 - see above

    try:
        # an interruption comes back as 130
        code = app(list(arguments), prog_name="catflap", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        # those that typer raises know how to show themselves beside the usage
        show = getattr(error, "show", None)
        if show is None:
            print(error, file=sys.stderr)
        else:
            show()
        return BAD_INPUT
    except typer.Abort:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read stdout has had enough (of which typer makes a SystemExit);
        # Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except CatflapError as error:
        _trace()
        print(*map(printable, str(error).split("\n")), sep="\n", file=sys.stderr)
        return exit_code_of(error)
    except Exception as error:  # noqa: BLE001 - a person is told, not shown a traceback
        _trace()
        print(
            f"catflap failed in a way nobody foresaw: {type(error).__name__}; "
            "CATFLAP_DEBUG=1 shows where",
            file=sys.stderr,
        )
        return OUTSIDE_FAILED
    return code if isinstance(code, int) else 0


def exit_code_of(error: CatflapError) -> int:
    """2 for what a person wrote, 3 for what the outside did."""
    from lambdas.core.errors import BadInput  # noqa: PLC0415 - see above

    return BAD_INPUT if isinstance(error, BadInput) else OUTSIDE_FAILED


def _trace() -> None:
    """The traceback of the error at hand, if a developer asked for it."""
    from lambdas.adapters.environment import variables  # noqa: PLC0415 - see above

    if variables().get("CATFLAP_DEBUG"):
        import traceback  # noqa: PLC0415 - see above

        traceback.print_exc()


def main() -> None:
    """The entry point `catflap`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a letter that the terminal's encoding lacks is no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
