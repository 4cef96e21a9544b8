"""What Compose's plain progress lines say about the containers and networks that it creates.

The same from Compose 2.24 to 2.40: ` Container shop-web-1  Creating`. `Created` alone proves nothing: it is also said of a
container that was there before and has exited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["container", "network"]
Step = Literal["creating", "created", "recreate", "recreated"]

_LINE = re.compile(
    r'\s*(Container|Network) "?([^\s"]+)"?\s+(Creating|Created|Recreate|Recreated)\s*'
)
_LOST = re.compile(r'[Tt]he container name "/?([^\s"]+)" is already in use')


@dataclass(frozen=True, slots=True)
class Progress:
    """One line about a container or network."""

    kind: Kind
    name: str
    step: Step


def read(line: str) -> Progress | None:
    """What `line` says; None where it is about something else."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    kind, name, step = match.groups()
    return Progress(cast(Kind, kind.lower()), name, cast(Step, step.lower()))


def lost_name(line: str) -> str:
    """The container name that somebody else had taken when Compose wanted to create it; empty for other lines."""
    match = _LOST.search(line)
    return match[1] if match else ""
