"""EntryPoint: a command that starts an app. CommandLine: what somebody has written about it."""

from __future__ import annotations

from dartsctl.config.server_program import ENTRY_POINTS
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = "{python}"


@record
class CommandLine:
    """A command line that somebody has written, and its place: `Dockerfile:7`."""

    words: tuple[str, ...]
    where: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variables that it gets, such as FLASK_APP."""
    folders: tuple[str, ...] = ()
    """The folders whose content is the program's own folder there."""


@record
class EntryPoint:
    """A command that starts the app; its placeholders are not replaced yet.

    `file`: the Python file with the app, or the script. `problem`: why the app cannot be started on
    a leased port; then `paste` are lines that change that.
    """

    command: tuple[str, ...]
    where: str
    framework: str = ""
    file: str = ""
    directory: str = ""
    handover: str = ""
    port_variables: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    paste: tuple[str, ...] = ()
    own_port: str = ""
    """The number that the app would take by itself, if it is seen."""
    sees_port: bool = True
    """Whether it is known that the app listens on the leased port."""

    @property
    def is_default(self) -> bool:
        """Whether `dev` starts this script without a setting, if no other one is before it."""
        return self.command[:1] == (PYTHON,) and self.command[1:] in [
            (name,) for name in ENTRY_POINTS
        ]
