"""Calls of Compose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.engine.kept_models import KeptModels
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError
from fakes.machines import ANSWERS_VERSION, write_script
from own_children import own_children

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


@pytest.fixture
def machine_compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of a Compose plugin for a script."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "cli-plugins" / "docker-compose"


@pytest.mark.engine
def test_the_model_is_what_compose_resolves(live: LiveStack) -> None:
    from live.stack import sleeper

    (live.folder / "my.env").write_text(f"PORT={live.ports[0]}\n")
    live.compose(
        {"web": sleeper("${PORT}:80", "${NOT_SET}:81"), "debug": sleeper(profiles=["debug"])}
    )
    environment = adhoc(
        files=(live.folder / "compose.json",),
        env_files=(live.folder / "my.env",),
        profiles=("debug",),
        directory=live.folder,
    )
    resolved = Compose(environment).config()
    assert sorted(resolved.model["services"]) == ["debug", "web"]
    assert [entry.get("published") for entry in resolved.model["services"]["web"]["ports"]] == [
        str(live.ports[0]),
        None,
    ]
    assert resolved.unset_variables == ("NOT_SET",)
    compose = Compose(environment)
    asked = compose.hashes(("web",))
    assert asked.keys() == {"web"}
    compose.start_hashes()
    assert compose.hashes(("web",)) == asked
    compose.end_hashes()  # nothing is left to end


def test_hashes_that_nobody_asks_for_are_ended(tmp_path: Path, machine_compose: Path) -> None:
    write_script(machine_compose, f"{ANSWERS_VERSION}\nexec sleep 60")
    (tmp_path / "compose.yml").write_text("services: {}\n")
    compose = Compose(adhoc(files=(tmp_path / "compose.yml",), directory=tmp_path))
    before = own_children()
    compose.start_hashes()
    assert own_children() - before
    compose.end_hashes()
    assert own_children() <= before


@pytest.mark.parametrize("early", ["exit 1", "echo web 1"])
def test_hashes_of_all_that_lack_one_are_asked_for_again(
    tmp_path: Path, machine_compose: Path, early: str
) -> None:
    """A service of an inactive profile may need a file that is not there."""
    write_script(
        machine_compose,
        f"{ANSWERS_VERSION}\ncase \"$*\" in *'*') {early};; *) echo web 1; echo db 2;; esac",
    )
    (tmp_path / "compose.yml").write_text("services: {}\n")
    compose = Compose(adhoc(files=(tmp_path / "compose.yml",), directory=tmp_path))
    compose.start_hashes()
    assert compose.hashes(("web", "db")) == {"web": "1", "db": "2"}


@pytest.mark.engine
def test_a_secret_in_an_error_of_compose_is_masked(
    live: LiveStack, capsys: pytest.CaptureFixture[str]
) -> None:
    live.compose({"web": {"image": "x", "ports": ["canary-value:80"]}})
    environment = adhoc(files=(live.folder / "compose.json",), directory=live.folder)
    screen = Screen()
    screen.masker.learn({"PORT_SECRET": "canary-value"})
    with pytest.raises(DartsctlError) as caught:
        Compose(environment, masker=screen.masker).config()
    screen.error(caught.value)
    stderr = capsys.readouterr().err
    assert "canary" not in stderr
    assert "Compose cannot read" in stderr


BASE = """
services:
  web: {image: busybox, ports: ["8080:80"]}
networks:
  inner: {}
