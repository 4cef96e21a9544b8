"""The DARTSCTL_* variables: which setting each one replaces."""

from __future__ import annotations

import os

from dartsctl.config.file import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _list(text: str) -> object:
    return [part for part in text.split(os.pathsep) if part]


def _words(text: str) -> object:
    return text.split()


EVERY = "every environment"
PROJECT_DIR = "DARTSCTL_PROJECT_DIR"
VARIABLES: Mapping[str, tuple[str, str, Callable[[str], object]]] = {
    "DARTSCTL_DEV_RANGE": ("ports", "dev_range", str),
    "DARTSCTL_DEV_FILES": ("dev", "files", _list),
    "DARTSCTL_PROD_FILES": ("prod", "files", _list),
    "DARTSCTL_DEV_PROJECT": ("dev", "project", str),
    "DARTSCTL_PROD_PROJECT": ("prod", "project", str),
    "DARTSCTL_ON_CONFLICT": (EVERY, "on_conflict", str),
    "DARTSCTL_WAIT_TIMEOUT": (EVERY, "wait_timeout", _number),
    "DARTSCTL_SETTLING_TIME": (EVERY, "settling_time", _number),
    "DARTSCTL_WATCH_NOTIFY": ("watch", "notify", _words),
    "DARTSCTL_WATCH_ESCALATE": ("watch", "escalate", _words),
    "DARTSCTL_WATCH_HEARTBEAT": ("watch", "heartbeat", str),
}
"""Variable -> table, key, and how its text becomes a TOML value.

An empty variable counts as unset. Lists are separated like PATH, URLs by spaces.
DARTSCTL_PROJECT_DIR is not in the table: it says where the settings are. Other DARTSCTL_ names
belong to other parts, and are no error."""


def from_variables(environ: Mapping[str, str], *tables: str) -> dict[str, Setting]:
    """Return what the variables set in the tables with these names."""
    return {
        key: Setting(convert(environ[variable]), variable)
        for variable, (owner, key, convert) in VARIABLES.items()
        if owner in tables and environ.get(variable)
    }
