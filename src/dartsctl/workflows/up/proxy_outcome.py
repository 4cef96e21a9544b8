"""How a stack answers through its reverse proxy, as values."""

from __future__ import annotations

from dartsctl.records import record


@record
class BadLocation:
    """A location of the proxy that does not answer well. `service`: who should; may be empty."""

    url: str
    host: str
    """The `Host` header: the site's name."""
    answer: str
    proxy: str
    service: str
    target: str

    @property
    def sentence(self) -> str:
        site = "" if self.host == "localhost" else f" (host {self.host})"
        sentence = f"{self.url}{site} {self.answer}"
        if not self.target:
            return sentence
        return f"{sentence}: {self.proxy} passes it to {self.target}"

    @property
    def waiting(self) -> str:
        """`http://localhost/ (answers 502)`."""
        return f"{self.url} ({self.answer})"


@record
class ProxyOutcome:
    """How a stack answers through its proxy.

    `failing` keeps it from being up. `elsewhere` fails too, but was not started with it.
    `unchecked` is what could not be asked, one sentence each.
    """

    proxy: str = ""
    """The service; empty without a proxy."""
    failing: tuple[BadLocation, ...] = ()
    elsewhere: tuple[BadLocation, ...] = ()
    unchecked: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    """The proxy's URLs."""
    was_reloaded: bool = False
    """nginx was reloaded, so everything has to be asked again."""

    @property
    def is_good(self) -> bool:
        return not self.failing and not self.was_reloaded
