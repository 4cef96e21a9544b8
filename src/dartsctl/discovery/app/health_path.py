"""The path that a health check asks for, in a Compose file or a Dockerfile."""

from __future__ import annotations

from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_URL = regex(
    r"""(?x)https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|\$\{?HOSTNAME\}?)
        (?::(?P<port>\d{1,5}|\$\{?\w+(?::?-\d+)?\}?))?
        (?P<path>/[\w./~%?&=-]*)?(?=[\s"'`)|;,\\]|$)""",
)


def path_of_check(words: Iterable[str], ports: Collection[int]) -> str:
    """Return the path that a health check requests of the app; empty if it requests none.

    `ports` are those on which the app listens in its container, as far as they are known: a
    request to another one is not for the app.
    """
    for match in _URL.finditer(" ".join(words)):
        port = match["port"] or "80"
        if port.isdigit() and ports and int(port) not in ports:
            continue
        return match["path"] or "/"
    return ""
