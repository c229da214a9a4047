"""docs/settings.md: the keys of an environment and the variables of shell and
functions, from the types that read them.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from cli.reference import sections
from lambdas.core import settings
from lambdas.core.settings import FunctionSettings
from project.environment import Environment

HEAD = """\
# Settings
<!-- Written by `make generate` from the models; edit those. -->
What can be set, and where it is read. A dataset and an API have a
[reference of their own](datasets.md).

## `environments/<env>.yaml`
The file's name is the environment's: at most 7 lower-case letters and digits, since
`catflap-<env>-<dataset>` names a schedule and ends at 64 characters. No secret stands
here, only names of secrets.
"""

VARIABLES = {
    "CATFLAP_SECRET_<NAME>_<KEY>": "the secret `secret:NAME#KEY` for `new`, `preview`, "
    "`pull` and `try`: upper case, other characters `_`",
    "CATFLAP_NOW": "the current time, ISO 8601 with an offset, for a stack with a "
    "clock of its own; `--env local` sets it",
    "LOGNAME": "the person recorded by `catflap incident`; else `USER`",
    "NO_COLOR": "set to anything: no colours",
    "AWS_PROFILE": "the credentials that commands with `--env` use; all other "
    "variables of AWS's own tools work too, such as AWS_ENDPOINT_URL",
    "SNOWFLAKE_USER": "the Snowflake user, instead of the environment's reader",
    "SNOWFLAKE_ROLE": "that user's role",
    "SNOWFLAKE_AUTHENTICATOR": "`externalbrowser` for a person, `workload_identity` or "
    "`key_pair`",
    "SNOWFLAKE_PRIVATE_KEY_SECRET": "the secret with the key, for `key_pair`",
    "SNOWFLAKE_ENDPOINT_URL": "Snowflake's address, if not its own",
}
"""What commands read of a person's shell."""


def page() -> str:
    """The page."""
    keys = [_without_name(text) for text in sections(Environment, "", set())]
    return "\n".join([HEAD, *keys, *_shell(), *_functions()])


def _without_name(text: str) -> str:
    """Without the row of what the file's name says."""
    return "".join(
        line for line in text.splitlines(keepends=True) if "| `name` |" not in line
    )


def _shell() -> Iterator[str]:
    yield "## Variables of your shell\n"
    yield _table(("variable", "what it says"), VARIABLES.items())


def _functions() -> Iterator[str]:
    """A variable is a field in upper case, whichever functions read it."""
    yield "## Variables of the functions\n"
    yield "Set by the deploy; for anyone who reads a function's configuration.\n"
    known: dict[str, tuple[list[str], str]] = {}
    meanings = _meanings()
    for model in function_models():
        for name in model.model_fields:
            of_bases = [meanings.get((one.__name__, name)) for one in model.__mro__]
            meaning = next(filter(None, of_bases), "")
            readers, _ = known.setdefault(name.upper(), ([], meaning))
            readers.append(model.__name__.removesuffix("Settings").lower())
    rows = [
        (name, ", ".join(readers), " ".join(meaning.split()))
        for name, (readers, meaning) in sorted(known.items())
    ]
    yield _table(("variable", "read by", "meaning"), rows)


def _meanings() -> dict[tuple[str, str], str]:
    """What stands below a class's field in the source."""
    module = ast.parse(inspect.getsource(settings))
    classes = [one for one in module.body if isinstance(one, ast.ClassDef)]
    return {
        (one.name, field.target.id): below.value.value
        for one in classes
        for field, below in pairwise(one.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| `{first}` | {' | '.join(rest)} |" for first, *rest in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines, ""])


def function_models() -> list[type[FunctionSettings]]:
    """The settings of each function: those that no others are made of."""
    declared = [one for one in vars(settings).values() if isinstance(one, type)]
    models = [one for one in declared if issubclass(one, FunctionSettings)]
    return [one for one in models if not one.__subclasses__()]
