"""Print the manifest of the environment's Slack app, after its deploy.

Example: catflap slack-manifest --env prod
"""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from cli import options
from cli.deployed.environment import Deployed, deployed
from lambdas.core.errors import BadInput
from lambdas.core.names import SLACK_URL, people_stack_name
from lambdas.core.quality.due import relations
from lambdas.core.slack.manifest import link_to_create, manifest
from project.yaml_files import load_catalogue

DONE = 0


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print it, and the address at which Slack makes the app of it.

    Raises BadInput if the environment has no Slack, or is not deployed yet.
    """
    reached = deployed(environment, environments=environments)
    known = reached.environment
    if "slack" not in known.channel_secrets:
        raise BadInput(
            f"environments/{known.name}.yaml declares no Slack; add "
            "`slack: {secret: catflap/slack}` and deploy"
        )
    if not known.has_function_urls:
        raise BadInput(
            f"{known.region} has no Lambda function URLs, which Slack's buttons need; "
            "an incoming webhook works there"
        )
    with reached.reached():
        url = _url(reached)
    folder = options.models_of(datasets, models)
    document = manifest(
        relations(load_catalogue(datasets, apis, folder)).values(),
        environment=known.name,
        url=url,
        command=reached.settings.option("slack", "command") or "/catflap",
    )
    print(json.dumps(document, indent=2))
    if not as_json:
        print(
            f"\nTo make the app, open\n{link_to_create(document)}\n"
            "and install it; then put its bot token and signing secret into the secret "
            f"{known.channel_secrets['slack']}: docs/slack.md"
        )
    return DONE


def _url(reached: Deployed) -> str:
    """The address that the deploy gave. Raises BadInput."""
    stack = people_stack_name(reached.environment.name)
    try:
        answer = reached.aws("cloudformation").describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise BadInput(
            f"{stack} is not deployed yet: Slack needs the address that it gives"
        ) from None
    outputs = answer["Stacks"][0].get("Outputs", [])
    found = [one["OutputValue"] for one in outputs if one["OutputKey"] == SLACK_URL]
    if not found:
        raise BadInput(f"{stack} has no output {SLACK_URL}; deploy again")
    return str(found[0])
