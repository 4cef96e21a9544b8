"""Projects for the parts of `init`: stacks as data, an engine that knows its containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dartsctl.config.load_settings import load
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.workflows.init.project import InitRequest, Project
from fakes.deps import FakeClock, fake_deps
from fakes.engine import FakeEngine


def facts(
    name: str, *files: Path, services: Mapping[str, Any], project: str = "shop", **more: Any
) -> StackFacts:
    """Return a stack as Compose would resolve it; `project` is the name that Compose uses."""
    model = {"name": project, "services": services, **more}
    return StackFacts(name, files, model=model, stack=read_stack(model))


def init_project(
    root: Path, *stacks: StackFacts, engine: FakeEngine, settings: str = ""
) -> Project:
    """Return a project in `root` with these stacks; `settings` is its dartsctl.toml."""
    root.mkdir(exist_ok=True)
    if settings:
        (root / "dartsctl.toml").write_text(settings)
    deps = fake_deps(root / "state", FakeClock(), engine=lambda **_: engine)
    request = InitRequest(load(root, {}, project_dir=root))
    return Project(request, {stack.name: stack for stack in stacks}, bundled=False, deps=deps)


def container(
    service: str,
    project: str,
    *files: Path,
    state: str = "running",
    name: str = "",
    image: str = "busybox:1",
) -> Container:
    """Return a container that Compose has made from these files."""
    prefix = "com.docker.compose"
    labels = {
        PROJECT_LABEL: project,
        f"{prefix}.service": service,
        f"{prefix}.project.config_files": ",".join(map(str, files)),
        f"{prefix}.project.working_dir": str(files[0].parent) if files else "",
    }
    full = name or f"{project}-{service}-1"
    return Container(f"{project}{service}", full, image, state, labels=labels)
