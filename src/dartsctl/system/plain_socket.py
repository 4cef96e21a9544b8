"""The kernel's sockets without the module `socket`.

Its enumerations take longer to make than a look at all ports. Numbers and functions are those of
`_socket`, which it is made of.
"""

from __future__ import annotations

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class PlainSocket(_socket.socket):
    """A socket that is closed at the end of its context."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
