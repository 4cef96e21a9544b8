"""Services that an app names in its code: a server on this host does not know these names."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from dartsctl.discovery.app.env_reads import read_by
from dartsctl.discovery.app.sources import Sources, text_of
from dartsctl.discovery.proposal import Task
from dartsctl.server.service_targets import service_targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dartsctl.discovery.app.app import App

_MOST = 3


def fixed_host_tasks(app: App, services: Collection[str]) -> Iterator[Task]:
    """Yield the task to read such hosts from variables; `services` are those of the dev stack."""
    places = dict(fixed_hosts(app.sources, app.files, services))
    if not places:
        return
    shown = ", ".join(f"{name} ({where})" for where, name in list(places.items())[:_MOST])
    text = (
        f"the code names the host {shown}: a server on this host does not know that name, so let "
        "the app read a variable, with this name as its default"
    )
    yield Task(text, is_required=False)


def fixed_hosts(
    sources: Sources, paths: Iterable[str], services: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of each service that is a host in the code.

    It is the `host=` of a call, or stands in a URL. Defaults of variables do not count.
    """
    for path in paths:
        variables: set[ast.AST] = set()
        for node in sources.nodes(path):
            if node in variables or read_by(node) is not None:
                variables.update(ast.iter_child_nodes(node))
                continue
            name = _host_in(node)
            if name in services:
                yield f"{path}:{getattr(node, 'lineno', 0)}", name


def _host_in(node: ast.AST) -> str:
    """Return the host that a keyword argument or the text of a URL names; empty for others."""
    if isinstance(node, ast.keyword) and node.arg in ("host", "hostname"):
        return text_of(node.value) or ""
    text = text_of(node)
    if text is None or "://" not in text:
        return ""
    return next((target.host for target in service_targets({"URL": text})), "")
