"""The channels and the heartbeat of a watch, from its settings: resolved, checked, and masked."""

from __future__ import annotations

import socket
from collections import Counter
from typing import TYPE_CHECKING

from dartsctl.alerts.notice import NoticeWriter
from dartsctl.alerts.outbox import Outbox
from dartsctl.config.environment import default_env_files
from dartsctl.config.secret_url import SecretUrl, resolve, secret_parts
from dartsctl.config.secrets import judge_mode
from dartsctl.edges.http.ping import check_ping_url, ping
from dartsctl.edges.notify import channels as notify
from dartsctl.edges.project.env_files import read
from dartsctl.edges.state.watch_receipts import Receipts
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.records import field, record
from dartsctl.system import bounded_file
from dartsctl.workflows.watch.delivery import Channel, Delivery
from dartsctl.workflows.watch.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import WatchSettings
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.delivery import Role


@record
class Destinations:
    """Where a watch sends to."""

    channels: tuple[Channel, ...] = ()
    heartbeat: str = field(default="", repr=False)
    """Its URL; empty for none."""


def destinations_of(
    settings: WatchSettings, environment: Environment, *, deps: Deps
) -> Destinations:
    """Return the channels and the heartbeat.

    Raises UsageError for a wrong URL, or if Apprise is needed and not installed.
    """
    return Destinations(
        channels_of(settings, environment, deps=deps),
        _heartbeat_url(settings, environment, deps=deps),
    )


def channels_of(
    settings: WatchSettings, environment: Environment, *, deps: Deps
) -> tuple[Channel, ...]:
    """Return the channels. Raises UsageError, as `destinations_of` does."""
    urls: list[SecretUrl] = []
    roles: list[Role] = []
    by_role: tuple[tuple[Role, Sequence[str]], ...] = (
        ("notify", settings.notify),
        ("escalate", settings.escalate),
    )
    for role, written in by_role:
        for number, text in enumerate(written, 1):
            source = f"[watch] {role}: URL {number}"
            urls.append(_resolve(text, source, environment, deps=deps))
            roles.append(role)
    texts = [url.text for url in urls]
    checked = notify.check_urls(texts, sources=[url.source for url in urls])
    channels: list[Channel] = []
    counts: Counter[str] = Counter()
    for role, url, accepted in zip(roles, texts, checked, strict=True):
        name = f"{role} {accepted.label}"
        counts[name] += 1
        if counts[name] > 1:
            name = f"{name} #{counts[name]}"
        deps.screen.masker.learn_values(secret_parts(url, shown=accepted.label))
        channels.append(Channel(name, accepted.label, role, url))
    return tuple(channels)


def _heartbeat_url(settings: WatchSettings, environment: Environment, *, deps: Deps) -> str:
    if not settings.heartbeat:
        return ""
    url = _resolve(settings.heartbeat, "[watch] heartbeat", environment, deps=deps)
    label = check_ping_url(url.text, source=url.source)
    deps.screen.masker.learn_values(secret_parts(url.text, shown=label))
    return url.text


def heartbeat_to(url: str, interval: float, *, deps: Deps) -> Heartbeat | None:
    """Return the heartbeat, if there is a URL for it. `interval`: seconds."""
    if not url:
        return None
    return Heartbeat(url, interval, send=ping, clock=deps.now)


def delivery_to(
    channels: Sequence[Channel],
    environment: Environment,
    outbox: Outbox | None = None,
    *,
    deps: Deps,
) -> Delivery:
    """Return the delivery to the channels. `outbox`: what waited when the last watch ended."""
    return Delivery(
        channels,
        outbox or Outbox(),
        writer=writer_of(environment, deps=deps),
        send=notify.send,
        receipts=Receipts(deps.state, environment.project or environment.name),
    )


def writer_of(environment: Environment, *, deps: Deps) -> NoticeWriter:
    """Return what writes messages for this environment as text."""
    place = environment.name
    if environment.project:
        place = f"{place} (project {environment.project})"
    return NoticeWriter(f"{place} on {socket.gethostname()}", deps.screen.masker.line)


def _resolve(written: str, source: str, environment: Environment, *, deps: Deps) -> SecretUrl:
    return resolve(
        written,
        source,
        variable=_variables(environment, deps=deps),
        read=_read_private,
        directory=environment.directory,
    )


def _variables(environment: Environment, *, deps: Deps) -> Callable[[str], str | None]:
    """Return a look-up of variables: the process's own, else those of the env files."""

    def look_up(name: str) -> str | None:
        if value := deps.environ.get(name):
            return value
        files = environment.env_files or default_env_files(environment)
        try:
            values = read(tuple(file for file in files if file.is_file()))
        except (DartsctlError, OSError):  # Compose reports what is wrong with the file
            return None
        return values[name].value if name in values else None

    return look_up


def _read_private(path: Path) -> str:
    """Return the text of a file that only its owner can read. Raises UsageError."""
    try:
        mode = path.stat().st_mode
        text = bounded_file.read_text(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    for objection in judge_mode(str(path), mode):
        raise UsageError(objection.sentence, hint=objection.advice)
    return text


def _unreadable(path: Path, error: OSError | ValueError) -> DartsctlError:
    if isinstance(error, OSError):
        return bounded_file.unreadable(path, error)
    return UsageError(f"cannot read {path}: not the name of a file")
