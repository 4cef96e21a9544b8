"""Addresses inside container networks: subnets, what is reserved in them, and who has what."""

from __future__ import annotations

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Network, IPv6Network

    from dartsctl.text.strict_json import Cursor


@record
class Subnet:
    """One entry of a network's `ipam.config`. Texts that are no addresses are left as they are."""

    subnet: str
    gateway: str = ""
    ip_range: str = ""
    """Where dynamic addresses come from, if not from the whole subnet."""
    reserved: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The address of each entry of `aux_addresses`."""

    @property
    def network(self) -> IPv4Network | IPv6Network | None:
        return _network(self.subnet)

    def includes(self, address: str) -> bool:
        """Return whether the address is inside the subnet."""
        return self.network is not None and _is_in(address, self.network)

    def overlaps(self, other: Subnet) -> bool:
        """Return whether both have an address in common."""
        mine, theirs = self.network, other.network
        if mine is None or theirs is None or mine.version != theirs.version:
            return False
        return mine[0] in theirs or theirs[0] in mine

    def gives_out(self, address: str) -> bool:
        """Return whether the engine may give the address to a container that wants none."""
        pool = _network(self.ip_range) if self.ip_range else self.network
        return pool is not None and _is_in(address, pool)


@record
class NetworkUse:
    """A network as the engine describes it: its subnets, and the addresses of running containers.

    `addresses` has the id of the container with each address.
    """

    subnets: tuple[Subnet, ...]
    addresses: Mapping[str, str]


@record
class NetworkInUse:
    """A network of the engine with the subnets that it keeps from others."""

    name: str
    project: str = ""
    subnets: tuple[Subnet, ...] = ()


def normal(address: str) -> str:
    """Return the usual spelling of an address; any other text as it is."""
    from ipaddress import ip_address  # only for stacks with fixed addresses: it takes time

    try:
        return str(ip_address(address))
    except ValueError:
        return address


_PARSED: dict[str, IPv4Network | IPv6Network | None] = {}
"""Subnets that were read before: each one is compared with many addresses."""


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if text not in _PARSED:
        _PARSED[text] = _parse_network(text)
    return _PARSED[text]


def _parse_network(text: str) -> IPv4Network | IPv6Network | None:
    from ipaddress import ip_network

    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _is_in(address: str, network: IPv4Network | IPv6Network) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(address) in network
    except ValueError:
        return False


def declared_subnets(ipam: Cursor) -> tuple[Subnet, ...]:
    """Return the subnets of a network in Compose's model."""
    return tuple(
        Subnet(
            subnet=entry.at("subnet").text(""),
            gateway=entry.at("gateway").text(""),
            ip_range=entry.at("ip_range").text(""),
            reserved=entry.at("aux_addresses").text_entries(),
        )
        for entry in ipam.at("config").items()
    )


def read_networks(rows: Cursor) -> tuple[NetworkInUse, ...]:
    """Return the networks whose subnets no other network on this host can have.

    Those are of the engine's own IPAM. A swarm's networks have an address space of their own.
    """
    from dartsctl.stack.containers import PROJECT_LABEL  # for `up` alone: it takes time

    networks: list[NetworkInUse] = []
    for row in rows.items():
        ipam = row.at("IPAM")
        is_plain = ipam.at("Driver").text("") in ("", "default")
        if is_plain and row.at("Scope").text("local") == "local":
            project = row.at("Labels").at(PROJECT_LABEL).text("")
            subnets = tuple(map(_subnet_in_use, ipam.at("Config").items()))
            networks.append(NetworkInUse(row.at("Name").text(), project, subnets))
    return tuple(networks)


def read_use(document: Cursor) -> NetworkUse:
    """Return what the engine's document about a network says of addresses."""
    subnets = map(_subnet_in_use, document.at("IPAM").at("Config").items())
    return NetworkUse(tuple(subnets), dict(_attached(document.at("Containers"))))


def _subnet_in_use(entry: Cursor) -> Subnet:
    return Subnet(
        subnet=entry.at("Subnet").text(""),
        gateway=entry.at("Gateway").text("").partition("/")[0],
        ip_range=entry.at("IPRange").text(""),
        reserved=entry.at("AuxiliaryAddresses").text_entries(),
    )


def _attached(containers: Cursor) -> Iterator[tuple[str, str]]:
    """Yield each address with its container's id."""
    for identity, endpoint in containers.entries():
        for key in ("IPv4Address", "IPv6Address"):
            if address := endpoint.at(key).text("").partition("/")[0]:
                yield normal(address), identity
