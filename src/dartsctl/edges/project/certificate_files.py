"""Certificate files: find them, read their dates, match keys, create a self-signed pair.

Dates are read from the certificate itself (RFC 5280, 4.1.2.5). That needs no private key, which
another user may not read.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from dartsctl import spawn
from dartsctl.config.certificates import Certificate, CertificateScan, holds_certificates
from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.config.certificates import KeyState
    from dartsctl.stack.model import Mount

DAYS = 825
"""Lifetime of a self-signed certificate: macOS and iOS reject longer ones."""

_ENDINGS = frozenset({".crt", ".cer", ".cert", ".pem", ".key"})
_DEPTH = 2  # letsencrypt's live/NAME/fullchain.pem
_MANY = 500  # files
_LARGEST = 256 << 10  # bytes: a bundle of all root certificates of a system is smaller
_CERTIFICATE = regex(r"(?s)-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----")
_KEY = regex(r"(?s)-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.+?-----END (?:[A-Z]+ )?PRIVATE KEY-----")
_CREATION_DEADLINE = 30.0  # seconds


def look(mounts: Sequence[Mount]) -> CertificateScan:
    """Return every certificate in the mounted folders, with the state of its key. Never raises."""
    unreadable: list[Path] = []
    files: list[Path] = []
    for mount in mounts:
        files += _files(mount, mounts, unreadable)
    texts: dict[Path, str] = {}
    for file in files[:_MANY]:
        text = _text(file)
        if text is not None:
            texts[file] = text
    keys = [file for file in files[:_MANY] if file not in texts or _KEY.search(texts[file])]
    certificates: list[Certificate] = []
    for file, text in texts.items():
        dates = _dates(text)
        if dates:
            certificates.append(Certificate(file, *dates, _key_state(file, keys, texts)))
    return CertificateScan(tuple(certificates), tuple(unreadable))


def served(der: bytes) -> tuple[float, float] | None:
    """Return notBefore and notAfter of a certificate that a server sent; None if unreadable."""
    import ssl

    return _dates(ssl.DER_cert_to_PEM_cert(der))


@record
class PairState:
    """A certificate file and the file of its key. `ends` is in seconds since the epoch.

    `key`: see KeyState. Without `ends` the file is no readable certificate.
    """

    ends: float | None
    key: KeyState
    is_self_signed: bool = False


def pair_state(certificate: Path, key: Path) -> PairState:
    """Return the state of an existing pair. Never raises."""
    text = _text(certificate)
    dates = _dates(text) if text else None
    if text is None or dates is None:
        return PairState(None, "unreadable")
    is_self_signed = _is_self_signed(text)
    if _text(key) is None:
        return PairState(dates[1], "unreadable", is_self_signed)
    fits = _fit(certificate, key)
    return PairState(dates[1], "fits" if fits else "does not fit", is_self_signed)


def self_signed(*names: str, key: Path | None = None) -> tuple[str, str]:
    """Return a new certificate for `names`, localhost and the loopback addresses, and its key.

    Both are PEM text. `key`: an existing one, which is used again. Raises DartsctlError where
    openssl is missing or fails.
    """
    own = [f"{_kind_of(name)}:{name}" for name in names]
    alternatives = dict.fromkeys((*own, "DNS:localhost", "IP:127.0.0.1", "IP:::1"))
    command = ["openssl", "req", "-x509", "-sha256", "-days", str(DAYS)]
    command += ["-subj", f"/CN={names[0]}"]
    command += ["-addext", f"subjectAltName={','.join(alternatives)}"]
    if key:
        command += ["-key", str(key), "-out", "/dev/stdout"]
    else:  # through a pipe: a private key in a temporary file could be left behind
        command += ["-newkey", "rsa:2048", "-nodes"]
        command += ["-keyout", "/dev/stdout", "-out", "/dev/stdout"]
    try:
        result = spawn.run(command, deadline=_CREATION_DEADLINE)
    except spawn.CommandNotFound:
        raise DartsctlError(
            "cannot create a certificate: openssl is not installed",
            hint="sudo apt-get install openssl",
        ) from None
    certificate, new_key = _CERTIFICATE.search(result.stdout), _KEY.search(result.stdout)
    if result.code != 0 or not certificate or not (key or new_key):
        last = (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise DartsctlError(
            f"openssl could not create a certificate for {names[0]}: {last}", hint="openssl version"
        )
    return f"{certificate[0]}\n", f"{new_key[0]}\n" if new_key else ""


def _kind_of(name: str) -> str:
    return "IP" if re.fullmatch(r"[0-9.]+|[0-9a-f:]*:[0-9a-f:]*", name) else "DNS"


def _files(mount: Mount, mounts: Sequence[Mount], unreadable: list[Path]) -> Iterator[Path]:
    """Yield the files of a mount that may be certificates or keys.

    In a folder that is not for certificates, only subfolders with a telling name are searched.
    """
    source = Path(mount.source)
    hidden = {other.target.rstrip("/") for other in mounts if other is not mount}
    if source.is_dir():
        yield from _inside(source, mount.target.rstrip("/"), hidden, unreadable, depth=_DEPTH)
    elif source.suffix in _ENDINGS and source.exists():
        yield source


def _inside(
    folder: Path, target: str, hidden: set[str], unreadable: list[Path], *, depth: int
) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        if holds_certificates(target):
            unreadable.append(folder)
        return
    for entry in entries:
        inner = f"{target}/{entry.name}"
        # another mount hides it; letsencrypt keeps old certificates in `archive`
        if inner in hidden or entry.name == "archive":
            continue
        path = Path(entry.path)
        if path.suffix in _ENDINGS and entry.is_file():
            yield path
        elif depth and holds_certificates(inner) and entry.is_dir():
            yield from _inside(path, inner, hidden, unreadable, depth=depth - 1)


def _text(file: Path) -> str | None:
    """Return the text of a regular file, None if unreadable. A huge file reads as empty."""
    try:
        return bounded_file.read_text(file, limit=_LARGEST)
    except OSError as error:
        return "" if error.errno == errno.EFBIG else None


def _key_state(file: Path, keys: Sequence[Path], texts: dict[Path, str]) -> KeyState:
    """Return the state of a certificate's private key.

    The key may be in the file itself, have a matching name, or be anywhere in the mounted folders.
    """
    own = [
        key for key in keys if key == file or (key.parent == file.parent and _belongs(file, key))
    ]
    readable = [key for key in keys if key in texts]
    if any(_fit(file, key) for key in sorted(readable, key=lambda key: key not in own)):
        return "fits"
    if any(key not in texts for key in own):
        return "unreadable"
    if own:
        return "does not fit"
    return "none"


def _belongs(file: Path, key: Path) -> bool:
    """Return whether the names match: tls.crt and tls.key, fullchain.pem and privkey.pem."""
    if file.stem == key.stem:
        return True
    return file.stem in ("fullchain", "cert") and key.stem in ("privkey", "key")


def _fit(certificate: Path, key: Path) -> bool:
    """Return whether OpenSSL accepts the two as a pair, as nginx would.

    A key with a passphrase counts as fitting: nginx may have the passphrase.
    """
    import ssl  # loading it takes as long as half of Python's start

    passphrase_requested = False

    def passphrase() -> str:  # without it, OpenSSL would prompt at the terminal
        nonlocal passphrase_requested
        passphrase_requested = True
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate, key, password=passphrase
        )
    except (ssl.SSLError, OSError, ValueError):
        return passphrase_requested and _belongs(certificate, key)
    return True


# --- dates -------------------------------------------------------------------------------------


def _dates(text: str) -> tuple[float, float] | None:
    """Return notBefore and notAfter of the first certificate; None where none is readable."""
    try:
        fields = _fields(text)
        begin, end = _elements(fields[3][1])  # after serial, signature, issuer: validity
        return _moment(*begin), _moment(*end)
    except (ValueError, IndexError):
        return None


def _is_self_signed(text: str) -> bool:
    """Whether the first certificate's issuer is its own subject. Not verified by its signature."""
    try:
        fields = _fields(text)
        return fields[2][1] == fields[4][1]
    except (ValueError, IndexError):
        return False


def _fields(text: str) -> list[tuple[int, bytes]]:
    """Return the fields of the first certificate, from its serial number on.

    Raises ValueError, IndexError where none is readable.
    """
    import binascii

    first = _CERTIFICATE.search(text)
    if not first:
        raise ValueError
    outer = _elements(_elements(binascii.a2b_base64(first[1].encode("ascii")))[0][1])
    fields = _elements(outer[0][1])
    return fields[1:] if fields[0][0] == 0xA0 else fields  # the version, which v1 omits


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return the DER elements in `data`: tag and content (X.690, 8.1).

    Raises ValueError, IndexError for truncated data.
    """
    elements, position = [], 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        elements.append((tag, data[position : position + length]))
        position += length
        if position > len(data):
            raise ValueError
    return elements


def _moment(tag: int, content: bytes) -> float:
    """Return the Unix time of a UTCTime (0x17: 2-digit years from 1950) or GeneralizedTime."""
    from datetime import UTC, datetime

    text = content.decode("ascii").rstrip("Z")
    if tag == 0x17:
        century = "19" if text[:2] >= "50" else "20"
        text = century + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
