"""Ports, addresses and protocols as JSON documents of Compose and the engine hold them.

Each function raises the document's own error for a value that is not what was expected.
"""

from __future__ import annotations

from dartsctl.stack.bindings import HIGHEST_PORT, normal_address, parse_protocol
from dartsctl.text.numbers import parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.text.strict_json import Cursor


def read_port(value: Cursor, default: int | None = None) -> int:
    """Return a port number; 0 is allowed."""
    return value.integer(default, maximum=HIGHEST_PORT)


def read_port_text(value: Cursor) -> int:
    """Return a port number that is written as text."""
    number = parse_digits(value.text(), HIGHEST_PORT)
    if number is None:
        raise value.mistake("expected a port number")
    return number


def read_address(value: Cursor, default: str = "") -> str:
    """Return an IP address in its normal spelling; `default` for null and an empty text."""
    text = value.text("")
    try:
        return normal_address(text) if text else default
    except ValueError:
        raise value.mistake("expected an IP address") from None


def read_protocol(value: Cursor, default: TransportProtocol | None = None) -> TransportProtocol:
    """Return tcp, udp or sctp."""
    try:
        return parse_protocol(value.text(default))
    except ValueError:
        raise value.mistake("expected tcp, udp or sctp") from None
