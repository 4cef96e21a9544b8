"""Read Compose's plain progress lines: what it creates, and what it does just now.

The format is the same from Compose 2.24 to 2.40: ` Container shop-web-1  Creating`. `Created` alone
proves nothing: Compose also prints it for an exited container that existed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from dartsctl.records import record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Collection

CreatedKind = Literal["container", "network"]
ProgressStep = Literal["creating", "created", "recreate", "recreated"]

_LINE = regex(r'\s*(Container|Network) "?([^\s"]+)"?\s+(Creating|Created|Recreate|Recreated)\s*')
_CREATION = regex(
    r'\s*(Container|Network|Volume) "?(?P<name>[^\s"]+)"?\s+(?P<step>Creating|Created|Recreate'
    r"|Recreated|Starting|Started|Running|Waiting|Healthy|Exited|Error|Restarting|Stopping|Stopped"
    r"|Removing|Removed|Error response from daemon: .*)\s*"
)
_IMAGE = regex(
    r"\s+(?:(?:Service|Image) )?(?P<name>\S+)\s+"
    r"(?P<step>Pulling|Pulled|Building|Built|Skipped|Warning|Error|Interrupted)\b(?P<rest>.*)"
)
_ANY_BUILDKIT = regex(r"#\d+ ")
_BUILDKIT = regex(r"#\d+ \[(?P<name>[^\s\]]+)[\s\]]")
_CLASSIC_BUILDER = regex(r"Step \d+/\d+ : |Sending build context to Docker daemon")
_WORK = {
    "Pulling": "pulling",
    "Building": "building",
    "Creating": "creating",
    "Recreate": "recreating",
    "Starting": "starting",
    "Restarting": "restarting",
    "Waiting": "waiting for",
    "Stopping": "stopping",
    "Removing": "removing",
}
"""The steps that take time, until another step of the same service or container is told."""
_LAYER_BAR = regex(r"\s+[0-9a-f]{12}\s+(Downloading|Extracting)\s+\[")
_NAME_IN_USE = regex(r'[Tt]he container name "/?([^\s"]+)" is already in use')


@record
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


def is_layer_bar(line: str) -> bool:
    """Return whether a line shows how much of an image's layer has come. There are hundreds."""
    return _LAYER_BAR.match(line) is not None


class ComposeActivity:
    """What Compose does just now, as far as its lines say it.

    It pulls and builds all images first. Then it creates networks, volumes and containers, and then
    it starts the containers. `built` are the services whose images the Compose files can build: the
    classic builder does not say which it builds.
    """

    def __init__(self, built: Collection[str] = ()) -> None:
        self._built = tuple(built)
        self._doing: dict[str, str] = {}
        """What is not done yet: a service or container and `building`, `waiting for` and others."""
        self.has_images_to_get = False
        """Whether it has begun to pull or build an image."""
        self.creates = False
        """Whether it has begun to create, or has met what exists already."""
        self.starts = 0
        """Grows with every container that it starts or waits for."""
        self.ended = 0
        """How many one-shots it has seen end well."""

    def follow(self, line: str) -> None:
        """Follow one line of its output."""
        if creation := _CREATION.fullmatch(line):
            self._follow_creation(creation["name"], creation["step"])
        elif not self.creates:
            self._follow_image(line)

    @property
    def words(self) -> str:
        """What it has done for the longest time: `building app, worker`, `waiting for db-1`."""
        if not self._doing:
            return "waiting for Compose"
        oldest = next(iter(self._doing.values()))
        names = [name for name, work in self._doing.items() if work == oldest]
        return f"{oldest} {', '.join(names)}"

    def _follow_creation(self, name: str, step: str) -> None:
        if not self.creates:
            self.creates = True
            self._doing.clear()
        self._doing.pop(name, None)
        if work := _WORK.get(step):
            self._doing[name] = work
        if step in ("Starting", "Started", "Waiting"):
            self.starts += 1
        elif step == "Exited":
            self.ended += 1

    def _follow_image(self, line: str) -> None:
        if _is_about_images(line):
            self.has_images_to_get = True
        if match := _IMAGE.fullmatch(line):
            self._follow_image_step(match["name"], match["step"], match["rest"])
        elif match := _BUILDKIT.match(line):
            if match["name"] in self._built:
                self._doing[match["name"]] = "building"
        elif _CLASSIC_BUILDER.match(line) and "building" not in self._doing.values():
            name = self._built[0] if len(self._built) == 1 else "images"
            self._doing[name] = "building"

    def _follow_image_step(self, name: str, step: str, rest: str) -> None:
        if step not in _WORK:
            self._doing.pop(name, None)
        elif not rest.strip():  # a layer goes on: `Pulling fs layer`
            self._doing[name] = _WORK[step]


def _is_about_images(line: str) -> bool:
    return any(pattern.match(line) for pattern in (_IMAGE, _ANY_BUILDKIT, _CLASSIC_BUILDER))
