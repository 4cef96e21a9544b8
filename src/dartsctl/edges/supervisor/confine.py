"""What a host server's process applies to itself between fork and exec. Standard library only.

Its parent-death signal, and two kernel layers that close some ports to it. Both layers need no
privilege, hold for every descendant and in every language, and can never be removed:

- landlock (Linux 6.7): the bind of a closed tcp port fails with EACCES. Its rules can only allow,
  so there is one for every other port, and one for port 0, which stands for the ports that the
  kernel chooses. It does not cover MPTCP, the default of servers written in Go.
- seccomp (Linux 5.5): every bind is presented to the supervisor, which lets it fail with EACCES or
  continue, MPTCP too. So the supervisor knows what was tried. A bind that it cannot read (a program
  that may not be traced, a call of another architecture) continues.

Both set no_new_privs: sudo does not work in a confined server. The numbers and structures are from
linux/landlock.h, seccomp.h, filter.h and audit.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import sys
from itertools import takewhile

TYPE_CHECKING = False  # importing `typing` would take longer than all other imports together
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Collection
    from ctypes import PyDLL

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

# system calls, the same on every architecture
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_RULE_NET_PORT = 2
_ACCESS_NET_BIND_TCP = 1

_FILTERED = {"x86_64": (0xC000003E, 317, 49), "aarch64": (0xC00000B7, 277, 200)}
"""Machine -> its AUDIT_ARCH, and the numbers of seccomp(2) and bind(2)."""
_SECCOMP_SET_MODE_FILTER = 1
_SPEC_ALLOW = 4
"""Without it, kernels before 5.16 slow the whole server down (Spectre v4)."""
_NEW_LISTENER = 8
_WAIT_KILLABLE = 32
"""Linux 5.19: a signal to the process that binds waits for the answer. Without it a bind may fail
with EINTR.
"""
_RET_ALLOW, _RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_SHORTEST_ADDRESS = 16
"""sizeof(struct sockaddr_in)."""

_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_IS_VALID = 0x80082102
"""As in Linux 5.5. Later kernels accept this form too."""
_NOTIFICATION, _ANSWER = "=QIIiIQ6Q", "=QqiI"
_CONTINUE = 1
_SET_FLAGS = 0x40082104
_SYNC_WAKE_UP = 1
"""Linux 6.6: the answer comes on the caller's own processor."""
_LONGEST_ADDRESS = 28
"""sizeof(struct sockaddr_in6)."""
_IPV6 = 10
_FAMILIES = (0, 2, _IPV6)
"""AF_UNSPEC, which the kernel treats as AF_INET; AF_INET; AF_INET6."""
_PROTOCOL = "system.sockprotoname"
_TCP = (b"TCP", b"MPTCP")


