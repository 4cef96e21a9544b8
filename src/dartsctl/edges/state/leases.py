"""The lease book: a kernel lock for each leased dev port, held by the processes of its server.

A lease is an flock on `<state>/ports/<port>.lock`, a file that is never removed. The supervisor and
the server inherit the descriptor. Therefore the lease lives exactly as long as they do, and the
kernel ends it, whatever is killed (edge-cases.md#61). The file contains a record of the holder. It
is used only while the lock is held, by the process that it names (edges/state/lock_owner.py).

The mode of the state folder decides who shares the book: its files can be locked and written by the
same users. Therefore the record is in the lock file itself and is written in place: in a folder
like /tmp nobody can replace another user's file. In a shared folder a lock file may belong to
anybody; it is still never a link, a pipe or a device.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import AbstractContextManager, contextmanager, suppress

from dartsctl.edges.state import lock_owner
from dartsctl.edges.state.folder import (
    open_shared,
    open_shared_file,
    open_state,
    owners_in,
    parse_json,
    shared_mode,
    shared_subfolder,
    write_errors_as,
)
from dartsctl.records import as_dict, record, replace
from dartsctl.server.lease_record import LeaseRecord
from dartsctl.system.file_lock import try_lock
from dartsctl.system.files import EVERYBODY, Folder, ForeignFile, UnsafeFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

_README = """\
State of dartsctl: which dev port is leased to which server.

ports/PORT.lock     locked (flock) while the server on PORT runs, with a record of that server;
                    do not remove it while servers run