"""
OVERLAYS = {
    "no image": 'services: {web: {ports: ["8081:80"]}}',
    "depends on the base": "services: {worker: {image: busybox, depends_on: [web]}}",
    "uses a network of the base": "services: {worker: {image: busybox, networks: [inner]}}",
}


@pytest.mark.compose
@pytest.mark.parametrize("overlay", OVERLAYS.values(), ids=OVERLAYS)
@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("compose.yaml", "compose.prod.yaml"),
        ("compose.yml", "compose.override.yml"),
        ("docker-compose.yml", "docker-compose.dev.yml"),
        ("docker-compose.base.yml", "docker-compose.prod.yml"),
        ("base.yml", "docker-compose.dev.yml"),
        ("compose.yml", "compose/prod.yml"),
    ],
)
def test_an_overlay_that_is_read_alone_names_its_base(
    base: str, name: str, overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / base).write_text(BASE)
    (tmp_path / name).write_text(overlay)
    environment = adhoc(files=(Path(name),), directory=tmp_path)
    with pytest.raises(DartsctlError) as caught:
        Compose(environment).config()
    assert caught.value.hint == f"dartsctl check --file {base} --file {name}"
    assert caught.value.details[0].startswith(f"{name} is an overlay: with {base} before it")


@pytest.mark.compose
def test_a_file_that_no_base_completes_is_not_called_an_overlay(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(BASE)
    (tmp_path / "other.yml").write_text("services: {api: {depends_on: [nowhere], image: x}}")
    environment = adhoc(files=(tmp_path / "other.yml",), directory=tmp_path)
    with pytest.raises(DartsctlError) as caught:
        Compose(environment).config()
    assert caught.value.details == ()
    assert "overlay" not in caught.value.hint


@pytest.mark.compose
def test_a_literal_of_the_compose_files_is_told_from_what_an_env_file_says(tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("FROM_FILE=postgres\n")
    (tmp_path / ".env").write_text("DB_PASSWORD=postgres\n")
    (tmp_path / "compose.yml").write_text(
        "services:\n  web:\n    image: busybox\n    env_file: web.env\n    environment:\n"
        "      LITERAL: postgres\n      REPLACED: ${DB_PASSWORD}\n      EMPTY:\n"
    )
    environment = adhoc(files=(tmp_path / "compose.yml",), directory=tmp_path)
    assert Compose(environment).written_environments() == {
        ("web", "LITERAL"): "postgres",
        ("web", "REPLACED"): "${DB_PASSWORD}",
    }


@pytest.mark.compose
@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ('["${P:-63x}:80"]', '/inner.yml:4: service db: ports: `${P:-63x}:80`: "63x" is not'),
        (
            '[{target: 80, published: "${P:-8 0}"}]',
            '/inner.yml:4: service db: ports.published: `${P:-8 0}`: "8 0" is not a port number',
        ),
    ],
)
def test_a_wrong_port_of_an_included_file_is_told_with_that_file(
    tmp_path: Path, inner: str, sentence: str
) -> None:
    outer = tmp_path / "compose.yml"
    outer.write_text("name: demo\ninclude: [inner.yml]\n")
    (tmp_path / "inner.yml").write_text(f"services:\n  db:\n    image: x\n    ports: {inner}\n")
    with pytest.raises(DartsctlError) as caught:
        Compose(adhoc(files=(outer,), directory=tmp_path)).config()
    assert sentence in str(caught.value)


@pytest.mark.engine
def test_compose_says_whether_files_stand_alone_and_is_not_asked_again(live: LiveStack) -> None:
    from live.stack import sleeper

    base = live.compose({"web": sleeper()}, file="compose.yaml")
    over = live.compose({"web": {"environment": {"A": "${A:?}"}}}, file="over.yaml")
    joined = live.compose({"web": {"environment": {"B": "b"}}}, file="joined.yaml")
    kept = KeptModels()

    def compose_on(*files: Path, profiles: tuple[str, ...] = ()) -> Compose:
        environment = adhoc(files=files, profiles=profiles, directory=live.folder)
        return Compose(environment, kept=kept)

    assert not compose_on(over).is_complete(), "although Compose stops at the variable first"
    assert compose_on(base, over).is_complete()
    assert not compose_on(joined).is_complete()
    assert compose_on(base, joined).is_complete()
    base.write_text("services: [")
    assert compose_on(base, joined).config().model["services"]["web"]["environment"] == {"B": "b"}
    with pytest.raises(DartsctlError):
        compose_on(base, joined).config()


@pytest.mark.engine
def test_compose_says_whether_a_service_has_the_first_profile(live: LiveStack) -> None:
    from live.stack import sleeper

    file = live.compose({"web": sleeper(), "tool": sleeper(profiles=["tools"])})
    for profiles, has in ((("tools", "x"), True), (("x", "tools"), False), ((), False)):
        environment = adhoc(files=(file,), profiles=profiles, directory=live.folder)
        assert Compose(environment).has_own_profile() == has, profiles
