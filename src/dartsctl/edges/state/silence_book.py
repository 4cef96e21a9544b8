"""What people told a watch: silences, and which episodes they know of.

A private file in the folder of the watch. The running watch sees a change within a second. It
is written whole or not at all, one writer at a time. A file of another version, or one that is
broken, is set aside when the next entry is written.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dartsctl.alerts.observations import Silence
from dartsctl.alerts.subjects import ALL, parse_subject
from dartsctl.edges.state.folder import parse_json, write_errors_as
from dartsctl.edges.state.watch_folder import open_watch, watch_path
from dartsctl.errors import Advice, DartsctlError
from dartsctl.records import record, replace
from dartsctl.system.file_lock import lock
from dartsctl.system.files import Folder, UnsafeFile

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 30 * 86400.0
"""Seconds that a silence may last."""
MOST = 200
"""Silences that may hold at the same time; acknowledgements that are kept."""

_FILE = "silences.json"
_LOCK = "silences.lock"
_ASIDE = "silences.set-aside.json"
_VERSION = 1
_LARGEST = 1 << 20  # bytes
_LONGEST_TEXT = 500
_WITHIN = 2.0  # seconds
_SLACK = 60.0
"""Seconds that the clocks of two processes may be apart."""


@record
class Page:
    """What the file says. `problem`: why it, or a part of it, is not used; empty if all is."""

    silences: tuple[Silence, ...] = ()
    acknowledged: tuple[str, ...] = ()
    """Ids of episodes, the oldest first."""
    problem: str = ""


class SilenceBook:
    """The book of the watch of `project` in the state folder `state`."""

    def __init__(self, state: Path, project: str) -> None:
        self._state = state
        self._project = project

    def read(self, now: float) -> Page:
        """Return what holds at `now` (Unix time). Never raises; nothing is written."""
        try:
            with open_watch(self._state, self._project) as folder:
                data = folder.read(_FILE, limit=_LARGEST)
        except FileNotFoundError:
            return Page()
        except UnsafeFile as error:
            return Page(problem=f"silences are not used: {error.message}")
        except OSError as error:
            return Page(problem=f"silences cannot be read: {error.strerror}")
        return _page(data, now)

    def stamp(self) -> tuple[int, ...]:
        """Return what changes with every change of the file; empty without one."""
        with suppress(OSError, UnsafeFile), open_watch(self._state, self._project) as folder:
            status = folder.stat(_FILE)
            if status:
                return (status.st_mtime_ns, status.st_ino, status.st_size)
        return ()

    def silence(self, silence: Silence, now: float) -> str:
        """Add a silence, in place of one of the same subject.

        Return what was set aside, in words; empty for nothing. Raises DartsctlError.
        """
        with self._changing(now) as (folder, page):
            others = [row for row in page.silences if row.subject != silence.subject]
            if len(others) >= MOST:
                raise DartsctlError(
                    f"{MOST} silences hold already", hint=Advice("lift some of them, or use `all`")
                )
            return self._write(folder, replace(page, silences=(*others, silence)))

    def lift(self, silences: tuple[Silence, ...], now: float) -> None:
        """Remove these silences. Raises DartsctlError."""
        with self._changing(now) as (folder, page):
            subjects = {row.subject for row in silences}
            left = tuple(row for row in page.silences if row.subject not in subjects)
            self._write(folder, replace(page, silences=left))

    def acknowledge(self, episodes: tuple[str, ...], now: float) -> None:
        """Add episodes that somebody knows of. Raises DartsctlError."""
        with self._changing(now) as (folder, page):
            ids = dict.fromkeys((*page.acknowledged, *episodes))
            self._write(folder, replace(page, acknowledged=tuple(ids)[-MOST:]))

    @contextmanager
    def _changing(self, now: float) -> Iterator[tuple[Folder, Page]]:
        """Yield the folder and the present page, while no other process changes it."""
        path = watch_path(self._state, self._project)
        with (
            write_errors_as(f"cannot write the silences in {path}"),
            open_watch(self._state, self._project, make=True) as folder,
        ):
            descriptor = folder.open_or_create(_LOCK)
            try:
                lock(descriptor, path / _LOCK, within=_WITHIN)
                folder.check(_FILE)
                yield folder, self.read(now)
            finally:
                os.close(descriptor)

    def _write(self, folder: Folder, page: Page) -> str:
        aside = ""
        if page.problem:
            folder.rename(_FILE, _ASIDE)
            aside = f"{page.problem}; that file is now {folder.path / _ASIDE}"
        document = {
            "version": _VERSION,
            "silences": [_document(row) for row in page.silences],
            "acknowledged": list(page.acknowledged),
        }
        folder.replace(_FILE, json.dumps(document, indent=1).encode())
        return aside


def _document(silence: Silence) -> dict[str, object]:
    subject = ALL if silence.subject is None else str(silence.subject)
    return {
        "subject": subject,
        "until": silence.until,
        "reason": silence.reason,
        "by": silence.by,
    }


def _page(data: bytes, now: float) -> Page:
    try:
        document = parse_json(data)
    except ValueError:
        return Page(problem="silences.json is broken and not used")
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        return Page(problem="silences.json is of another version of dartsctl and not used")
    rows, ids = document.get("silences"), document.get("acknowledged")
    if not isinstance(rows, list) or not isinstance(ids, list):
        return Page(problem="silences.json is broken and not used")
    silences: list[Silence] = []
    problem = ""
    for row in rows:
        silence = _silence(row, now)
        if silence is None:
            problem = "silences.json has entries that are no silences"
        elif silence.until > now:
            silences.append(silence)
    known = [text for text in ids if isinstance(text, str) and len(text) <= _LONGEST_TEXT]
    return Page(tuple(silences[:MOST]), tuple(known[-MOST:]), problem)


def _silence(row: object, now: float) -> Silence | None:
    """Return the silence that an entry describes; None if it is none, or would not end in time."""
    if not isinstance(row, Mapping):
        return None
    texts: dict[str, str] = {}
    for key in ("subject", "reason", "by"):
        value: Any = row.get(key)
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            return None
        texts[key] = value
    until = row.get("until")
    if isinstance(until, bool) or not isinstance(until, int | float) or not math.isfinite(until):
        return None
    if until > now + LONGEST + _SLACK:
        return None
    subject = None
    if texts["subject"] != ALL:
        subject = parse_subject(texts["subject"])
        if subject is None:
            return None
    return Silence(subject, float(until), texts["reason"], texts["by"])
