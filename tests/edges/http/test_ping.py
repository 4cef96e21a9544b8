from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

import pytest

from dartsctl.edges.http.ping import Ping, check_ping_url, ping, proxy_for
from dartsctl.errors import UsageError
from fakes.receivers import receiver
from own_ports import free_ports


@pytest.mark.parametrize(
    ("signal", "path", "expected"),
    [
        ("success", "/uuid", "/uuid"),
        ("start", "/uuid", "/uuid/start"),
        ("fail", "/uuid/", "/uuid/fail"),
        ("success", "", "/"),
        ("start", "?token=x", "/start?token=x"),
        ("success", "/api/push/x?status=up&msg=OK", "/api/push/x?status=up&msg=OK"),
    ],
)
def test_the_signals_are_those_of_healthchecks(signal: Ping, path: str, expected: str) -> None:
    with receiver() as server:
        assert ping(server.url("http", path), signal) == ""
    assert server.paths == [expected]


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("500", "answers 500"),
        ("loop", "answers 307"),
        ("close", "closes the connection without an answer"),
        ("hang", "does not answer within 0.3 s"),
        ("big", ""),
    ],
)
def test_what_a_receiver_does_is_said_without_its_url(mode: str, problem: str) -> None:
    with receiver(mode) as server:
        deadline = 0.3 if mode == "hang" else 20.0
        assert ping(server.url("http", "/s3cret"), "success", deadline=deadline) == problem


def test_a_receiver_that_sends_a_byte_at_a_time_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.05):
                    try:
                        connection.send(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert ping(url, "success", deadline=0.5) == "does not answer within 0.5 s"
        stop.set()
        thread.join()


def test_no_receiver_and_no_tls() -> None:
    assert "refused" in ping(f"http://127.0.0.1:{free_ports(1)[0]}/", "success")
    assert ping("http://no-such-host.invalid/", "success") == "has an unknown host name"
    with receiver() as server:
        assert "TLS" in ping(server.url("https"), "success")


def test_the_label_of_a_url_has_no_secret() -> None:
    url = "https://user:hunter2@hc.example.org:8443/uuid?x=y"
    assert check_ping_url(url, source="heartbeat") == "https://hc.example.org:8443"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "ftp://s3cret/",
        "json://s3cret/",
        "http://",
        "http://s3cret:99999/",
        "http://s3cret:port/",
        "https://[s3cret/",
        "https://a b/s3cret",
        f"https://{'s3cret' * 20}.org/",
    ],
)
def test_a_wrong_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match=r"^heartbeat: ") as refusal:
        check_ping_url(url, source="heartbeat")
    assert "s3cret" not in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://hc.org/x", {"http_proxy": "http://p:3128"}, "p:3128"),
        ("https://hc.org/x", {"https_proxy": "p:3128"}, "p:3128"),
        ("https://hc.org/x", {"ALL_PROXY": "http://p:3128", "http_proxy": "q"}, "p:3128"),
        ("http://hc.org/x", {"HTTP_PROXY": "p:3128", "https_proxy": "p:3128"}, ""),
        ("http://hc.org/x", {"http_proxy": "p:3128", "no_proxy": "localhost, .org"}, ""),
        ("http://hc.org/x", {"http_proxy": "p:3128", "NO_PROXY": "c.org"}, "p:3128"),
        ("http://hc.org/x", {"http_proxy": "p:3128", "no_proxy": "*"}, ""),
        ("http://hc.org/x", {"http_proxy": "", "no_proxy": ","}, ""),
        ("http://hc.org/x", {"http_proxy": "http://"}, ""),
    ],
)
def test_the_proxy_is_the_one_of_the_environment(
    url: str, environ: dict[str, str], proxy: str
) -> None:
    chosen = proxy_for(urlsplit(url), environ)
    assert (chosen.netloc if chosen else "") == proxy


def test_a_ping_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url("http", ""))
        monkeypatch.setenv("https_proxy", proxy.url("http", ""))
        assert ping("http://hc.invalid/uuid", "start") == ""
        problem = ping("https://hc.invalid/uuid", "start")
    assert proxy.paths == ["http://hc.invalid/uuid/start"]
    assert problem == "cannot be reached: the proxy answers 501", "it knows no CONNECT"
