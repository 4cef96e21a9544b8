"""The process behind the engine's socket: in which namespaces it is, and how it is configured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.system import bounded_file
from dartsctl.text.strict_json import Source, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.engine_rules import EngineKind


def kind_of(platform: str, pid: int | None, uid: int | None) -> EngineKind:
    """Return where the engine's sockets are.

    An engine in another pid or network namespace publishes elsewhere (edge-cases.md#27,
    edge-cases.md#28, edge-cases.md#44).
    """
    if platform.startswith("Docker Desktop"):
        return "desktop"
    if uid:
        return "rootless"
    if pid == 0:
        return "remote"
    if pid is None:
        return "local"
    try:
        same = Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:
        return "local"  # only root can see it: an engine of root on its default socket
    return "local" if same else "remote"


def pid_from_file() -> int | None:
    """Return dockerd's pid from its default pid file."""
    try:
        return int(bounded_file.read_text(Path("/var/run/docker.pid"), limit=32))
    except (OSError, ValueError):
        return None


def settings_of(pid: int | None) -> tuple[bool, str]:
    """Return whether dockerd uses the userland proxy, and its default host address.

    dockerd's own flags come first, then daemon.json. What cannot be read counts as the default,
    which is the cautious assumption.
    """
    config_file, proxy_flag = _flags(pid)
    from dartsctl.stack.compose_model import bridge_options

    try:
        settings = read_json(bounded_file.read_bytes(config_file), Source(str(config_file)))
        userland_proxy = settings.at("userland-proxy").flag(default=True)
        bridge = settings.at("default-network-opts").at("bridge")
        address = bridge_options(bridge)["host_binding_ipv4"]
    except (OSError, DartsctlError):
        userland_proxy, address = True, ""
    if proxy_flag is not None:
        userland_proxy = proxy_flag
    return userland_proxy, address


def _flags(pid: int | None) -> tuple[Path, bool | None]:
    """Return dockerd's configuration file, and its `--userland-proxy` flag (None if not given)."""
    config_file, proxy_flag = Path("/etc/docker/daemon.json"), None
    for word, next_word in pairwise([*_command_line(pid), ""]):
        name, _, value = word.partition("=")
        if name == "--config-file":
            config_file = Path(value or next_word)
        elif name == "--userland-proxy":
            proxy_flag = value.lower() not in ("false", "0", "f")
    return config_file, proxy_flag


def _command_line(pid: int | None) -> list[str]:
    """Return the words of a process's command line, none if it cannot be read."""
    if not pid:
        return []
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return []
    return text.split("\0")
