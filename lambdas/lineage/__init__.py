"""The function that tells a lineage service of runs."""
