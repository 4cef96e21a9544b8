"""The proxy's certificates: kept where they are good, else planned as self-signed pairs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.certificates import SOON
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.changes import PRIVATE, Change, NewPair
from dartsctl.discovery.proposal import Proposal, Task
from dartsctl.edges.project import certificate_files
from dartsctl.edges.project.proxy_certificates import ProxyPair, proxy_pairs
from dartsctl.errors import Advice, UsageError
from dartsctl.stack.model import Mount
from dartsctl.text.phrases import day, relative, shell_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dartsctl.edges.project.certificate_files import PairState
    from dartsctl.workflows.init.project import Project

_CERTIFICATES = "compose/nginx/certs"
"""The folder of the bundled stack's certificate, unless TLS_DIR names another one."""


def find_certificate(project: Project, values: Mapping[str, str]) -> Proposal:
    """Return the certificates and their keys. `values` are the variables of the env files."""
    name = _tls_name(project, values)
    folder = project.request.certificate
    pairs = _named_pairs(project)
    if folder:
        pairs = tuple(pair for pair in pairs if pair.certificate.parent == folder)
    if pairs:
        proposal = Proposal()
        for pair in pairs:
            proposal += _of_proxy(pair, name, project)
        return proposal
    folder = folder or _bundled_folder(project, values.get("TLS_DIR", ""))
    if folder is None:
        return Proposal()
    return Proposal(changes=tuple(_in_folder(folder, name or "localhost")))


def _named_pairs(project: Project) -> tuple[ProxyPair, ...]:
    """Return the pairs that production's proxies name."""
    if PRODUCTION not in project.stacks:
        return ()
    facts = project.stacks[PRODUCTION]
    return proxy_pairs(facts.stack, facts.contexts)


def _of_proxy(pair: ProxyPair, name: str, project: Project) -> Proposal:
    """Return the plan for a pair that a proxy's configuration names."""
    shown = relative(project.root, pair.certificate)
    shown_key = relative(project.root, pair.key)
    by = f"{pair.service} reads it ({_place(pair, project)})"
    for path in (pair.certificate, pair.key):
        if path.is_dir():  # the engine makes a folder of a file that a mount lacks
            command = shell_command("rmdir", path)
            text = f"{relative(project.root, path)} is a folder, {by}: remove it, then init again"
            return Proposal(tasks=(Task(text, (command,)),))
    existing = [path for path in (pair.certificate, pair.key) if os.path.lexists(path)]
    if len(existing) == 1:
        (there,) = existing
        lacking = shown_key if there == pair.certificate else shown
        text = f"{relative(project.root, there)} has no {lacking} beside it; {by}"
        return Proposal(changes=(_kept(there, pair),), tasks=(Task(text),))
    if not existing:
        return _missing(pair, name, shown, by)
    state = certificate_files.pair_state(pair.certificate, pair.key)
    kept = (_kept(pair.certificate, pair), _kept(pair.key, pair))
    return Proposal(changes=kept) + _judged(pair, state, name, project, shown)


def _missing(pair: ProxyPair, name: str, shown: str, by: str) -> Proposal:
    if pair.is_made_at_run_time:
        text = f"{shown} does not exist; {by}, and another service is to get it: start that first"
        return Proposal(tasks=(Task(text, is_required=False),))
    new = NewPair(pair.certificate, pair.key, _names(pair, name))
    about = f"self-signed for {', '.join(new.names)}, {certificate_files.DAYS} days; {by}"
    return Proposal(
        changes=(
            Change("create", pair.key, "its private key; 0600", mode=PRIVATE, makes=new),
            Change("create", pair.certificate, about, makes=new),
        )
    )


def _judged(pair: ProxyPair, state: PairState, name: str, project: Project, shown: str) -> Proposal:
    """Return what is wrong with an existing pair, and the renewal of a self-signed one."""
    if fault := _fault(pair, state, project, shown):
        return _task(fault, _show(pair))
    ends = state.ends or 0.0
    left = ends - project.deps.now()
    if left > SOON and state.is_self_signed:
        note = f"{shown} is self-signed: browsers warn about it; it ends on {day(ends)}"
        return Proposal(notes=(note,))
    if left > SOON:
        return Proposal()
    when = f"ends on {day(ends)}" if left > 0 else f"expired on {day(ends)}"
    if not state.is_self_signed:
        return _task(f"{shown} {when}: get a new one where it comes from", _show(pair))
    if project.request.yes and project.request.certificate is None:
        command = shell_command("dartsctl", "init", "--certificate", pair.certificate.parent)
        return _task(f"{shown} {when}: a new self-signed one replaces it with", command)
    return Proposal(changes=(_renewed(pair, name, when),))


