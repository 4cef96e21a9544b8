"""systemd units for a watch, as text: plain values in, two files and how to install them out."""

from __future__ import annotations

import shlex
from pathlib import Path

from dartsctl.errors import Advice, UsageError
from dartsctl.records import field, record
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FOLDER = "/etc/systemd/system"
_WITHIN = "5m"
"""How long the engine and the services may take after a start of the machine."""
_UNQUOTED = regex(r"[A-Za-z0-9_@:,./+-]+")

# CAP_NET_BIND_SERVICE holds production ports below 1024; CAP_SYS_PTRACE names who holds a port
_OF_GATE = "CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
"""What `--reserve` needs, so that only the engine can bind its ports (reserve/bind_gate.py)."""
_OF_USER = "CAP_NET_BIND_SERVICE"
_OF_ROOT = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_NET_BIND_SERVICE CAP_SYS_PTRACE"


@record
class UnitPlan:
    """What the units need to know of this machine and project."""

    project: str
    environment: str
    root: Path
    """The project's folder."""
    state: Path
    user: str
    program: tuple[str, ...]
    """The command line of dartsctl, without its words."""
    options: tuple[str, ...] = ()
    """Options of the command line that asked for the units, without secrets."""
    groups: tuple[str, ...] = ()
    """Groups that the user needs for the engine's socket."""
    variables: Mapping[str, str] = field(default_factory=dict)
    docker_service: bool = True
    """Whether the engine is this machine's docker.service."""
    reserves: bool = False

    @property
    def watch_name(self) -> str:
        """The unit of the watch."""
        return f"dartsctl-watch-{self.project}.service"

    @property
    def boot_name(self) -> str:
        """The unit that looks once after the engine has started."""
        return f"dartsctl-boot-{self.project}.service"

    @property
    def secrets(self) -> Path:
        """The file with the URLs, which contain secrets."""
        return Path("/etc/dartsctl") / f"{self.project}.env"


def units(plan: UnitPlan) -> dict[str, str]:
    """Return both units by their names. Raises UsageError for a path that no unit can have."""
    return {plan.watch_name: _watch_unit(plan), plan.boot_name: _boot_unit(plan)}


def instructions(plan: UnitPlan) -> list[str]:
    """Return the commands that install the units, to be read and pasted by a person."""
    folder, secrets, state = _FOLDER, plan.secrets, shlex.quote(str(plan.state))
    return [
        "# To install, as root: write each unit to the file that its first line names, then",
        f"#   test -d {state} || install -d -m 700 -o {plan.user} {state}",
        f"#   install -d -m 700 {secrets.parent}",
        f"#   install -m 600 /dev/null {secrets}",
        f"#   systemd-analyze verify {folder}/{plan.watch_name} {folder}/{plan.boot_name}",
        "#   systemctl daemon-reload",
        f"#   systemctl enable --now {plan.watch_name} {plan.boot_name}",
        f"# URLs with secrets belong into {secrets}, which only root can read:",
        "#   DARTSCTL_WATCH_NOTIFY=mailtos://...",
        f"# To read changed settings: systemctl reload {plan.watch_name}",
    ]


def _watch_unit(plan: UnitPlan) -> str:
    words = (*plan.program, "watch", "--env", plan.environment, *plan.options)
    lines = [
        *_head(plan, plan.watch_name, f"{plan.project}, watched by dartsctl"),
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        *_place(plan),
        f"ExecStart={_command(words)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=5",
        "# 2: wrong settings, 4: another watch runs or the settings are not trusted",
        "RestartPreventExitStatus=2 4",
        "SuccessExitStatus=130",
        "KillMode=mixed",
        "TimeoutStopSec=20",
        *_hardening(plan),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _boot_unit(plan: UnitPlan) -> str:
    words = [*plan.program, "watch", "--once", "--all", "--within", _WITHIN]
    words += [option for option in plan.options if option in ("--heal", "--no-heal")]
    wanted_by = "multi-user.target"
    if plan.docker_service:
        wanted_by = "docker.service"
    lines = [
        *_head(plan, plan.boot_name, f"{plan.project}, looked at after the start of its engine"),
        "",
        "[Service]",
        "Type=oneshot",
        *_place(plan),
        f"ExecStart={_command(words)}",
        "TimeoutStartSec=900",
        *_hardening(plan),
        "",
        "[Install]",
        "# with every start of the engine, not only the machine's",
        f"WantedBy={wanted_by}",
    ]
    return "\n".join(lines) + "\n"


def _head(plan: UnitPlan, name: str, description: str) -> list[str]:
    after = "network-online.target"
    if plan.docker_service:
        after += " docker.service"
    return [
        f"# {_FOLDER}/{name}",
        "[Unit]",
        f"Description={description}",
        "Wants=network-online.target",
        f"After={after}",
    ]


def _place(plan: UnitPlan) -> list[str]:
    """Return who runs it, where, and with which variables."""
    lines = [f"User={plan.user}"]
    if plan.groups:
        lines.append(f"SupplementaryGroups={' '.join(plan.groups)}")
    lines.append(f"WorkingDirectory={_path(plan.root)}")
    variables = {"DARTSCTL_STATE_DIR": str(plan.state), **plan.variables}
    for name, value in variables.items():
        lines.append(f"Environment={_quoted(f'{name}={value}')}")
    lines.append(f"EnvironmentFile=-{_path(plan.secrets)}")
    return lines


def _hardening(plan: UnitPlan) -> list[str]:
    capabilities = ""
    system_calls = "@system-service"
    if plan.user == "root":
        capabilities = _OF_ROOT
    elif plan.reserves:
        capabilities = _OF_USER
    if plan.reserves:
        capabilities += f" {_OF_GATE}"
        system_calls += " bpf"
    lines = [
        "UMask=0077",
        "NoNewPrivileges=yes",
        f"CapabilityBoundingSet={capabilities}",
        f"AmbientCapabilities={capabilities}",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={_quoted(str(plan.state))}",
    ]
    if not any(path.is_relative_to("/tmp") for path in (plan.state, plan.root)):  # noqa: S108
        lines.append("PrivateTmp=yes")
    return [
        *lines,
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "LockPersonality=yes",
        "RemoveIPC=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        f"SystemCallFilter={system_calls}",
        "SystemCallErrorNumber=EPERM",
    ]


def _command(words: Sequence[str]) -> str:
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _path(path: Path) -> str:
    """Return a path as a line takes it that is no list: only `%` has a meaning there."""
    return _printable(str(path)).replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word of a list, in quotes where it needs them (systemd.syntax(7))."""
    word = _printable(word).replace("%", "%%")
    if _UNQUOTED.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise UsageError(
            f"no systemd unit can have this path or value: {text!r}",
            hint=Advice("move the project to a folder without control characters in its name"),
        )
    return text
