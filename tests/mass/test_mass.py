from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.mass.__main__ import as_markdown, broken
from tests.mass.outage import live


def test_a_mass_outage_pages_at_once_and_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="catflap")
    figures = live(datasets=300, late=90)
    # the memory is that of all tests in this process
    assert broken(replace(figures, megabytes=0), late=90) == []
    assert figures.refused > 90 / 5
    told = as_markdown(figures, datasets=300, late=90)
    assert "89 incidents are open" in told


@pytest.mark.long
def test_ten_thousand_datasets_fit_the_memory_and_the_time_of_a_function() -> None:
    whole = [sys.executable, "-m", "tests.mass"]
    ended = subprocess.run(whole, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ended.returncode == 0, ended.stdout
