"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A property is no stop-watch: how long an example takes says what else the machine does.
settings.register_profile("catflap", deadline=None)
settings.load_profile("catflap")
