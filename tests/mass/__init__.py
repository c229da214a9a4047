"""A mass outage: thousands of datasets late at once, on a table that is throttled."""
