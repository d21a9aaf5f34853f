"""highway-env's own picture of an episode, for those who want it: wider, slower, and not ego-centred in heading.

pygame is told to use no display while its surface is made, and the environment variable is put back afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from guerdon_driving.simulation import Running


def surface(running: Running) -> Image.Image:
    """The state an episode is in, as highway-env renders it: RGB, 600 x 150 or 600 x 600 pixels by its environment."""
    from PIL import Image

    env = running.made.env
    with no_display():
        env.render_mode = "rgb_array"
        env.config["offscreen_rendering"] = True
        try:
            return Image.fromarray(env.render())
        finally:
            env.close()


@contextmanager
def no_display() -> Iterator[None]:
    """`SDL_VIDEODRIVER=dummy` for a while."""
    before = os.environ.get("SDL_VIDEODRIVER")
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SDL_VIDEODRIVER"]
        else:
            os.environ["SDL_VIDEODRIVER"] = before
