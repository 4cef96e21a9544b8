"""What a host server's process takes on between fork and exec (stdlib only): its parent-death signal, and that some ports are closed to it.

Both layers need no privilege, hold for every descendant and in every language, and can never be taken off again:
- landlock (Linux 6.7): the bind of a closed tcp port fails with EACCES. Its rules can only allow, so there is one for every other port, and
  one for port 0, which stands for the ports that the kernel chooses. It leaves MPTCP alone, the default of servers written in Go.
- seccomp (Linux 5.5): every bind is put before the supervisor, which fails it with EACCES or lets it go on, MPTCP too. So it is known what was
  tried. What it cannot read (a program that may not be traced, a call of another architecture) goes on.
They set no_new_privs: within a confined server sudo does not work. Numbers and structures: linux/landlock.h, seccomp.h, filter.h, audit.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import sys
from collections.abc import Collection
from itertools import takewhile

TYPE_CHECKING = (
    False  # as mypy knows it: `typing` would cost the supervisor more time to import than all else
)
if TYPE_CHECKING:
    from _socket import socket
    from ctypes import PyDLL

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = (
    444,
    445,
    446,
)  # the same on every architecture
_RULE_NET_PORT = 2
_ACCESS_NET_BIND_TCP = 1

_FILTERED = {"x86_64": (0xC000003E, 317, 49), "aarch64": (0xC00000B7, 277, 200)}
"""Machine -> its AUDIT_ARCH, and the numbers of seccomp(2) and bind(2)."""
_SECCOMP_SET_MODE_FILTER = 1
_SPEC_ALLOW, _NEW_LISTENER = (
    4,
    8,
)  # without the first, kernels before 5.16 slow the whole server down (Spectre v4)
_WAIT_KILLABLE = (
    32  # Linux 5.19: a signal to whoever binds waits for the answer, else a bind may end with EINTR
)
_RET_ALLOW, _RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_SHORTEST_ADDRESS = 16  # sizeof(struct sockaddr_in)

_RECEIVE, _SEND, _IS_VALID = (
    0xC0502100,
    0xC0182101,
    0x80082102,
)  # the last as Linux 5.5 wrote it; later ones know both ways
_NOTIFICATION, _ANSWER = "=QIIiIQ6Q", "=QqiI"
_CONTINUE = 1
_SET_FLAGS, _SYNC_WAKE_UP = (
    0x40082104,
    1,
)  # Linux 6.6: the answer comes on the caller's own processor
_FAMILIES = (0, 2, 10)  # AF_UNSPEC, which the kernel takes for AF_INET; AF_INET; AF_INET6
_TCP = (b"TCP", b"MPTCP")


def adopt_orphans() -> None:
    """What outlives its parent in our tree becomes our child (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """SIGKILL when the parent ends (Linux): to be followed by a look whether it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Confinement:
    """One set of layers for any number of processes, one after the other: `meet`, fork, `take_on` in the child, `taken` in the parent."""

    def __init__(self, layers: Collection[str], closed: Collection[int]) -> None:
        """Builds the Landlock rules: 65,000 system calls, some 50 ms, meant for a time in which somebody else works."""
        wanted = layers if closed and sys.platform == "linux" else ()
        self._closed = frozenset(closed)
        self._rules = _landlock_rules(self._closed) if "landlock" in wanted else None
        self._filtering = "seccomp" in wanted
        self._ends: tuple[socket, socket] | None = None
        self._listener: int | None = None

    @property
    def listener(self) -> int | None:
        """To be polled; when it can be read, `answer`."""
        return self._listener

    def stop_listening(self) -> None:
        """All whose binds were listened to have ended."""
        if self._listener is not None:
            os.close(self._listener)
            self._listener = None

    def meet(self) -> None:
        """Before the fork: the line on which the child will say what it has taken on."""
        self.stop_listening()
        if self._rules is None and not self._filtering:
            return
        import _socket  # `socket` wraps it, at several times the time to import

        self._ends = _socket.socketpair()

    def take_on(self) -> None:
        """In the child. A layer that this kernel does not have, or does not grant, is left out."""
        if self._ends is None:
            return
        import _socket

        _, theirs = self._ends
        taken, rights = [], []
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if (
            self._rules is not None
            and _libc().syscall(_LANDLOCK_RESTRICT_SELF, self._rules, 0) == 0
        ):
            taken.append("landlock")
        if self._filtering and (listener := _take_filter()) is not None:
            taken.append("seccomp")
            rights.append(
                (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, listener.to_bytes(4, sys.byteorder))
            )
        theirs.sendmsg([" ".join(taken).encode() + b"\n"], rights)

    def taken(self, child: int) -> tuple[str, ...]:
        """In the parent: waits until the child has taken on what it can; the layers that hold it now."""
        if self._ends is None:
            return ()
        ours, theirs = self._ends
        theirs.close()
        text, rights, *_ = ours.recvmsg(64, 64)  # empty where the child was killed first
        ours.close()
        self._ends = None
        for _level, _kind, data in rights:
            self._listener = int.from_bytes(data[:4], sys.byteorder)
            os.set_inheritable(self._listener, False)
            _wake_at_once(self._listener)
        layers = tuple(text.decode().split())
        return (
            layers if _may_read(child) else tuple(layer for layer in layers if layer != "seccomp")
        )

    def answer(self) -> int | None:
        """Decide about one bind that waits; the closed port, if it was one. Whoever binds is never left waiting."""
        assert self._listener is not None  # noqa: S101 - for the type checker: it was polled
        asked = bytearray(struct.calcsize(_NOTIFICATION))
        try:
            fcntl.ioctl(self._listener, _RECEIVE, asked)
            called, pid, *_, descriptor, address, _, _, _, _ = struct.unpack(_NOTIFICATION, asked)
            port = self._closed_port(pid, descriptor & 0xFFFFFFFF, address)
            if port is not None:
                _patient_ioctl(
                    self._listener, _IS_VALID, struct.pack("=Q", called)
                )  # else the pid may be another's by now
            verdict = (0, _CONTINUE) if port is None else (-errno.EACCES, 0)
            _patient_ioctl(self._listener, _SEND, struct.pack(_ANSWER, called, 0, *verdict))
        except OSError:  # killed meanwhile, or a signal came first: then the kernel asks again
            return None
        return port

    def _closed_port(self, pid: int, descriptor: int, address: int) -> int | None:
        """The port of the sockaddr at `address` in the process (or thread) `pid`, where it is closed and the socket a tcp one."""
        try:
            memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
            try:
                start = os.pread(memory, 4, address)
            finally:
                os.close(memory)
            family, port = (
                int.from_bytes(start[:2], sys.byteorder),
                int.from_bytes(start[2:], "big"),
            )
            if family not in _FAMILIES or port not in self._closed:
                return None
            protocol = os.getxattr(f"/proc/{pid}/fd/{descriptor}", "system.sockprotoname")  # type: ignore[attr-defined,unused-ignore]  # Linux
        except (OSError, OverflowError):  # no right to read it, no such address, no socket
            return None
        return port if protocol.startswith(_TCP) else None


def _wake_at_once(listener: int) -> None:
    try:
        fcntl.ioctl(listener, _SET_FLAGS, _SYNC_WAKE_UP)
    except OSError:  # an older kernel, on which a bind costs 60 us more instead of 15
        return


def _patient_ioctl(descriptor: int, request: int, words: bytes) -> None:
    while True:
        try:
            fcntl.ioctl(descriptor, request, words)
        except InterruptedError:  # Python itself does not try again here
            continue
        return


def _landlock_rules(closed: frozenset[int]) -> int | None:
    """The descriptor of a rule set that allows every tcp port but `closed`; None where the kernel has no rules for ports."""
    import ctypes

    call = _libc().syscall
    handled = (ctypes.c_uint64 * 2)(0, _ACCESS_NET_BIND_TCP)  # nothing of the file system
    rules: int = call(_LANDLOCK_CREATE_RULESET, handled, ctypes.sizeof(handled), 0)
    if rules < 0:  # no Landlock, or one from before it knew ports (E2BIG)
        return None
    rule = (ctypes.c_uint64 * 2)(_ACCESS_NET_BIND_TCP, 0)
    fields, place = memoryview(rule).cast("B").cast("Q"), ctypes.byref(rule)
    for port in range(65536):
        if port not in closed:
            fields[1] = port
            if call(_LANDLOCK_ADD_RULE, rules, _RULE_NET_PORT, place, 0):
                os.close(rules)  # half of it would close ports that are nobody's
                return None
    return rules


def _take_filter() -> int | None:
    """Put every bind(2) of this process and its descendants to come before whoever holds the returned descriptor."""
    import ctypes

    machine = os.uname().machine
    if (
        machine not in _FILTERED or sys.maxsize < 2**32 or _linux() < (5, 5)
    ):  # 5.5: the first that lets a call go on
        return None
    architecture, seccomp, bind = _FILTERED[machine]
    program = [
        (_LOAD_WORD, 0, 0, 4),  # seccomp_data.arch
        (_JUMP_IF_EQUAL, 0, 5, architecture),
        (_LOAD_WORD, 0, 0, 0),  # .nr
        (_JUMP_IF_EQUAL, 0, 3, bind),
        (
            _LOAD_WORD,
            0,
            0,
            32,
        ),  # .args[2], the address's length: netlink's, of every look-up of a name, is shorter
        (_JUMP_IF_AT_LEAST, 0, 1, _SHORTEST_ADDRESS),
        (_RETURN, 0, 0, _RET_USER_NOTIF),
        (_RETURN, 0, 0, _RET_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    for flags in (_NEW_LISTENER | _SPEC_ALLOW | _WAIT_KILLABLE, _NEW_LISTENER | _SPEC_ALLOW):
        listener: int = _libc().syscall(seccomp, _SECCOMP_SET_MODE_FILTER, flags, whole)
        if listener >= 0:
            return listener
    return None


def _linux() -> tuple[int, ...]:
    """The kernel's version: (6, 1) of `6.1.0-28-amd64`."""
    return tuple(
        int("".join(takewhile(str.isdigit, part)) or 0)
        for part in os.uname().release.split(".")[:2]
    )


def _may_read(pid: int) -> bool:
    """Whether the memory of our own child is open to us; a hardened machine (Yama's ptrace_scope 2) closes it."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except OSError:
        return False
    return True


def _prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere."""
    if sys.platform == "linux":
        import ctypes

        _libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _libc() -> PyDLL:
    """The C library, called without letting go of the GIL: there is one thread, and there are many calls."""
    import ctypes

    return ctypes.PyDLL(None)
