"""The status line of an HTTP response."""

from __future__ import annotations

import pytest

from dartsctl.text.http_status import http_status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 502", 502),
        (b"", None),
        (b"SSH-2.0-OpenSSH", None),
        (b"HTTP/1.1 99", None),
        (b"HTTP/1.1 " + b"9" * 4301 + b" OK", None),
        (b"HTTP/1.1 -20", None),
    ],
)
def test_an_http_status_has_three_digits(head: bytes, status: int | None) -> None:
    assert http_status(head) == status
