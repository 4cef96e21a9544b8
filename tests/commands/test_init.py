"""`init` as a user starts it: what it writes, what it keeps, and that production accepts it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest
from dotenv import dotenv_values

from dartsctl.config.load_settings import load
from dartsctl.config.secrets import Variable, judge
from dartsctl.edges.project.files import template_names

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)

REPOSITORY = Path(__file__).parents[2]
DARTSCTL = [sys.executable, "-m", "dartsctl"]
Run = Callable[..., "Said"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An empty git checkout."""
    folder = tmp_path / "shop"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture
def run(shop: Path) -> Run:
    """`dartsctl init WORDS` in the checkout, without a terminal."""
    from live.stack import Said

    def init(*words: str | Path, cwd: Path = shop, **variables: str) -> Said:
        done = subprocess.run(
            [*DARTSCTL, "init", *map(str, words)],
            cwd=cwd,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.text, said
        return said

    return init


def listing(folder: Path) -> dict[str, str]:
    """Return every file with its mode and a hash of its content, without those of git."""
    files = (
        path
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    )
    content: dict[str, str] = {}
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content[path.relative_to(folder).as_posix()] = f"{mode(path):04o} {digest}"
    return content


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- an empty folder ---------------------------------------------------------------------------


def test_an_empty_checkout_gets_all_files_and_a_second_run_writes_nothing(
    run: Run, shop: Path
) -> None:
    said = run("--stack", "--yes")
    assert said.code == 0, said.err
    made = listing(shop)
    others = {
        "dartsctl.toml",
        ".env",
        ".env.production",
        ".gitignore",
        "compose/nginx/certs/tls.crt",
        "compose/nginx/certs/tls.key",
    }
    assert made.keys() == {*template_names("compose"), *others}
    again = run("--stack")
    assert again.code == 0
    assert "nothing to do: all files exist" in again.err
    assert listing(shop) == made


def test_secrets_are_new_different_private_and_never_shown(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    outputs = [run("--stack", "--yes", "-v"), run("--stack", "--json"), run("--stack", "--dry-run")]
    values = {name: value or "" for name, value in dotenv_values(shop / ".env.production").items()}
    secret = [value for name, value in values.items() if name.endswith(("PASSWORD", "KEY"))]
    assert len(secret) == len(set(secret)) >= 4
    assert all(len(value) == 48 and value.isalnum() for value in secret)
    assert [
        mode(shop / name) for name in (".env", ".env.production", "compose/nginx/certs/tls.key")
    ] == [0o600] * 3
    assert judge([Variable(name, value, "") for name, value in values.items()], {}) == ()
    other = tmp_path / "other"
    other.mkdir()
    outputs.append(run("--stack", "--yes", "--json", cwd=other))
    assert not set(secret) & set(dotenv_values(other / ".env.production").values())
    everything = "".join(said.text for said in outputs)
    for folder in (shop, other):
        for value in dotenv_values(folder / ".env.production").values():
            assert value is None or len(value) < 20 or value not in everything
    assert "PRIVATE KEY" not in everything


def test_the_settings_are_the_bundled_stacks_under_the_projects_own_name(
    run: Run, shop: Path
) -> None:
    run("--stack", "--yes")
    settings = load(shop, {})
    assert settings.name == "shop"
    assert {name: own.project for name, own in settings.environments.items()} == {
        "dev": "shop-dev",
        "prod": "shop",
    }
    assert settings.server.directory == shop / "compose" / "sample"
    ours = load(REPOSITORY, {})
    assert settings.ports == ours.ports
    assert settings.server.env == ours.server.env


def test_an_app_with_dockerfiles_is_built_instead_of_the_sample(run: Run, shop: Path) -> None:
    for name in ("Dockerfile", "Dockerfile.gateway", "app.py"):
        (shop / name).write_text("")
    assert run("--stack", "--yes").code == 0
    assert not (shop / "compose" / "sample").exists()
    for name in (".env", ".env.production"):
        assert dotenv_values(shop / name)["DARTSERVER_DIR"] == ".."
    server = load(shop, {}).server
    assert (server.directory, server.health) == (shop, None)


def test_a_dry_run_lists_exactly_what_is_then_written_and_writes_nothing(
    run: Run, shop: Path
) -> None:
    said = run("--stack", "--dry-run", "--json")
    assert said.code == 0
    assert said.document["dry_run"] is True
    assert listing(shop) == {}
    lines = run("--stack", "--dry-run").out.splitlines()
    assert run("--stack", "--yes").code == 0
    planned = {
        Path(file["path"]).relative_to(shop).as_posix(): file["mode"]
        for file in said.document["files"]
        if file["action"] != "keep"
    }
    assert planned == {name: line.split()[0] for name, line in listing(shop).items()}
    assert {line.split()[1] for line in lines if line[0] != " "} == planned.keys()


# --- the question ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--no-input",), ("--json",)])
def test_without_a_terminal_nothing_is_written_and_the_flag_is_named(
    run: Run, shop: Path, words: tuple[str, ...]
) -> None:
    said = run("--stack", *words)
    assert said.code == 7
    assert "--yes" in said.text
    assert listing(shop) == {}


@pytest.mark.parametrize(("keys", "code"), [("n", 7), ("\r", 7), ("\x03", 130), ("y", 0)])
def test_at_a_terminal_the_plan_is_shown_with_one_question(
    shop: Path, keys: str, code: int
) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    child = pexpect.spawn(
        DARTSCTL[0],
        [*DARTSCTL[1:], "init", "--stack"],
        cwd=str(shop),
        env={**environ, "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(50, 250),
        timeout=60,
    )
    child.expect_exact("create  .env.production")
    child.expect_exact(f"Write these files into {shop}?")
    child.expect_exact("(y/N)")
    child.send(keys)
    child.expect(pexpect.EOF, timeout=60)
    child.close()
    assert child.exitstatus == code
    assert bool(listing(shop)) == (code == 0)


# --- existing files ----------------------------------------------------------------------------


def test_existing_files_are_kept_and_missing_variables_are_named(run: Run, shop: Path) -> None:
    mine = {
        "dartsctl.toml": 'name = "mine"\n',
        ".env": "POSTGRES_PASSWORD=mine\n",
        ".env.production": "POSTGRES_PASSWORD=canary-mine-9f2c4b7e\n",
        ".env.production.example": "POSTGRES_PASSWORD=change-me\nNEW_ONE=1\nANOTHER=2\n",
        "compose/README.md": "mine\n",
        "compose/nginx/nginx.conf": "mine\n",
    }
    for name, text in mine.items():
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_text(text)
    said = run("--stack", "--yes", "--json")
    assert said.code == 0
    assert {name: (shop / name).read_text() for name in mine} == mine
    assert (
        f"warning: {shop}/.env.production lacks variables of its example: ANOTHER, NEW_ONE"
        in said.err
    )
    assert "canary" not in said.text
    files = {
        Path(file["path"]).relative_to(shop).as_posix(): file for file in said.document["files"]
    }
    kept = {name for name, file in files.items() if file["action"] == "keep"}
    assert kept == mine.keys() - {".env.production.example"}
    assert files[".env.production"]["missing"] == ["ANOTHER", "NEW_ONE"]


def test_an_env_file_is_created_from_its_example_and_the_rest_is_left_to_a_person(
    run: Run, shop: Path
) -> None:
    (shop / "compose.prod.yml").write_text("services: {}\n")
    example = (
        "# a comment\nSECRET_KEY=change-me\nSITE=<your site>\nSTRIPE_API_KEY=change-me\n"
        "URL=amqp://u:change-me@h/\nTZ=Europe/Berlin\nOPTIONAL_KEY=\n"
    )
    (shop / ".env.production.example").write_text(example)
    said = run("--yes")
    for name in ("SITE", "URL"):
        assert f"replace the value of {name} in .env.production: production refuses it" in said.err
    assert "set STRIPE_API_KEY in .env.production: a secret whose value cannot be kn" in said.err
    made = dotenv_values(shop / ".env.production")
    assert {name: value for name, value in made.items() if name != "SECRET_KEY"} == {
        "SITE": "<your site>",
        "STRIPE_API_KEY": "change-me",
        "URL": "amqp://u:change-me@h/",
        "TZ": "Europe/Berlin",
        "OPTIONAL_KEY": "",
    }
    assert len(made["SECRET_KEY"] or "") == 48
    assert (shop / ".env.production").read_text().startswith("# a comment\nSECRET_KEY=")
    assert (shop / ".env.production.example").read_text() == example
    assert not (shop / "compose").exists()


def test_harmless_defaults_stay_in_the_dev_file(run: Run, shop: Path) -> None:
    (shop / "compose.dev.yml").write_text("services: {}\n")
    (shop / ".env.example").write_text("POSTGRES_PASSWORD=darts-dev\nSECRET_KEY=your-key-here\n")
    assert run("--yes").code == 0
    made = dotenv_values(shop / ".env")
    assert made["POSTGRES_PASSWORD"] == "darts-dev"
    assert len(made["SECRET_KEY"] or "") == 48
    assert not (shop / ".env.production").exists()


# --- which Compose files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "stacks"),
    [
        (
            ("compose/dev.yml", "compose/prod.yml"),
            {"dev": ["compose/dev.yml"], "prod": ["compose/prod.yml"]},
        ),
        (
            ("docker-compose-localhost.yml", "docker-compose-wso2.yml"),
            {"dev": ["docker-compose-localhost.yml"], "prod": ["docker-compose-wso2.yml"]},
        ),
        (("docker-compose.yml",), {"dev": ["docker-compose.yml"]}),
        (
            ("compose.yaml", "compose.prod.yaml"),
            {"dev": ["compose.yaml"], "prod": ["compose.prod.yaml"]},
        ),
        (("compose.dev.yml",), {"dev": ["compose.dev.yml"]}),
    ],
)
def test_the_settings_name_the_existing_compose_files(
    run: Run, shop: Path, files: tuple[str, ...], stacks: dict[str, list[str]]
) -> None:
    for name in files:
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text("services: {}\n")
    said = run("--yes", "--json")
    assert said.code == 0
    settings = said.document["settings"]
    assert {own["table"]: own["value"] for own in settings if own["key"] == "files"} == stacks
    assert "shop" in [own["value"] for own in settings if own["key"] == "name"]
    assert not (shop / ".env.production").exists(), "no variable needs one"
    assert not (shop / "compose" / "services.yml").exists()


def test_several_candidates_are_named_and_the_option_decides(run: Run, shop: Path) -> None:
    for name in (
        "docker-compose.yml",
        "docker-compose-wso2.yml",
        "docker-compose-production.yml",
        "docker-compose-localhost.yml",
    ):
        (shop / name).write_text("services: {}\n")
    before = listing(shop)
    said = run("--yes")
    assert said.code == 2
    assert "docker-compose-production.yml, docker-compose-wso2.yml" in said.err
    assert "dartsctl init --prod-file docker-compose-production.yml" in said.err
    assert listing(shop) == before
    said = run(
        "--yes",
        "--prod-file",
        "docker-compose-wso2.yml",
        "--prod-file",
        "docker-compose-production.yml",
    )
    assert said.code == 0, said.err
    settings = load(shop, {})
    assert settings.environments["prod"].files == (
        shop / "docker-compose-wso2.yml",
        shop / "docker-compose-production.yml",
    )
    assert '# files = ["docker-compose-localhost.yml"]' in settings.path.read_text()
    said = run("--prod-file", "docker-compose.yml")
    assert said.code == 2
    assert "settings already exist" in said.err


def test_a_missing_compose_file_is_named(run: Run, shop: Path) -> None:
    said = run("--yes", "--prod-file", "nope.yml")
    assert said.code == 2
    assert "--prod-file: no such file: " in said.err
    assert listing(shop) == {}


def test_with_broken_settings_nothing_is_written(run: Run, shop: Path) -> None:
    (shop / "dartsctl.toml").write_text("[prod]\nfilse = 1\n")
    assert run("--yes").code == 2
    assert listing(shop).keys() == {"dartsctl.toml"}


# --- .gitignore --------------------------------------------------------------------------------


def test_ignored_files_are_not_added(run: Run, shop: Path) -> None:
    (shop / ".gitignore").write_text(".env*\n!.env.example")
    assert run("--stack", "--yes").code == 0
    assert (
        shop / ".gitignore"
    ).read_text() == ".env*\n!.env.example\n/compose/nginx/certs/tls.key\n"
    status = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=shop, capture_output=True, text=True, check=True
    ).stdout
    assert "tls.key" not in status
    assert ".env" not in status


def test_without_git_there_is_no_gitignore_and_its_lines_are_read_where_there_is_one(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    shutil.rmtree(shop / ".git")
    assert run("--stack", "--yes").code == 0
    assert not (shop / ".gitignore").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / ".gitignore").write_text("# mine\n.env\n*.key\n")
    assert run("--stack", "--yes", cwd=other).code == 0
    assert (other / ".gitignore").read_text() == "# mine\n.env\n*.key\n/.env.production\n"


# --- the certificate ---------------------------------------------------------------------------


def test_the_certificate_is_created_in_the_folder_and_for_the_name_of_the_env_file(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    (shop / ".env.production").write_text(f"TLS_DIR={tmp_path}/tls\nTLS_NAME=darts.club\n")
    assert run("--stack", "--yes").code == 0
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in", tmp_path / "tls" / "tls.crt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DNS:darts.club" in shown.stdout
    assert mode(tmp_path / "tls" / "tls.key") == 0o600
    assert "tls" not in (shop / ".gitignore").read_text()
    assert run("--tls-name", "no name; at all", "--certificate", "x", "--dry-run").code == 2


def test_a_certificate_without_its_key_is_kept(run: Run, shop: Path) -> None:
    folder = shop / "compose" / "nginx" / "certs"
    assert run("--stack", "--yes").code == 0
    before = listing(shop)
    assert run("--stack", "--yes").code == 0
    (folder / "tls.key").unlink()
    said = run("--stack", "--yes")
    assert said.code == 0
    assert not (folder / "tls.key").exists()
    assert {name: line for name, line in before.items() if not name.endswith(".key")} == listing(
        shop
    )
    lacks = "compose/nginx/certs/tls.crt has no compose/nginx/certs/tls.key beside it"
    assert lacks in run("--stack", "--dry-run").err


def test_without_openssl_nothing_at_all_is_written(run: Run, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    git = shutil.which("git")
    assert git
    (tmp_path / "bin" / "git").symlink_to(git)
    said = run("--stack", "--yes", PATH=str(tmp_path / "bin"))
    assert said.code == 1
    assert "openssl is not installed" in said.err
    assert listing(shop) == {}


# --- with Compose and an engine ----------------------------------------------------------------


@pytest.mark.engine
def test_only_what_the_stack_has_at_both_ends_is_generated_and_not_for_data_that_exists(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    url = "postgres://u:${DB_PASSWORD:?}@db/x"
    keys = {"SECRET_KEY": "${SECRET_KEY:-dev}", "WSO2_CLIENT_SECRET": "${WSO2_CLIENT_SECRET:-}"}
    web = sleeper(environment={"DATABASE_URL": url, "SITE": "${SITE_NAME:?set it}", **keys})
    database = sleeper(environment={"POSTGRES_PASSWORD": "${DB_PASSWORD:?}"})
    database |= {"image": "postgres:16", "volumes": ["data:/var/lib/postgresql/data"]}
    web["environment"] |= {"AMQP": "amqp://shop:guest@queue/"}
    queue = sleeper(environment={"RABBITMQ_DEFAULT_PASS": "guest"}) | {"image": "rabbitmq:3"}
    services = {"web": web, "db": database, "queue": queue}
    live.compose(services, file="compose.prod.yml", volumes={"data": {}})
    volume = f"{live.project}_data"
    subprocess.run(["docker", "volume", "create", volume], check=True, capture_output=True)
    try:
        said = live.run("init", "--dry-run", "--json")
    finally:
        subprocess.run(["docker", "volume", "rm", volume], check=True, capture_output=True)
    tasks = {task["text"]: task["required"] for task in said.document["tasks"]}
    assert tasks == {
        "set DB_PASSWORD in .env.production to the current password of db: "
        f"volume {volume} exists, and a new password would not fit its data": True,
        "set SITE_NAME in .env.production: the Compose files require it (compose.prod.yml:1)": True,
        "set WSO2_CLIENT_SECRET in .env.production: a secret of the identity provider for web "
        "(compose.prod.yml:1)": False,
    }
    assert live.run("init", "--yes").code == 0
    made = dotenv_values(live.folder / ".env.production")
    lengths = {name: len(value or "") for name, value in made.items()}
    assert lengths == {
        "DB_PASSWORD": 48,
        "RABBITMQ_DEFAULT_PASS": 48,  # fixed in the files: an override replaces it
        "SECRET_KEY": 48,
        "SITE_NAME": 0,
    }
    said = live.run("prod", "check")
    assert said.code == 4
    assert "SITE_NAME is required" in said.err
    assert live.run("init", "--yes").code == 0
    assert dotenv_values(live.folder / ".env.production") == made
    with (live.folder / ".env.production").open("a") as file:
        file.write("SITE_NAME=shop\n")
    assert live.run("prod", "check").code == 0
    override = (live.folder / "compose.dartsctl-secrets.yaml").read_text()
    assert "AMQP: amqp://shop:${RABBITMQ_DEFAULT_PASS:?}@queue/" in override


@pytest.mark.engine
def test_a_clean_clone_of_this_repository_is_ready_for_production_after_init(
    live: LiveStack,
) -> None:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "compose",
            ".env*",
            "dartsctl.toml",
            ".gitignore",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        (live.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, live.folder / name)
    subprocess.run(["git", "init", "-q", str(live.folder)], check=True)
    before = listing(live.folder)
    assert live.run("prod", "check").code == 4
    said = live.run("init", "--yes")
    assert said.code == 0, said.err
    after = listing(live.folder)
    assert after.keys() - before.keys() == {
        ".env",
        ".env.production",
        "compose/nginx/certs/tls.crt",
        "compose/nginx/certs/tls.key",
    }
    assert {name: after[name] for name in before} == before
    checked = live.run("prod", "check", "--json", "-p", live.project)
    assert checked.code in (0, 3), checked.out  # somebody may have one of production's ports
    assert not any(objection["refused"] for objection in checked.document["objections"])
    assert live.run("dev", "check", "-p", f"{live.project}-dev").code in (0, 3)


# --- what is shipped ---------------------------------------------------------------------------


def test_the_wheel_contains_every_template_of_init() -> None:
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    assert wheel["include"] == ["/src/dartsctl", "/compose"]
    assert wheel["sources"] == {"src/dartsctl": "dartsctl", "compose": "dartsctl/templates/compose"}
    assert wheel["force-include"] == {
        name: f"dartsctl/templates/{name}"
        for name in ("dartsctl.toml", ".env.example", ".env.production.example")
    }
    ignored = subprocess.run(
        ["git", "check-ignore", "compose/nginx/certs/tls.key"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert ignored.returncode in (0, 128), (
        "the wheel leaves out what .gitignore names: a private key must be in it"
    )


@pytest.mark.compose
def test_an_overlay_with_a_conventional_name_is_written_after_its_base(
    run: Run, shop: Path
) -> None:
    (shop / "compose.yml").write_text('services: {web: {image: busybox, ports: ["8080:80"]}}\n')
    (shop / "compose.dev.yml").write_text("services: {web: {environment: {DEBUG: '1'}}}\n")
    (shop / "compose.prod.yml").write_text("services: {web: {image: busybox}}\n")
    assert run("--yes").code == 0
    settings = (shop / "dartsctl.toml").read_text()
    assert 'files = ["compose.yml", "compose.dev.yml"]' in settings
    assert 'files = ["compose.prod.yml"]' in settings
