"""Which Compose files belong to an environment by their names alone: names in, a choice out.

Nothing is read here. Whether a file stands alone is for Compose to say, through `is_complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from dartsctl.records import record
from dartsctl.stack import compose_files
from dartsctl.text.patterns import regex

PRODUCTION = "prod"
WORDS: Mapping[str, tuple[str, ...]] = {
    "dev": ("dev", "development", "developer", "devel", "local", "localhost"),
    PRODUCTION: ("prod", "production", "wso2", "deploy"),
}
"""The words in file names that mean an environment, for dev the likeliest first.

Those of production are equals: where two of them stand alone, a person decides. Only `deploy` comes
after the others.
"""

_FOLDER_WORDS = (*WORDS["dev"], "prod", "production")
"""The words that folders are named by: `docker/dev/compose.yaml`. `deploy/` is for any stack."""

FOLDERS = (
    "",
    "compose",
    "docker",
    "docker-compose",
    ".docker",
    "deploy",
    "deployment",
    "deployments",
    "infra",
    "infrastructure",
)
"""The folders for the Compose files of any environment, from the project's root, in order."""


def _with_folders_of_environments() -> tuple[str, ...]:
    places: list[str] = []
    for place in FOLDERS:
        places += [place, *(_joined(place, word) for word in _FOLDER_WORDS)]
    return tuple(places)


