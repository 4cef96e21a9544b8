"""Read Compose's plain progress lines about the containers and networks that it creates.

The format is the same from Compose 2.24 to 2.40: ` Container shop-web-1  Creating`. `Created` alone
proves nothing: Compose also prints it for an exited container that existed before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

CreatedKind = Literal["container", "network"]
ProgressStep = Literal["creating", "created", "recreate", "recreated"]

_LINE = re.compile(
    r'\s*(Container|Network) "?([^\s"]+)"?\s+(Creating|Created|Recreate|Recreated)\s*'
)
_NAME_IN_USE = re.compile(r'[Tt]he container name "/?([^\s"]+)" is already in use')


@dataclass(frozen=True, slots=True)
class Progress:
    """A line about a container or network."""

    kind: CreatedKind
    name: str
    step: ProgressStep


def parse_progress(line: str) -> Progress | None:
    """Return what a line says about a container or network; None for any other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    kind, name, step = match.groups()
    return Progress(cast(CreatedKind, kind.lower()), name, cast(ProgressStep, step.lower()))


def name_in_use(line: str) -> str:
    """Return the container name that somebody else took before Compose; empty for other lines."""
    match = _NAME_IN_USE.search(line)
    return match[1] if match else ""
