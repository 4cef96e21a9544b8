"""The lease book of the dev ports: one kernel lock a port, held by the server's own processes, and who they are beside it.

A lease is an flock on `<state>/ports/<port>.lock`, a file that is never removed. The descriptor is inherited by the server's supervisor and by the
server, so that the lease lives exactly as long as they do, and the kernel ends it, whatever kills whom (EDGE 61). What stands in the file says who it
is; it is believed only while the lock is held.

The folder's mode says who shares the book: what is made in one that its group or everybody may write is theirs to lock and to write too. Therefore
the record stands in the lock file itself and is written in place: in a folder like /tmp nobody can replace another user's file.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dartsctl.errors import DartsctlError
from dartsctl.serving import LeaseRecord

_README = """\
State of dartsctl: which dev port is leased to which server.

ports/PORT.lock     locked (flock) as long as the server on PORT lives, and who that server is; never remove one while servers run
checkouts/*.json    the port that a checkout had last; may be removed at any time
checkouts/*.lock    locked as long as the checkout's `dartsctl dev` lives
reports/            reports about bugs in dartsctl; may be removed at any time
"""
_LOOKERS_PAUSE = 0.001
"""Seconds until a lock is tried again that only listers hold: they do so for some microseconds, and that must not read as taken."""
_LOOKS = 20
"""How often; then somebody has stopped while looking, and the next port is as good."""


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """DARTSCTL_STATE_DIR, else XDG_STATE_HOME/dartsctl, else ~/.local/state/dartsctl.

    Under sudo it is the folder of the user who called sudo (EDGE 84): root's servers and theirs must not be given one port twice.
    """
    if explicit := environment.get("DARTSCTL_STATE_DIR"):
        return Path(explicit).absolute()
    if (xdg := environment.get("XDG_STATE_HOME", "")).startswith("/"):  # a relative one is to be ignored (XDG base directory specification)
        return Path(xdg) / "dartsctl"
    return _home(environment) / ".local" / "state" / "dartsctl"


def _home(environment: Mapping[str, str]) -> Path:
    caller = _sudo_caller(environment)
    try:
        if caller is None:
            return Path.home()
        import pwd

        return Path(pwd.getpwuid(caller[0]).pw_dir)
    except (KeyError, RuntimeError) as error:
        raise DartsctlError(
            "there is no home folder to keep the lease book in", hint="name a folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ..."
        ) from error


def _sudo_caller(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Uid and gid of the user who called sudo, None when nobody did."""
    uid, gid = environment.get("SUDO_UID", ""), environment.get("SUDO_GID", "")
    return (int(uid), int(gid)) if os.geteuid() == 0 and uid.isdecimal() and gid.isdecimal() and uid != "0" else None


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
        self._ports = self.folder / "ports"
        self._checkouts = self.folder / "checkouts"
        self._owner = _sudo_caller(os.environ) if folder is None else None

    def acquire(self, order: Sequence[int], *, confirm: Callable[[int], bool]) -> Lease | None:
        """The first port of `order` that nobody has leased and that `confirm` finds free (it binds); None when there is none.

        Raises DartsctlError when the book cannot be written, and whatever `confirm` raises.
        """
        refused = list(order)
        for attempt in range(2):
            if attempt and refused:
                time.sleep(_LOOKERS_PAUSE)
            order, refused = refused, []
            for port in order:
                try:
                    descriptor = self._lock(f"{self._ports}/{port}.lock")  # no Path: 98 taken ports are passed in half a millisecond
                except OSError as error:
                    raise self._unwritable(error) from error
                if descriptor is None:
                    refused.append(port)
                    continue
                if self._keep(descriptor, port, confirm):
                    return Lease(port, descriptor)
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
        with self._writing():
            descriptor = self._open(str(self._lock_path(record.port)))
            try:
                os.truncate(descriptor, os.pwrite(descriptor, text, 0))  # a reader in between sees no JSON, or all of it
            finally:
                os.close(descriptor)

    def report_path(self, port: int) -> Path:
        """Where the guard inside the server on `port` writes what it has refused; only for who holds the lease."""
        return self._ports / f"{port}.{os.geteuid()}.refused"

    def held(self) -> tuple[LeaseRecord, ...]:
        """Every live lease, by port. Where the book cannot be read there are none to tell of. Never waits, writes nothing."""
        return tuple(record for port in self._booked() if (record := self.holder(port)))

    def holder(self, port: int) -> LeaseRecord | None:
        """Who has `port` leased; None when nobody has."""
        if not _is_locked(self._lock_path(port)):
            return None
        found = _read(self._lock_path(port))
        known = {name: value for name, value in found.items() if name in LeaseRecord.__dataclass_fields__}
        known["command"] = tuple(known.get("command", ()))
        return replace(LeaseRecord(port), **{**known, "port": port})

    def _booked(self) -> list[int]:
        try:
            names = [entry.name for entry in self._ports.iterdir()]
        except OSError:
            return []
        return sorted(int(stem) for name in names if (stem := name.removesuffix(".lock")) != name and stem.isdecimal())

    def claim_checkout(self, checkout: str) -> int | None:
        """A descriptor to be inherited by the checkout's one `dev` server; None while another one has it. Raises DartsctlError."""
        with self._writing():
            return self._lock(str(self._checkout_path(checkout, ".lock")))

    def remembered(self, checkout: str) -> int | None:
        """The port that `checkout` had last."""
        found = _read(self._checkout_path(checkout, ".json"))
        port = found.get("port")
        return port if found.get("path") == checkout and isinstance(port, int) else None

    def remember(self, checkout: str, port: int) -> None:
        """`port` is the checkout's from now on. Raises DartsctlError."""
        with self._writing(), suppress(PermissionError):  # another user's note about a checkout that two share: theirs to keep
            self._write(self._checkout_path(checkout, ".json"), {"path": checkout, "port": port})

    def _checkout_path(self, checkout: str, suffix: str) -> Path:
        import hashlib

        return self._checkouts / (hashlib.sha256(os.fsencode(checkout)).hexdigest()[:16] + suffix)

    def _lock_path(self, port: int) -> Path:
        return self._ports / f"{port}.lock"

    def _lock(self, path: str) -> int | None:
        """The descriptor of `path`, made if need be, with an exclusive lock; None when somebody has it. Raises OSError."""
        try:
            descriptor = self._open(path)
        except PermissionError:
            if Path(path).exists():  # another user's, in a shared folder: theirs, as far as we can tell
                return None
            raise
        for _ in range(_LOOKS):
            if _try_lock(descriptor, fcntl.LOCK_EX):
                break
            if not _try_lock(descriptor, fcntl.LOCK_SH):  # held in earnest
                os.close(descriptor)
                return None
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # only listers look at it: a checkout must not lose its port to them
            time.sleep(_LOOKERS_PAUSE)
        else:
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # the folder was removed under us: that file is in nobody's way any more
        return self._lock(path)

    def _open(self, path: str) -> int:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(path, flags)  # O_CREAT on another user's file is refused in a folder like /tmp (fs.protected_regular)
        except FileNotFoundError:
            pass
        self._make_folders()
        descriptor = os.open(path, flags | os.O_CREAT, 0o600)
        self._share(descriptor, 0o066)
        if self._owner:
            os.fchown(descriptor, *self._owner)
        return descriptor

    def _make_folders(self) -> None:
        if self._checkouts.is_dir() and self._ports.is_dir():
            return
        missing = [folder for folder in reversed(self.folder.parents) if not folder.exists()]
        for folder in (*missing, self.folder, self._ports, self._checkouts):
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                if folder in (self._ports, self._checkouts):
                    self._share(folder, 0o3077)
                self._give(folder)
        readme = self.folder / "README.txt"
        if not readme.exists():
            readme.write_text(_README, encoding="utf-8")
            self._give(readme)

    def _share(self, made: int | Path, bits: int) -> None:
        """Open what we have made to whom the folder is open for writing: its group, everybody; of their rights, `bits`."""
        folder = self.folder.stat()
        shared = (0o070 if folder.st_mode & 0o020 else 0) | (0o007 if folder.st_mode & 0o002 else 0)
        if shared:
            os.chown(made, -1, folder.st_gid)
            os.chmod(made, os.stat(made).st_mode | (folder.st_mode & (shared | 0o3000) & bits))  # noqa: PTH101, PTH116 - a descriptor, or a path

    def _give(self, path: Path) -> None:
        if self._owner:
            os.chown(path, *self._owner)

    def _write(self, path: Path, document: Mapping[str, Any]) -> None:
        import json

        partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with os.fdopen(self._open(str(partial)), "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DartsctlError:
        return DartsctlError(
            f"the lease book in {self.folder} cannot be written: {error.strerror or error}",
            hint="make room or rights there, or name another folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
        )


def held() -> tuple[LeaseRecord, ...]:
    """LeaseBook.held of the default folder."""
    return LeaseBook().held()


def _is_locked(path: Path) -> bool:
    """Whether somebody holds the lock, by trying a shared one for a moment; a file that another user closed to us counts as locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return isinstance(error, PermissionError)
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
