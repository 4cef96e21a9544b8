"""Sockets without the module `socket`."""

from __future__ import annotations

import _socket
import os

import pytest

from dartsctl.system.plain_socket import PlainSocket


def test_a_socket_is_closed_at_the_end_of_its_context_and_no_child_inherits_it() -> None:
    with PlainSocket(_socket.AF_INET, _socket.SOCK_STREAM) as own:
        descriptor = own.fileno()
        assert not os.get_inheritable(descriptor)
    assert own.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
