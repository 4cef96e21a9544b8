"""Ports that an override appended: real Compose files, and what is said (edge-cases.md#51)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dartsctl.cli.deps import compose_on
from dartsctl.config.environment import Environment, adhoc
from dartsctl.ports.availability import Availability
from dartsctl.ports.conflicts import PortVerdicts
from dartsctl.ports.verdicts import judge
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.publishing import stack_bindings
from dartsctl.workflows.preflight.port_origins import port_origins
from dartsctl.workflows.preflight.preflight import Preflight
from dartsctl.workflows.preflight.report import conflict_texts
from dartsctl.workflows.preflight.rival_words import files_to_change, remedy_lines
from fakes.deps import FakeClock, fake_deps
from fakes.kernel import FakeKernel
from fakes.preflights import preflight

pytestmark = pytest.mark.compose

BASE = "name: demo\nservices:\n  web: {image: busybox, ports: [%s]}\n"
LATER = "services:\n  web: {ports: [%s]}\n"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path / "state"))


def write(**files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = Path(
            name.replace("__", "/").replace("_yml", ".yml").replace("_override", ".override")
        )
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        paths.append(path.absolute())
    return paths


def checked(
    files: list[Path], environment: Environment | None = None, version: str = "28.5.2"
) -> Preflight:
    """Return the preflight of these files on a host whose ports are all free."""
    environment = environment or adhoc(files=files, directory=Path())
    stack = read_stack(compose_on(environment).config().model)
    engine = EngineRules(version)
    nothing = Convergence((), (), (), ())
    published = stack_bindings(stack, engine)
    verdicts = PortVerdicts(
        judge(
            published.bindings,
            engine=engine,
            availability=Availability(engine, nothing, FakeKernel()),
            attribute=lambda *_: (),
            doubtful={},
        )
    )
    deps = replace(fake_deps(Path("state"), FakeClock()), compose_on=compose_on)
    origins = port_origins(environment, files, stack, verdicts, deps)
    return replace(
        preflight(stack=stack), verdicts=verdicts, files=tuple(files), port_origins=origins
    )


@pytest.mark.parametrize("version", ["28.5.2", "26.1.5", "20.10.24"])
def test_an_appended_port_names_both_files_and_the_lines_that_replace_it(version: str) -> None:
    files = write(
        compose_yml=BASE % '"127.0.0.1:8080:80", "9000:9000"', codespace_yml=LATER % '"8080:80"'
    )
    result = checked(files, version=version)
    for text in conflict_texts(result):
        assert text.holders == (
            "wanted by service web: 127.0.0.1:8080:80 [compose.yml]",
            "wanted by service web: 8080:80 [codespace.yml]",
        )
    first, *snippet = remedy_lines(result)
    assert first == (
        "Compose adds the `ports` of codespace.yml to those of compose.yml;"
        " to replace them, write in codespace.yml (Compose 2.24.4 or newer):"
    )
    assert snippet == [
        "  services:",
        "    web:",
        "      ports: !override",
        '        - "9000:9000"',
        '        - "8080:80"',
    ]
    assert files_to_change(result) == "codespace.yml"


def test_the_lines_that_replace_it_leave_no_conflict() -> None:
    files = write(
        compose_yml=BASE % '"127.0.0.1:8080:80", "53:53/udp"',
        dev_yml=LATER % '{target: 80, published: "8080", host_ip: 0.0.0.0}',
    )
    snippet = "\n".join(remedy_lines(checked(files))[1:])
    files[1].write_text(snippet.replace("\n  ", "\n").removeprefix("  "))
    result = checked(files)
    assert result.is_clear
    assert sorted(str(port) for port in result.stack.services["web"].ports) == [
        "0.0.0.0:8080:80/tcp",
        "53:53/udp",
    ]


def test_of_three_files_the_latest_one_replaces_the_others() -> None:
    files = write(
        a_yml=BASE % '"8080:80"',
        b_yml=LATER % '"127.0.0.1:8080:80"',
        c_yml=LATER % '"[::1]:8080:80"',
    )
    lines = remedy_lines(checked(files))
    assert lines[0].startswith("Compose adds the `ports` of c.yml to those of a.yml and b.yml;")
    assert lines[-1] == '        - "[::1]:8080:80"'


def test_the_override_that_compose_finds_by_itself_is_named() -> None:
    files = write(
        compose_yml=BASE % '"8080:80"', compose_override_yml=LATER % '"127.0.0.1:8080:80"'
    )
    environment = adhoc(directory=Path())
    assert environment.files == ()
    result = checked(files, environment)
    assert files_to_change(result) == "compose.override.yml"


def test_profiles_and_a_base_that_is_incomplete_alone_hide_no_origin() -> None:
    files = write(
        a_yml='services:\n  web: {ports: ["8080:80"], profiles: [full], depends_on: [db]}\n',
        b_yml='services:\n  web: {image: busybox, ports: ["127.0.0.1:8080:80"]}\n'
        "  db: {image: busybox, profiles: [full]}\n",
    )
    environment = adhoc(files=files, profiles=("full",), directory=Path())
    assert files_to_change(checked(files, environment)) == "b.yml"


def test_entries_of_a_service_that_is_extended_may_stand_in_the_other_file() -> None:
    write(common_yml=BASE % '"8080:80"')
    files = write(
        compose_yml="services:\n  web:\n    extends: {file: common.yml, service: web}\n"
        '    ports: ["127.0.0.1:8080:80"]\n'
    )
    (line,) = remedy_lines(checked(files))
    assert line == (
        "keep only one of these `ports` of web,"
        " in compose.yml or a file that it includes or extends"
    )


def test_two_services_are_told_apart_with_their_files() -> None:
    files = write(
        compose_yml=BASE % '"8080:80"',
        tools_yml='services:\n  admin: {image: busybox, ports: ["8080:8000"]}\n',
    )
    result = checked(files)
    for text in conflict_texts(result):
        assert set(text.holders) == {
            "wanted by service web: 8080:80 [compose.yml]",
            "wanted by service admin: 8080:8000 [tools.yml]",
        }
    assert remedy_lines(result) == [
        "give admin or web another host port, in compose.yml or tools.yml"
    ]


def test_replicas_of_a_service_are_in_each_others_way() -> None:
    files = write(compose_yml='services:\n  web: {image: busybox, scale: 2, ports: ["8080:80"]}\n')
    result = checked(files)
    (text,) = conflict_texts(result)
    assert text.holders == (
        "wanted by each of the 2 replicas of service web: 8080:80 [compose.yml]",
    )
    assert remedy_lines(result) == [
        "publish a range of host ports for web, in compose.yml, or run one replica"
    ]


def test_udp_beside_tcp_is_no_conflict_and_nothing_is_asked() -> None:
    files = write(compose_yml=BASE % '"53:53/udp"', dev_yml=LATER % '"53:53/tcp"')
    result = checked(files)
    assert result.is_clear
    assert result.port_origins.files == ()


def test_several_services_of_one_override_are_one_text_to_write_there() -> None:
    entry = "  %s: {image: busybox, ports: [%s]}\n"
    services = "services:\n" + entry % ("web", "%s") + entry % ("api", "%s")
    files = write(
        compose_yml="name: demo\n" + services % ('"8080:80"', '"127.0.0.1:8081:81"'),
        prod_yml=services % ('"127.0.0.1:8080:80"', '"8081:81"'),
    )
    lines = remedy_lines(checked(files))
    assert lines[0].startswith("Compose adds the `ports` of prod.yml to those of compose.yml")
    snippet = yaml.safe_load("\n".join(lines[1:]).replace("!override", ""))
    assert snippet == {
        "services": {"api": {"ports": ["8081:81"]}, "web": {"ports": ["127.0.0.1:8080:80"]}}
    }


def test_a_service_against_itself_and_another_one_hears_of_both() -> None:
    files = write(
        compose_yml='services:\n  web: {image: busybox, ports: ["8080:80", "8080:81"]}\n'
        '  admin: {image: busybox, ports: ["8080:8000"]}\n'
    )
    assert remedy_lines(checked(files)) == [
        "keep only one of these `ports` of web, in compose.yml",
        "give admin or web another host port, in compose.yml",
    ]
