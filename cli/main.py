"""`catflap`: finds the command that was asked for, and turns its end into an exit code.

Exit codes: 0 done · 1 the thing asked about is not well · 2 bad input · 3 the outside
failed · 130 interrupted.

Each command is one module of `cli.commands`: its first lines are the command's help,
its function `run` takes the options. The module is imported when the command is called,
so that `catflap --help` and `catflap diagnose --signals FILE` start at once.
"""

from __future__ import annotations

import ast
import gc
import importlib
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from lambdas.core.errors import CatflapError

BAD_INPUT, OUTSIDE_FAILED, INTERRUPTED = 2, 3, 130
FOLDER = Path(__file__).with_name("commands")

# A command's start is imports: a tenth of it would be looking for garbage among modules
# that stay, and another twentieth pydantic's asking every package for a plugin.
gc.set_threshold(50_000, 20, 100)
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@dataclass(slots=True)
class Session:
    """What a person asked of all commands."""

    debug: bool = False

    def show_traceback(self) -> None:
        """The traceback of the error at hand, if a person asked for it."""
        if self.debug:
            traceback.print_exc()


class Modules(Mapping[str, Any]):
    """The commands by name; to ask for one imports its module."""

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return iter(
            sorted(path.stem.replace("_", "-") for path in FOLDER.glob("[a-z]*.py"))
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer hides its type
        """The command; raises KeyError."""
        if name not in list(iter(self)):
            raise KeyError(name)
        module = importlib.import_module(f"cli.commands.{name.replace('-', '_')}")
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        declared = alone.command(name, help=module.__doc__, context_settings=SETTINGS)
        declared(module.run)
        return typer.main.get_command(alone)


class Commands(TyperGroup):
    """All commands, none of them imported before it is called."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**{**settings, "commands": {}})
        self.commands = Modules()  # type: ignore[assignment]  # nobody adds to it

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's context
        """All names."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer
        """A line for each command."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, first_sentence(name)) for name in self.list_commands(ctx)]
            )


def first_sentence(name: str) -> str:
    """What a command does, read from its file without running it."""
    text = (FOLDER / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    end = text.index('"""', 3) + 3
    return str(ast.literal_eval(text[:end])).split("\n\n")[0].replace("\n", " ")


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - for who asks

        print(f"catflap {version('catflap')}")
        raise typer.Exit


SETTINGS = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="catflap",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


@app.callback()
def catflap(
    context: typer.Context,
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Pull APIs into Snowflake on schedule, and say where the data stopped when they
    are late.
    """
    del version  # its callback has printed it
    context.obj.debug = debug


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; never raises."""
    from lambdas.core.errors import CatflapError  # noqa: PLC0415 - after the options
    from project.fault import printable  # noqa: PLC0415 - after the options

    session = Session()
    # it may stand anywhere: whoever wants to know adds it at the end
    rest = [one for one in arguments if one != "--debug"]
    if len(rest) < len(arguments):
        rest = ["--debug", *rest]
    try:
        # an interruption comes back as 130
        code = app(rest, prog_name="catflap", standalone_mode=False, obj=session)
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
        session.show_traceback()
        print(*map(printable, sentences_of(error)), sep="\n", file=sys.stderr)
        return exit_code_of(error)
    except Exception as error:  # noqa: BLE001 - a person is told, not shown a traceback
        session.show_traceback()
        print(unexpected(error), file=sys.stderr)
        return OUTSIDE_FAILED
    return code if isinstance(code, int) else 0


def unexpected(error: Exception) -> str:
    """A line about an error that no command turned into a sentence."""
    return _aws_sentence(error) or (
        f"catflap failed unexpectedly: {type(error).__name__}; run it again with "
        "--debug to see where"
    )


def sentences_of(error: CatflapError) -> Iterator[str]:
    """An error in lines, with what the person before this terminal can do about it."""
    from lambdas.core.errors import LandingError, WarehouseUnreachable  # noqa: PLC0415 - as above

    aws = _aws_sentence(error) if isinstance(error, LandingError) else None
    yield from (aws or str(error)).split("\n")
    if isinstance(error, WarehouseUnreachable):
        yield (
            "To sign in as yourself: export SNOWFLAKE_USER, SNOWFLAKE_ROLE and "
            "SNOWFLAKE_AUTHENTICATOR=externalbrowser"
        )


def _aws_sentence(error: Exception) -> str | None:
    """What AWS refused, if that is where an error came from."""
    if "botocore" not in sys.modules:
        return None
    from cli.deployed.aws_errors import origin_of, sentence_of  # noqa: PLC0415 - boto3

    known = origin_of(error)
    return None if known is None else sentence_of(known)


def exit_code_of(error: CatflapError) -> int:
    """2 for what a person wrote, 3 for what the outside did."""
    from lambdas.core.errors import BadInput  # noqa: PLC0415 - after the options

    return BAD_INPUT if isinstance(error, BadInput) else OUTSIDE_FAILED


def main() -> None:
    """The entry point `catflap`."""
    gc.disable()  # until the command is imported; what stays is not looked at later
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
