"""What a function's zip holds: our slices and locked packages.

Packages are installed for Lambda's Python and processor by uv, from wheels and with
hashes; no Docker. Two locks, so that the pull function never carries the Snowflake
connector. The asset's hash is made of what goes in, not of what came out: it is the
same with and without bundling, on every machine.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from lambdas.core.dataset import Catalogue, catalogue_to_json

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path("lambdas/requirements.txt")
SNOWFLAKE_LOCK = Path("lambdas/requirements-snowflake.txt")

PYTHON_VERSION = "3.13"
PLATFORM = "aarch64-manylinux_2_28"
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
"""Of a zip, layers included (Lambda quotas)."""

_SHARED = ("lambdas/core", "lambdas/adapters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One zip: the `slices` of `lambdas/`, and a lock of packages."""

    slices: tuple[str, ...]
    lock: Path

    def own_files(self) -> list[Path]:
        """Our files in it, relative to the repository, in a fixed order."""
        folders = [*_SHARED, *(f"lambdas/{name}" for name in self.slices), "sources"]
        found = [
            path.relative_to(ROOT)
            for folder in folders
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        return sorted([Path("lambdas/__init__.py"), *found])

    def digest(self) -> str:
        """A hash of all that decides what is in the zip."""
        whole = hashlib.sha256(f"2 {PYTHON_VERSION} {PLATFORM}".encode())
        for path in [*self.own_files(), self.lock]:
            content = (ROOT / path).read_bytes()
            whole.update(f"\0{path.as_posix()}\0{len(content)}\0".encode() + content)
        return whole.hexdigest()

    def write(self, target: Path, *, platform: str = PLATFORM) -> None:
        """Fill the folder `target`; RuntimeError says what pip or a limit refused."""
        _install(self.lock, target, platform)
        # Scripts that name this machine's Python.
        shutil.rmtree(target / "bin", ignore_errors=True)
        for path in self.own_files():
            copy = target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy)
        _compile(target)
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        if size > MAX_UNZIPPED_BYTES:
            raise RuntimeError(
                f"the bundle of {', '.join(self.slices)} is {size:,} bytes unzipped; "
                f"Lambda takes {MAX_UNZIPPED_BYTES:,}: drop a package from {self.lock}"
            )

    def code(self) -> lambda_.Code:
        """The bundle as CDK wants it; made only if the stack is bundled."""
        return lambda_.Code.from_asset(
            str(ROOT / "lambdas"),
            asset_hash_type=AssetHashType.CUSTOM,
            asset_hash=self.digest(),
            bundling=BundlingOptions(
                # CDK demands an image; it is never pulled, since `try_bundle` either
                # succeeds or raises.
                image=DockerImage.from_registry("scratch"),
                local=_LocalBundling(self),
            ),
        )


PULL = Bundle(slices=("pull",), lock=LOCK)
PEOPLE = Bundle(slices=("slack", "people"), lock=LOCK)
WITH_CONNECTOR = Bundle(
    slices=("freshness", "repair", "reports", "warehouse"), lock=SNOWFLAKE_LOCK
)


def objects_digest(catalogue: Catalogue) -> str:
    """A hash of the datasets and of the code that writes their statements."""
    whole = hashlib.sha256(catalogue_to_json(catalogue).encode())
    for folder in ("lambdas/core/sql", "lambdas/core/models", "lambdas/warehouse"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            whole.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """The bridge to CDK, which calls with options meant for Docker."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def try_bundle(self, output_dir: str, *_options: Any, **_more: Any) -> bool:  # noqa: ANN401 - Docker's options, of CDK's own types, unused
        """Write the bundle; never leaves it to Docker."""
        self._bundle.write(Path(output_dir))
        return True


def python_of_lambda() -> str | None:
    """Lambda's Python, if this machine has it."""
    command = [
        sys.executable, "-m", "uv", "python", "find", PYTHON_VERSION,
        "--no-python-downloads",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _compile(target: Path) -> None:
    """Bytecode beside the sources: /var/task is read-only, so that a zip without it is
    compiled at each cold start, which doubles the time. Whatever machine compiles, the
    bytes are the same: no times, no paths of this machine, no hash of its own.
    """
    python = python_of_lambda()
    if python is None:
        sys.stderr.write(
            f"warning: no Python {PYTHON_VERSION} here, so that the functions carry no "
            "bytecode and start half as quickly; install it, or deploy from a workflow "
            "that has it\n"
        )
        return
    command = [
        python, "-I", "-m", "compileall", "-q", "--invalidation-mode",
        "unchecked-hash", "-s", str(target), "-p", "/var/task", str(target),
    ]  # fmt: skip
    subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, cwd=ROOT, env={"PYTHONHASHSEED": "0"}, check=False, capture_output=True
    )


def _install(lock: Path, target: Path, platform: str) -> None:
    command = [
        sys.executable, "-m", "uv", "pip", "install", "--quiet",
        "--target", str(target), "--python-version", PYTHON_VERSION,
        "--python-platform", platform, "--only-binary", ":all:",
        "--require-hashes", "--no-deps", "--link-mode", "copy",
        "--requirement", str(lock),
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"installing {lock} for Python {PYTHON_VERSION} on {platform} failed:\n"
            f"{done.stderr.strip()}"
        )
