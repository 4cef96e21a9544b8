"""An engine with the log and the files of one container, for tests of what follows them."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dartsctl.diagnosis.container_file import ContainerFile
from dartsctl.diagnosis.facts import ContainerFacts
from dartsctl.diagnosis.inspection import Inspection
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.model import Mount

STAMP = "2026-11-23T22:58:5{}.5Z"


def frames(*lines: str, second: int = 0, output: int = 2) -> bytes:
    """Return lines as the engine sends them, at this second (0 to 9)."""
    sent = bytearray()
    for line in lines:
        body = f"{STAMP.format(second)} {line}\n".encode()
        sent += struct.pack(">BxxxI", output, len(body)) + body
    return bytes(sent)


@dataclass
class FakeStream:
    """What the engine has sent; it ends when `ended` is set and all is read."""

    chunks: list[bytes] = field(default_factory=list)
    ended: bool = False
    closed: bool = False

    def fileno(self) -> int:
        return -1

    def read(self, timeout: float) -> bytes | None:
        del timeout
        if self.chunks:
            return self.chunks.pop(0)
        return None if self.ended else b""

    def close(self) -> None:
        self.closed = True


@dataclass
class LogEngine:
    """`files`: path -> content; `links`: path -> target. Without `has_tools` nothing runs there."""

    stream: FakeStream | None = field(default_factory=FakeStream)
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    inodes: dict[str, int] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    has_tools: bool = True
    answers: bool = True
    followed: list[tuple[str, bool]] = field(default_factory=list)
    """Since when, and whether with stdout, the log was asked for."""

    def control(self) -> Any:
        return self

    def follow_log(self, identity: str, *, since: str, stdout: bool) -> FakeStream | None:
        del identity
        self._refuse()
        self.followed.append((since, stdout))
        return self.stream

    def inspect(self, identity: str) -> Inspection:
        self._refuse()
        return Inspection(ContainerFacts("", "", identity), mounts=self.mounts)

    def file(self, identity: str, path: str) -> ContainerFile | None:
        del identity
        self._refuse()
        if path in self.links:
            return ContainerFile(11, is_regular=False, link=self.links[path])
        if path in self.files:
            return ContainerFile(len(self.files[path]), is_regular=True)
        return None

    def execute(self, identity: str, argv: Sequence[str]) -> tuple[int, str, str] | None:
        del identity
        self._refuse()
        if not self.has_tools:
            return None
        content = self.files.get(argv[-1])
        if content is None:
            return 1, "", "No such file or directory"
        if argv[0] == "stat":
            return 0, f"{self.inodes.get(argv[-1], 1)} {len(content)}\n", ""
        assert argv[:2] == ["tail", "-c"]
        return 0, content[int(argv[2]) - 1 :].decode(errors="replace"), ""

    def archive(self, identity: str, path: str) -> bytes:
        del identity
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            member = tarfile.TarInfo(path.rpartition("/")[2])
            member.size = len(self.files[path])
            tar.addfile(member, io.BytesIO(self.files[path]))
        return file.getvalue()

    def _refuse(self) -> None:
        if not self.answers:
            raise DockerUnavailable("the engine does not answer")
