"""The lease book of the dev ports: one kernel lock a port, held by the server's own processes, and who they are beside it.

A lease is an flock on `<state>/ports/<port>.lock`, a file that is never removed. The descriptor is inherited by the server's supervisor and by the
server, so that the lease lives exactly as long as they do, and the kernel ends it, whatever kills whom (edge-cases.md#61). What stands in the file says who it
is; it is believed only while the lock is held, and only if the process that it names holds it (edges/state/lock_owner.py).

The folder's mode says who shares the book: what is made in one that its group or everybody may write is theirs to lock and to write too. Therefore
the record stands in the lock file itself and is written in place: in a folder like /tmp nobody can replace another user's file. Where the folder is
shared, a lock file may be anybody's; it is still never a link, a pipe or a device.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dartsctl.edges.state import lock_owner
from dartsctl.edges.state.folder import (
    open_shared,
    open_shared_file,
    open_state,
    owners_in,
    parse_json,
    shared_mode,
    state_folder,
    writing,
)
from dartsctl.server.request import LeaseRecord
from dartsctl.system.files import EVERYBODY, Folder, ForeignFile, UnsafeFile, try_lock

_README = """\
State of dartsctl: which dev port is leased to which server.

ports/PORT.lock     locked (flock) as long as the server on PORT lives, and who that server is; never remove one while servers run
checkouts/*.json    the port that a checkout had last; may be removed at any time
checkouts/*.lock    locked as long as the checkout's `dartsctl dev` lives
checkouts/*.first   locked as long as the server lives whose port is the checkout's; those beside it have one for a time
reports/            reports about bugs in dartsctl; may be removed at any time
"""
_PORTS = "ports"
_CHECKOUTS = "checkouts"
_LARGEST = 1 << 20  # bytes of a record
_LOOKERS_PAUSE = 0.001
"""Seconds until a lock is tried again that only listers hold: they do so for some microseconds, and that must not read as taken."""
_LOOKS = 20
"""How often; then somebody has stopped while looking, and the next port is as good."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A port that nobody else gets while `descriptor`, or a copy that a process inherited, is open."""

    port: int
    descriptor: int

    def close(self) -> None:
        """Our copy goes; the lease ends here unless a server has inherited it."""
        os.close(self.descriptor)


class LeaseBook:
    """The book in `folder` (default: `state_folder()`). Nothing is written before the first `acquire` or `remember`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = state_folder() if folder is None else folder

    def acquire(self, order: Sequence[int], *, confirm: Callable[[int], bool]) -> Lease | None:
        """The first port of `order` that nobody has leased and that `confirm` finds free (it binds); None when there is none.

        Raises DartsctlError when the book cannot be written, and whatever `confirm` raises.
        """
        refused = list(order)
        with self._writable(_PORTS) as ports:
            for attempt in range(2):
                if attempt and refused:
                    time.sleep(_LOOKERS_PAUSE)
                order, refused = refused, []
                for port in order:
                    with self._writing():
                        descriptor = _lock(ports, f"{port}.lock")
                    if descriptor is None:
                        refused.append(port)
                    elif self._keep(descriptor, port, confirm):
                        return Lease(port, descriptor)
                    else:
                        os.close(descriptor)
        return None

    def _keep(self, descriptor: int, port: int, confirm: Callable[[int], bool]) -> bool:
        try:
            if not confirm(port):
                return False
            with self._writing():
                os.truncate(descriptor, 0)  # the last holder's record: not ours to be named by
        except BaseException:
            os.close(descriptor)
            raise
        return True

    def describe(self, record: LeaseRecord) -> None:
        """Say who holds the lease of `record.port`, secrets in its command masked; only for who holds it. Raises DartsctlError."""
        import json

        text = json.dumps(asdict(replace(record, command=record.shown_command))).encode()
        with self._writable(_PORTS) as ports, self._writing():
            descriptor = open_shared_file(ports, f"{record.port}.lock")
            try:
                os.truncate(
                    descriptor, os.pwrite(descriptor, text, 0)
                )  # a reader in between sees no JSON, or all of it
            finally:
                os.close(descriptor)

    def report_path(self, port: int) -> Path:
        """Where the guard inside the server on `port` writes what it has refused; only for who holds the lease."""
        return self.folder / _PORTS / f"{port}.{os.geteuid()}.refused"

    def held(self) -> tuple[LeaseRecord, ...]:
        """Every live lease, by port. Where the book cannot be read there are none to tell of. Never waits, writes nothing."""
        with self._readable(_PORTS) as ports:
            return (
                tuple(record for port in _booked(ports) if (record := _holder(ports, port)))
                if ports
                else ()
            )

    def holder(self, port: int) -> LeaseRecord | None:
        """Who has `port` leased; None when nobody has.

        Of a record that the kernel contradicts only the port is left: it may name anybody's process.
        """
        with self._readable(_PORTS) as ports:
            return _holder(ports, port) if ports else None

    def claim_checkout(self, checkout: str) -> int | None:
        """A descriptor to be inherited by the checkout's one `dev` server; None while another one has it. Raises DartsctlError."""
        with self._writable(_CHECKOUTS) as checkouts, self._writing():
            return _lock(checkouts, f"{_key(checkout)}.lock")

    def claim_port(self, checkout: str) -> int | None:
        """A descriptor to be inherited by the checkout's first server, whose port it keeps; None beside another one. Raises DartsctlError."""
        with self._writable(_CHECKOUTS) as checkouts, self._writing():
            return _lock(checkouts, f"{_key(checkout)}.first")

    def remembered(self, checkout: str) -> int | None:
        """The port that `checkout` had last."""
        with self._readable(_CHECKOUTS) as checkouts:
            document = _read(checkouts, f"{_key(checkout)}.json") if checkouts else {}
        port = document.get("port")
        return port if document.get("path") == checkout and isinstance(port, int) else None

    def remember(self, checkout: str, port: int) -> None:
        """`port` is the checkout's from now on. Raises DartsctlError."""
        import json

        text = json.dumps({"path": checkout, "port": port}, indent=1)
        # another user's note about a checkout that two share is theirs to keep
        with (
            self._writable(_CHECKOUTS) as checkouts,
            self._writing(),
            suppress(PermissionError, ForeignFile),
        ):
            checkouts.replace(f"{_key(checkout)}.json", text.encode(), mode=shared_mode(checkouts))

    @contextmanager
    def _writable(self, name: str) -> Iterator[Folder]:
        """One of the book's folders, made if need be. Raises DartsctlError."""
        with self._writing():
            folder = self._make(name)
        with folder:
            yield folder

    @contextmanager
    def _readable(self, name: str) -> Iterator[Folder | None]:
        """One of the book's folders; None where it is not there, or may not be read."""
        try:
            folder = open_shared(self.folder, name)
        except (OSError, UnsafeFile):
            yield None
            return
        with folder:
            yield folder

    def _make(self, name: str) -> Folder:
        with (
            open_state(self.folder, make=True, shared=True) as state,
            suppress(FileExistsError, PermissionError),
        ):
            if not state.exists("README.txt"):
                state.add("README.txt", _README.encode())
        return open_shared(self.folder, name, make=True)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"the lease book in {self.folder} cannot be written")


def held() -> tuple[LeaseRecord, ...]:
    """LeaseBook.held of the default folder."""
    return LeaseBook().held()


def _key(checkout: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(checkout)).hexdigest()[:16]


# --- lock files ---------------------------------------------------------------------------------------------------------------


def _lock(folder: Folder, name: str) -> int | None:
    """The descriptor of a lock file, made if need be, with an exclusive lock; None when somebody has it. Raises UnsafeFile, OSError."""
    try:
        descriptor = open_shared_file(folder, name)
    except PermissionError:
        if folder.check(
            name, owners=EVERYBODY
        ):  # another user's, in a shared folder: theirs, as far as we can tell
            return None
        raise
    for _ in range(_LOOKS):
        if try_lock(descriptor, fcntl.LOCK_EX):
            break
        if not try_lock(descriptor, fcntl.LOCK_SH):  # held in earnest
            os.close(descriptor)
            return None
        fcntl.flock(
            descriptor, fcntl.LOCK_UN
        )  # only listers look at it: a checkout must not lose its port to them
        time.sleep(_LOOKERS_PAUSE)
    else:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)  # it was removed under us: in nobody's way any more
    return _lock(folder, name)


def _is_locked(folder: Folder, name: str) -> bool:
    """Whether somebody holds the lock, by trying a shared one for a moment; a file that another user closed to us counts as locked."""
    try:
        descriptor = folder.open(name, owners=owners_in(folder))
    except (OSError, UnsafeFile) as error:
        return isinstance(error, PermissionError)
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


# --- records ------------------------------------------------------------------------------------------------------------------


def _booked(ports: Folder) -> list[int]:
    """The ports that have a lock file."""
    stems = [name.removesuffix(".lock") for name in ports.names() if name.endswith(".lock")]
    return sorted(
        int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and len(stem) < 6
    )


def _holder(ports: Folder, port: int) -> LeaseRecord | None:
    name = f"{port}.lock"
    return (
        _believed(_record(port, _read(ports, name)), ports, name)
        if _is_locked(ports, name)
        else None
    )


def _believed(record: LeaseRecord, ports: Folder, name: str) -> LeaseRecord:
    """What the kernel leaves of the `record` in the lock file `name`."""
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
    is_child = lock_owner.parent_of(record.pid) in (None, supervisor)
    user = lock_owner.user_of(supervisor) or record.user
    return replace(record, pid=record.pid if is_child else 0, user=user, confirmed=bool(holds))


_TEXTS = ("kind", "host", "url", "checkout", "branch", "user")
_TIMES = ("since", "started")
_NUMBERS = {
    "pid": 1 << 31,
    "supervisor": 1 << 31,
    "birth": 1 << 63,
    "since": 1 << 40,
    "started": 1 << 40,
}
"""Each one's limit: what the system calls and the calendar take."""


def _record(port: int, document: Mapping[str, Any]) -> LeaseRecord:
    """What the document says of the lease, field by field; what has the wrong type is left out."""
    known: dict[str, Any] = {
        name: value for name in _TEXTS if isinstance(value := document.get(name), str)
    }
    for name, limit in _NUMBERS.items():
        value = document.get(name)
        kinds = (int, float) if name in _TIMES else (int,)
        if isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < limit:
            known[name] = value
    command = document.get("command")
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        known["command"] = tuple(command)
    return replace(LeaseRecord(port), **known)


def _read(folder: Folder, name: str) -> dict[str, Any]:
    """A file's JSON object; empty where there is none."""
    try:
        document = parse_json(folder.read(name, limit=_LARGEST, owners=owners_in(folder)))
    except (OSError, UnsafeFile, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
