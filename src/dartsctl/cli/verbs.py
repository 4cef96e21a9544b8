"""The table of verbs."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
