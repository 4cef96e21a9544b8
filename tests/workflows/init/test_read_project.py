"""What `init` reads of a project before it plans anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.state.compose_versions import ComposeVersions
from dartsctl.workflows.init.project import InitRequest
from dartsctl.workflows.init.read_project import read_project
from fakes.deps import FakeClock, fake_deps

pytestmark = pytest.mark.compose

VERSIONS = ComposeVersions(Path(tempfile.mkdtemp(prefix="dartsctl-test-")))


def test_a_required_variable_of_the_projects_name_is_missing_like_any_other(
    tmp_path: Path,
) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "compose.yaml").write_text("name: ${SHOP:?}\nservices: {web: {image: busybox}}\n")
    deps = fake_deps(
        root / "state",
        FakeClock(),
        compose_on=lambda environment, **_: Compose(environment, known=VERSIONS),
    )
    facts = read_project(InitRequest(load(root, {}, project_dir=root)), deps=deps).stacks["dev"]
    assert facts.unset == {"SHOP"}
    assert facts.stack.project == "shop", "and not the placeholder"
