"""What the engine says about a file in a container."""

from __future__ import annotations

import base64
import json

import pytest

from dartsctl.diagnosis.container_file import ContainerFile, first_file, read_head


def head(document: object, name: str = "X-Docker-Container-Path-Stat") -> bytes:
    text = base64.b64encode(json.dumps(document).encode()).decode()
    return f"HTTP/1.0 200 OK\r\nApi-Version: 1.51\r\n{name}: {text}\r\nServer: x".encode()


@pytest.mark.parametrize(
    ("mode", "link", "is_regular"),
    [
        (0o644, "", True),
        (0o4755 | 1 << 23, "", True),  # set-user-id
        (134218239, "/dev/stderr", False),
        (1 << 31 | 0o755, "", False),
        (1 << 25 | 0o600, "", False),
        (1 << 26 | 1 << 21 | 0o666, "", False),
    ],
)
def test_a_regular_file_is_told_from_a_link_a_folder_a_pipe_and_a_device(
    mode: int, link: str, *, is_regular: bool
) -> None:
    document = {"name": "x", "size": 11, "mode": mode, "linkTarget": link}
    assert read_head(head(document)) == ContainerFile(11, is_regular, link)
    assert read_head(head(document, "x-docker-container-path-stat")) is not None


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nServer: x",
        b"HTTP/1.0 200 OK\r\nX-Docker-Container-Path-Stat: !!!",
        head([]),
        head({"size": "big"}),
    ],
)
def test_anything_else_is_nothing(answer: bytes) -> None:
    assert read_head(answer) is None


def test_no_archive_has_no_file() -> None:
    assert first_file(b"") == b""
    assert first_file(b"no tar" * 200) == b""
