"""Names in AWS that the stacks give and somebody else has to know.

The command line looks for what was deployed by these, so there is nothing to configure
and no output to copy. Everything else is named by CloudFormation.
"""

from __future__ import annotations

EVENT_SOURCE = "catflap"
"""`source` of every event on the bus."""


CATALOGUE_FILE = "catalogue.json"
"""What the file is called that holds the datasets of a deploy."""


def event_bus_name(environment: str) -> str:
    """The bus on which an environment says what happened."""
    return f"catflap-{environment}"


def role_name(environment: str, function: str) -> str:
    """The AWS role that Snowflake knows a function by: no path, a fixed name."""
    return f"catflap-{environment}-{function}"


def state_table_name(environment: str) -> str:
    """The DynamoDB table of an environment (unique in an account and region)."""
    return f"catflap-{environment}-state"


def dashboard_name(environment: str) -> str:
    """The dashboard of an environment in CloudWatch."""
    return f"catflap-{environment}"


def pulls_queue_name(environment: str) -> str:
    """The queue that wakes the pull function: by schedule, or by a person."""
    return f"catflap-{environment}-pulls.fifo"


def backfills_queue_name(environment: str) -> str:
    """The queue that feeds backfills' slices to the pull function."""
    return f"catflap-{environment}-backfills.fifo"


def landing_bucket_name(environment: str, *, account: str, region: str) -> str:
    """The landing bucket. Bucket names are shared by all accounts there are, and have
    63 characters at most (S3, "Bucket naming rules"): here 8 + 7 + 9 + 12 + 1 + region.
    """
    return f"catflap-{environment}-landing-{account}-{region}"


def schedule_prefix(environment: str) -> str:
    """With a dataset's name, the name of its schedule."""
    return f"catflap-{environment}-"


SLACK_URL = "SlackUrl"
"""The output of the people stack that holds the address for Slack."""


def people_stack_name(environment: str) -> str:
    """The stack with what people do from Slack."""
    return f"catflap-{environment}-people"


MONITOR = "_monitor"
"""The name under which the monitor's own incidents stand; no dataset can have it."""


LOADING = "_loading"
"""The name under which stands what keeps landed rows from being loaded."""


API = "_api."
"""What the name begins with under which an API's incident stands."""


OURS = frozenset({MONITOR, LOADING})
"""Names of incidents that are of no dataset, but for those of APIs."""


def is_ours(name: str) -> bool:
    """Whether an incident of that name is of no single dataset."""
    return name.startswith("_")
