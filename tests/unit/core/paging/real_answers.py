"""First and last answers of real APIs, as their vendors document them, cut to a few
records. Each is a whole answer: what a pull that declares nothing makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

H = "https://api.example.com"


def rows(count: int = 3, **more: object) -> list[dict[str, object]]:
    return [{"id": n, "name": f"cat {n}", **more} for n in range(count)]


@dataclass(frozen=True, kw_only=True)
class RealAnswer:
    """`url` is what a next request goes to, `params` what it sends beside; for a POST
    `sends` is what its body holds. All None: the answer has to be refused.
    """

    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    path: str = "/v1/cats"
    asked: Mapping[str, str] = field(default_factory=dict)
    post: Mapping[str, object] | None = None
    url: str | None = None
    params: Mapping[str, str] | None = None
    sends: Mapping[str, object] | None = None

    @property
    def is_refused(self) -> bool:
        return self.url is None and self.params is None and self.sends is None


def first(body: object, **keys: object) -> RealAnswer:
    return RealAnswer(body=body, **keys)  # type: ignore[arg-type]  # by the table


FIRST: dict[str, RealAnswer] = {
    # links in the body
    "Django REST framework": first(
        {"count": 25, "next": f"{H}/v1/cats?page=2", "previous": None,
         "results": rows()},
        url=f"{H}/v1/cats?page=2",
    ),
    "Asana": first(
        {"data": rows(), "next_page": {"offset": "eyJ0", "path": "/cats?offset=eyJ0",
                                       "uri": f"{H}/v1/cats?offset=eyJ0"}},
        url=f"{H}/v1/cats?offset=eyJ0",
    ),
    "Bitbucket Cloud": first(
        {"size": 142, "page": 1, "pagelen": 3, "next": f"{H}/v1/cats?page=2",
         "values": rows()},
        url=f"{H}/v1/cats?page=2",
    ),
    "Salesforce": first(
        {"totalSize": 25, "done": False, "nextRecordsUrl": "/services/query/01g-2000",
         "records": rows()},
        url=f"{H}/services/query/01g-2000",
    ),
    "Facebook": first(
        {"data": rows(), "paging": {"cursors": {"before": "MA", "after": "MQ"},
                                    "next": f"{H}/v1/cats?after=MQ"}},
        url=f"{H}/v1/cats?after=MQ",
    ),
    "HubSpot": first(
        {"results": rows(), "paging": {"next": {"after": "33451",
                                                "link": f"{H}/v1/cats?after=33451"}}},
        url=f"{H}/v1/cats?after=33451",
    ),
    "Microsoft Graph": first(
        {"@odata.context": "x", "value": rows(),
         "@odata.nextLink": f"{H}/v1/cats?$skiptoken=abc"},
        url=f"{H}/v1/cats?$skiptoken=abc",
    ),
    "OData 2": first(
        {"d": {"results": rows(), "__next": f"{H}/v1/cats?$skiptoken=3"}},
        url=f"{H}/v1/cats?$skiptoken=3",
    ),
    "JSON:API": first(
        {"data": rows(type="cats"),
         "links": {"self": f"{H}/v1/cats", "first": f"{H}/v1/cats?page[number]=1",
                   "next": f"{H}/v1/cats?page[number]=2",
                   "last": f"{H}/v1/cats?page[number]=9"}},
        url=f"{H}/v1/cats?page[number]=2",
    ),
    "HAL": first(
        {"_links": {"self": {"href": f"{H}/v1/cats"},
                    "next": {"href": f"{H}/v1/cats?page=2"}},
         "_embedded": {"cats": rows()}},
        url=f"{H}/v1/cats?page=2",
    ),
    "FHIR": first(
        {"resourceType": "Bundle", "type": "searchset", "total": 25,
         "link": [{"relation": "self", "url": f"{H}/v1/cats"},
                  {"relation": "next", "url": f"{H}/v1/cats?_getpages=1"}],
         "entry": [{"fullUrl": "x", "resource": {"id": 1}}]},
        url=f"{H}/v1/cats?_getpages=1",
    ),
    "Laravel": first(
        {"current_page": 1, "data": rows(), "next_page_url": f"{H}/v1/cats?page=2",
         "prev_page_url": None, "last_page": 9, "per_page": 3, "total": 25},
        url=f"{H}/v1/cats?page=2",
    ),
    "Zendesk, by offset": first(
        {"tickets": rows(), "count": 25, "next_page": f"{H}/v1/cats?page=2",
         "previous_page": None},
        url=f"{H}/v1/cats?page=2",
    ),
    "Zendesk, by cursor": first(
        {"tickets": rows(), "meta": {"has_more": True, "after_cursor": "x",
                                     "before_cursor": "y"},
         "links": {"prev": None, "next": f"{H}/v1/cats?page[after]=x"}},
        url=f"{H}/v1/cats?page[after]=x",
    ),
    "Zendesk, incremental export": first(
        {"tickets": rows(), "count": 3, "end_of_stream": False, "end_time": 17,
         "next_page": f"{H}/v1/cats?start_time=17"},
        url=f"{H}/v1/cats?start_time=17",
    ),
    "Intercom": first(
        {"type": "list", "data": rows(),
         "pages": {"type": "pages", "page": 1, "per_page": 3, "total_pages": 9,
                   "next": {"page": 2, "starting_after": "WzE2"}}},
        params={"starting_after": "WzE2"},
    ),
    "Kontent.ai": first(
        {"items": rows(), "pagination": {"skip": 0, "limit": 3, "count": 3,
                                         "next_page": f"{H}/v1/cats?skip=3"}},
        url=f"{H}/v1/cats?skip=3",
    ),
    "Datasette": first(
        {"rows": rows(), "truncated": False, "next": "3",
         "next_url": f"{H}/v1/cats?_next=3"},
        url=f"{H}/v1/cats?_next=3",
    ),
    "Calendly": first(
        {"collection": rows(), "pagination": {
            "count": 3, "next_page": f"{H}/v1/cats?page_token=x", "previous_page": None,
            "next_page_token": "x", "previous_page_token": None}},
        url=f"{H}/v1/cats?page_token=x",
    ),
    "links in a list": first(
        {"items": rows(), "links": [{"rel": "self", "href": f"{H}/v1/cats"},
                                    {"rel": "next", "href": f"{H}/v1/cats?c=2"}]},
        url=f"{H}/v1/cats?c=2",
    ),
    "Twilio": first(
        {"messages": rows(), "page": 0, "page_size": 3,
         "first_page_uri": "/v1/m?Page=0", "next_page_uri": "/v1/m?Page=1",
         "previous_page_uri": None, "uri": "/v1/m"},
        url=f"{H}/v1/m?Page=1",
    ),
    "Contentful sync": first(
        {"sys": {"type": "Array"}, "items": rows(),
         "nextPageUrl": f"{H}/v1/cats?sync_token=x"},
        url=f"{H}/v1/cats?sync_token=x",
    ),
    # links and cursors in headers
    "GitHub": first(
        rows(), headers={"link": f'<{H}/v1/cats?page=2>; rel="next", '
                                 f'<{H}/v1/cats?page=9>; rel="last"'},
        url=f"{H}/v1/cats?page=2",
    ),
    "Okta": first(
        rows(), headers={"link": f'<{H}/v1/cats>; rel="self", '
                                 f'<{H}/v1/cats?after=1>; rel="next"'},
        url=f"{H}/v1/cats?after=1",
    ),
    "Shopify": first(
        {"products": rows()},
        headers={"link": f'<{H}/v1/cats?page_info=x>; rel="next"'},
        url=f"{H}/v1/cats?page_info=x",
    ),
    "Kinto": first(
        {"data": rows()},
        headers={"next-page": f"{H}/v1/cats?_token=x", "total-records": "160"},
        url=f"{H}/v1/cats?_token=x",
    ),
    "GitLab without Link": first(
        rows(), headers={"x-next-page": "2", "x-page": "1", "x-per-page": "3",
                         "x-total": "25", "x-total-pages": "9"},
        params={"page": "2"},
    ),
    "ServiceNow": first(
        {"result": rows()},
        headers={"link": f'<{H}/v1/cats?sysparm_offset=3>;rel="next"',
                 "x-total-count": "25"},
        url=f"{H}/v1/cats?sysparm_offset=3",
    ),
    "WordPress without Link": first(
        rows(), headers={"x-wp-total": "25", "x-wp-totalpages": "9"},
    ),
    "WordPress with our page": first(
        rows(), headers={"x-wp-total": "25", "x-wp-totalpages": "9"},
        asked={"page": "1"}, params={"page": "2"},
    ),
    "PostgREST": first(
        rows(), status=206, headers={"content-range": "0-2/25"},
    ),
    "PostgREST with our limit": first(
        rows(), status=206, headers={"content-range": "0-2/25"},
        asked={"limit": "3", "offset": "0"}, params={"limit": "3", "offset": "3"},
    ),
    "ASP.NET": first(
        rows(), headers={"x-pagination": '{"TotalCount":25,"PageSize":3,'
                                         '"CurrentPage":1,"TotalPages":9}'},
    ),
    "json-server": first(rows(), headers={"x-total-count": "25"}),
    # tokens
    "Slack": first(
        {"ok": True, "members": rows(), "response_metadata": {"next_cursor": "dXNl"}},
        params={"cursor": "dXNl"},
    ),
    "Google Calendar": first(
        {"kind": "calendar#events", "etag": "x", "items": rows(),
         "nextPageToken": "CkkK"},
        params={"pageToken": "CkkK"},
    ),
    "YouTube": first(
        {"kind": "x", "items": rows(), "nextPageToken": "CAUQAA",
         "pageInfo": {"totalResults": 1000000, "resultsPerPage": 3}},
        params={"pageToken": "CAUQAA"},
    ),
    "Airtable": first(
        {"records": rows(), "offset": "itrX/recY"}, params={"offset": "itrX/recY"},
    ),
    "Notion": first(
        {"object": "list", "results": rows(), "next_cursor": "fe2c", "has_more": True,
         "type": "block", "block": {}},
        params={"start_cursor": "fe2c"},
    ),
    "Dropbox": first(
        {"entries": rows(), "cursor": "AAE", "has_more": True},
        params={"cursor": "AAE"},
    ),
    "X": first(
        {"data": rows(), "meta": {"result_count": 3, "newest_id": "9", "oldest_id": "7",
                                  "next_token": "7140"}},
        params={"pagination_token": "7140"},
    ),
    "Twitch": first(
        {"data": rows(), "pagination": {"cursor": "eyJi"}}, params={"after": "eyJi"},
    ),
    "Chargebee": first(
        {"list": [{"customer": {"id": 1}}], "next_offset": '["1612"]'},
        params={"offset": '["1612"]'},
    ),
    "Gong": first(
        {"requestId": "4al", "records": {"totalRecords": 263, "currentPageSize": 3,
                                         "currentPageNumber": 0, "cursor": "eyJh"},
         "calls": rows()},
        params={"cursor": "eyJh"},
    ),
    "Segment": first(
        {"data": {"sources": rows(), "pagination": {
            "current": "MA==", "next": "MQ==", "totalEntries": 25}}},
        params={"pagination.cursor": "MQ=="},
    ),
    "Jira, v3": first(
        {"issues": rows(), "nextPageToken": "CAEaAggD", "isLast": False},
        params={"nextPageToken": "CAEaAggD"},
    ),
    "Pipedrive": first(
        {"success": True, "data": rows(), "additional_data": {"pagination": {
            "start": 0, "limit": 3, "more_items_in_collection": True,
            "next_start": 3}}},
        params={"start": "3"},
    ),
    "Pipedrive, v2": first(
        {"success": True, "data": rows(), "additional_data": {"next_cursor": "eyJm"}},
        params={"cursor": "eyJm"},
    ),
    "Bitbucket Server": first(
        {"size": 3, "limit": 3, "isLastPage": False, "values": rows(), "start": 0,
         "nextPageStart": 3},
        params={"start": "3"},
    ),
    "Box": first(
        {"entries": rows(), "limit": 3, "next_marker": "JV9I"},
        params={"marker": "JV9I"},
    ),
    "Amazon SP": first(
        {"payload": {"Orders": rows(), "NextToken": "2YgY", "CreatedBefore": "1.5"}},
        params={"NextToken": "2YgY"},
    ),
    "Stripe search": first(
        {"object": "search_result", "url": "/v1/cats/search", "has_more": True,
         "data": rows(), "next_page": "WyI4"},
        params={"page": "WyI4"},
    ),
    "Azure Cosmos": first(
        {"Documents": rows(), "_count": 3}, headers={"x-ms-continuation": "-RID:x"},
    ),
    "MediaWiki": first(
        {"batchcomplete": "", "continue": {"apcontinue": "Cats", "continue": "-||"},
         "query": {"allpages": rows()}},
    ),
    "Contentstack": first({"entries": rows(), "count": 25}),
    "Dropbox, by POST": first(
        {"entries": rows(), "cursor": "AAE", "has_more": True}, post={"path": ""},
        sends={"path": "", "cursor": "AAE"},
    ),
    # numbers
    "Strapi": first(
        {"data": rows(), "meta": {"pagination": {"page": 1, "pageSize": 3,
                                                 "pageCount": 9, "total": 25}}},
        params={"pagination[page]": "2"},
    ),
    "Spring": first(
        {"content": rows(), "pageable": {"pageNumber": 0, "pageSize": 3, "offset": 0},
         "last": False, "totalPages": 9, "totalElements": 25, "size": 3, "number": 0,
         "first": True, "numberOfElements": 3, "empty": False},
        params={"page": "1"},
    ),
    "Spring, PagedModel": first(
        {"content": rows(), "page": {"size": 3, "number": 0, "totalElements": 25,
                                     "totalPages": 9}},
        params={"page": "1"},
    ),
    "Jira, v2": first(
        {"expand": "x", "startAt": 0, "maxResults": 3, "total": 25, "issues": rows()},
        params={"startAt": "3", "maxResults": "3"},
    ),
    "Algolia": first(
        {"hits": rows(), "page": 0, "nbHits": 25, "nbPages": 9, "hitsPerPage": 3,
         "query": "", "params": ""},
        params={"page": "1"},
    ),
    "Solr": first(
        {"responseHeader": {"status": 0, "QTime": 1}, "response": {
            "numFound": 25, "start": 0, "numFoundExact": True, "docs": rows()}},
        params={"start": "3", "rows": "3"},
    ),
    "SCIM": first(
        {"schemas": ["urn:x"], "totalResults": 25, "startIndex": 1, "itemsPerPage": 3,
         "Resources": rows()},
        params={"startIndex": "4", "count": "3"},
    ),
    "GBIF": first(
        {"offset": 0, "limit": 3, "endOfRecords": False, "count": 25,
         "results": rows()},
        params={"offset": "3", "limit": "3"},
    ),
    "Auth0": first(
        {"start": 0, "limit": 3, "length": 3, "total": 25, "users": rows()},
        params={"start": "3", "limit": "3"},
    ),
    "PagerDuty": first(
        {"incidents": rows(), "limit": 3, "offset": 0, "more": True, "total": None},
        asked={"limit": "3", "offset": "0"}, params={"limit": "3", "offset": "3"},
    ),
    "Magento": first(
        {"items": rows(), "search_criteria": {"page_size": 3, "current_page": 1},
         "total_count": 25},
    ),
    "Mailchimp": first(
        {"lists": rows(), "total_items": 25, "_links": [
            {"rel": "self", "href": f"{H}/v1/cats", "method": "GET"}]},
    ),
    "Mailchimp with our count": first(
        {"lists": rows(), "total_items": 25}, asked={"count": "3", "offset": "0"},
        params={"count": "3", "offset": "3"},
    ),
    "Elasticsearch": first(
        {"took": 5, "timed_out": False, "_shards": {"total": 5, "failed": 0},
         "hits": {"total": {"value": 25, "relation": "eq"}, "max_score": 1,
                  "hits": [{"_id": "1", "_source": {}}]}},
    ),
    "Elasticsearch by POST": first(
        {"took": 5, "timed_out": False,
         "hits": {"total": {"value": 25, "relation": "eq"},
                  "hits": [{"_id": "1", "_source": {}}]}},
        post={"from": 0, "size": 1}, sends={"from": 1, "size": 1},
    ),
    "CKAN": first(
        {"help": "x", "success": True, "result": {"count": 25, "results": rows()}},
    ),
    "GraphQL, Relay": first(
        {"data": {"cats": {"nodes": rows(), "pageInfo": {"hasNextPage": True,
                                                         "endCursor": "Y3"}}}},
        post={"query": "{cats}"},
    ),
    "ClickUp": first({"tasks": rows(), "last_page": False}),
    "ClickUp with our page": first(
        {"tasks": rows(), "last_page": False}, asked={"page": "0"},
        params={"page": "1"},
    ),
    "Stripe": first(
        {"object": "list", "url": "/v1/cats", "has_more": True, "data": rows()},
    ),
    "Zoho": first(
        {"data": rows(), "info": {"per_page": 3, "count": 3, "page": 1,
                                  "more_records": True}},
        asked={"page": "1"}, params={"page": "2"},
    ),
    "QuickBooks": first(
        {"QueryResponse": {"Customer": rows(), "startPosition": 1, "maxResults": 3,
                           "totalCount": 25}, "time": "2024"},
        params={"startPosition": "4", "maxResults": "3"},
    ),
    "Discourse": first(
        {"users": rows(), "topic_list": {"can_create_topic": False,
                                         "more_topics_url": "/latest?page=1"}},
        url=f"{H}/latest?page=1",
    ),
    "OpenAI": first(
        {"object": "list", "data": rows(), "first_id": "a", "last_id": "c",
         "has_more": True},
    ),
    "Rick and Morty": first(
        {"info": {"count": 826, "pages": 42, "next": f"{H}/v1/cats?page=2",
                  "prev": None}, "results": rows()},
        url=f"{H}/v1/cats?page=2",
    ),
    "NVD": first(
        {"resultsPerPage": 3, "startIndex": 0, "totalResults": 25, "format": "NVD_CVE",
         "version": "2.0", "vulnerabilities": rows()},
        params={"startIndex": "3", "resultsPerPage": "3"},
    ),
    "Reddit": first(
        {"kind": "Listing", "data": {"after": "t3_abc", "before": None, "dist": 1,
                                     "children": [{"kind": "t3", "data": {}}]}},
        params={"after": "t3_abc"},
    ),
    "New York Times": first(
        {"status": "OK", "response": {"docs": rows(), "metadata": {
            "hits": 25, "offset": 0, "time": 5}}},
        params={"offset": "3", "limit": "3"},
    ),
    "ArcGIS": first(
        {"objectIdFieldName": "id", "exceededTransferLimit": True,
         "features": [{"attributes": {"id": 1}}]},
    ),
    "Europe PMC": first(
        {"version": "6", "hitCount": 25, "nextCursorMark": "AoE",
         "resultList": {"result": rows()}},
        params={"cursorMark": "AoE"},
    ),
    "DynamoDB": first(
        {"Items": rows(), "Count": 3, "ScannedCount": 3,
         "LastEvaluatedKey": {"id": {"S": "x"}}},
    ),
    "Kubernetes": first(
        {"kind": "List", "items": rows(), "metadata": {
            "resourceVersion": "7", "continue": "ENCODED", "remainingItemCount": 22}},
        params={"continue": "ENCODED"},
    ),
    "SendGrid": first(
        {"result": rows(), "_metadata": {"prev": f"{H}/a", "self": f"{H}/a",
                                         "next": f"{H}/a?page_token=2", "count": 25}},
        url=f"{H}/a?page_token=2",
    ),
    "Xero": first(
        {"pagination": {"page": 1, "pageSize": 3, "pageCount": 9, "itemCount": 25},
         "Contacts": rows()},
        params={"page": "2"},
    ),
    "PayPal": first(
        {"transaction_details": rows(), "page": 1, "total_items": 25, "total_pages": 9,
         "links": [{"href": f"{H}/a?page=1", "rel": "self"},
                   {"href": f"{H}/a?page=2", "rel": "next"}]},
        url=f"{H}/a?page=2",
    ),
    "NetSuite": first(
        {"links": [{"rel": "next", "href": f"{H}/a?offset=3"}], "count": 3,
         "hasMore": True, "items": rows(), "offset": 0, "totalResults": 25},
        url=f"{H}/a?offset=3",
    ),
    "Eventbrite": first(
        {"pagination": {"object_count": 25, "page_number": 1, "page_size": 3,
                        "page_count": 9, "continuation": "ey", "has_more_items": True},
         "events": rows()},
        params={"continuation": "ey"},
    ),
    "Lever": first({"data": rows(), "hasNext": True, "next": "0.1"}),
    "Crossref": first(
        {"status": "ok", "message": {"facets": {}, "total-results": 25,
                                     "items": rows(), "items-per-page": 3}},
    ),
    "STAC": first(
        {"type": "FeatureCollection", "features": [{"id": "a"}],
         "links": [{"rel": "next", "href": f"{H}/a?t=2", "method": "GET"}]},
        url=f"{H}/a?t=2",
    ),
    "Lark": first(
        {"code": 0, "msg": "success", "data": {"items": rows(), "page_token": "x",
                                               "has_more": True}},
        params={"page_token": "x"},
    ),
    "a flag in a header": first(rows(), headers={"x-has-more": "true"}),
    "a total by the records' name": first({"data": rows(), "total_cats": 25}),
    "a flag deep down": first(
        {"data": rows(),
         "response": {"meta": {"paging": {"state": {"hasMore": True}}}}},
    ),
    "a flag in a list": first({"data": rows(), "meta": [{"has_more": True}]}),
}  # fmt: skip


def last(body: object, **keys: object) -> RealAnswer:
    return RealAnswer(body=body, **keys)  # type: ignore[arg-type]  # by the table


LAST: dict[str, RealAnswer] = {
    "Django REST framework": last(
        {"count": 25, "next": None, "previous": f"{H}/v1/cats?page=2",
         "results": rows()},
    ),
    "Django REST framework, all on one page": last(
        {"count": 3, "next": None, "previous": None, "results": rows()},
    ),
    "Strapi": last(
        {"data": rows(), "meta": {"pagination": {"page": 9, "pageSize": 3,
                                                 "pageCount": 9, "total": 25}}},
    ),
    "Asana": last({"data": rows(), "next_page": None}),
    "Pipedrive": last(
        {"success": True, "data": rows(), "additional_data": {"pagination": {
            "start": 100, "limit": 100, "more_items_in_collection": False}}},
    ),
    "Chargebee": last({"list": [{"customer": {"id": 1}}]}),
    "Gong": last(
        {"requestId": "4al", "records": {"totalRecords": 3, "currentPageSize": 3,
                                         "currentPageNumber": 0}, "calls": rows()},
    ),
    "Segment": last(
        {"data": {"sources": rows(), "pagination": {"current": "MA==",
                                                    "totalEntries": 3}}},
    ),
    "Jira, v2": last({"startAt": 20, "maxResults": 50, "total": 23, "issues": rows()}),
    "Jira, v3": last({"issues": rows(), "isLast": True}),
    "Bitbucket Server": last(
        {"size": 3, "limit": 25, "isLastPage": True, "values": rows(), "start": 0},
    ),
    "Elasticsearch": last(
        {"took": 5, "timed_out": False,
         "_shards": {"total": 5, "successful": 5, "skipped": 0, "failed": 0},
         "hits": {"total": {"value": 1, "relation": "eq"}, "max_score": 1.0,
                  "hits": [{"_id": "1", "_source": {}}]}},
    ),
    "GraphQL, Relay": last(
        {"data": {"cats": {"nodes": rows(), "pageInfo": {"hasNextPage": False,
                                                         "endCursor": "Y3"}}}},
        post={"query": "{cats}"},
    ),
    "Box": last({"entries": rows(), "limit": 100, "next_marker": ""}),
    "Box, by offset": last(
        {"total_count": 3, "entries": rows(), "offset": 0, "limit": 100},
    ),
    "ClickUp": last({"tasks": rows(), "last_page": True}),
    "Amazon SP": last({"payload": {"Orders": rows(), "CreatedBefore": "1.5"}}),
    "Stripe": last(
        {"object": "list", "url": "/v1/cats", "has_more": False, "data": rows()},
    ),
    "Zendesk, incremental export": last(
        {"tickets": rows(), "count": 3, "end_of_stream": True, "end_time": 17,
         "after_cursor": "x", "after_url": f"{H}/v1/cats?cursor=x",
         "next_page": f"{H}/v1/cats?start_time=17"},
    ),
    "Zendesk, by cursor": last(
        {"tickets": rows(), "meta": {"has_more": False, "after_cursor": "x",
                                     "before_cursor": "y"},
         "links": {"prev": f"{H}/v1/cats?page[before]=y", "next": None}},
    ),
    "HubSpot": last({"results": rows()}),
    "Salesforce": last({"totalSize": 25, "done": True, "records": rows()}),
    "Facebook": last(
        {"data": rows(), "paging": {"cursors": {"before": "MA", "after": "MQ"}}},
    ),
    "Facebook, not the first page": last(
        {"data": rows(), "paging": {"cursors": {"before": "MA", "after": "MQ"},
                                    "previous": f"{H}/v1/cats?before=MA"}},
    ),
    "Dropbox": last({"entries": rows(), "cursor": "AAE", "has_more": False}),
    "Notion": last(
        {"object": "list", "results": rows(), "next_cursor": None, "has_more": False,
         "type": "block", "block": {}},
    ),
    "Airtable": last({"records": rows()}),
    "Slack": last(
        {"ok": True, "members": rows(), "cache_ts": 1498777272,
         "response_metadata": {"next_cursor": ""}},
    ),
    "Intercom": last(
        {"type": "list", "data": rows(), "total_count": 3,
         "pages": {"type": "pages", "page": 1, "per_page": 50, "total_pages": 1}},
    ),
    "X": last(
        {"data": rows(), "meta": {"result_count": 3, "newest_id": "9", "oldest_id": "7",
                                  "previous_token": "77q"}},
    ),
    "X, first version": last(
        {"users": rows(), "next_cursor": 0, "next_cursor_str": "0",
         "previous_cursor": 0, "previous_cursor_str": "0"},
    ),
    "Google Calendar": last(
        {"kind": "calendar#events", "etag": "x", "items": rows(),
         "nextSyncToken": "CPDA"},
    ),
    "Microsoft Graph": last({"@odata.context": "x", "value": rows()}),
    "Microsoft Graph, delta": last(
        {"@odata.context": "x", "value": rows(),
         "@odata.deltaLink": f"{H}/v1/cats/delta?$deltatoken=x"},
    ),
    "JSON:API": last(
        {"data": rows(type="cats"), "meta": {"total": 25},
         "links": {"self": f"{H}/v1/cats?page[number]=9",
                   "prev": f"{H}/v1/cats?page[number]=8",
                   "last": f"{H}/v1/cats?page[number]=9"}},
    ),
    "HAL": last({"_links": {"self": {"href": f"{H}/v1/cats"}},
                 "_embedded": {"cats": rows()}}),
    "FHIR": last(
        {"resourceType": "Bundle", "type": "searchset", "total": 1,
         "link": [{"relation": "self", "url": f"{H}/v1/cats"}],
         "entry": [{"fullUrl": "x", "resource": {"id": 1}}]},
    ),
    "Spring": last(
        {"content": rows(), "pageable": {"pageNumber": 8, "pageSize": 3, "offset": 24},
         "last": True, "totalPages": 9, "totalElements": 27, "size": 3, "number": 8,
         "first": False, "numberOfElements": 3, "empty": False},
    ),
    "Spring, PagedModel": last(
        {"content": rows(), "page": {"size": 20, "number": 0, "totalElements": 3,
                                     "totalPages": 1}},
    ),
    "Laravel": last(
        {"current_page": 1, "data": rows(), "next_page_url": None,
         "prev_page_url": None, "last_page": 1, "per_page": 15, "total": 3, "to": 3},
    ),
    "Kinto": last({"data": rows()}, headers={"total-records": "3"}),
    "Mailchimp": last(
        {"lists": rows(), "total_items": 3, "_links": [
            {"rel": "self", "href": f"{H}/v1/cats", "method": "GET"},
            {"rel": "next-steps", "href": f"{H}/v1/steps", "method": "GET"}]},
    ),
    "Zoho": last(
        {"data": rows(), "info": {"per_page": 200, "count": 3, "page": 1,
                                  "more_records": False}},
    ),
    "GitHub": last(
        rows(), headers={"link": f'<{H}/v1/cats?page=8>; rel="prev", '
                                 f'<{H}/v1/cats?page=1>; rel="first"'},
    ),
    "GitLab": last(
        rows(), headers={"x-next-page": "", "x-page": "1", "x-per-page": "20",
                         "x-total": "3", "x-total-pages": "1"},
    ),
    "WordPress": last(rows(), headers={"x-wp-total": "3", "x-wp-totalpages": "1"}),
    "PostgREST": last(rows(), headers={"content-range": "0-2/*"}),
    "PostgREST, the last part": last(
        rows(), status=206, headers={"content-range": "22-24/25"},
    ),
    "Algolia": last(
        {"hits": rows(), "page": 0, "nbHits": 3, "nbPages": 1, "hitsPerPage": 20},
    ),
    "Solr": last(
        {"responseHeader": {"status": 0, "QTime": 1, "params": {"rows": "50"}},
         "response": {"numFound": 3, "start": 0, "docs": rows()},
         "facet_counts": {"facet_fields": {"total": 500}}},
    ),
    "SCIM": last(
        {"schemas": ["urn:x"], "totalResults": 3, "startIndex": 1, "itemsPerPage": 3,
         "Resources": rows()},
    ),
    "GBIF": last(
        {"offset": 0, "limit": 20, "endOfRecords": True, "count": 3, "results": rows()},
    ),
    "PagerDuty": last(
        {"incidents": rows(), "limit": 25, "offset": 0, "more": False, "total": None},
    ),
    "LinkedIn": last(
        {"elements": rows(), "paging": {"start": 0, "count": 10, "links": []}},
    ),
    "Magento": last(
        {"items": rows(), "search_criteria": {"page_size": 20, "current_page": 1},
         "total_count": 3},
    ),
    "CKAN": last(
        {"help": "x", "success": True, "result": {"count": 3, "results": rows()}},
    ),
    "OpenAI": last(
        {"object": "list", "data": rows(), "first_id": "a", "last_id": "c",
         "has_more": False},
    ),
    "DataTables": last(
        {"draw": 1, "recordsTotal": 57, "recordsFiltered": 3, "data": rows()},
    ),
    "Kontent.ai": last(
        {"items": rows(), "pagination": {"skip": 0, "limit": 100, "count": 3,
                                         "next_page": ""}},
    ),
    "Datasette": last(
        {"rows": rows(), "truncated": False, "next": None, "next_url": None},
    ),
    "WeChat": last({"errcode": 0, "errmsg": "ok", "data": rows()}),
    "Etherscan": last({"status": "1", "message": "OK", "result": rows()}),
    "an OAuth answer beside rows": last(
        {"data": rows(), "token_type": "bearer", "access_token": "x",
         "refresh_token": "y", "expires_in": 3600},
    ),
    "side data with links of their own": last(
        {"data": rows(type="cats"), "included": [
            {"id": 1, "type": "owner", "relationships": {"cats": {"links": {
                "next": f"{H}/v1/owners/1/cats?page=2"}}}}]},
    ),
    "a quota": last(
        {"data": rows(), "rate_limit": {"limit": 5000, "total": 5000,
                                        "remaining": 4999}},
    ),
    "counts of other things": last(
        {"data": rows(), "user": {"id": 7, "followers_count": 5000, "total": 12},
         "facets": {"colour": {"total": 90}}, "total_price": 1200},
    ),
    "an echo of the question": last(
        {"data": rows(), "query": {"cursor": "abc", "page": 3, "total": 90}},
    ),
    "Reddit": last(
        {"kind": "Listing", "data": {"after": None, "before": "t3_a", "dist": 1,
                                     "children": [{"kind": "t3", "data": {}}]}},
    ),
    "ArcGIS": last(
        {"objectIdFieldName": "id", "features": [{"attributes": {"id": 1}}]},
    ),
    "Kubernetes": last(
        {"kind": "List", "items": rows(), "metadata": {"resourceVersion": "7"}},
    ),
    "Eventbrite": last(
        {"pagination": {"object_count": 3, "page_number": 1, "page_size": 50,
                        "page_count": 1, "has_more_items": False}, "events": rows()},
    ),
    "NetSuite": last(
        {"links": [{"rel": "self", "href": f"{H}/a"}], "count": 3, "hasMore": False,
         "items": rows(), "offset": 0, "totalResults": 3},
    ),
    "Lark": last(
        {"code": 0, "msg": "success", "data": {"items": rows(), "page_token": "",
                                               "has_more": False}},
    ),
    "Harvest": last(
        {"cats": rows(), "per_page": 100, "total_pages": 1, "total_entries": 3,
         "next_page": None, "previous_page": None, "page": 1,
         "links": {"first": f"{H}/a", "next": None, "previous": None,
                   "last": f"{H}/a"}},
    ),
    "Guardian": last(
        {"response": {"status": "ok", "total": 3, "startIndex": 1, "pageSize": 10,
                      "currentPage": 1, "pages": 1, "results": rows()}},
    ),
    "a flag in a header": last(rows(), headers={"x-has-more": "false"}),
    "an array": last(rows()),
    "lines of nothing but data": last({"data": rows()}),
}  # fmt: skip
