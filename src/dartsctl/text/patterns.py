"""Regular expressions that are compiled when they are first used.

A command imports some hundred of them and uses a few; compiling one takes up to a millisecond.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Pattern:
    """A pattern that gets the methods of `re.Pattern` as they are used."""

    def __init__(self, source: str) -> None:
        self.pattern = source

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self.pattern), name)
        setattr(self, name, value)  # what is there is not looked for here again
        return value


def regex(source: str) -> re.Pattern[str]:
    """Return a regular expression for use through its methods. Flags are written in it: `(?i)`.

    Raises re.error for an invalid one at its first use.
    """
    return _Pattern(source)  # type: ignore[return-value]  # it has what a pattern has
