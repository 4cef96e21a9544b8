"""The gate: for some ports of this host, only the engine gets through bind().

It is a small BPF program on the root of the cgroup v2 hierarchy (BPF_CGROUP_INET4_BIND and
INET6_BIND). bind() to one of its endpoints fails with EADDRINUSE, as if the port were taken, unless
the caller is root's and is called `dockerd` or `docker-proxy` (which of the two binds depends on
the engine's version, engine-rules.md#who-binds), or is the process that reserves the ports, by its
name and our user. Other network namespaces, so the containers' own, are not affected, and neither
are other addresses. (`::` counts as all IPv4 addresses too: a program cannot see IPV6_V6ONLY.)

It goes by name and user, not by pid: a restarted engine starts its containers before anybody could
say what its new pid is. So another program of root that has such a name gets through too.

The kernel holds the programs by two descriptors (links). They end with this process, also by
SIGKILL, and nothing is left. Other programs, such as systemd's, are kept: each of them must agree.

Not covered are ports that the kernel chooses (bind to port 0, connect, listen without bind). It
needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and a kernel with what is used here (measured
on Linux 6.18). Without them `BindGate` raises OSError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from pathlib import Path

from dartsctl.stack.bindings import ANY_IPV4, Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OWN_NAME = "dartsctl-watch"
"""What the process that reserves ports calls itself. At most 15 characters."""
ENGINE_NAMES = ("dockerd", "docker-proxy")

_SYSCALL = {"x86_64": 321, "aarch64": 280}  # bpf(2)
_PROG_LOAD, _LINK_CREATE = 5, 28
_CGROUP_SOCK_ADDR = 18
_INET4_BIND, _INET6_BIND = 8, 9
_GET_COMM, _GET_UID, _GET_NETNS_COOKIE, _SET_RETVAL = 16, 15, 122, 187
_SO_NETNS_COOKIE = 71
# where struct bpf_sock_addr has the arguments of bind()
_IP4, _IP6, _PORT, _TYPE = 4, 8, 24, 32
_SOCKET_TYPES = {"tcp": int(socket.SOCK_STREAM), "udp": int(socket.SOCK_DGRAM)}
_ALLOWED = 1

_Program = list["_Step"]
_Step = tuple[int, int, int, int | str, int]
"""An instruction: opcode, two registers, where it jumps to (a label or 0), a constant."""


class BindGate:
    """The gate around some endpoints, as long as it is open in this process.

    Raises OSError where the kernel or our rights do not allow it.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        wanted = [endpoint for endpoint in endpoints if endpoint.protocol in _SOCKET_TYPES]
        self._links: list[int] = []
        group = os.open(_cgroup_root(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for where in _hooks(wanted):
                self._links.append(_attach(_program(wanted, where), where, group))
        except BaseException:
            self.close()
            raise
        finally:
            os.close(group)

    def close(self) -> None:
        """Take the gate away."""
        while self._links:
            os.close(self._links.pop())


def _hooks(endpoints: Sequence[Endpoint]) -> tuple[int, ...]:
    """Return where programs are needed. An IPv6 socket may bind IPv4 addresses, not vice versa."""
    if not endpoints:
        return ()
    if all(endpoint.is_ipv6 for endpoint in endpoints):
        return (_INET6_BIND,)
    return (_INET4_BIND, _INET6_BIND)


def _cgroup_root() -> Path:
    """Return where the cgroup v2 hierarchy is mounted."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place, _, source = line.partition(" - ")
        if source.startswith("cgroup2 ") and place.split()[3] == "/":
            return Path(place.split()[4])
    raise OSError(errno.ENOENT, "no cgroup v2 hierarchy is mounted")


def _attach(program: _Program, where: int, group: int) -> int:
    """Load a program and attach it. Return the descriptor of its link."""
    code = ctypes.create_string_buffer(_assembled(program))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sII",
        *(_CGROUP_SOCK_ADDR, len(program) - _labels_in(program)),
        *(ctypes.addressof(code), ctypes.addressof(licence)),
        *(0, 0, 0, 0, 0),
        *(b"dartsctl_gate", 0, where),
    )
    loaded = _bpf(_PROG_LOAD, attributes)
    try:
        return _bpf(_LINK_CREATE, struct.pack("<IIIIQQ", loaded, group, where, 0, 0, 0))
    finally:
        os.close(loaded)


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None or struct.pack("=H", 1) != struct.pack("<H", 1):
        raise OSError(errno.ENOSYS, f"not known on {platform.machine()}")
    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = int(library.syscall(number, command, buffer, len(attributes)))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor


# --- the program ------------------------------------------------------------------------------
#
# r6: the context, r7: the port, r8: the IPv4 address, r9: the socket's type


def _program(endpoints: Sequence[Endpoint], where: int) -> _Program:
    """Return the program for bind() of IPv4 or of IPv6 sockets."""
    steps: _Program = [
        (0xBF, 6, 1, 0, 0),
        (0x61, 7, 6, _PORT, 0),
        (0xDC, 7, 0, 0, 16),  # from network order
        (0x61, 9, 6, _TYPE, 0),
    ]
    if where == _INET6_BIND:
        steps += _ipv6_part(endpoints)
    else:
        steps.append((0x61, 8, 6, _IP4, 0))
    steps.append(_label("ipv4"))
    for endpoint in endpoints:
        if not endpoint.is_ipv6:
            steps += _match_ipv4(endpoint)
    steps += [*_go("allow"), _label("hit"), *_refuse_unless_engine()]
    return [*steps, _label("allow"), (0xB7, 0, 0, 0, _ALLOWED), (0x95, 0, 0, 0, 0)]


def _match_ipv4(endpoint: Endpoint) -> _Program:
    """Go to `hit` if this IPv4 bind (r8) meets the endpoint."""
    steps = _unless_port(endpoint)
    if endpoint.address == ANY_IPV4:
        steps += _go("hit")
    else:
        number = struct.unpack("=i", socket.inet_pton(socket.AF_INET, endpoint.address))[0]
        steps += [(0x16, 8, 0, "hit", 0), (0x16, 8, 0, "hit", number)]
    return [*steps, _label(f"after {endpoint}")]


def _ipv6_part(endpoints: Sequence[Endpoint]) -> _Program:
    """Handle the address of an IPv6 socket. Go to `ipv4` where it takes IPv4 addresses too.

    r1 to r4 are the words of the address.
    """
    words = [(0x61, 1 + index, 6, _IP6 + 4 * index, 0) for index in range(4)]
    mapped = struct.unpack("=i", b"\0\0\xff\xff")[0]
    steps: _Program = [
        *words,
        *((0x56, 1, 0, "ipv6", 0), (0x56, 2, 0, "ipv6", 0), (0x56, 3, 0, "not zero", 0)),
        *((0x56, 4, 0, "ipv6", 0), *_go("any")),
        *(_label("not zero"), (0x56, 3, 0, "ipv6", mapped)),
        *((0xBF, 8, 4, 0, 0), *_go("ipv4")),
        _label("ipv6"),
    ]
    ours = [endpoint for endpoint in endpoints if endpoint.is_ipv6]
    for endpoint in ours:
        steps += _unless_port(endpoint)
        if endpoint.is_wildcard:
            steps += _go("hit")
        else:
            packed = struct.unpack("=4i", socket.inet_pton(socket.AF_INET6, endpoint.address))
            away = f"after {endpoint}"
            steps += [(0x56, 1 + index, 0, away, word) for index, word in enumerate(packed)]
            steps += _go("hit")
        steps.append(_label(f"after {endpoint}"))
    steps += [*_go("allow"), _label("any")]
    for endpoint in ours:
        steps += _unless_port(endpoint, "any")
        steps += [*_go("hit"), _label(f"any after {endpoint}")]
    return [*steps, (0xB7, 8, 0, 0, 0)]


def _unless_port(endpoint: Endpoint, prefix: str = "") -> _Program:
    """Go to the next endpoint if the port or the protocol is another one."""
    away = f"{prefix} after {endpoint}".strip()
    kind = _SOCKET_TYPES[endpoint.protocol]
    return [(0x56, 7, 0, away, endpoint.port), (0x56, 9, 0, away, kind)]


def _refuse_unless_engine() -> _Program:
    """Refuse with EADDRINUSE, but not in another network namespace, nor the engine or us."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as here:
        answer = here.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    low, high = struct.unpack("=ii", answer)
    steps: _Program = [
        *((0xBF, 1, 6, 0, 0), (0x85, 0, 0, 0, _GET_NETNS_COOKIE)),
        *((0x18, 1, 0, 0, low), (0, 0, 0, 0, high), (0x5D, 0, 1, "allow", 0)),
        *((0x85, 0, 0, 0, _GET_UID), (0xBC, 9, 0, 0, 0)),
        *((0x7A, 10, 0, -16, 0), (0x7A, 10, 0, -8, 0)),
        *((0xBF, 1, 10, 0, 0), (0x07, 1, 0, 0, -16), (0xB7, 2, 0, 0, 16)),
        *((0x85, 0, 0, 0, _GET_COMM), (0x79, 7, 10, -16, 0), (0x79, 8, 10, -8, 0)),
    ]
    users = {**dict.fromkeys(ENGINE_NAMES, 0), OWN_NAME: os.geteuid()}
    for name, uid in users.items():
        first, second, third, fourth = struct.unpack("=4i", name.encode().ljust(16, b"\0"))
        steps += [
            *((0x18, 1, 0, 0, first), (0, 0, 0, 0, second), (0x5D, 7, 1, f"not {name}", 0)),
            *((0x18, 1, 0, 0, third), (0, 0, 0, 0, fourth), (0x5D, 8, 1, f"not {name}", 0)),
            (0x16, 9, 0, "allow", uid),
            _label(f"not {name}"),
        ]
    refusal: _Program = [(0xB7, 1, 0, 0, -errno.EADDRINUSE), (0x85, 0, 0, 0, _SET_RETVAL)]
    return [*steps, *refusal, (0xB7, 0, 0, 0, 0), (0x95, 0, 0, 0, 0)]


def _go(label: str) -> _Program:
    return [(0x05, 0, 0, label, 0)]


_LABEL = -1


def _label(name: str) -> _Step:
    return (_LABEL, 0, 0, name, 0)


def _labels_in(program: _Program) -> int:
    return sum(step[0] == _LABEL for step in program)


def _assembled(program: _Program) -> bytes:
    """Return the instructions, with labels as distances."""
    places: dict[str, int] = {}
    position = 0
    for opcode, _, _, where, _ in program:
        if opcode == _LABEL:
            places[str(where)] = position
        else:
            position += 1
    code: list[bytes] = []
    for opcode, first, second, where, constant in program:
        if opcode == _LABEL:
            continue
        if isinstance(where, str):
            where = places[where] - len(code) - 1  # noqa: PLW2901 - a label becomes its distance
        code.append(struct.pack("<BBhi", opcode, second << 4 | first, where, constant))
    return b"".join(code)
