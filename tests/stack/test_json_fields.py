"""Ports, addresses and protocols in JSON documents."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dartsctl.errors import DockerUnavailable
from dartsctl.stack.json_fields import read_address, read_port, read_port_text, read_protocol
from dartsctl.text.strict_json import Cursor, Source

SOURCE = Source("the engine", error=DockerUnavailable, hint="docker version")


def cursor(value: object) -> Cursor:
    return Cursor(value, SOURCE, "root")


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (read_port, 65536, "root: expected a number from 0 to 65535, got 65536"),
        (read_port_text, "\u00b2", "root: expected a port number"),
        (read_address, "localhost", "root: expected an IP address"),
        (read_protocol, "quic", "root: expected tcp, udp or sctp"),
    ],
)
def test_a_wrong_value_is_refused(
    read: Callable[[Cursor], object], value: object, sentence: str
) -> None:
    with pytest.raises(DockerUnavailable, match=re.escape(sentence)):
        read(cursor(value))


def test_null_and_a_missing_key_are_the_default() -> None:
    document = cursor({"null": None})
    for key in ("null", "absent"):
        assert read_address(document.at(key), "::") == "::"
        assert read_protocol(document.at(key), "tcp") == "tcp"
        assert read_port(document.at(key), 0) == 0


def test_addresses_have_one_spelling() -> None:
    texts = ("127.0.0.1", "0:0::1", "::ffff:10.0.0.1", "")
    addresses = [read_address(cursor(text)) for text in texts]
    assert addresses == ["127.0.0.1", "::1", "10.0.0.1", ""]