def _fault(pair: ProxyPair, state: PairState, project: Project, shown: str) -> str:
    """Return why no server can use a pair, whatever its dates; empty where one can."""
    if state.ends is None:
        place = _place(pair, project)
        return f"{shown} is no readable certificate; {pair.service} reads it ({place})"
    if state.key == "does not fit":
        key = relative(project.root, pair.key)
        return f"{shown} does not fit its key {key}: get the other half of one of them"
    return ""


def _place(pair: ProxyPair, project: Project) -> str:
    """Return the file and line that name a pair: `nginx/nginx.conf:28`."""
    file, _, line = pair.place.rpartition(":")
    return f"{relative(project.root, Path(file))}:{line}"


def _show(pair: ProxyPair) -> str:
    """Return the command that shows a certificate."""
    words = ("-noout", "-subject", "-issuer", "-dates", "-in", pair.certificate)
    return shell_command("openssl", "x509", *words)


def _task(text: str, paste: str) -> Proposal:
    return Proposal(tasks=(Task(text, (paste,)),))


def _renewed(pair: ProxyPair, name: str, when: str) -> Change:
    """Plan a new certificate for the same key: who trusts the key, goes on trusting it."""
    new = NewPair(pair.certificate, pair.key, _names(pair, name), old_key=pair.key)
    about = f"{when}: a new one for the same key, {certificate_files.DAYS} days"
    old = pair.certificate.read_bytes()
    return Change("edit", pair.certificate, about, old=old, makes=new)


def _names(pair: ProxyPair, name: str) -> tuple[str, ...]:
    """Return the host names of a new certificate: those asked for, else the configuration's."""
    if name:
        return (name,)
    return pair.names or ("localhost",)


def _kept(path: Path, pair: ProxyPair) -> Change:
    if path == pair.key:
        return Change("keep", path, "its private key", mode=PRIVATE)
    return Change("keep", path, "the certificate")


def _tls_name(project: Project, values: Mapping[str, str]) -> str:
    """Return the host name that was asked for. Raises UsageError for what is none."""
    name = project.request.tls_name or values.get("TLS_NAME") or ""
    return _check_tls_name(name) if name else ""


def _in_folder(folder: Path, name: str) -> Iterable[Change]:
    """Plan tls.crt and tls.key in a folder that is named, or the bundled stack's."""
    scan = certificate_files.look([Mount(str(folder), "/certs")])
    usable = [pair for pair in scan.certificates if pair.key in ("fits", "unreadable")]
    if usable:
        return [Change("keep", pair.path, "the certificate") for pair in usable]
    key, certificate = folder / "tls.key", folder / "tls.crt"
    half = [file for file in (key, certificate) if file.exists()]
    if half:
        about = "the other half is missing or does not match: add it, or remove this file"
        return [Change("keep", file, about) for file in half]
    new = NewPair(certificate, key, (name,))
    about = f"self-signed for {name}, {certificate_files.DAYS} days"
    return [
        Change("create", key, "its private key; 0600", mode=PRIVATE, makes=new),
        Change("create", certificate, about, makes=new),
    ]


def _bundled_folder(project: Project, tls_dir: str) -> Path | None:
    """Return TLS_DIR, else the bundled stack's folder.

    None for another stack, whose configuration or `--certificate` names a folder.
    """
    files = project.files_of(PRODUCTION)
    if tls_dir and files:
        return Path(os.path.normpath(files[0].parent / tls_dir))
    bundled = project.root / _CERTIFICATES
    return bundled if project.bundled or bundled.is_dir() else None


def _check_tls_name(text: str) -> str:
    """Return a host name or address for a certificate. Raises UsageError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9*:](?:[A-Za-z0-9.:-]{0,250}[A-Za-z0-9])?", text):
        raise UsageError(
            f"{text!r} is not a host name",
            hint=Advice("set TLS_NAME=darts.example.org in the env file, or use --tls-name"),
        )
    return text
