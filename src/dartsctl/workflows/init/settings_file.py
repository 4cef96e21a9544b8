"""The settings file: a new one, or the tables that an existing one lacks."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dartsctl.config.file import PYPROJECT, Key, dotted
from dartsctl.config.load_settings import load
from dartsctl.discovery import bundled_texts, settings_text
from dartsctl.discovery.changes import Change
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.edges.project.files import template
from dartsctl.errors import Advice, DartsctlError, UsageError
from dartsctl.records import record
from dartsctl.system import bounded_file

if TYPE_CHECKING:
    from dartsctl.workflows.init.project import Project


def plan_settings(project: Project, settings: Sequence[ProposedSetting]) -> Proposal:
    """Plan the settings file.

    Of an existing one no key is touched: tables that it lacks are added at its end, and what else
    differs from `settings` is a note.
    """
    if project.settings.source:
        return _added(project.settings.source, settings)
    path = project.root / "dartsctl.toml"
    if project.bundled:
        name = project.settings.name
        text = bundled_texts.own_settings(template("dartsctl.toml"), name, own_app=project.own_app)
        return Proposal(changes=(Change("create", path, f"settings of {name}", text),))
    # a file of comments alone is a help for people: nothing that --check could miss
    minimal = project.request.minimal or project.request.check
    text = settings_text.new_text(settings, minimal=minimal)
    if not text:
        return Proposal(notes=("no settings are needed: everything has its conventional name",))
    _require_accepted(path, text)
    return Proposal(changes=(Change("create", path, _about(settings), text),))


def _require_accepted(path: Path, text: str) -> None:
    """Raise DartsctlError for settings that every verb would refuse: nothing is written then."""
    with TemporaryDirectory(prefix="dartsctl-") as folder:
        (Path(folder) / path.name).write_text(text, encoding="utf-8")
        try:
            load(Path(folder), {}, project_dir=Path(folder))
        except UsageError as error:
            raise DartsctlError(
                f"the settings that fit this project are not accepted: {error.message}",
                hint=Advice(f"write {path} by hand: {error.hint}"),
            ) from error


def _about(settings: Sequence[ProposedSetting]) -> str:
    needed = sum(not setting.is_default for setting in settings)
    match needed:
        case 0:
            return "all settings are defaults, shown as comments"
        case 1:
            return "1 setting"
        case _:
            return f"{needed} settings"


def _added(path: Path, settings: Sequence[ProposedSetting]) -> Proposal:
    """Plan the tables that an existing file lacks."""
    written = _read(path)
    missing: dict[str, list[ProposedSetting]] = {}
    notes: list[str] = []
    for table, wanted in settings_text.by_table(settings).items():
        needed = [setting for setting in wanted if not setting.is_default]
        values = written.table(table)
        if values is None and needed:
            missing[table] = needed
        elif values is not None:
            notes += _differences(path, written.prefix, values, needed)
    if not missing:
        return Proposal(notes=tuple(notes), changes=(Change("keep", path, ""),))
    return Proposal(notes=tuple(notes)) + _with_tables(path, written, missing)


def _with_tables(
    path: Path, written: _Written, missing: Mapping[str, Sequence[ProposedSetting]]
) -> Proposal:
    """Add tables at the end, or leave it to a person where TOML does not allow that."""
    lines = settings_text.tables_text(missing, prefix=written.prefix)
    text = written.text
    if text and not text.endswith("\n"):
        text += "\n"
    text = f"{text}{lines}"
    if written.data.count(b"\r\n"):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    headers = ", ".join(f"[{table}]" for table in missing)
    if not _is_toml(text):
        return Proposal(
            changes=(Change("keep", path, ""),),
            tasks=(Task(f"add {headers} to {path}", tuple(lines.strip().splitlines())),),
        )
    _require_accepted(path, text)
    change = Change("edit", path, f"adds {headers}", text=text, old=written.data)
    return Proposal(changes=(change,))


def _differences(
    path: Path, prefix: Key, values: Mapping[str, object], wanted: Iterable[ProposedSetting]
) -> list[str]:
    """Return a note for each setting that a table of the file lacks or has otherwise."""
    notes: list[str] = []
    for setting in wanted:
        why = f" ({setting.why})" if setting.why else ""
        place = dotted((*prefix, *filter(None, setting.table.split(".", 1)), setting.key))
        line = settings_text.setting_line(setting)
        if setting.key not in values:
            notes.append(f"{path.name} does not set {place}; init would write {line}{why}")
        elif not _is_same(values[setting.key], setting.value):
            notes.append(f"{path.name} keeps its own {place}; init would write {line}{why}")
    return notes


def _is_same(written: object, wanted: object) -> bool:
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        return written in (wanted, [wanted])
    return written == list(wanted) or [written] == list(wanted)


@record
class _Written:
    """An existing settings file. `values` is dartsctl's own table in it."""

    data: bytes
    text: str
    prefix: Key
    values: Mapping[str, object]

    def table(self, name: str) -> Mapping[str, object] | None:
        """Return the table `server.env`; None where the file has none. `` is the top level."""
        values: object = self.values
        for part in name.split(".", 1) if name else ():
            if not isinstance(values, dict) or part not in values:
                return None
            values = values[part]
        return values if isinstance(values, dict) else None


def _read(path: Path) -> _Written:
    """Read a settings file, which the settings were loaded from. Raises UsageError."""
    try:
        data = bounded_file.read_bytes(path)
    except OSError as error:
        raise bounded_file.unreadable(path, error) from error
    text = data.decode()
    values: object = _parsed(text)
    prefix: Key = ()
    if path.name == PYPROJECT:
        prefix = ("tool", "dartsctl")
    for part in prefix:
        values = values.get(part, {}) if isinstance(values, dict) else {}
    return _Written(data, text, prefix, values if isinstance(values, dict) else {})


def _parsed(text: str) -> dict[str, object]:
    return tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))


def _is_toml(text: str) -> bool:
    try:
        _parsed(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
