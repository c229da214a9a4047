"""Print the SQL that removes an environment from Snowflake, data included.

An administrator of the account runs it after the stacks are deleted.

Example: catflap teardown-sql --env dev > teardown.sql
"""

from __future__ import annotations

from cli import options
from cli.output import sql_script
from project.environment_file import read_environment


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
) -> int:
    """Print the statements; returns 0. Raises BadInput."""
    known = read_environment(environments, environment)
    first = (
        f"Removes environment {known.name} of catflap from Snowflake, data included. "
        "There is no way back beyond Time Travel. Run it as a user that holds SYSADMIN "
        "and USERADMIN."
    )
    before = f"Remove the stacks first: npx cdk destroy --all -c env={known.name}"
    print(sql_script([first, before], known.snowflake_account.teardown(), []))
    return 0
