"""`watch`: its first word is a verb, else an environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from dartsctl.cli import completion
from dartsctl.cli.app import program
from dartsctl.cli.deps import state
from dartsctl.cli.watch_options import WatchOptions, environment_name
from dartsctl.config.settings import WatchSettings
from dartsctl.errors import UsageError

if TYPE_CHECKING:
    from live.in_process import RunHere

pytest_plugins = ("live.in_process",)
pytestmark = pytest.mark.compose


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with environments that are called like verbs of `watch`."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yml").write_text("services: {web: {image: x}, test: {image: x}}\n")
    (folder / "dartsctl.toml").write_text(
        '[prod]\nfiles = ["compose.yml"]\nenv_files = []\n'
        '[environment.staging]\nfiles = ["compose.yml"]\nenv_files = []\n'
        '[environment.silence]\nfiles = ["compose.yml"]\nenv_files = []\n'
    )
    return folder


def parsed(*words: str) -> tuple[str | None, dict[str, Any]]:
    """Return the verb of `watch` that a command line names, and the parameters before it."""
    group = typer.main.get_command(program(["watch"])).commands["watch"]  # type: ignore[attr-defined]
    context = group.make_context("watch", list(words))
    verb = context._protected_args[0] if context._protected_args else None
    return verb, context.params


@pytest.mark.parametrize(
    ("words", "verb", "environment"),
    [
        ([], None, None),
        (["staging"], None, "staging"),
        (["--once", "staging", "--json"], None, "staging"),
        (["staging", "--interval", "5s"], None, "staging"),
        (["--interval", "test"], None, None),
        (["--notify", "ntfy://x", "status"], "status", None),
        (["silence", "test", "--for", "2h"], "silence", None),
        (["--", "silence"], "silence", None),
    ],
)
def test_the_first_word_is_a_verb_or_an_environment(
    words: list[str], verb: str | None, environment: str | None
) -> None:
    taken, parameters = parsed(*words)
    assert (taken, parameters.get("environment")) == (verb, environment)


def test_an_environment_that_is_called_like_a_verb_has_an_option(
    project: Path, run_here: RunHere
) -> None:
    for words in (["silences", "--env", "silence"], ["--env", "silence", "silences"]):
        done = run_here(project, "watch", *words)
        assert (done.code, done.err) == (0, "nothing of shop-silence is silenced\n")


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("silenc web --for 2h", "not a verb of `watch`: 'silenc'", "did you mean silence?"),
        ("silenc", "unknown environment: 'silenc'", "did you mean silence?"),
        ("stagin", "unknown environment: 'stagin'", "did you mean staging?"),
        ("stat", "unknown environment: 'stat'", "did you mean status?"),
        ("lfit", "unknown environment: 'lfit'", "did you mean lift?"),
        ("staging status", "not a verb of `watch`: 'staging'", "--env staging"),
        ("--once status", "--once before `watch status` has no meaning", "watch status --help"),
        ("--no-heal ack", "--no-heal before `watch ack` has no meaning", "watch ack --help"),
        ("--notify a://b test", "--notify before `watch test` has no meaning", "test --help"),
        ("--all lift web", "--all before `watch lift` has no meaning", "watch lift --help"),
        ("--all", "--all needs --once", "dartsctl watch --once --all"),
        ("--within 5m", "--within needs --once", "dartsctl watch --once --within 5m"),
        ("--once --interval 5", "--once cannot be combined with --interval", "watch --once"),
        ("--once --record r", "--once cannot be combined with --record", "watch --once"),
        ("staging --env prod", "two environments were named: staging and prod", "--env prod"),
        ("silence web --for soon", "--for: 'soon' is not a length of time", "30m"),
        ("silence web --for 0", "--for: the length of time must be between 1 s", "30m"),
        ("silence web --for 31d", "--for: a silence lasts at most 30 d", "again"),
        ("silence", "Missing", "watch silence --help"),
        ("silence planet:mars --for 2h", "neither a service nor a port", "engine"),
        ("silence wbe --for 2h", "no service of prod: 'wbe'", "did you mean web?"),
        ("lift web", "not silenced: 'web'", "dartsctl watch silences --env prod"),
        ("--interval 0", "--interval: the length of time must be between 1 s", "30m"),
        ("--metrics 0", "--metrics: 0 is not a port number", "5000"),
        ("--metrics abc", "--metrics: 'abc' is not a port number", "5000"),
    ],
)
def test_bad_words_are_refused_with_the_next_step(
    project: Path, run_here: RunHere, monkeypatch: pytest.MonkeyPatch,
    words: str, error: str, hint: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/no-engine.sock")
    done = run_here(project, "watch", *words.split())
    assert done.code == 2, done.text
    assert error in done.err
    assert hint in done.err.splitlines()[-1]


def test_what_is_given_goes_before_the_settings() -> None:
    settings = WatchSettings(notify=("a://x",), interval=30, heal=True)
    assert WatchOptions().over(settings) == settings
    given = WatchOptions(interval="5s", notify=["b://y"], metrics="9464", heal=False, reserve=True)
    over = given.over(settings)
    assert (over.interval, over.notify, over.metrics) == (5, ("b://y",), 9464)
    assert (over.heal, over.reserve) == (False, True)


def test_a_dry_run_says_what_would_be_watched_and_shows_no_secret(
    project: Path, run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/no-engine.sock")
    done = run_here(
        project, "watch", "--dry-run", "--heal", "--notify", "json://u:hunter22@127.0.0.1:1/x"
    )
    assert done.code == 0, done.text
    assert done.out.startswith("would watch prod (project shop): a look every 15 s\n")
    assert "channels: notify json://127.0.0.1" in done.out
    assert "heal: yes\n  reserve: no\n" in done.out
    assert "hunter22" not in done.text


def test_a_dry_run_refuses_a_production_port_for_metrics(project: Path, run_here: RunHere) -> None:
    done = run_here(project, "watch", "--dry-run", "--metrics", "5000")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: port 5000 for metrics is reserved for production")


def test_the_same_environment_may_be_named_twice() -> None:
    assert environment_name("prod", "prod") == "prod"
    assert environment_name(None, None) is None
    with pytest.raises(UsageError):
        environment_name("dev", "prod")


def test_verbs_and_environments_are_completed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    group: Any = typer.main.get_command(program(["watch"]))
    context = group.commands["watch"].make_context("watch", [], resilient_parsing=True)
    assert completion.watch_words(context, "s") == [
        "silence", "silences", "status", "silence", "staging"
    ]  # fmt: skip
    assert completion.environments("st") == ["staging"]


def test_a_silence_is_written_listed_and_lifted(
    project: Path, run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/no-engine.sock")
    monkeypatch.chdir(project)
    dry = run_here(project, "watch", "silence", "web", "--for", "2h", "--dry-run")
    assert dry.out.startswith("would silence web until ")
    assert "nothing of shop is silenced" in run_here(project, "watch", "silences").err
    done = run_here(project, "watch", "silence", "test", "--for", "2h", "--reason", "a \x1b[1m b")
    assert (done.code, done.out[:20]) == (0, "silenced test until ")
    assert "no watch runs now" in done.err
    assert run_here(project, "watch", "silence", "5000", "--for", "1h30m").code == 0
    listed = run_here(project, "watch", "silences")
    assert "test " in listed.out
    assert "5000/tcp " in listed.out
    assert "\x1b" not in listed.out
    group: Any = typer.main.get_command(program(["watch"]))
    context = group.commands["watch"].make_context("watch", [], resilient_parsing=True)
    assert completion.silenced(context, "") == ["5000/tcp", "all", "test"]
    assert run_here(project, "watch", "lift", "tst").err.endswith("hint: did you mean test?\n")
    assert run_here(project, "watch", "lift", "port:5000").code == 0
    assert run_here(project, "watch", "lift", "all").out == "lifted the silence of test\n"
    assert run_here(project, "watch", "lift", "all").code == 2


def test_an_empty_word_acknowledges_nothing(project: Path, run_here: RunHere) -> None:
    done = run_here(project, "watch", "ack", "")
    assert (done.code, done.out) == (2, "")
    assert "no open episode: ''" in done.err


@pytest.mark.parametrize("subject", ["web", "5000", "all"])
def test_a_reason_is_stored_without_the_secrets_of_the_env_files(
    project: Path, run_here: RunHere, subject: str
) -> None:
    """Also those that only a service gets, which Compose alone knows."""
    secrets = (f"tall-orchid-{subject}", f"wide-walnut-{subject}")  # what is learnt stays learnt
    (project / "stack.env").write_text(f"DB_PASSWORD={secrets[0]}\n")
    (project / "web.env").write_text(f"API_TOKEN={secrets[1]}\n")
    (project / "compose.yml").write_text("services: {web: {image: x, env_file: [web.env]}}\n")
    settings = project / "dartsctl.toml"
    settings.write_text('[prod]\nfiles = ["compose.yml"]\nenv_files = ["stack.env"]\n')
    reason = f"changing {secrets[0]} to {secrets[1]}"
    done = run_here(
        project, "watch", "silence", subject, "--for", "2h", "--reason", reason, "--json"
    )
    assert done.code == 0, done.text
    assert '"reason": "changing *** to ***"' in done.out
    assert "changing *** to ***" in run_here(project, "watch", "silences").out
    kept = (state() / "watch/shop/silences.json").read_text()
    assert "changing *** to ***" in kept
    assert not any(secret in kept for secret in secrets)


@pytest.mark.parametrize("files", ["services: [", "services: {web: {image: x, env_file: [no]}}"])
def test_env_files_are_enough_for_a_reason_where_compose_refuses(
    project: Path, run_here: RunHere, files: str
) -> None:
    secret = f"calm-heron-{len(files)}"
    (project / "stack.env").write_text(f"DB_PASSWORD={secret}\n")
    (project / "compose.yml").write_text(files)
    settings = project / "dartsctl.toml"
    settings.write_text('[prod]\nfiles = ["compose.yml"]\nenv_files = ["stack.env"]\n')
    done = run_here(project, "watch", "silence", "all", "--for", "2h", "--reason", secret)
    assert done.code == 0, done.text
    assert run_here(project, "watch", "silences").out.endswith("  ***\n")


def test_a_secret_that_was_stored_before_is_not_shown(project: Path, run_here: RunHere) -> None:
    silenced = ("watch", "silence", "web", "--for", "2h", "--reason", "slow-maple-2290")
    assert run_here(project, *silenced).code == 0
    assert "slow-maple-2290" in run_here(project, "watch", "status").out
    (project / "stack.env").write_text("DB_PASSWORD=slow-maple-2290\n")
    settings = project / "dartsctl.toml"
    settings.write_text('[prod]\nfiles = ["compose.yml"]\nenv_files = ["stack.env"]\n')
    for verb in ("silences", "status"):
        assert "slow-maple-2290" not in run_here(project, "watch", verb).text
