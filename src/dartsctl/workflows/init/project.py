"""The project that `init` looks at: its Compose files, what they resolve to, and what runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dartsctl.config.settings import BUILT_IN, Settings
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps


@record
class InitRequest:
    """What `init` was asked for.

    `named`: Compose files from the command line, by environment. `certificate`: a folder that needs
    a certificate.
    """

    settings: Settings
    named: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    certificate: Path | None = None
    tls_name: str = ""
    """Empty: TLS_NAME of production's env file, else localhost."""
    dry_run: bool = False
    yes: bool = False
    check: bool = False
    """Say what is missing, and write nothing."""
    minimal: bool = False
    """Settings without comments and defaults."""
    stack: bool = False
    """The bundled stack, for a project without Compose files."""

    @property
    def root(self) -> Path:
        """The folder of the project."""
        return self.settings.root


class Project:
    """The project, as the parts of `init` see it. What is slow is read when it is first needed."""

    def __init__(
        self, request: InitRequest, stacks: Mapping[str, StackFacts], *, bundled: bool, deps: Deps
    ) -> None:
        self.request = request
        self.stacks = stacks
        """Environment -> its Compose files, as they are in the repository."""
        self.bundled = bundled
        """Whether it has no Compose files, and gets the bundled stack."""
        self.deps = deps

    def with_stack(self, facts: StackFacts) -> Project:
        """Return the project with another stack for an environment, such as a planned one."""
        stacks = {**self.stacks, facts.name: facts}
        return Project(self.request, stacks, bundled=self.bundled, deps=self.deps)

    def without_stack(self, name: str) -> Project:
        """Return the project without the stack of an environment."""
        stacks = {other: facts for other, facts in self.stacks.items() if other != name}
        return Project(self.request, stacks, bundled=self.bundled, deps=self.deps)

    @property
    def root(self) -> Path:
        return self.request.root

    @property
    def settings(self) -> Settings:
        return self.request.settings

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that have Compose files, or get the bundled ones."""
        return BUILT_IN if self.bundled else tuple(self.stacks)

    def files_of(self, name: str) -> tuple[Path, ...]:
        """Return the Compose files of an environment, planned ones too; none where it has none."""
        if self.bundled:
            return (self.root / "compose" / f"{name}.yml",)
        return self.stacks[name].files if name in self.stacks else ()

    @property
    def own_app(self) -> bool:
        """Whether the bundled stack is built from here instead of from the sample."""
        return all((self.root / name).is_file() for name in ("Dockerfile", "Dockerfile.gateway"))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The engine's containers; none where no engine answers."""
        try:
            return self.deps.engine().containers()
        except DartsctlError:
            return ()
