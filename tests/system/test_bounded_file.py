"""Only regular files of a limited size are read, without waiting."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dartsctl.system import bounded_file
from dartsctl.system.bounded_file import UnsuitableFile


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"caf\xe9")
    assert bounded_file.read_bytes(file, limit=4) == b"caf\xe9"
    assert bounded_file.read_text(file) == "caf\N{REPLACEMENT CHARACTER}"
    with pytest.raises(UnsuitableFile, match="larger"):
        bounded_file.read_bytes(file, limit=3)


def test_a_sparse_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.truncate(file, 10 << 30)
    with pytest.raises(UnsuitableFile, match="it is larger than 1 MiB"):
        bounded_file.read_bytes(file)


def test_a_kernel_file_of_size_0_is_read_up_to_the_limit() -> None:
    file = Path("/proc/self/status")
    assert bounded_file.read_text(file).startswith("Name:")
    with pytest.raises(UnsuitableFile, match="larger"):
        bounded_file.read_bytes(file, limit=10)


def test_anything_but_a_regular_file_is_refused_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    kinds = {
        tmp_path / "pipe": "a named pipe",
        tmp_path / "socket": "a socket",
        tmp_path: "a folder",
        Path("/dev/zero"): "a device",
    }
    for path, kind in kinds.items():
        with pytest.raises(UnsuitableFile, match=f"it is {kind}, not a regular file"):
            bounded_file.read_bytes(path)


def test_a_missing_file_is_the_usual_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bounded_file.read_bytes(tmp_path / "none")


def test_the_null_device_is_recognized_under_every_name(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to(os.devnull)
    assert bounded_file.is_null_device(tmp_path / "null")
    assert not bounded_file.is_null_device(Path("/dev/zero"))
    assert not bounded_file.is_null_device(tmp_path)
    assert not bounded_file.is_null_device(tmp_path / "none")
