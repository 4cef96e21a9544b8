"""Certificate files: what lies in a mounted folder, whether key and certificate belong together, and a new self-signed pair.

Dates are read from the certificate itself (RFC 5280, 4.1.2.5): that needs no private key, which another user may not read.
"""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dartsctl import spawn
from dartsctl.config.certificates import Certificate, KeyState, Shelf, holds_certificates
from dartsctl.errors import DartsctlError
from dartsctl.stack.model import Mount
from dartsctl.system import bounded_file

DAYS = 825
"""How long a self-signed certificate lives: macOS and iOS accept none that lives longer."""

_ENDINGS = frozenset({".crt", ".cer", ".cert", ".pem", ".key"})
_DEPTH = 2  # letsencrypt's live/NAME/fullchain.pem
_MANY = 500  # files
_LARGEST = 256 << 10  # bytes: every root certificate that a system trusts fits
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.+?-----END (?:[A-Z]+ )?PRIVATE KEY-----", re.DOTALL
)
_MADE_IN = 30.0  # seconds


def look(mounts: Sequence[Mount]) -> Shelf:
    """Every certificate in the mounted places, with what is known of its key. Never raises: what may not be read is in `closed`."""
    closed: list[Path] = []
    files = [file for mount in mounts for file in _files(mount, mounts, closed)][:_MANY]
    texts = {file: text for file in files if (text := _text(file)) is not None}
    keys = [file for file in files if file not in texts or _KEY.search(texts[file])]
    found = []
    for file, text in texts.items():
        dates = _dates(text)
        if dates:
            found.append(Certificate(file, *dates, _key_of(file, keys, texts)))
    return Shelf(tuple(found), tuple(closed))


def served(der: bytes) -> tuple[float, float] | None:
    """notBefore and notAfter of a certificate that a server has shown; None where they cannot be read."""
    return _dates(ssl.DER_cert_to_PEM_cert(der))


def self_signed(name: str) -> tuple[str, str]:
    """A new certificate for `name`, localhost and the loopback addresses, and its private key, both as PEM text.

    Raises DartsctlError where openssl is not there or fails.
    """
    kind = "IP" if re.fullmatch(r"[0-9.]+|[0-9a-f:]*:[0-9a-f:]*", name) else "DNS"
    names = dict.fromkeys((f"{kind}:{name}", "DNS:localhost", "IP:127.0.0.1", "IP:::1"))
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-sha256",
        "-days",
        str(DAYS),
        "-subj",
        f"/CN={name}",
    ]
    words += ["-addext", f"subjectAltName={','.join(names)}"]
    try:  # both go through a pipe: a private key that is never in a file under another name cannot be left behind
        done = spawn.run(
            ["openssl", *words, "-keyout", "/dev/stdout", "-out", "/dev/stdout"], deadline=_MADE_IN
        )
    except spawn.CommandNotFound:
        raise DartsctlError(
            "openssl is not installed, so no certificate can be made",
            hint="sudo apt-get install openssl",
        ) from None
    certificate, key = _CERTIFICATE.search(done.stdout), _KEY.search(done.stdout)
    if done.code != 0 or not certificate or not key:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise DartsctlError(
            f"openssl could not make a certificate for {name}: {last}", hint="openssl version"
        )
    return f"{certificate[0]}\n", f"{key[0]}\n"


def _files(mount: Mount, mounts: Sequence[Mount], closed: list[Path]) -> Iterator[Path]:
    """The files of a mount that may be certificates or keys. Of other folders than those for certificates only what its name says is looked into."""
    source = Path(mount.source)
    hidden = {other.target.rstrip("/") for other in mounts if other is not mount}
    if source.is_dir():
        yield from _inside(source, mount.target.rstrip("/"), hidden, closed, _DEPTH)
    elif source.suffix in _ENDINGS and source.exists():
        yield source


def _inside(
    folder: Path, target: str, hidden: set[str], closed: list[Path], depth: int
) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError:
        if holds_certificates(target):
            closed.append(folder)
        return
    for entry in entries:
        inner = f"{target}/{entry.name}"
        if (
            inner in hidden or entry.name == "archive"
        ):  # another mount lies over it; letsencrypt keeps the old ones there
            continue
        path = Path(entry.path)
        if path.suffix in _ENDINGS and entry.is_file():
            yield path
        elif depth and holds_certificates(inner) and entry.is_dir():
            yield from _inside(path, inner, hidden, closed, depth - 1)


def _text(file: Path) -> str | None:
    """Return what the file says; None where it may not be read, or is no regular file. One that is too large holds no certificate."""
    try:
        return bounded_file.read_text(file, limit=_LARGEST)
    except OSError as error:
        return "" if error.errno == errno.EFBIG else None


def _key_of(file: Path, keys: Sequence[Path], texts: dict[Path, str]) -> KeyState:
    """What is known of a certificate's private key: in the file itself, under the same name, or anywhere in the mounted places."""
    own = [
        key for key in keys if key == file or (key.parent == file.parent and _belongs(file, key))
    ]
    readable = [key for key in keys if key in texts]
    if any(_fit(file, key) for key in sorted(readable, key=lambda key: key not in own)):
        return "fits"
    if any(key not in texts for key in own):
        return "unreadable"
    return "does not fit" if own else "none"


def _belongs(file: Path, key: Path) -> bool:
    """By their names: tls.crt and tls.key, fullchain.pem and privkey.pem."""
    return file.stem == key.stem or (
        file.stem in ("fullchain", "cert") and key.stem in ("privkey", "key")
    )


def _fit(certificate: Path, key: Path) -> bool:
    """Whether OpenSSL takes the two as a pair, as nginx would. A key with a passphrase counts as fitting: nginx has it from elsewhere."""
    asked: list[bool] = []

    def passphrase() -> str:
        asked.append(True)  # else OpenSSL itself would ask at the terminal
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate, key, password=passphrase
        )
    except (ssl.SSLError, OSError, ValueError):
        return bool(asked) and _belongs(certificate, key)
    return True


# --- when a certificate is valid ----------------------------------------------------------------------------------------------


def _dates(text: str) -> tuple[float, float] | None:
    """notBefore and notAfter of the first certificate; None where there is none that can be read."""
    first = _CERTIFICATE.search(text)
    if not first:
        return None
    try:
        outer = _elements(_elements(ssl.PEM_cert_to_DER_cert(first[0]))[0][1])
        fields = [
            one for one in _elements(outer[0][1]) if one[0] != 0xA0
        ]  # without the version, which v1 leaves out
        begin, end = _elements(fields[3][1])  # serial, signature, issuer, validity
        return _moment(*begin), _moment(*end)
    except (ValueError, IndexError):
        return None


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """The DER elements that stand one after the other: tag and content (X.690, 8.1). Raises ValueError, IndexError for what is cut off."""
    found, place = [], 0
    while place < len(data):
        tag, length = data[place], data[place + 1]
        place += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[place : place + size], "big")
            place += size
        found.append((tag, data[place : place + length]))
        place += length
        if place > len(data):
            raise ValueError
    return found


def _moment(tag: int, content: bytes) -> float:
    """UTCTime (0x17: years of two digits, from 1950) or GeneralizedTime, as seconds since the epoch."""
    text = content.decode("ascii").rstrip("Z")
    if tag == 0x17:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
