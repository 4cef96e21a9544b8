"""Certificate files as OpenSSL creates them: dates, matching keys, and what is not searched."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dartsctl.config.certificates import CertificateScan
from dartsctl.edges.project.certificate_files import DAYS, look, self_signed
from dartsctl.errors import DartsctlError
from dartsctl.stack.model import Mount
from signing import make_pair

DAY = 86400.0

if not shutil.which("openssl"):
    pytest.skip("openssl is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A certificate and its key, as `init` creates them."""
    return self_signed("darts.example.org")


@pytest.fixture(scope="module")
def other() -> tuple[str, str]:
    return self_signed("localhost")


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    folder = tmp_path / "certs"
    folder.mkdir()
    return folder


def written(
    folder: Path, pair: tuple[str, str], certificate: str = "tls.crt", key: str = "tls.key"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / certificate).write_text(pair[0])
    (folder / key).write_text(pair[1])


def seen(folder: Path, target: str = "/etc/nginx/certs") -> dict[str, str]:
    """Certificate -> state of its key."""
    return states(look([Mount(str(folder), target, read_only=True)]))


def states(scan: CertificateScan) -> dict[str, str]:
    return {certificate.path.name: certificate.key for certificate in scan.certificates}


def test_the_dates_are_those_that_openssl_prints(certs: Path, pair: tuple[str, str]) -> None:
    written(certs, pair)
    scan = look([Mount(str(certs), "/certs")])
    (certificate,) = scan.certificates
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-dates", "-in", certs / "tls.crt"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    begin, end = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in printed.splitlines())
    assert (certificate.not_before, certificate.not_after) == (begin, end)
    assert certificate.key == "fits"
    assert scan.unreadable == ()
    assert abs(certificate.not_after - time.time() - DAYS * DAY) < 120


@pytest.mark.parametrize(
    "kind",
    [
        ["-newkey", "rsa:2048"],
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ["-newkey", "ed25519"],
    ],
)
def test_every_kind_of_key_is_recognised_and_dates_after_2050_too(
    certs: Path, kind: list[str]
) -> None:
    argv = [
        "openssl",
        "req",
        "-x509",
        *kind,
        "-nodes",
        "-days",
        "20000",
        "-subj",
        "/CN=x",
        "-keyout",
        str(certs / "k.key"),
        "-out",
        str(certs / "k.crt"),
    ]
    subprocess.run(argv, capture_output=True, check=True)
    (certificate,) = look([Mount(str(certs), "/certs")]).certificates
    assert certificate.key == "fits"
    assert abs(certificate.not_after - time.time() - 20000 * DAY) < 120


def test_an_expired_certificate_is_read_too(certs: Path) -> None:
    make_pair(certs, days=-1)
    (certificate,) = look([Mount(str(certs), "/certs")]).certificates
    assert certificate.key == "fits"
    assert certificate.not_after < time.time()


def test_a_key_of_another_certificate_does_not_fit(
    certs: Path, pair: tuple[str, str], other: tuple[str, str]
) -> None:
    written(certs, (pair[0], other[1]))
    assert seen(certs) == {"tls.crt": "does not fit"}


def test_pairs_may_have_any_names_and_authorities_have_no_key(
    certs: Path, pair: tuple[str, str], other: tuple[str, str]
) -> None:
    written(certs, pair, "shop.pem", "shop-private.key")
    (certs / "ca.crt").write_text(other[0])
    assert seen(certs) == {"ca.crt": "none", "shop.pem": "fits"}


def test_a_file_may_contain_certificate_and_key(certs: Path, pair: tuple[str, str]) -> None:
    (certs / "haproxy.pem").write_text(pair[0] + pair[1])
    assert seen(certs) == {"haproxy.pem": "fits"}


def test_two_mounted_files_are_a_pair(tmp_path: Path, pair: tuple[str, str]) -> None:
    written(tmp_path / "a", pair)
    mounts = [
        Mount(str(tmp_path / "a" / name), f"/etc/nginx/{name}", read_only=True)
        for name in ("tls.crt", "tls.key")
    ]
    assert states(look(mounts)) == {"tls.crt": "fits"}


def test_letsencrypts_folders_are_read_without_the_old_ones(
    tmp_path: Path, pair: tuple[str, str], other: tuple[str, str]
) -> None:
    root = tmp_path / "letsencrypt"
    written(root / "archive" / "shop", other, "fullchain1.pem", "privkey1.pem")
    written(root / "archive" / "shop", pair, "fullchain2.pem", "privkey2.pem")
    live = root / "live" / "shop"
    live.mkdir(parents=True)
    for name in ("fullchain", "privkey"):
        (live / f"{name}.pem").symlink_to(root / "archive" / "shop" / f"{name}2.pem")
    assert seen(root, "/etc/letsencrypt") == {"fullchain.pem": "fits"}


