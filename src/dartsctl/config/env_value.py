"""A variable as an env file has it."""

from __future__ import annotations

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@record
class EnvValue:
    """A variable of an env file. No repr shows the value."""

    value: str = field(repr=False)
    file: Path
    line: int
    uses: frozenset[str] = frozenset()
    """The variables that are replaced in it: `${NAME}`."""

    @property
    def origin(self) -> str:
        """The place: `.env:3`."""
        return f"{self.file.name}:{self.line}"
