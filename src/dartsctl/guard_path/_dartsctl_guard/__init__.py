"""dartsctl guard: an audit hook that keeps this interpreter off production's ports (`dartsctl guard --help`).

A `.pth` file loads it at every start of a virtual environment, sitecustomize.py beside this folder in every server that dartsctl runs. Any Python
from 3.8 on can read it. It loads nothing that is not loaded already, and no error of its own is ever seen.
"""

import os
import sys

VERSION = 2
PORTS: "dict[int, str]" = {}
ACTIVE = False
"""Whether the hook is in place; `dartsctl guard status` asks for it."""

MYPY = False  # typing would take longer to load than all this
if MYPY:
    from typing import Any

_reported: "set[int]" = set()


def _start() -> None:
    """Put the hook in place, unless there is nothing to refuse, it is switched off, or this is a container: its ports are not the host's."""
    global ACTIVE
    for entry in filter(None, os.environ.get("DARTSCTL_GUARD_PORTS", "").split(",")):
        port, _, owner = entry.partition("=")
        PORTS[int(port)] = owner
    if PORTS and is_wanted():
        sys.addaudithook(_hook)
        ACTIVE = True


def is_wanted() -> bool:
    """Whether this environment wants the hook. `dartsctl guard status` asks too, for an interpreter that it does not start."""
    wish = _wish()
    return wish != "off" and (wish == "on" or not _in_a_container())


def _wish() -> str:
    """`on`, `off`, or anything else for neither. The second spelling is what asyncio makes of our message."""
    return (os.environ.get("DARTSCTL_GUARD") or os.environ.get("dartsctl_guard") or "").lower()


def _in_a_container() -> bool:
    if "KUBERNETES_SERVICE_HOST" in os.environ or os.environ.get("container", "wsl") != "wsl":
        return True
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return True
    try:
        with open("/run/systemd/container", "rb") as file:
            return (
                file.read().strip() != b"wsl"
            )  # systemd calls WSL a container; but its ports are those of the host
    except FileNotFoundError:
        return False


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    if event != "socket.bind":
        return
    try:
        message = _refusal(*arguments)
    except Exception:  # whatever it is, the program's own bind must not suffer from it
        return
    if message:
        raise PermissionError(
            13, message
        )  # EACCES, as the kernel says where a port is not to be had; servers show its text


def _refusal(socket: "Any", address: "Any") -> str:
    """Why this bind is refused; empty for one that is not."""
    port = address[1]
    if port not in PORTS:
        return ""
    import _socket  # it is loaded: the bind comes from there

    if (
        socket.family not in (_socket.AF_INET, _socket.AF_INET6)
        or socket.type != _socket.SOCK_STREAM
    ):
        return ""
    if _wish() == "off":  # an app may have loaded it from its .env since the start
        return ""
    if (
        "dartsctl.cli" in sys.modules
    ):  # dartsctl itself finds out by a bind whether production's ports are free
        return ""
    _report(int(port))
    return f"port {int(port)} belongs to production's {PORTS[port]}; {_ways_on()}"


def _ways_on() -> str:
    leased = os.environ.get("DARTSCTL_GUARD_PORT")
    if not leased:
        return "`dartsctl dev` (or `dartsctl run -- COMMAND`) starts the server on a free one; DARTSCTL_GUARD=off lifts this for one process"
    names = sorted(
        name
        for name, value in os.environ.items()
        if value == leased and not name.startswith("DARTSCTL_")
    )
    variables = f" ({', '.join(names)})" if names else ""
    return f"this server's port is {leased}{variables}: let it listen there, or write {{port}} in the command"


def _report(port: int) -> None:
    """Tell dartsctl which port was refused, where it has asked for that."""
    path = os.environ.get("DARTSCTL_GUARD_REPORT")
    if not path or port in _reported:
        return
    try:
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        descriptor = os.open(path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if (
                status.st_uid == os.geteuid() and status.st_nlink == 1
            ):  # nothing that somebody else has put there
                os.write(descriptor, b"%d\n" % port)
        finally:
            os.close(descriptor)
    except OSError:
        return  # the bind is refused all the same
    _reported.add(port)


try:
    _start()
except Exception:
    pass
