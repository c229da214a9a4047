"""A singer tap on singer-sdk, its messages compressed to a file.

``python singer_flights.py URL FILE``
"""

import gzip
import sys
from contextlib import redirect_stdout
from urllib.parse import parse_qs, urlsplit

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseHATEOASPaginator

INTEGERS = (
    *("id", "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay"),
    *("arr_time", "sched_arr_time", "arr_delay", "flight", "air_time", "distance"),
    *("hour", "minute"),
)
TEXTS = ("carrier", "tailnum", "origin", "dest", "time_hour")


class NextUrl(BaseHATEOASPaginator):
    def get_next_url(self, response):
        return response.json()["next_url"]


class Flights(RESTStream):
    name = "flights"
    path = ""
    primary_keys = ("id",)
    records_jsonpath = "$.rows[*]"
    schema = th.PropertiesList(
        *(th.Property(name, th.IntegerType) for name in INTEGERS),
        *(th.Property(name, th.StringType) for name in TEXTS),
    ).to_dict()

    @property
    def url_base(self):
        return self.config["url"]

    def get_new_paginator(self):
        return NextUrl()

    def get_url_params(self, context, next_page_token):
        return parse_qs(next_page_token.query) if next_page_token else {}


class TapFlights(Tap):
    name = "tap-flights"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType)).to_dict()

    def discover_streams(self):
        return [Flights(self)]


def main(url: str, path: str) -> None:
    at = urlsplit(url)
    with gzip.open(path, "wt", compresslevel=1) as file, redirect_stdout(file):
        TapFlights(config={"url": f"{at.scheme}://{at.netloc}{at.path}"}).sync_all()


if __name__ == "__main__":
    main(*sys.argv[1:])
