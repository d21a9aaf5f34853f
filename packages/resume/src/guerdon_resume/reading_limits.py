"""Limits of what is read of a file, and of what a reader of it sees."""

MOST_CHARS = 1_000_000
"""Of a resume's text; what has more is no resume."""
MOST_PAGES = 50
MOST_UNPACKED = 100 * 2**20
"""Bytes of an archive, unpacked: more is no resume, and may be a bomb."""
WHITE = 0.95
"""Lightness, of 1, from which a colour is white."""
TINY = 2.0
"""Points below which letters are not seen."""


class NotReadError(Exception):
    """A file that is in order, or locked, and is not read; with the reason, for people."""
