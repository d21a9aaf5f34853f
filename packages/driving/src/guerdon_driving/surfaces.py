"""highway-env's own picture of an episode, for those who want it: wider, slower, and not turned to the ego vehicle.

pygame's display is started without a screen (SDL's dummy driver), and the environment variable that says so is put back
at once: highway-env 1.12 draws nothing at all, a black picture, while it is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from guerdon_driving.simulation import Running

_VARIABLE = "SDL_VIDEODRIVER"


def surface(running: Running) -> Image.Image:
    """The state an episode is in, as highway-env renders it: RGB, 600 x 150 or 600 x 600 pixels by its environment."""
    import pygame
    from PIL import Image

    env = running.made.env
    if not pygame.display.get_init():
        with _set("dummy"):
            pygame.display.init()
    with _set(None):
        env.render_mode = "rgb_array"
        env.config["offscreen_rendering"] = True
        try:
            return Image.fromarray(env.render())
        finally:
            env.close()


@contextmanager
def _set(value: str | None) -> Iterator[None]:
    """SDL's variable set to a value, or not at all, for a while."""
    before = os.environ.pop(_VARIABLE, None)
    if value is not None:
        os.environ[_VARIABLE] = value
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before
