"""Change: a file that `init` writes, or keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import field, record

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644


@record
class NewPair:
    """A self-signed certificate that is to be created, for `names`.

    `old_key`: an existing key that it is made for, instead of a new one.
    """

    certificate: Path
    key: Path
    names: tuple[str, ...]
    old_key: Path | None = None


@record
class Change:
    """A file of the plan. `keep`: it exists and is not changed. `edit`: it gets a new text."""

    action: Literal["create", "append", "edit", "keep"]
    path: Path
    about: str
    """For people: what it contains, or what is missing in it."""
    text: str = field(default="", repr=False)
    """What is written or appended; of an edited file all of it.

    Certificate and key are created later, before the writing.
    """
    old: bytes | None = field(default=None, repr=False)
    """The content of an edited file or env file, as it was read: another one is not changed."""
    mode: int = PUBLIC
    is_env_file: bool = False
    makes: NewPair | None = None
    """The pair that this file is a part of: its text is created before the writing."""
    generated: tuple[str, ...] = ()
    """Variables that got a new secret."""
    to_fill_in: tuple[str, ...] = ()
    """Variables that only a person can give a value."""
    missing: tuple[str, ...] = ()
    """Variables of the example that are missing in a kept env file."""
