"""dlt's rest_api source into its filesystem destination, as its guide has it.

``python dlt_flights.py URL FOLDER``
"""

import sys

import dlt
from dlt.sources.rest_api import rest_api_source


def main(url: str, folder: str) -> int:
    base, path = url.rsplit("/", 1)
    source = rest_api_source(
        {
            "client": {
                "base_url": base,
                "paginator": {"type": "json_link", "next_url_path": "next_url"},
            },
            "resources": [
                {"name": "flights", "endpoint": {"path": path, "data_selector": "rows"}}
            ],
        }
    )
    pipeline = dlt.pipeline(
        pipeline_name="flights",
        pipelines_dir=f"{folder}/state",
        destination=dlt.destinations.filesystem(f"file://{folder}/out"),
        dataset_name="bench",
    )
    pipeline.run(source, loader_file_format="jsonl")
    return pipeline.last_trace.last_normalize_info.row_counts["flights"]


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
