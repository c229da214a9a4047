"""The datasets as a file that a deploy uploads."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from lambdas.core.dataset import Catalogue, catalogue_to_json
from lambdas.core.names import CATALOGUE_FILE


def catalogue_asset(scope: Construct, catalogue: Catalogue) -> Asset:
    """The asset, named after what is in it, so that it changes exactly when that does.

    The CDK copies the file to its own folder as the asset is made.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / CATALOGUE_FILE
        file.write_text(catalogue_to_json(catalogue))
        return Asset(scope, "Datasets", path=str(file), display_name=CATALOGUE_FILE)
