"""The certificates that a proxy's configuration names: made, renewed, or left to a person."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.proposal import Proposal
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.edges.project.certificate_files import DAYS, pair_state, self_signed
from dartsctl.records import replace
from dartsctl.stack.model import Mount, Service, Stack
from dartsctl.workflows.init.certificate import find_certificate
from dartsctl.workflows.init.project import InitRequest, Project
from fakes.deps import FakeClock, fake_deps

if not shutil.which("openssl"):
    pytest.skip("openssl is not installed", allow_module_level=True)

CONFIGURATION = (
    "server {\n  server_name shop.example;\n  ssl_certificate ssl/server.crt;\n"
    "  ssl_certificate_key ssl/server.key;\n}\n"
)
DAY = 86400.0


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    return self_signed("shop.example")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "nginx" / "ssl").mkdir(parents=True)
    (tmp_path / "nginx" / "shop.conf").write_text(CONFIGURATION)
    return tmp_path


def planned(root: Path, *others: Service, days: float = 0, **wishes: Any) -> Proposal:
    """Return the plan, `days` from now."""
    conf = Mount(str(root / "nginx" / "shop.conf"), "/etc/nginx/conf.d/shop.conf", read_only=True)
    certs = Mount(str(root / "nginx" / "ssl"), "/etc/nginx/ssl", read_only=True)
    proxy = Service("proxy", image="nginx", mounts=(conf, certs))
    services = {service.name: service for service in (proxy, *others)}
    facts = StackFacts(PRODUCTION, (root / "compose.yml",), stack=Stack("shop", services, {}))
    request = replace(InitRequest(load(root, {})), **wishes)
    deps = fake_deps(root, FakeClock(time.time() + days * DAY))
    project = Project(request, {PRODUCTION: facts}, bundled=False, deps=deps)
    return find_certificate(project, {})


def write(root: Path, pair: tuple[str, str]) -> None:
    for text, name in zip(pair, ("server.crt", "server.key"), strict=True):
        (root / "nginx" / "ssl" / name).write_text(text)


def test_a_missing_pair_gets_the_names_of_the_configuration(root: Path) -> None:
    key, certificate = planned(root).changes
    assert (key.action, key.path, key.mode) == ("create", root / "nginx/ssl/server.key", 0o600)
    assert (certificate.action, certificate.path.name) == ("create", "server.crt")
    assert certificate.about == (
        f"self-signed for shop.example, {DAYS} days; proxy reads it (nginx/shop.conf:3)"
    )
    assert certificate.makes == key.makes
    assert certificate.makes
    assert certificate.makes.names == ("shop.example",)
    named = planned(root, tls_name="darts.club").changes[0].makes
    assert named
    assert named.names == ("darts.club",)


def test_a_good_pair_is_kept_and_called_self_signed(root: Path, pair: tuple[str, str]) -> None:
    write(root, pair)
    proposal = planned(root)
    assert [change.action for change in proposal.changes] == ["keep", "keep"]
    assert [change.mode for change in proposal.changes] == [0o644, 0o600]
    assert "nginx/ssl/server.crt is self-signed: browsers warn" in proposal.notes[0]
    assert not proposal.tasks


def test_an_expired_self_signed_pair_is_renewed_for_its_own_key_but_not_by_yes_alone(
    root: Path, pair: tuple[str, str]
) -> None:
    write(root, pair)
    late = DAYS + 1
    renewal = planned(root, days=late).changes[-1]
    assert (renewal.action, renewal.path.name) == ("edit", "server.crt")
    assert renewal.old == pair[0].encode()
    assert renewal.makes
    certificate, key = self_signed(*renewal.makes.names, key=renewal.makes.old_key)
    assert key == ""
    write(root, (certificate, pair[1]))
    assert pair_state(root / "nginx/ssl/server.crt", root / "nginx/ssl/server.key").key == "fits"
    left = planned(root, days=late, yes=True)
    assert {change.action for change in left.changes} == {"keep"}
    assert "expired on" in left.tasks[0].text
    assert left.tasks[0].paste == (f"dartsctl init --certificate {root}/nginx/ssl",)
    named = planned(root, days=late, yes=True, certificate=root / "nginx" / "ssl")
    assert named.changes[-1].action == "edit"


def test_one_half_a_stranger_and_rubbish_are_a_persons(root: Path, pair: tuple[str, str]) -> None:
    write(root, pair)
    (root / "nginx/ssl/server.key").write_text(self_signed("other.example")[1])
    assert "does not fit its key nginx/ssl/server.key" in planned(root).tasks[0].text
    (root / "nginx/ssl/server.crt").write_text("rubbish")
    assert "is no readable certificate" in planned(root).tasks[0].text
    (root / "nginx/ssl/server.key").unlink()
    proposal = planned(root)
    assert "nginx/ssl/server.crt has no nginx/ssl/server.key" in proposal.tasks[0].text
    assert {change.action for change in proposal.changes} == {"keep"}
    (root / "nginx/ssl/server.crt").unlink()
    (root / "nginx/ssl/server.crt").mkdir()
    proposal = planned(root)
    assert proposal.tasks[0].paste == (f"rmdir {root}/nginx/ssl/server.crt",)
    assert not proposal.changes


def test_what_another_service_writes_at_run_time_is_not_made(root: Path) -> None:
    certbot = Service("certbot", mounts=(Mount(str(root / "nginx" / "ssl"), "/out"),))
    proposal = planned(root, certbot)
    assert not proposal.changes
    assert not proposal.tasks[0].is_required


def test_the_configuration_in_a_built_image_is_read_where_it_is_built_from(root: Path) -> None:
    certs = Mount(str(root / "nginx" / "ssl"), "/etc/nginx/ssl")
    proxy = Service("proxy", is_built=True, mounts=(certs,))
    model = {"services": {"proxy": {"build": {"context": str(root / "nginx")}}}}
    stack = Stack("shop", {"proxy": proxy}, {})
    facts = StackFacts(PRODUCTION, (root / "compose.yml",), model=model, stack=stack)
    deps = fake_deps(root, FakeClock(time.time()))
    request = InitRequest(load(root, {}))
    project = Project(request, {PRODUCTION: facts}, bundled=False, deps=deps)
    changes = find_certificate(project, {}).changes
    assert [change.path.name for change in changes] == ["server.key", "server.crt"]
