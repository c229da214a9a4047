"""What is made from what, told to tools that read OpenLineage."""
