"""dartsctl guard: an audit hook that refuses production's ports (see `dartsctl guard --help`).

A `.pth` file loads it at every start of a virtual environment, and sitecustomize.py beside this
folder in every server that dartsctl runs. It works from Python 3.8 on. It imports nothing that is
not loaded already, but mmap before a fork, and hides its own errors.

It writes one sentence to stderr, because not every server shows the exception of a refused bind.
"""

import os
import sys

VERSION = 3
PORTS: "dict[int, str]" = {}
ACTIVE = False
"""Whether the hook is installed. `dartsctl guard status` reads it."""

MYPY = False  # importing typing would take longer than everything here
if MYPY:
    from typing import Any

_SAID = "DARTSCTL_GUARD_SAID"
"""The variable with the ports that this process, or the one that started it, was refused."""
_FORKS: "Any" = None
"""A byte for each port, shared with forked processes: whether one of them was refused it."""


def _start() -> None:
    """Install the hook, unless there is nothing to refuse, or it is not wanted."""
    global ACTIVE
    for entry in filter(None, os.environ.get("DARTSCTL_GUARD_PORTS", "").split(",")):
        port, _, owner = entry.partition("=")
        PORTS[int(port)] = owner
    if PORTS and is_wanted():
        sys.addaudithook(_hook)
        ACTIVE = True


def is_wanted() -> bool:
    """Return whether this environment wants the hook: not in a container, unless it insists.

    The ports of a container are not the host's. `dartsctl guard status` calls this too, for an
    interpreter that it does not start.
    """
    switch = _switch()
    return switch != "off" and (switch == "on" or not _in_container())


def _switch() -> str:
    """Return `on`, `off`, or anything else for neither.

    asyncio shows our message in lower case, so that spelling of the variable counts too.
    """
    return (os.environ.get("DARTSCTL_GUARD") or os.environ.get("dartsctl_guard") or "").lower()


def _in_container() -> bool:
    if "KUBERNETES_SERVICE_HOST" in os.environ or os.environ.get("container", "wsl") != "wsl":
        return True
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return True
    try:
        with open("/run/systemd/container", "rb") as file:
            # systemd calls WSL a container, but its ports are the host's
            return file.read().strip() != b"wsl"
    except FileNotFoundError:
        return False


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    if event == "os.fork":
        _share_with_forks()
    if event != "socket.bind":
        return
    try:
        message = _refusal(*arguments)
    except Exception:  # the program's own bind must not fail because of it
        return
    if message:
        error = PermissionError(13, message)  # EACCES, as from the kernel; servers show its text
        error.is_of_dartsctl_guard = True  # type: ignore[attr-defined]
        raise error


def _share_with_forks() -> None:
    """Make _FORKS, in the parent. Workers that are started again and again write one sentence."""
    global _FORKS
    if _FORKS is not None:
        return
    try:
        import mmap  # only here: most processes never fork

        _FORKS = mmap.mmap(-1, len(PORTS))
    except Exception:  # then each of them writes it
        _FORKS = b""


def _is_said_by_forks(port: int) -> bool:
    """Return whether a process of the same family has written the sentence. From now on one has."""
    if not _FORKS:
        return False
    index = list(PORTS).index(port)
    said = bool(_FORKS[index])
    _FORKS[index] = 1
    return said


def _refusal(socket: "Any", address: "Any") -> str:
    """Return why this bind is refused; empty if it is not."""
    port = address[1]
    if port not in PORTS:
        return ""
    import _socket  # loaded already: the bind comes from there

    if (
        socket.family not in (_socket.AF_INET, _socket.AF_INET6)
        or socket.type != _socket.SOCK_STREAM
    ):
        return ""
    if _switch() == "off":  # an app may have read it from its .env after the start
        return ""
    if "dartsctl.cli" in sys.modules:  # dartsctl itself probes production's ports by a bind
        return ""
    owner = f"production's {PORTS[port]}" if PORTS[port] else "production"
    brief = f"port {int(port)} is reserved for {owner} (dartsctl guard)"
    try:
        return _explain(int(port)) or brief
    except Exception:  # it is refused anyway
        return brief


def _claim(port: int) -> str:
    """Return whose the port is. A port of the default list has no service."""
    if PORTS[port]:
        return f"belongs to production's {PORTS[port]}"
    replaced = "which [ports.production] in dartsctl.toml replaces"
    return f"is reserved for production by dartsctl's default list, {replaced}"


def _explain(port: int) -> str:
    """Write to stderr why the port is refused, once a port.

    Return the sentence if nobody can read it there: then the exception has it.
    """
    said = os.environ.get(_SAID, "").split(",")
    if str(port) in said:  # gunicorn tries five times
        return ""
    os.environ[_SAID] = ",".join([*filter(None, said), str(port)])
    _end_with_the_server()
    if _report(port) or _is_said_by_forks(port):
        return ""
    sentence = f"port {port} {_claim(port)}; {_advice()}"
    try:
        sys.stderr.write(f"dartsctl guard: {sentence}\n")
        sys.stderr.flush()
    except Exception:  # closed, or None
        return sentence
    return ""


def _end_with_the_server() -> None:
    """End the child of werkzeug's reloader when the refusal ends its serving thread.

    Otherwise the child would wait for a changed file, and listen nowhere. Its parent ends with it.
    """
    threading: Any = sys.modules.get("threading")
    if threading is None or os.environ.get("WERKZEUG_RUN_MAIN") != "true":
        return
    shown = threading.excepthook

    def show_and_end(arguments: "Any") -> None:
        try:
            shown(arguments)
            sys.stdout.flush()
        except Exception:  # closed, or None
            pass
        error = arguments.exc_value
        for _ in range(10):
            if getattr(error, "is_of_dartsctl_guard", False):
                os._exit(1)
            error = getattr(error, "__context__", None)

    threading.excepthook = show_and_end


def _advice() -> str:
    """Return how to get a port that is allowed."""
    leased = os.environ.get("DARTSCTL_GUARD_PORT")
    if not leased:
        return (
            "`dartsctl dev` (or `dartsctl run -- COMMAND`) starts the server on a free port; "
            "DARTSCTL_GUARD=off switches the guard off for one process"
        )
    names = sorted(
        name
        for name, value in os.environ.items()
        if value == leased and not name.startswith("DARTSCTL_")
    )
    variables = f" ({', '.join(names)})" if names else ""
    return (
        f"this server's port is {leased}{variables}: let it listen there, "
        "or write {port} in the command"
    )


def _report(port: int) -> bool:
    """Report the refused port to dartsctl, if it asked for that.

    Return whether another process of the group did that before. In a shell, each command is a group
    of its own.
    """
    path = os.environ.get("DARTSCTL_GUARD_REPORT")
    if not path:
        return False
    line = b"%d %d\n" % (port, os.getpgrp())
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_nlink != 1:  # another user's file
                return False
            if b"\n" + line in b"\n" + os.read(descriptor, 4096):
                return True
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError:  # the bind is refused anyway
        return False
    return False


try:
    _start()
except Exception:
    pass
