"""Finds what landed and did not load, and mends what can be mended."""
