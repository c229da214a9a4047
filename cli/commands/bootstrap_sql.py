"""Print the SQL that an administrator of the Snowflake account runs once.

It creates the warehouse, and a role and a user for each function that signs in. It
is safe to run again.

Example: catflap bootstrap-sql --env prod > bootstrap.sql
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
    account = known.snowflake_account
    first = (
        f"Snowflake for environment {known.name} of catflap. Run this once, before the "
        "first deploy; running it again changes nothing. Run it as a user that holds "
        "ACCOUNTADMIN: nobody else grants roles of the database SNOWFLAKE."
    )
    last = (
        "After the first deploy, let a role read the data, here PUBLIC, which is "
        f"everybody: {account.share_with('PUBLIC')};"
    )
    print(sql_script([first], account.bootstrap(), [last]))
    return 0
