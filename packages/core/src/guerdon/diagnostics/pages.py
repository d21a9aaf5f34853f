"""The frame of every page we write: one file that asks nothing of the network, and can be sent to a colleague."""

from __future__ import annotations

from importlib import resources

from guerdon.diagnostics.markup import safe

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Even if something slipped through the escaping, the page may load and send nothing."""


def page(title: str, body: str, footer: str) -> str:
    """The whole document.

    Args:
        title: of the window; any text.
        body: HTML, escaped by who made it.
        footer: where it comes from; any text.
    """
    assets = resources.files("guerdon.diagnostics")
    style = assets.joinpath("report.css").read_text(encoding="utf-8")
    script = assets.joinpath("report.js").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{safe(title, 80)} · guerdon</title><style>\n{style}</style></head>"
        f"<body><main>{body}<footer>{safe(footer)}</footer></main>"
        f"<script>\n{script}</script></body></html>\n"
    )


def section(title: str, content: str, about: str = "") -> str:
    """A titled section; nothing where there is nothing to show. All three are HTML."""
    if not content:
        return ""
    note = f'<p class="about">{about}</p>' if about else ""
    return f"<section><h2>{title}</h2>{note}{content}</section>"
