"""The templates of a deploy that was not made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdas.core.dataset import Catalogue
from project.environment import Environment
from stacks.all_stacks import add_stacks, new_app

_SUFFIX = ".template.json"


def synthesized(
    environment: Environment, catalogue: Catalogue
) -> Mapping[str, Mapping[str, Any]]:
    """Each stack's template by its name, in a few seconds. Nothing is bundled: a
    function's code is told by a hash of what would go in.

    Raises BadInput.
    """
    with tempfile.TemporaryDirectory(prefix="catflap-diff-") as folder:
        app = new_app(outdir=Path(folder), context={"aws:cdk:bundling-stacks": []})
        add_stacks(app, environment=environment, catalogue=catalogue)
        app.synth()
        return {
            path.name.removesuffix(_SUFFIX): json.loads(path.read_text())
            for path in sorted(Path(folder).glob(f"*{_SUFFIX}"))
        }
