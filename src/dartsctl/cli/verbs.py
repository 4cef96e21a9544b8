"""The table of verbs, and the environments that have the verbs of a stack."""

from __future__ import annotations

import sys

from dartsctl.cli.typed_words import project_dir_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.cli.parameters import Verb, Verbs

VERBS: Mapping[str, str] = {
    "init": "init:init",
    "dev": "dev:dev",
    "run": "run:run",
    "prod": "prod:prod",
    "check": "check:check",
    "doctor": "doctor:doctor",
    "watch": "watch:watch",
    "ports": "ports:ports",
    "history": "history:history",
    "guard": "guard:guard",
    "trust": "trust:trust",
}
"""Every verb and group of verbs, in the order of the help: its module in this package and its name.

A module is imported when one of its verbs is used. An environment that the settings name is a
group like `prod`.
"""


def verb_named(name: str) -> Verb | Verbs:
    """Return a verb or a group of the table."""
    module, _, attribute = VERBS[name].partition(":")
    __import__(f"dartsctl.cli.{module}")
    verb: Verb | Verbs = getattr(sys.modules[f"dartsctl.cli.{module}"], attribute)
    return verb


def environments_named(words: Sequence[str]) -> list[str]:
    """Return the environments of the settings besides `dev` and `prod`, if a word may be one.

    `dartsctl staging up` works like `dartsctl prod up`, and a mistyped name is suggested.

    Raises Refused for settings that are not trusted.
    """
    folder = project_dir_of(words)
    name = next((word for word in words if not word.startswith("-") and word != folder), "")
    if not name or name in VERBS:
        return []
    from pathlib import Path

    from dartsctl.cli.deps import Common
    from dartsctl.errors import DartsctlError, Refused

    try:
        settings = Common(project_dir=Path(folder) if folder else None).settings()
    except Refused:
        if {"-h", "--help"}.intersection(words):
            return []
        raise  # the names of the environments are in settings that are not used
    except DartsctlError:
        return []  # the verb reports what is wrong with the settings, or that it is unknown
    return [environment for environment in settings.environments if environment not in VERBS]