def test_another_mount_hides_what_lies_below_it(
    tmp_path: Path, pair: tuple[str, str], other: tuple[str, str]
) -> None:
    written(tmp_path / "nginx" / "certs", other)
    (tmp_path / "nginx" / "nginx.conf").write_text("")
    written(tmp_path / "real", pair)
    nginx = Mount(str(tmp_path / "nginx"), "/etc/nginx", read_only=True)
    (certificate,) = look([nginx]).certificates
    assert certificate.path == tmp_path / "nginx" / "certs" / "tls.crt"
    over_it = Mount(str(tmp_path / "real"), "/etc/nginx/certs", read_only=True)
    (certificate,) = look([nginx, over_it]).certificates
    assert certificate.path == tmp_path / "real" / "tls.crt"


def test_folders_for_other_things_are_not_searched(tmp_path: Path, pair: tuple[str, str]) -> None:
    written(tmp_path / "app" / "node_modules" / "x", pair)
    assert look([Mount(str(tmp_path / "app"), "/app")]) == CertificateScan(())


def test_a_passphrase_is_never_prompted_for(certs: Path) -> None:
    words = [
        "-newkey",
        "rsa:2048",
        "-passout",
        "pass:kept",
        "-subj",
        "/CN=x",
        "-keyout",
        str(certs / "tls.key"),
        "-out",
        str(certs / "tls.crt"),
    ]
    subprocess.run(["openssl", "req", "-x509", *words], capture_output=True, check=True)
    assert seen(certs) == {"tls.crt": "fits"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_broken_certificate_is_ignored(certs: Path, text: str) -> None:
    (certs / "tls.crt").write_text(text)
    assert look([Mount(str(certs), "/certs")]) == CertificateScan(())


def test_a_truncated_certificate_is_ignored(certs: Path, pair: tuple[str, str]) -> None:
    lines = pair[0].splitlines()
    (certs / "tls.crt").write_text("\n".join([*lines[:5], lines[-1]]))
    (certs / "tls.key").write_text(pair[1])
    assert seen(certs) == {}


def test_missing_folders_and_huge_files_are_no_error(certs: Path) -> None:
    (certs / "huge.pem").write_bytes(b"x" * ((1 << 20) + 1))
    assert look(
        [Mount("/no/such/folder", "/certs"), Mount(str(certs), "/etc/ssl")]
    ) == CertificateScan(())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_unreadable_key_and_an_unreadable_folder_are_reported(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    for path in (tmp_path, *tmp_path.parents):
        # pytest's own folders, which only root may read
        if path.is_relative_to("/tmp") and path != Path("/tmp"):  # noqa: S108
            path.chmod(0o755)
    written(tmp_path / "certs", pair)
    (tmp_path / "certs" / "tls.key").chmod(0o600)
    (tmp_path / "closed").mkdir(mode=0o700)
    code = (
        "import os, sys; from dartsctl.edges.project.certificate_files import look\n"
        "from dartsctl.stack.model import Mount\n"
        "look([Mount(sys.argv[1] + '/certs', '/certs')])  # loads all modules, as root\n"
        "os.setuid(65534)\n"
        "scan = look([Mount(sys.argv[1] + '/certs', '/certs')])\n"
        "print([certificate.key for certificate in scan.certificates])\n"
        "closed = look([Mount(sys.argv[1] + '/closed', '/certs')])\n"
        "print([path.name for path in closed.unreadable])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines() == ["['unreadable']", "['closed']"]


# --- a new pair --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "entry"),
    [("darts.example.org", "DNS:darts.example.org"), ("192.0.2.7", "IP Address:192.0.2.7")],
)
def test_a_new_certificate_is_for_its_name_and_for_this_host(
    tmp_path: Path, name: str, entry: str
) -> None:
    written(tmp_path, self_signed(name))
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in", tmp_path / "tls.crt"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert entry in shown
    assert "DNS:localhost" in shown
    assert "IP Address:127.0.0.1" in shown


def test_a_client_that_trusts_the_new_certificate_completes_a_handshake(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    written(tmp_path, pair)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client_side = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname="darts.example.org")
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    done: set[str] = set()
    while len(done) < 2:
        for name, side in (("client", client), ("server", server)):
            try:
                side.do_handshake()
                done.add(name)
            except ssl.SSLWantReadError:
                continue
    assert client.getpeercert()


def test_no_file_is_written_while_a_pair_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    self_signed("localhost")
    assert list(tmp_path.iterdir()) == []


def test_without_openssl_the_package_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DartsctlError, match="openssl is not installed") as caught:
        self_signed("localhost")
    assert caught.value.hint == "sudo apt-get install openssl"


def test_an_openssl_that_fails_is_quoted_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "openssl"
    fake.write_text(
        "#!/bin/sh\n"
        "echo '-----BEGIN PRIVATE KEY-----canary'\n"
        "echo 'req: unknown option -addext' >&2\n"
        "exit 1\n"
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DartsctlError, match="unknown option -addext") as caught:
        self_signed("localhost")
    assert "canary" not in f"{caught.value.message}{caught.value.details}{caught.value.hint}"