checkouts/*.json    the last port of a checkout; may be removed at any time
checkouts/*.lock    locked while `dartsctl dev` of the checkout runs
checkouts/*.first   locked while the first server of the checkout runs, which keeps its port
reports/            reports about bugs in dartsctl; may be removed at any time
"""
_PORTS = "ports"
_CHECKOUTS = "checkouts"
_LARGEST = 1 << 20  # bytes of a record
_READERS_PAUSE = 0.001
"""Seconds until a lock is tried again that only readers hold, which takes them microseconds."""
_TRIES = 20
"""Tries; after them a reader was stopped while it held the lock, and the next port will do."""


@record
class Lease:
    """A port that nobody else gets while `descriptor`, or an inherited copy of it, is open."""

    port: int
    descriptor: int

    def close(self) -> None:
        """Close our copy; the lease ends unless a server has inherited it."""
        os.close(self.descriptor)


class LeaseBook:
    """The book in `folder` (the state folder).

    Nothing is written before the first `acquire` or `remember`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def acquire(self, order: Iterable[int], *, confirm: Callable[[int], bool]) -> Lease | None:
        """Return a lease of the first port in `order` that is free; None where none is.

        A port is free if nobody has leased it and `confirm` (a bind) succeeds. Raises DartsctlError
        where the book cannot be written, and what `confirm` raises.
        """
        with self._writable(_PORTS) as ports:
            lease, locked = self._first_free(ports, order, confirm)
            if lease is None and locked:
                time.sleep(_READERS_PAUSE)
                lease, _ = self._first_free(ports, locked, confirm)
        return lease

    def _first_free(
        self, ports: Folder, order: Iterable[int], confirm: Callable[[int], bool]
    ) -> tuple[Lease | None, list[int]]:
        """Return the lease, and the ports whose lock somebody else has."""
        locked: list[int] = []
        for port in order:
            with self._writing():
                descriptor = _lock(ports, f"{port}.lock")
            if descriptor is None:
                locked.append(port)
            elif self._keep(descriptor, port, confirm):
                return Lease(port, descriptor), locked
            else:
                os.close(descriptor)
        return None, locked

    def _keep(self, descriptor: int, port: int, confirm: Callable[[int], bool]) -> bool:
        try:
            if not confirm(port):
                return False
            if os.fstat(descriptor).st_size:
                with self._writing():
                    os.truncate(descriptor, 0)  # the record of the last holder
        except BaseException:
            os.close(descriptor)
            raise
        return True

    def describe(self, record: LeaseRecord) -> None:
        """Write the record of the lease that the caller holds; secrets in the command are masked.

        Raises DartsctlError.
        """
        import json

        text = json.dumps(as_dict(replace(record, command=record.shown_command))).encode()
        with self._writable(_PORTS) as ports, self._writing():
            descriptor = open_shared_file(ports, f"{record.port}.lock")
            try:
                # a reader in between sees no JSON, or the whole record
                os.truncate(descriptor, os.pwrite(descriptor, text, 0))
            finally:
                os.close(descriptor)

    def report_path(self, port: int) -> Path:
        """Return the file to which the guard in the server on `port` writes refused ports.

        For the holder of the lease.
        """
        return self.folder / _PORTS / f"{port}.{os.geteuid()}.refused"

    def held(self) -> tuple[LeaseRecord, ...]:
        """Return every live lease, by port; none where the book is unreadable. Never waits."""
        with self._readable(_PORTS) as ports:
            if ports is None:
                return ()
            holders = [_holder(ports, port) for port in _booked(ports)]
            return tuple(record for record in holders if record)

    def holder(self, port: int) -> LeaseRecord | None:
        """Return who has leased `port`; None where nobody has.

        Of a record that the kernel contradicts, only the port is kept: it may name any process.
        """
        with self._readable(_PORTS) as ports:
            return _holder(ports, port) if ports else None

    def claim_checkout(self, checkout: str) -> int | None:
        """Return a descriptor for the checkout's `dev` server to inherit; None if another has it.

        Raises DartsctlError.
        """
        with self._writable(_CHECKOUTS) as checkouts, self._writing():
            return _lock(checkouts, f"{_key(checkout)}.lock")

    def claim_port(self, checkout: str) -> int | None:
        """Return a descriptor for the checkout's first server to inherit; None if another has it.

        The first server keeps the checkout's port. Raises DartsctlError.
        """
        with self._writable(_CHECKOUTS) as checkouts, self._writing():
            return _lock(checkouts, f"{_key(checkout)}.first")

    def remembered(self, checkout: str) -> int | None:
        """Return the last port of `checkout`."""
        with self._readable(_CHECKOUTS) as checkouts:
            if checkouts is None:
                return None
            document = _read(checkouts, f"{_key(checkout)}.json")
        port = document.get("port")
        if document.get("path") != checkout or not isinstance(port, int):
            return None
        return port

    def remember(self, checkout: str, port: int) -> None:
        """Save `port` as that of the checkout. Raises DartsctlError."""
        import json

        text = json.dumps({"path": checkout, "port": port}, indent=1)
        # where two users share a checkout, the record of the other one is kept
        with (
            self._writable(_CHECKOUTS) as checkouts,
            self._writing(),
            suppress(PermissionError, ForeignFile),
        ):
            checkouts.replace(f"{_key(checkout)}.json", text.encode(), mode=shared_mode(checkouts))

    def _writable(self, name: str) -> Folder:
        """Open a folder of the book; create it if it is missing. Raises DartsctlError."""
        with self._writing():
            return self._make(name)

    @contextmanager
    def _readable(self, name: str) -> Iterator[Folder | None]:
        """Open a folder of the book; None where it is missing or unreadable."""
        try:
            folder = open_shared(self.folder, name)
        except (OSError, UnsafeFile):
            yield None
            return
        with folder:
            yield folder

    def _make(self, name: str) -> Folder:
        with open_state(self.folder, make=True, shared=True) as state:
            with suppress(FileNotFoundError):
                return shared_subfolder(state, name)
            with suppress(FileExistsError, PermissionError):
                state.add("README.txt", _README.encode())
            return shared_subfolder(state, name, make=True)

    def _writing(self) -> AbstractContextManager[None]:
        return write_errors_as(f"cannot write the lease book in {self.folder}")


def _key(checkout: str) -> str:
    from dartsctl.system.digest import sha256

    return sha256(os.fsencode(checkout))[:16]


# --- lock files --------------------------------------------------------------------------------


def _lock(folder: Folder, name: str) -> int | None:
    """Return a descriptor with an exclusive lock; None where somebody has the lock.

    A missing file is created. Raises UnsafeFile, OSError.
    """
    try:
        descriptor = open_shared_file(folder, name)
    except PermissionError:
        if folder.check(name, owners=EVERYBODY):
            return None  # another user's in a shared folder: it counts as locked
        raise
    if not _wait_for_readers(descriptor):
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)  # the file was removed meanwhile, and its lock means nothing
    return _lock(folder, name)


def _wait_for_readers(descriptor: int) -> bool:
    """Take the exclusive lock, past readers who hold it for a moment; False where it is taken.

    A checkout must not lose its port to a reader.
    """
    for _ in range(_TRIES):
        if try_lock(descriptor, fcntl.LOCK_EX):
            return True
        if not try_lock(descriptor, fcntl.LOCK_SH):  # somebody has the exclusive lock
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_READERS_PAUSE)
    return False


def _is_locked(folder: Folder, name: str) -> bool:
    """Return whether somebody holds the lock; it tries a shared lock for a moment.

    A file that another user has closed to us counts as locked.
    """
    try:
        descriptor = folder.open(name, owners=owners_in(folder))
    except (OSError, UnsafeFile) as error:
        return isinstance(error, PermissionError)
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


# --- records -----------------------------------------------------------------------------------


def _booked(ports: Folder) -> list[int]:
    """Return the ports that have a lock file."""
    stems = [name.removesuffix(".lock") for name in ports.names() if name.endswith(".lock")]
    return sorted(
        int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and len(stem) < 6
    )


def _holder(ports: Folder, port: int) -> LeaseRecord | None:
    name = f"{port}.lock"
    if not _is_locked(ports, name):
        return None
    return _confirmed(_record(port, _read(ports, name)), ports, name)


def _confirmed(record: LeaseRecord, ports: Folder, name: str) -> LeaseRecord:
    """Return what the kernel confirms of the `record` in the lock file `name`."""
    supervisor = record.supervisor
    if not supervisor:
        return replace(record, pid=0)
    try:
        status = os.stat(name, dir_fd=ports.descriptor, follow_symlinks=False)
    except OSError:  # removed meanwhile
        return LeaseRecord(record.port)
    holds = lock_owner.holds_lock(supervisor, ports.path / name, status)
    if holds is False or lock_owner.birth_of(supervisor) not in (None, record.birth):
        return LeaseRecord(record.port)
    pid = record.pid
    if lock_owner.parent_of(pid) not in (None, supervisor):
        pid = 0
    user = lock_owner.user_of(supervisor) or record.user
    return replace(record, pid=pid, user=user, confirmed=bool(holds))


_TEXTS = ("kind", "host", "url", "checkout", "branch", "user")
_TIMES = ("since", "started")
_NUMBERS = {
    "pid": 1 << 31,
    "supervisor": 1 << 31,
    "birth": 1 << 63,
    "since": 1 << 40,
    "started": 1 << 40,
}
"""Field -> limit of the system calls and the calendar."""


def _record(port: int, document: Mapping[str, Any]) -> LeaseRecord:
    """Return the lease in the document, field by field; fields of a wrong type are skipped."""
    fields: dict[str, Any] = {}
    for name in _TEXTS:
        if isinstance(document.get(name), str):
            fields[name] = document[name]
    for name, limit in _NUMBERS.items():
        if _is_number_below(limit, document.get(name), fraction=name in _TIMES):
            fields[name] = document[name]
    command = document.get("command")
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        fields["command"] = tuple(command)
    return replace(LeaseRecord(port), **fields)


def _is_number_below(limit: int, value: object, *, fraction: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (fraction or isinstance(value, int)) and 0 <= value < limit


def _read(folder: Folder, name: str) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is none."""
    try:
        document = parse_json(folder.read(name, limit=_LARGEST, owners=owners_in(folder)))
    except (OSError, UnsafeFile, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
