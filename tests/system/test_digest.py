"""The SHA-256 without hashlib is the same."""

from __future__ import annotations

import hashlib

import pytest

from dartsctl.system.digest import sha256


@pytest.mark.parametrize("data", [b"", b"a", b"/srv/app\xff", bytes(100_000)])
def test_it_is_that_of_hashlib(data: bytes) -> None:
    assert sha256(data) == hashlib.sha256(data).hexdigest()
