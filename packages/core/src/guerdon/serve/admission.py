"""Who may ask: one token, compared in constant time; and no server that strangers can reach without one.

The token comes as `Authorization: Bearer TOKEN`, or as the password of `Authorization: Basic` for clients that can only
be given an address: `http://any:TOKEN@host:port/openrlhf/sql`.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress

from guerdon.errors import ConfigError


def admits(token: str | None, authorization: str | None) -> bool:
    """Whether a request with this header may pass; without a token every one may."""
    if token is None:
        return True
    kind, _, given = (authorization or "").partition(" ")
    given = given.strip()
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
        except ValueError:  # no base64, or no text
            given = ""
    elif kind.lower() != "bearer":
        given = ""
    return hmac.compare_digest(*(text.encode("utf-8", "surrogateescape") for text in (given, token)))


def check_bind(host: str, token: str | None, *, open_to_all: bool = False) -> None:
    """Refuse to bind an address that others can reach when there is no token.

    Raises:
        ConfigError: it is not a loopback address, there is no token, and nobody said that this is meant.
    """
    if token is not None and len(token) < 16:
        raise ConfigError(
            f"the token has {len(token)} characters; at least 16 are needed, as of `openssl rand -hex 16`"
        )
    if token is None and not open_to_all and not is_loopback(host):
        raise ConfigError(
            f"the host is {host!r}, which others can reach, and there is no token. Put one into the environment "
            f"variable GUERDON_SERVE_TOKEN, or say --open if everybody may ask"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name: who knows where it leads
        return False
