"""Where a pull on one machine lands, and who hears of it there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from cli.one_machine.folder_landing import FolderLanding
from lambdas.core.errors import BadInput
from lambdas.core.pull.ports import LandingZone


class NoBus:
    """Events of a pull on one machine, where there is no bus: nobody listens."""

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Announce to nobody."""


def landing_zone(uri: str) -> LandingZone:
    """`file:///folder`, a plain path, or `s3://bucket/prefix`; BadInput if neither."""
    scheme, _, rest = uri.partition("://")
    # a `#` or `?` in a name is part of it: nothing here has a fragment or a query
    host, slash, path = rest.partition("/")
    if scheme.lower() == "s3":
        if not host:
            raise BadInput(f"{uri} names no bucket; accepted: s3://bucket/prefix")
        return _bucket(host, path.strip("/"))
    if scheme.lower() == "file":
        if host not in ("", "localhost") or not slash:
            raise BadInput(
                f"{uri} is not a folder of this machine; accepted: file:///folder "
                "(three slashes) or s3://bucket/prefix"
            )
        return FolderLanding(root=Path(unquote(f"/{path}")))
    if "://" in uri or not uri or uri.lower().startswith(("file:", "s3:")):
        raise BadInput(
            f"{uri or 'an empty text'} is not a place to land; accepted: "
            "file:///folder or s3://bucket/prefix"
        )
    return FolderLanding(root=Path(uri))


def _bucket(bucket: str, prefix: str) -> LandingZone:
    # boto3 takes half a second to import: only a pull to S3 pays for it
    from lambdas.adapters.clients import client  # noqa: PLC0415
    from lambdas.adapters.landing.bucket import LandingBucket  # noqa: PLC0415

    return LandingBucket(
        s3=client("s3"), bucket=bucket, prefix=f"{prefix}/" if prefix else ""
    )
