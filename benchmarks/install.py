"""`make bench-setup`: the peers, and dartsctl as users have it.

Everything is in build/bench, in a folder for each Python:

    tools       pip, hatchling and portpicker
    dartsctl    the wheel of this checkout; built again when the sources have changed
    refs/SHA    sources, wheel and virtual environment of another commit, for `make bench-compare`

A wheel's modules are byte-compiled by pip, as on every machine that installs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Failed

ROOT = Path(__file__).parents[1]
SMALL_IMAGE = "dartsctl-test/busybox:1"
SOURCES = ("src/dartsctl", "compose", "pyproject.toml", "README.md", "LICENSE", "dartsctl.toml")
MARK = ".installed"
"""The file in a virtual environment that says which sources it has, written at the end."""
APT = {"lsof": "lsof", "ss": "iproute2"}
"""Peers -> their packages on Debian."""


def base() -> Path:
    """Return the folder for this Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    place = hashlib.sha256(sys.base_prefix.encode()).hexdigest()[:8]
    return ROOT / "build" / "bench" / f"python-{version}-{place}"


def python_of(environment: Path) -> str:
    """Return the interpreter of a virtual environment."""
    return str(environment / "bin" / "python")


def tools() -> Path:
    """Return the environment of the tools; create it if it is missing or out of date."""
    folder = base() / "tools"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needs = [*project["build-system"]["requires"], *project["dependency-groups"]["bench"]]
    if _mark_of(folder) == repr(needs):
        return folder
    _say(f"installing pip, hatchling and portpicker in {_short(folder)}")
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    pip = (python_of(folder), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _run(*pip, "--upgrade", "pip>=22.3")  # that knows --python
    _run(*pip, *needs)
    (folder / MARK).write_text(repr(needs))
    return folder


def current() -> Path:
    """Return the environment with the wheel of this checkout, brought up to date."""
    folder = base() / "dartsctl"
    digest = digest_of(ROOT)
    if _mark_of(folder) != digest:
        _say(f"building the wheel of this checkout, and installing it in {_short(folder)}")
        _install(ROOT, folder)
        (folder / MARK).write_text(digest)
    return folder


def of_commit(sha: str) -> Path:
    """Return the environment with the wheel of a commit. Other commits' are removed.

    It gets the libraries that this checkout has, where the commit allows them.
    """
    refs = base() / "refs"
    folder = refs / sha
    for other in refs.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    environment = folder / "dartsctl"
    if _mark_of(environment) != sha:
        _say(f"building the wheel of {sha[:12]}, and installing it in {_short(environment)}")
        source = folder / "source"
        _extract(sha, source)
        _install(source, environment, like=current())
        (environment / MARK).write_text(sha)
    return environment


def commit_of(ref: str) -> str:
    """Return the commit's hash. Raises Failed for a name that git does not know."""
    try:
        return _run("git", "-C", str(ROOT), "rev-parse", "--verify", f"{ref}^{{commit}}").strip()
    except Failed:
        raise Failed(f"no commit {ref!r} in this repository: git log --oneline") from None


def _extract(sha: str, folder: Path) -> None:
    """Unpack the files of a commit. The checkout and git's own files are left alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = folder.with_name("source.tar")
    _run("git", "-C", str(ROOT), "archive", "--format=tar", "-o", str(archive), sha)
    _run("tar", "-xf", str(archive), "-C", str(folder))
    archive.unlink()


def _install(source: Path, environment: Path, *, like: Path | None = None) -> None:
    """Build the wheel of `source`, and install it in a virtual environment without pip."""
    python = python_of(tools())
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    wheels = environment.with_name(f"{environment.name}-wheel")
    shutil.rmtree(wheels, ignore_errors=True)
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels))
    _run(*pip, *build, str(source))
    (wheel,) = map(str, wheels.glob("*.whl"))
    if not Path(python_of(environment)).exists():
        venv.create(environment, clear=True, symlinks=True)
    (environment / MARK).unlink(missing_ok=True)
    install = (*pip, "--python", python_of(environment), "install", "--quiet")
    _run(*install, "--force-reinstall", "--no-deps", wheel)
    if like:
        _install_libraries_like(like, install, pip, wheel)
    _run(*install, wheel)  # the libraries that are missing


def _install_libraries_like(
    like: Path, install: Sequence[str], pip: Sequence[str], wheel: str
) -> None:
    """Install the libraries of another environment, unless this wheel wants others."""
    frozen = _run(*pip, "--python", python_of(like), "freeze", "--exclude", "dartsctl")
    constraints = Path(wheel).with_name("constraints.txt")
    constraints.write_text(frozen)
    try:
        _run(*install, "--constraint", str(constraints), wheel)
    except Failed:
        _say("this commit wants other versions of its libraries: the comparison includes them")


def digest_of(root: Path) -> str:
    """Return what differs when the wheel of a checkout would."""
    digest = hashlib.sha256()
    for file in _sources(root):
        digest.update(f"{file.relative_to(root)}\0".encode())
        with contextlib.suppress(PermissionError):  # another user's key is no part of a wheel
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    """Yield the files that a wheel is made of, and what must not be in it, which does no harm."""
    for name in SOURCES:
        place = root / name
        files = [place] if place.is_file() else place.rglob("*")
        for file in sorted(files):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
    yield from sorted(root.glob(".env*.example"))


def _mark_of(environment: Path) -> str:
    try:
        return (environment / MARK).read_text()
    except OSError:
        return ""


def _run(*argv: str) -> str:
    """Run a program and return its output. Raises Failed with what it wrote at its end."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        argv, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip())[-1200:]
        raise Failed(f"`{' '.join(argv)}` ended with {done.returncode}:\n{output}")
    return done.stdout


def _short(folder: Path) -> Path:
    return folder.relative_to(ROOT)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- the programs that we compare with -----------------------------------------------------------


def peers() -> list[str]:
    """Install lsof and ss where that is possible, and return what is missing then."""
    packages = [package for name, package in APT.items() if not shutil.which(name)]
    if packages and shutil.which("apt-get") and os.geteuid() == 0:
        _say(f"installing {', '.join(packages)}")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        _run("apt-get", "-qq", "update")
        _run("apt-get", "-qq", "-y", "install", "--no-install-recommends", *packages)
    missing = []
    for name, package in APT.items():
        if not shutil.which(name):
            missing.append(f"{name} is missing: sudo apt-get install {package}")
    return missing + _image()


def _image() -> list[str]:
    """Make the image of the small services, which is never pulled."""
    if not shutil.which("docker"):
        return ["docker is missing: tests/engine/README.md"]
    try:
        _run("docker", "version")
    except Failed:
        return ["no Docker engine answers: tests/engine/README.md"]
    try:
        _run("docker", "image", "inspect", SMALL_IMAGE)
    except Failed:
        _say(f"making the image {SMALL_IMAGE}")
        _run(str(ROOT / "tests" / "engine" / "images.sh"), "tiny")
    return []


def main() -> int:
    """Return 0 if everything is there. What is missing is named; its targets will be skipped."""
    try:
        tools()
        current()
        missing = peers()
    except Failed as problem:
        _say(f"error: {problem}")
        return 1
    for line in missing:
        _say(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
