"""Find what would stop a deploy or a pull, and say what to do about it.

Asks AWS and Snowflake: account, CDK bootstrap, stacks that cannot be deployed, Lambda's
concurrency, secrets, unconfirmed e-mail addresses, the warehouse. Stores one
finding: whether asking a pipe for its status wakes a warehouse. With --send a test
message goes to each channel, and a pager is triggered and resolved.

Example: catflap doctor --env prod --send
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import deployed
from cli.output import columns
from project.yaml_files import load_catalogue

DONE, NOT_WELL = 0, 1
_WORDS = {"ok": "ok", "bad": "not met", "unknown": "not known"}


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test message to each channel.")
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Print each precondition; 1 if one is not met or not known. Raises BadInput,
    BadFiles.
    """
    from cli.deployed.preconditions import preconditions  # noqa: PLC0415 - boto3: half a second that --help need not take

    catalogue = load_catalogue(datasets, apis)
    reached = deployed(environment, environments=environments)
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    found = list(preconditions(reached, catalogue))
    if send:
        from cli.deployed.sample_messages import sent  # noqa: PLC0415 - as above

        found += sent(reached, catalogue)
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found]))
    else:
        rows = [(one.what, _WORDS[one.state], one.sentence) for one in found]
        print(columns(("what", "state", "why"), rows))
    return DONE if all(one.state == "ok" for one in found) else NOT_WELL
