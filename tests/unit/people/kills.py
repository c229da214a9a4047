"""A function that is killed before or after any one of its effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Died(BaseException):
    """The function was killed."""


def killed_at(place: int) -> Callable[[Any], Any]:
    """What wraps each effect: the `place`th moment before or after one is the last."""
    moments = iter(range(99))

    def killing(effect: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            if next(moments) == place:
                raise Died
            done = effect(*given, **more)
            if next(moments) == place:
                raise Died
            return done

        return call

    return killing
