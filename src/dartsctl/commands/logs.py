"""`logs`: Compose's own, as if it had been typed: its colours, its Ctrl-C, its exit code."""

from __future__ import annotations

from dartsctl.edges.docker import Compose


def logs(services: tuple[str, ...], *, compose: Compose, follow: bool, tail: str | None, since: str | None, timestamps: bool) -> None:
    """Become `docker compose logs`. Does not return."""
    words = ["logs"]
    if follow:
        words.append("--follow")
    if timestamps:
        words.append("--timestamps")
    if tail is not None:
        words += ["--tail", tail]
    if since is not None:
        words += ["--since", since]
    compose.exec(*words, *services)
