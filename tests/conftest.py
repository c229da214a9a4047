"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A property is no stop-watch: an example takes long if the machine has much to do.
settings.register_profile("catflap", deadline=None)
settings.load_profile("catflap")
