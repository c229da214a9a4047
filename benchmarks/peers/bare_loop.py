"""The least that does the work: one connection, one thread, no state, no retries.

``python bare_loop.py URL FILE``
"""

import http.client
import sys
from urllib.parse import urlsplit

import orjson
from isal import igzip


def main(url: str, path: str) -> int:
    rows = 0
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.netloc)
    with igzip.open(path, "wb", compresslevel=1) as file:
        while url:
            at = urlsplit(url)
            connection.request("GET", f"{at.path}?{at.query}")
            page = orjson.loads(connection.getresponse().read())
            rows += len(page["rows"])
            file.write(b"\n".join(orjson.dumps(row) for row in page["rows"]) + b"\n")
            url = page["next_url"]
    return rows


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
