"""A month of outages, lived through by the check over its real stores, from a seed."""