def _joined(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


PLACES = _with_folders_of_environments()
"""The folders that are looked into, from the project's root, the likeliest first."""

_BASE_WORDS = ("base", "common", "shared")
_FILE = regex(
    r"(?i)(?:(?!docker)(?P<before>[a-z0-9]+)[._-])?"
    r"(?:docker[._-]?)?compose(?:[._-](?P<after>[a-z0-9._-]+))?\.ya?ml",
)
_BARE = regex(r"(?i)(?P<word>[a-z0-9_-]+)\.ya?ml")

Complete = Callable[[tuple[str, ...]], bool]
"""Returns whether Compose can read these files together, without another one."""


@record
class Pick:
    """The Compose files of one environment, as far as names decide."""

    files: tuple[str, ...] = ()
    """In the order of merging. Empty: none, or a person has to choose."""
    candidates: tuple[tuple[str, ...], ...] = ()
    """What there is to choose from, where the names do not decide."""
    is_plain: bool = False
    """Whether these are the files that `docker compose up` takes by itself."""
    origin: str = ""
    """What named them, if that was not their own name: COMPOSE_FILE."""


def pick(
    name: str, names: Collection[str], is_complete: Complete, *, dev_files: Collection[str] = ()
) -> Pick:
    """Return the Compose files of the environment `name` among `names`, from the project's root.

    Files that are named after the environment go before a plain `compose.yaml`. `dev_files`: those
    that the settings or COMPOSE_FILE name for dev. `is_complete` is asked only where there is
    something to choose.
    """
    specific = specific_files(name, names)
    ask_once = cache(is_complete)
    if len(specific) == 1:
        return Pick(_with_base(specific[0], names, ask_once))
    if specific:
        return _among(specific, names, ask_once)
    if name == "dev":
        return Pick(plain_files(names), is_plain=True)
    if name == PRODUCTION:
        plain = plain_of_production(names, dev_files)
        if plain and is_complete(plain):
            return Pick(plain, is_plain=True)
    return Pick()


def plain_of_production(names: Collection[str], dev_files: Collection[str]) -> tuple[str, ...]:
    """Return the plain file, without its override, where dev has another file of its own.

    Nothing where a file is named after production.
    """
    plain = plain_files(names)
    is_dev = bool(dev_files) and set(dev_files) <= set(plain)
    if is_dev or specific_files(PRODUCTION, names) or not specific_files("dev", names):
        return ()
    return plain[:1]


def specific_files(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the files named after an environment: those with the likeliest word and place."""
    ranked: dict[tuple[int, int], list[str]] = {}
    words = WORDS.get(name, (name,))
    for file in names:
        word = word_of(file)
        if word in words:
            rank = words.index(word) if name == "dev" else int(word == "deploy")
            ranked.setdefault((_place_rank(file), rank), []).append(file)
    if not ranked:
        return ()
    return tuple(sorted(ranked[min(ranked)]))


def plain_files(names: Collection[str]) -> tuple[str, ...]:
    """Return what `docker compose up` would take, in the first place that has a plain file."""
    for place in FOLDERS:
        if files := _plain_in(place, names):
            return files
    return ()


def may_be_meant(name: str, names: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return what a person may mean where no file is named after the environment.

    Plain files come first, also those that Compose does not take by itself (`Compose.yaml`). Files
    of other environments and overrides are not offered.
    """
    files = [*plain_files(names)[:1]]
    files += [file for file in names if not word_of(file) and file not in files]
    not_meant = {"", "override"}
    for other, words in WORDS.items():
        if other != name:
            not_meant.update(words)
    files += [file for file in names if word_of(file) not in not_meant]
    return tuple((file,) for file in files)


def profile_words(name: str) -> tuple[str, ...]:
    """Return the profiles that mean an environment, the likeliest first."""
    if name not in WORDS:
        return (name,)
    return tuple(word for word in WORDS[name] if word in _FOLDER_WORDS)


def word_of(file: str) -> str:
    """Return the word that a Compose file's name has besides `compose`, in lower case.

    `docker-compose.prod.yml`, `compose-prod.yaml`, `prod.docker-compose.yml` and `compose/prod.yml`
    have `prod`; `compose.yaml` has none, but `prod/compose.yaml` has that of its folder.
    """
    path = PurePosixPath(file)
    word = _word_in(path.name)
    if not word and path.parent.name in _FOLDER_WORDS and is_compose_name(file):
        return path.parent.name
    return word


def _word_in(name: str) -> str:
    match = _FILE.fullmatch(name)
    if match is None:
        bare = _BARE.fullmatch(name)
        return bare["word"].lower() if bare else ""
    before, after = match["before"] or "", match["after"] or ""
    if before and after:
        return f"{before}.{after}".lower()
    return (before or after).lower()


def is_compose_name(file: str) -> bool:
    """Return whether the name itself says that it is a Compose file."""
    path = PurePosixPath(file)
    return _FILE.fullmatch(path.name) is not None or (
        path.parent.name in ("compose", "docker-compose") and _BARE.fullmatch(path.name) is not None
    )


def may_be_bare(file: str) -> bool:
    """Return whether a name such as `production.yml` means an environment, or a base for it.

    Such a file may be anything; its text has to say that it is a Compose file.
    """
    words = {*_BASE_WORDS, *WORDS["dev"], *WORDS[PRODUCTION]}
    return _BARE.fullmatch(PurePosixPath(file).name) is not None and word_of(file) in words


def bases_for(overlay: str, names: Collection[str]) -> Iterator[str]:
    """Yield the files that `overlay` may be meant to lie over, the likeliest first."""
    place = _place_of(overlay)
    for folder in dict.fromkeys((place, _place_of(place), "")):
        for word in _BASE_WORDS:
            for file in _names_in(folder, names):
                if _word_in(file) == word:
                    yield _joined(folder, file)
        for file in _plain_in(folder, names)[:1]:
            if file != overlay:
                yield file


def _with_base(file: str, names: Collection[str], is_complete: Complete) -> tuple[str, ...]:
    """Return the file, after its base where one of them does not stand alone.

    If nothing makes it complete, it stays alone: Compose says what is wrong with it.
    """
    files = _with_override(file, names)
    bases = tuple(bases_for(file, names))
    if not bases:
        return files
    stands_alone = is_complete(files)
    for base in bases:
        if stands_alone and is_complete((base,)):
            continue
        if is_complete((base, *files)):
            return (base, *files)
    return files


def _with_override(file: str, names: Collection[str]) -> tuple[str, ...]:
    """Return `docker/dev/compose.yaml` with its override file; other files as they are."""
    plain = _plain_in(_place_of(file), names)
    return plain if file in plain[:1] else (file,)


def _among(specific: Sequence[str], names: Collection[str], is_complete: Complete) -> Pick:
    """Choose among files with equal names: one that stands alone, and one that lies over it."""
    alone: list[str] = []
    overlays: list[str] = []
    for file in specific:
        if is_complete((file,)):
            alone.append(file)
        else:
            overlays.append(file)
    if len(alone) == len(overlays) == 1:
        both = (alone[0], overlays[0])
        if is_complete(both):
            return Pick(both)
    candidates = [_with_base(file, names, is_complete) for file in specific]
    return Pick(candidates=tuple(candidates))


def _plain_in(place: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return what `docker compose up` would take in a folder."""
    files = compose_files.defaults_among(_names_in(place, names))
    return tuple(_joined(place, file) for file in files)


def _place_of(file: str) -> str:
    place = str(PurePosixPath(file).parent)
    return "" if place == "." else place


def _place_rank(file: str) -> int:
    place = _place_of(file)
    return PLACES.index(place) if place in PLACES else len(PLACES)


def _names_in(place: str, names: Iterable[str]) -> tuple[str, ...]:
    inside = [PurePosixPath(file).name for file in names if _place_of(file) == place]
    return tuple(sorted(inside))
