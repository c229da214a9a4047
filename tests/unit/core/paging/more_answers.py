"""First and last answers of further vendors, as in `real_answers`."""

from __future__ import annotations

from tests.unit.core.paging.real_answers import H, RealAnswer, first, last, rows

MORE_FIRST: dict[str, RealAnswer] = {
    "Monday next": first(
        {"data": {"next_items_page": {"cursor": "abc", "items": rows()}}},
        post={"query": "q"},
        sends={"query": "q", "cursor": "abc"},
    ),
    "Figma": first(
        {"meta": {"components": rows(), "cursor": {"after": 7, "before": 1}}},
        params={"after": "7"},
    ),
    "Figma versions": first(
        {
            "versions": rows(),
            "pagination": {"prev_page": None, "next_page": f"{H}/v1/cats?before=3"},
        },
        url=f"{H}/v1/cats?before=3",
    ),
    "Freshsales": first({"contacts": rows(), "meta": {"total_pages": 4, "total": 10}}),
    "Typeform": first({"total_items": 10, "page_count": 4, "items": rows()}),
    "SurveyMonkey": first(
        {
            "data": rows(),
            "per_page": 3,
            "page": 1,
            "total": 25,
            "links": {
                "self": f"{H}/v1/cats?page=1",
                "next": f"{H}/v1/cats?page=2",
                "last": f"{H}/v1/cats?page=9",
            },
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Clockify": first(rows(), headers={"last-page": "false"}),
    "Front": first(
        {
            "_pagination": {"next": f"{H}/v1/cats?page_token=x"},
            "_links": {"self": f"{H}/v1/cats"},
            "_results": rows(),
        },
        url=f"{H}/v1/cats?page_token=x",
    ),
    "Gmail": first(
        {"messages": rows(), "nextPageToken": "12", "resultSizeEstimate": 201},
        params={"pageToken": "12"},
    ),
    "Recurly": first(
        {
            "object": "list",
            "has_more": True,
            "next": "/v1/cats?cursor=x",
            "data": rows(),
        },
        url=f"{H}/v1/cats?cursor=x",
    ),
    "Square": first({"payments": rows(), "cursor": "abc"}, params={"cursor": "abc"}),
    "Mixpanel": first(
        {
            "page": 0,
            "page_size": 3,
            "session_id": "12-ab",
            "status": "ok",
            "total": 25,
            "results": rows(),
        }
    ),
    "Sentry": first(
        rows(),
        headers={
            "link": (
                f'<{H}/v1/cats?cursor=0:0:1>; rel="previous"; '
                'results="false"; cursor="0:0:1", '
                f'<{H}/v1/cats?cursor=0:100:0>; rel="next"; results="true"; '
                'cursor="0:100:0"'
            ),
        },
        url=f"{H}/v1/cats?cursor=0:100:0",
    ),
    "Pinterest": first(
        {"items": rows(), "bookmark": "abc"}, params={"bookmark": "abc"}
    ),
    "TikTok": first(
        {
            "code": 0,
            "message": "OK",
            "request_id": "1",
            "data": {
                "list": rows(),
                "page_info": {
                    "page": 1,
                    "page_size": 3,
                    "total_number": 25,
                    "total_page": 9,
                },
            },
        },
        params={"page": "2"},
    ),
    "Snapchat": first(
        {
            "request_status": "SUCCESS",
            "paging": {"next_link": f"{H}/v1/cats?cursor=x"},
            "campaigns": rows(),
        },
        url=f"{H}/v1/cats?cursor=x",
    ),
    "LinkedIn": first(
        {
            "elements": rows(),
            "paging": {
                "start": 0,
                "count": 3,
                "total": 25,
                "links": [{"rel": "next", "href": "/v1/cats?start=3&count=3"}],
            },
        },
        url=f"{H}/v1/cats?start=3&count=3",
    ),
    "Marketo": first(
        {
            "requestId": "e42b",
            "success": True,
            "result": rows(),
            "nextPageToken": "abc=",
            "moreResult": True,
        },
        params={"pageToken": "abc="},
    ),
    "Zuora": first(
        {"success": True, "nextPage": f"{H}/v1/cats?page=2", "accounts": rows()},
        url=f"{H}/v1/cats?page=2",
    ),
    "Datadog audit": first(
        {
            "data": rows(),
            "links": {"next": f"{H}/v1/cats?page[cursor]=x"},
            "meta": {"page": {"after": "abc"}},
        },
        url=f"{H}/v1/cats?page[cursor]=x",
    ),
    "New Relic": first(
        {
            "data": {
                "actor": {
                    "entitySearch": {
                        "count": 25,
                        "results": {"nextCursor": "abc", "entities": rows()},
                    }
                }
            }
        },
        post={"query": "q"},
        sends={"query": "q", "cursor": "abc"},
    ),
    "BigCommerce": first(
        {
            "data": rows(),
            "meta": {
                "pagination": {
                    "total": 25,
                    "count": 3,
                    "per_page": 3,
                    "current_page": 1,
                    "total_pages": 9,
                    "links": {"next": "?page=2&limit=3", "current": "?page=1&limit=3"},
                }
            },
        },
        url=f"{H}/v1/cats?page=2&limit=3",
    ),
    "ServiceTitan": first(
        {"page": 1, "pageSize": 3, "hasMore": True, "totalCount": None, "data": rows()}
    ),
    "Procore": first(
        rows(),
        headers={
            "total": "25",
            "per-page": "3",
            "link": (
                f'<{H}/v1/cats?page=2>; rel="next", <{H}/v1/cats?page=9>; rel="last"'
            ),
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Gusto": first(
        rows(),
        headers={
            "x-page": "1",
            "x-total-pages": "9",
            "x-total-count": "25",
            "x-per-page": "3",
        },
    ),
    "GoCardless": first(
        {
            "customers": rows(),
            "meta": {"cursors": {"before": None, "after": "CU123"}, "limit": 3},
        },
        params={"after": "CU123"},
    ),
    "Plaid": first(
        {
            "added": rows(),
            "modified": [],
            "removed": [],
            "next_cursor": "abc",
            "has_more": True,
            "request_id": "x",
        },
        params={"cursor": "abc"},
    ),
    "Coinbase": first(
        {
            "pagination": {
                "ending_before": None,
                "starting_after": None,
                "limit": 3,
                "order": "desc",
                "previous_uri": None,
                "next_uri": "/v1/cats?starting_after=3",
            },
            "data": rows(),
        },
        url=f"{H}/v1/cats?starting_after=3",
    ),
    "Confluence": first(
        {
            "results": rows(),
            "start": 0,
            "limit": 3,
            "size": 3,
            "_links": {"base": f"{H}/wiki", "next": "/v1/cats?start=3"},
        },
        url=f"{H}/v1/cats?start=3",
    ),
    "Wrike": first(
        {"kind": "tasks", "nextPageToken": "X", "data": rows()},
        params={"pageToken": "X"},
    ),
    "Smartsheet": first(
        {
            "pageNumber": 1,
            "pageSize": 3,
            "totalPages": 9,
            "totalCount": 25,
            "data": rows(),
        },
        params={"pageNumber": "2"},
    ),
    "Personio": first(
        {
            "success": True,
            "metadata": {"total_elements": 25, "current_page": 0, "total_pages": 9},
            "offset": 0,
            "limit": 3,
            "data": rows(),
        },
        params={"page": "1"},
    ),
    "Eloqua": first({"elements": rows(), "page": 1, "pageSize": 3, "total": 25}),
    "Ashby": first(
        {
            "success": True,
            "results": rows(),
            "moreDataAvailable": True,
            "nextCursor": "abc",
        },
        params={"cursor": "abc"},
    ),
    "Workable": first(
        {"jobs": rows(), "paging": {"next": f"{H}/v1/cats?since_id=x"}},
        url=f"{H}/v1/cats?since_id=x",
    ),
    "Teamwork": first(
        {
            "meta": {
                "page": {"pageOffset": 0, "pageSize": 3, "count": 3, "hasMore": True}
            },
            "projects": rows(),
            "included": {},
        }
    ),
    "Vimeo": first(
        {
            "total": 25,
            "page": 1,
            "per_page": 3,
            "paging": {
                "next": "/v1/cats?page=2",
                "previous": None,
                "first": "/v1/cats?page=1",
                "last": "/v1/cats?page=9",
            },
            "data": rows(),
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Open Food Facts": first(
        {"count": "25", "page": 1, "page_count": 3, "page_size": 3, "products": rows()},
        params={"page": "2"},
    ),
    "Splunk": first(
        {
            "entry": rows(),
            "paging": {"total": 25, "perPage": 3, "offset": 0},
            "messages": [],
        },
        params={"offset": "3", "perPage": "3"},
    ),
    "Tableau": first(
        {
            "pagination": {"pageNumber": "1", "pageSize": "3", "totalAvailable": "25"},
            "workbooks": {"workbook": rows()},
        }
    ),
    "Genesys": first(
        {
            "entities": rows(),
            "pageSize": 3,
            "pageNumber": 1,
            "total": 25,
            "pageCount": 9,
            "nextUri": "/v1/cats?pageNumber=2",
            "firstUri": "/v1/cats?pageNumber=1",
            "lastUri": "/v1/cats?pageNumber=9",
        },
        url=f"{H}/v1/cats?pageNumber=2",
    ),
    "Shodan": first({"matches": rows(), "total": 25}),
    "Azure DevOps": first(
        {"count": 3, "value": rows()}, headers={"x-ms-continuationtoken": "abc"}
    ),
    "Azure Table": first(
        {"value": rows()},
        headers={
            "x-ms-continuation-nextpartitionkey": "a",
            "x-ms-continuation-nextrowkey": "b",
        },
    ),
    "Firestore": first(
        {"documents": rows(), "nextPageToken": "AFTOeJ"}, params={"pageToken": "AFTOeJ"}
    ),
    "BigQuery": first(
        {
            "kind": "bigquery#getQueryResultsResponse",
            "totalRows": "25",
            "pageToken": "abc",
            "jobComplete": True,
            "rows": rows(),
        },
        params={"pageToken": "abc"},
    ),
    "Databricks": first(
        {"has_more": True, "next_page_token": "x", "jobs": rows()},
        params={"page_token": "x"},
    ),
    "Snowflake REST": first(
        {
            "resultSetMetaData": {
                "numRows": 25,
                "partitionInfo": [{"rowCount": 3}, {"rowCount": 22}],
            },
            "data": rows(),
        }
    ),
    "Mastodon": first(
        rows(),
        headers={
            "link": (
                f'<{H}/v1/cats?max_id=3>; rel="next", <{H}/v1/cats?min_id=9>; '
                'rel="prev"'
            ),
        },
        url=f"{H}/v1/cats?max_id=3",
    ),
    "Bluesky": first({"cursor": "3", "feed": rows()}, params={"cursor": "3"}),
    "Orcid": first({"num-found": 25, "result": rows()}),
    "DataCite": first(
        {
            "data": rows(),
            "meta": {"total": 25, "totalPages": 9, "page": 1},
            "links": {"self": "x", "next": f"{H}/v1/cats?page=2"},
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Zenodo": first(
        {
            "hits": {"hits": rows(), "total": 25},
            "links": {"self": f"{H}/v1/cats?page=1", "next": f"{H}/v1/cats?page=2"},
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "HackerOne": first(
        {
            "data": rows(),
            "links": {
                "next": f"{H}/v1/cats?page%5Bnumber%5D=2",
                "last": f"{H}/v1/cats?page%5Bnumber%5D=9",
            },
        },
        url=f"{H}/v1/cats?page%5Bnumber%5D=2",
    ),
    "Cloudflare": first(
        {
            "result": rows(),
            "success": True,
            "errors": [],
            "messages": [],
            "result_info": {
                "page": 1,
                "per_page": 3,
                "count": 3,
                "total_count": 25,
                "total_pages": 9,
            },
        },
        params={"page": "2"},
    ),
    "Cloudflare cursor": first(
        {
            "result": rows(),
            "success": True,
            "errors": [],
            "messages": [],
            "result_info": {"count": 3, "cursor": "6Ck1"},
        },
        params={"cursor": "6Ck1"},
    ),
    "DigitalOcean": first(
        {
            "cats": rows(),
            "links": {
                "pages": {"last": f"{H}/v1/cats?page=9", "next": f"{H}/v1/cats?page=2"}
            },
            "meta": {"total": 25},
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Vultr": first(
        {
            "instances": rows(),
            "meta": {"total": 25, "links": {"next": "WxYzExampleNext", "prev": ""}},
        }
    ),
    "Linode": first(
        {"data": rows(), "page": 1, "pages": 9, "results": 25}, params={"page": "2"}
    ),
    "Hetzner": first(
        {
            "servers": rows(),
            "meta": {
                "pagination": {
                    "page": 1,
                    "per_page": 3,
                    "previous_page": None,
                    "next_page": 2,
                    "last_page": 9,
                    "total_entries": 25,
                }
            },
        },
        params={"page": "2"},
    ),
    "Fastly": first(
        {"data": rows(), "meta": {"next_cursor": "abc", "limit": 3, "total": 25}},
        params={"cursor": "abc"},
    ),
    "Ghost": first(
        {
            "posts": rows(),
            "meta": {
                "pagination": {
                    "page": 1,
                    "limit": 3,
                    "pages": 9,
                    "total": 25,
                    "next": 2,
                    "prev": None,
                }
            },
        },
        params={"page": "2"},
    ),
    "Prismic": first(
        {
            "page": 1,
            "results_per_page": 3,
            "results_size": 3,
            "total_results_size": 25,
            "total_pages": 9,
            "next_page": f"{H}/v1/cats?page=2",
            "prev_page": None,
            "results": rows(),
        },
        url=f"{H}/v1/cats?page=2",
    ),
    "Storyblok": first(
        {"stories": rows(), "cv": 1}, headers={"total": "25", "per-page": "3"}
    ),
    "commercetools": first(
        {"limit": 3, "offset": 0, "count": 3, "total": 25, "results": rows()},
        params={"offset": "3", "limit": "3"},
    ),
    "Mollie": first(
        {
            "count": 3,
            "_embedded": {"payments": rows()},
            "_links": {
                "next": {"href": f"{H}/v1/cats?from=x", "type": "application/hal+json"},
                "previous": None,
            },
        },
        url=f"{H}/v1/cats?from=x",
    ),
    "Paddle": first(
        {
            "data": rows(),
            "meta": {
                "request_id": "x",
                "pagination": {
                    "per_page": 3,
                    "next": f"{H}/v1/cats?after=x",
                    "has_more": True,
                    "estimated_total": 25,
                },
            },
        },
        url=f"{H}/v1/cats?after=x",
    ),
    "Lemon": first(
        {
            "meta": {
                "page": {
                    "currentPage": 1,
                    "from": 1,
                    "lastPage": 9,
                    "perPage": 3,
                    "to": 3,
                    "total": 25,
                }
            },
            "data": rows(),
        },
        params={"page": "2"},
    ),
    "Adobe Analytics": first(
        {
            "content": rows(),
            "totalElements": 25,
            "totalPages": 9,
            "number": 0,
            "numberOfElements": 3,
            "firstPage": True,
            "lastPage": False,
        },
        params={"page": "1"},
    ),
    "World Bank": first(
        [{"page": 1, "pages": 3, "per_page": "3", "total": 9}, rows()],
        params={"page": "2"},
    ),
    "DynamoDB behind a gateway": first({"data": rows(), "LastEvaluatedKey": "c10"}),
    "a total with separators": first({"data": rows(), "total": "1,025"}),
}

MORE_LAST: dict[str, RealAnswer] = {
    "World Bank": last([{"page": 3, "pages": 3, "per_page": "3", "total": 9}, rows()]),
    "DynamoDB behind a gateway": last({"data": rows(), "LastEvaluatedKey": None}),
    "a header that says null": last(rows(), headers={"x-next-page": "null"}),
    "a token that says null": last({"data": rows(), "next_cursor": "null"}),
    "Sentry": last(
        rows(),
        headers={
            "link": (
                f'<{H}/v1/cats?cursor=0:0:1>; rel="previous"; results="true"; '
                f'cursor="0:0:1", <{H}/v1/cats?cursor=0:100:0>; rel="next"; '
                'results="false"; cursor="0:100:0"'
            ),
        },
    ),
    "Clockify": last(rows(), headers={"last-page": "true"}),
    "Marketo": last(
        {"requestId": "e", "success": True, "result": rows(), "moreResult": False}
    ),
    "Marketo tok": last(
        {
            "requestId": "e",
            "success": True,
            "result": rows(),
            "nextPageToken": "abc=",
            "moreResult": False,
        }
    ),
    "Ashby": last({"success": True, "results": rows(), "moreDataAvailable": False}),
    "Pinterest": last({"items": rows(), "bookmark": None}),
    "Square": last({"payments": rows()}),
    "GoCardless": last(
        {
            "customers": rows(),
            "meta": {"cursors": {"before": None, "after": None}, "limit": 50},
        }
    ),
    "Plaid": last(
        {
            "added": rows(),
            "modified": [],
            "removed": [],
            "next_cursor": "abc",
            "has_more": False,
            "request_id": "x",
        }
    ),
    "Zoom": last(
        {
            "page_count": 1,
            "page_size": 30,
            "total_records": 3,
            "next_page_token": "",
            "meetings": rows(),
        }
    ),
    "ServiceTitan": last(
        {
            "page": 1,
            "pageSize": 50,
            "hasMore": False,
            "totalCount": None,
            "data": rows(),
        }
    ),
    "Teamwork": last(
        {
            "meta": {
                "page": {"pageOffset": 0, "pageSize": 50, "count": 3, "hasMore": False}
            },
            "projects": rows(),
            "included": {},
        }
    ),
    "Tableau": last(
        {
            "pagination": {"pageNumber": "1", "pageSize": "100", "totalAvailable": "3"},
            "workbooks": {"workbook": rows()},
        }
    ),
    "TikTok": last(
        {
            "code": 0,
            "message": "OK",
            "request_id": "1",
            "data": {
                "list": rows(),
                "page_info": {
                    "page": 1,
                    "page_size": 10,
                    "total_number": 3,
                    "total_page": 1,
                },
            },
        }
    ),
    "Smartsheet": last(
        {
            "pageNumber": 1,
            "pageSize": 100,
            "totalPages": 1,
            "totalCount": 3,
            "data": rows(),
        }
    ),
    "Splunk": last(
        {
            "entry": rows(),
            "paging": {"total": 3, "perPage": 30, "offset": 0},
            "messages": [],
        }
    ),
    "Front": last(
        {
            "_pagination": {"next": None},
            "_links": {"self": f"{H}/v1/cats"},
            "_results": rows(),
        }
    ),
    "Recurly": last(
        {"object": "list", "has_more": False, "next": None, "data": rows()}
    ),
    "Typeform": last({"total_items": 3, "page_count": 1, "items": rows()}),
    "New Relic": last(
        {
            "data": {
                "actor": {
                    "entitySearch": {
                        "count": 3,
                        "results": {"nextCursor": None, "entities": rows()},
                    }
                }
            }
        },
        post={"query": "q"},
    ),
    "Monday": last(
        {
            "data": {"boards": [{"items_page": {"cursor": None, "items": rows()}}]},
            "account_id": 5,
        },
        post={"query": "q"},
    ),
    "Monday next": last(
        {"data": {"next_items_page": {"cursor": None, "items": rows()}}},
        post={"query": "q"},
    ),
    "Cloudflare": last(
        {
            "result": rows(),
            "success": True,
            "errors": [],
            "messages": [],
            "result_info": {
                "page": 1,
                "per_page": 20,
                "count": 3,
                "total_count": 3,
                "total_pages": 1,
            },
        }
    ),
    "Cloudflare cursor": last(
        {
            "result": rows(),
            "success": True,
            "errors": [],
            "messages": [],
            "result_info": {"count": 3, "cursor": ""},
        }
    ),
    "DigitalOcean": last({"cats": rows(), "links": {}, "meta": {"total": 3}}),
    "Vultr": last(
        {"instances": rows(), "meta": {"total": 3, "links": {"next": "", "prev": ""}}}
    ),
    "Linode": last({"data": rows(), "page": 1, "pages": 1, "results": 3}),
    "Hetzner": last(
        {
            "servers": rows(),
            "meta": {
                "pagination": {
                    "page": 1,
                    "per_page": 25,
                    "previous_page": None,
                    "next_page": None,
                    "last_page": 1,
                    "total_entries": 3,
                }
            },
        }
    ),
    "Ghost": last(
        {
            "posts": rows(),
            "meta": {
                "pagination": {
                    "page": 1,
                    "limit": 15,
                    "pages": 1,
                    "total": 3,
                    "next": None,
                    "prev": None,
                }
            },
        }
    ),
    "Paddle": last(
        {
            "data": rows(),
            "meta": {
                "request_id": "x",
                "pagination": {
                    "per_page": 50,
                    "next": f"{H}/v1/cats?after=x",
                    "has_more": False,
                    "estimated_total": 3,
                },
            },
        }
    ),
    "Adobe Analytics": last(
        {
            "content": rows(),
            "totalElements": 3,
            "totalPages": 1,
            "number": 0,
            "numberOfElements": 3,
            "firstPage": True,
            "lastPage": True,
        }
    ),
    "Genesys": last(
        {
            "entities": rows(),
            "pageSize": 25,
            "pageNumber": 1,
            "total": 3,
            "pageCount": 1,
            "firstUri": "/v1/cats?pageNumber=1",
            "lastUri": "/v1/cats?pageNumber=1",
            "selfUri": "/v1/cats",
        }
    ),
    "Docusign": last(
        {
            "resultSetSize": "3",
            "startPosition": "0",
            "endPosition": "2",
            "totalSetSize": "3",
            "nextUri": "",
            "envelopes": rows(),
        }
    ),
    "Mollie": last(
        {
            "count": 3,
            "_embedded": {"payments": rows()},
            "_links": {
                "next": None,
                "previous": None,
                "self": {"href": f"{H}/v1/cats"},
            },
        }
    ),
    "BigQuery": last(
        {"kind": "x", "totalRows": "3", "jobComplete": True, "rows": rows()}
    ),
    "Databricks": last({"has_more": False, "jobs": rows()}),
    "Matrix": last({"start": "t1", "chunk": rows()}),
    "Zenodo": last(
        {"hits": {"hits": rows(), "total": 3}, "links": {"self": f"{H}/v1/cats?page=1"}}
    ),
    "Datadog": last({"data": rows(), "meta": {"elapsed": 3, "status": "done"}}),
    "Dynatrace": last({"totalCount": 3, "pageSize": 50, "problems": rows()}),
    "commercetools": last(
        {"limit": 20, "offset": 0, "count": 3, "total": 3, "results": rows()}
    ),
    "Storyblok": last(
        {"stories": rows(), "cv": 1}, headers={"total": "3", "per-page": "25"}
    ),
    "Klaviyo": last(
        {"data": rows(), "links": {"self": f"{H}/v1/cats", "next": None, "prev": None}}
    ),
    "Snapchat": last(
        {
            "request_status": "SUCCESS",
            "request_id": "x",
            "paging": {},
            "campaigns": rows(),
        }
    ),
    "Figma": last(
        {"status": 200, "error": False, "meta": {"components": rows(), "cursor": {}}}
    ),
    "Coinbase": last(
        {
            "pagination": {
                "ending_before": None,
                "starting_after": None,
                "limit": 25,
                "order": "desc",
                "previous_uri": None,
                "next_uri": None,
            },
            "data": rows(),
        }
    ),
    "Eloqua": last({"elements": rows(), "page": 1, "pageSize": 1000, "total": 3}),
    "Personio": last(
        {
            "success": True,
            "metadata": {"total_elements": 3, "current_page": 0, "total_pages": 1},
            "offset": 0,
            "limit": 50,
            "data": rows(),
        }
    ),
}
