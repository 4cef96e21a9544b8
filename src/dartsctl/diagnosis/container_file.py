"""Read what the engine says about a file in a container (`/containers/ID/archive`)."""

from __future__ import annotations

import base64
import binascii
import io
import re
import tarfile

from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.text.strict_json import Source, read_json

_HEADER = re.compile(rb"^x-docker-container-path-stat:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_KINDS = 0x8F28_0000
"""The bits of Go's file mode that no regular file has."""


@record
class ContainerFile:
    """A file in a container. `link` is where it leads to, empty if it is no link."""

    size: int
    is_regular: bool
    link: str = ""


def read_head(head: bytes) -> ContainerFile | None:
    """Return what the head of the engine's answer says, None for anything else."""
    match = _HEADER.search(head)
    if not match:
        return None
    try:
        text = base64.b64decode(match[1], validate=True)
        document = read_json(text, Source("the engine"))
        mode = document.at("mode").integer()
        return ContainerFile(
            size=document.at("size").integer(),
            is_regular=not mode & _KINDS,
            link=document.at("linkTarget").text(""),
        )
    except (binascii.Error, DartsctlError):
        return None


def first_file(archive: bytes) -> bytes:
    """Return the content of the first regular file in a tar archive, empty if there is none."""
    if not archive:
        return b""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if member.isfile() and file:
                    return file.read()
    except tarfile.TarError:
        pass
    return b""