def adopt_orphans() -> None:
    """Make a process of our tree that outlives its parent our child (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Request SIGKILL for the end of the parent (Linux).

    Check afterwards whether the parent has ended already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Confinement:
    """One set of layers for several processes, one after the other.

    `prepare`, fork, `apply` in the child, `applied` in the parent.
    """

    def __init__(self, layers: Collection[str], closed: Collection[int]) -> None:
        """Build the Landlock rules: 65,000 system calls, about 50 ms."""
        wanted = layers if closed and sys.platform == "linux" else ()
        self._closed = frozenset(closed)
        self._rules = _landlock_rules(self._closed) if "landlock" in wanted else None
        self._uses_seccomp = "seccomp" in wanted
        self._ends: tuple[socket, socket] | None = None
        self._listener: int | None = None

    @property
    def listener(self) -> int | None:
        """Return the descriptor to poll. When it can be read, call `answer`."""
        return self._listener

    def stop_listening(self) -> None:
        """Close the listener: the processes whose binds it reports have ended."""
        if self._listener is not None:
            os.close(self._listener)
            self._listener = None

    def prepare(self) -> None:
        """Open the connection on which the child reports what it applied. Call before the fork."""
        self.stop_listening()
        if self._rules is None and not self._uses_seccomp:
            return
        import _socket  # `socket` takes several times as long to import

        self._ends = _socket.socketpair()

    def apply(self) -> None:
        """Apply the layers that this kernel has and grants. Call in the child."""
        if self._ends is None:
            return
        import _socket

        _, theirs = self._ends
        layers, rights = [], []
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if self._rules is not None and _restrict_self(self._rules):
            layers.append("landlock")
        if self._uses_seccomp and (listener := _install_filter()) is not None:
            layers.append("seccomp")
            descriptor = listener.to_bytes(4, sys.byteorder)
            rights.append((_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor))
        theirs.sendmsg([" ".join(layers).encode() + b"\n"], rights)

    def applied(self, child: int) -> tuple[str, ...]:
        """Wait for `apply`, and return the layers that hold the child. Call in the parent."""
        if self._ends is None:
            return ()
        ours, theirs = self._ends
        theirs.close()
        text, rights, *_ = ours.recvmsg(64, 64)  # empty if the child was killed first
        ours.close()
        self._ends = None
        for _level, _kind, data in rights:
            self._listener = int.from_bytes(data[:4], sys.byteorder)
            os.set_inheritable(self._listener, False)
            _wake_synchronously(self._listener)
        layers = tuple(text.decode().split())
        if not _may_read(child):
            return tuple(layer for layer in layers if layer != "seccomp")
        return layers

    def answer(self) -> tuple[int, str, bool] | None:
        """Decide about one waiting bind. Return its port, its address, and whether it was refused.

        None if it is not about tcp, or if it could not be read. The process that binds is never
        left waiting.
        """
        assert self._listener is not None  # noqa: S101 - for the type checker: it was polled
        buffer = bytearray(struct.calcsize(_NOTIFICATION))
        try:
            fcntl.ioctl(self._listener, _RECEIVE, buffer)
            call, pid, *_, descriptor, address, _, _, _, _ = struct.unpack(_NOTIFICATION, buffer)
            wanted = _tcp_address(pid, descriptor & 0xFFFFFFFF, address)
            is_refused = wanted is not None and wanted[0] in self._closed
            verdict = (0, _CONTINUE)
            if is_refused:
                # without this check the pid may belong to another process by now
                _patient_ioctl(self._listener, _IS_VALID, struct.pack("=Q", call))
                verdict = (-errno.EACCES, 0)
            _patient_ioctl(self._listener, _SEND, struct.pack(_ANSWER, call, 0, *verdict))
        except OSError:  # killed meanwhile, or interrupted: then the kernel asks again
            return None
        return None if wanted is None else (*wanted, is_refused)


def _tcp_address(pid: int, descriptor: int, address: int) -> tuple[int, str] | None:
    """Return the port and the IP address of the sockaddr at `address` in process (or thread) `pid`.

    None if the socket is not tcp.
    """
    import _socket

    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(memory, _LONGEST_ADDRESS, address)
        finally:
            os.close(memory)
        family = int.from_bytes(data[:2], sys.byteorder)
        if family not in _FAMILIES:
            return None
        file = f"/proc/{pid}/fd/{descriptor}"
        # Linux only: mypy on macOS does not know it
        protocol = os.getxattr(file, _PROTOCOL)  # type: ignore[attr-defined,unused-ignore]
        if not protocol.startswith(_TCP):
            return None
        port = int.from_bytes(data[2:4], "big")
        if family == _IPV6:
            return port, _socket.inet_ntop(_socket.AF_INET6, data[8:24])
        return port, _socket.inet_ntop(_socket.AF_INET, data[4:8])
    except (OSError, OverflowError, ValueError):  # not permitted, no such address, no socket
        return None


def _wake_synchronously(listener: int) -> None:
    """Make a bind take 15 us longer instead of 60 us, if the kernel can."""
    try:
        fcntl.ioctl(listener, _SET_FLAGS, _SYNC_WAKE_UP)
    except OSError:
        return


def _patient_ioctl(descriptor: int, request: int, words: bytes) -> None:
    while True:
        try:
            fcntl.ioctl(descriptor, request, words)
        except InterruptedError:  # Python does not repeat ioctl itself
            continue
        return


def _landlock_rules(closed: frozenset[int]) -> int | None:
    """Return the descriptor of a rule set that allows every tcp port but `closed`.

    None if the kernel has no rules for ports.
    """
    import ctypes

    call = _libc().syscall
    handled = (ctypes.c_uint64 * 2)(0, _ACCESS_NET_BIND_TCP)  # nothing of the file system
    rules: int = call(_LANDLOCK_CREATE_RULESET, handled, ctypes.sizeof(handled), 0)
    if rules < 0:  # no Landlock, or a version without ports (E2BIG)
        return None
    rule = (ctypes.c_uint64 * 2)(_ACCESS_NET_BIND_TCP, 0)
    fields, place = memoryview(rule).cast("B").cast("Q"), ctypes.byref(rule)
    for port in range(65536):
        if port not in closed:
            fields[1] = port
            if call(_LANDLOCK_ADD_RULE, rules, _RULE_NET_PORT, place, 0):
                os.close(rules)  # an incomplete set would close other ports too
                return None
    return rules


def _restrict_self(rules: int) -> bool:
    """Apply Landlock rules to this process. Return whether the kernel accepted them."""
    accepted: bool = _libc().syscall(_LANDLOCK_RESTRICT_SELF, rules, 0) == 0
    return accepted


def _install_filter() -> int | None:
    """Present every bind(2) of this process and its descendants to a listener.

    Return the listener's descriptor, None if the kernel cannot do it.
    """
    import ctypes

    machine = os.uname().machine
    if machine not in _FILTERED or sys.maxsize < 2**32:
        return None
    if _linux() < (5, 5):  # the first version that lets a call continue
        return None
    architecture, seccomp, bind = _FILTERED[machine]
    program = [
        (_LOAD_WORD, 0, 0, 4),  # seccomp_data.arch
        (_JUMP_IF_EQUAL, 0, 5, architecture),
        (_LOAD_WORD, 0, 0, 0),  # .nr
        (_JUMP_IF_EQUAL, 0, 3, bind),
        # .args[2] is the address's length: netlink's, as in every name lookup, is shorter
        (_LOAD_WORD, 0, 0, 32),
        (_JUMP_IF_AT_LEAST, 0, 1, _SHORTEST_ADDRESS),
        (_RETURN, 0, 0, _RET_USER_NOTIF),
        (_RETURN, 0, 0, _RET_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    for flags in (_NEW_LISTENER | _SPEC_ALLOW | _WAIT_KILLABLE, _NEW_LISTENER | _SPEC_ALLOW):
        listener: int = _libc().syscall(seccomp, _SECCOMP_SET_MODE_FILTER, flags, whole)
        if listener >= 0:
            return listener
    return None


def _linux() -> tuple[int, ...]:
    """Return the kernel's version: (6, 1) for `6.1.0-28-amd64`."""
    parts = os.uname().release.split(".")[:2]
    return tuple(int("".join(takewhile(str.isdigit, part)) or 0) for part in parts)


def _may_read(pid: int) -> bool:
    """Return whether we may read our child's memory. Yama's ptrace_scope 2 forbids it."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except OSError:
        return False
    return True


def _prctl(option: int, value: int) -> None:
    """Call prctl(2). Do nothing on other systems than Linux."""
    if sys.platform == "linux":
        import ctypes

        _libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _libc() -> PyDLL:
    """Return the C library, called without releasing the GIL: one thread makes many calls."""
    import ctypes

    return ctypes.PyDLL(None)
