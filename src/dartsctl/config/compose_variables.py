"""Compose's own variables as a project sets them, and which environment each is for.

Compose knows one stack in a folder, dartsctl several. `COMPOSE_FILE`, `COMPOSE_PROJECT_NAME` and
`COMPOSE_PROFILES`, exported or in `.env`, are production's if they name one of its files or its
profile, else those of dev. What an environment's own env file sets (`.env.production`) is for that
one.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from dartsctl.config.conventional_names import PRODUCTION, WORDS, word_of
from dartsctl.config.values import check_project
from dartsctl.errors import Refused
from dartsctl.records import record
from dartsctl.system import bounded_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dartsctl.config.trust import Trust

_NAMES = ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES")
_LINE = (
    r"""(?m)^\ufeff?[ \t]*(?:export[ \t]+)?(?P<name>\w+)[ \t]*=[ \t]*"""
    r"""(?:'(?P<single>[^'\n]*)'|"(?P<double>[^"\n]*)"|(?P<bare>.*?))[ \t]*(?:[ \t]#.*)?\r?$"""
)
_VARIABLE = r"\$(?:\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\}|(?P<plain>\w+))"
"""Compiled where a file has such a variable: every command imports this module.

For the same reason dotenv, which reads env files elsewhere, does not read these four variables.
"""

PRODUCTION_ENV_FILES = (".env.production", ".env.prod")
"""Production's own env file, the first that exists."""


@record
class ComposeVariables:
    """What Compose's variables say about one environment."""

    files: tuple[str, ...] = ()
    """Of COMPOSE_FILE; relative paths start at the project's folder."""
    project: str = ""
    profiles: tuple[str, ...] = ()


def compose_variables(
    root: Path, environ: Mapping[str, str], names: Iterable[str], trust: Trust
) -> dict[str, ComposeVariables]:
    """Return what the variables say about each of the environments `names`.

    Env files that are not trusted are left out here; who uses them is refused later. Raises
    UsageError for a project name that Compose does not accept.
    """
    shared = _read(root / ".env", environ, trust)
    exported = {name: environ[name] for name in _NAMES if environ.get(name)}
    owner = _owner(shared | exported, names, root)
    result: dict[str, ComposeVariables] = {}
    for name in names:
        values: dict[str, str] = {}
        own: tuple[str, ...] = (f".env.{name}",)
        if name == PRODUCTION:
            own = PRODUCTION_ENV_FILES
        for file in own:
            values = values or _read(root / file, environ, trust)
        if name == owner:
            values = shared | values | exported
        result[name] = _of(values)
    return result


def _of(values: Mapping[str, str]) -> ComposeVariables:
    separator = values.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    files = [file for file in values.get("COMPOSE_FILE", "").split(separator) if file]
    profiles = values.get("COMPOSE_PROFILES", "").split(",")
    project = values.get("COMPOSE_PROJECT_NAME", "")
    if project:
        check_project(project, source="COMPOSE_PROJECT_NAME")
    active = tuple(profile.strip() for profile in profiles if profile.strip())
    return ComposeVariables(tuple(files), project, active)


def _owner(values: Mapping[str, str], names: Iterable[str], root: Path) -> str:
    """Return the environment that the files or profiles name, dev where they do not say it."""
    if not values:
        return "dev"
    words = set(re.split(r"[ ,]+", values.get("COMPOSE_PROFILES", "")))
    for file in re.split(r"[:;,]", values.get("COMPOSE_FILE", "")):
        inside = os.path.relpath(root / file, root)
        words.update((word_of(inside), *re.split(r"[._-]", Path(file).name.lower())))
    for name in names:
        if name != "dev" and words & set(WORDS.get(name, (name,))):
            return name
    return "dev"


def _read(file: Path, environ: Mapping[str, str], trust: Trust) -> dict[str, str]:
    """Return Compose's variables of an env file; none where it cannot be used."""
    with suppress(OSError, Refused):
        text = bounded_file.read_text(file)
        if "COMPOSE_" in text:
            trust.require(file)
            values = _values(text, environ)
            return {name: values[name] for name in _NAMES if values.get(name)}
    return {}


def _values(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an env file; those that they use are replaced."""
    values: dict[str, str] = {}

    def replaced(used: re.Match[str]) -> str:
        name = used["braced"] or used["plain"]
        return environ.get(name) or values.get(name) or used["default"] or ""

    for match in re.finditer(_LINE, text):
        value = match["single"]
        if value is None:
            value = re.sub(_VARIABLE, replaced, match["double"] or match["bare"] or "")
        values[match["name"]] = value
    return values
