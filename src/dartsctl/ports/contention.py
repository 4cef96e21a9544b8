"""Which bindings of one `up` want the same numbers: looked up, once for all that are alike."""

from __future__ import annotations

from dartsctl.ports.holders import RivalBinding
from dartsctl.stack.port_index import PortIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dartsctl.stack.bindings import PortBinding

    Wish = tuple[str, tuple[str, ...], int, int, bool]


def wish_of(binding: PortBinding) -> Wish:
    """Return what of a binding decides with which others it is in conflict, and about what."""
    return binding.protocol, binding.addresses, binding.first, binding.last, binding.is_range


def are_in_one_container(binding: PortBinding, other: PortBinding) -> bool:
    """Return whether two bindings are of the same replica."""
    return (binding.service, binding.replica) == (other.service, other.replica)


class Contention:
    """The bindings that may exclude one of them, that one included, in the order of the files."""

    def __init__(self, wish: Wish, bindings: Sequence[PortBinding]) -> None:
        self.bindings = bindings
        self.fixed: list[PortBinding] = []
        self.ranges: list[PortBinding] = []
        for binding in bindings:
            (self.ranges if binding.is_range else self.fixed).append(binding)
        self._addresses = wish[1]
        self._fixed_of: dict[tuple[str, int], list[PortBinding]] | None = None
        self._rivals: dict[bool, _Rivals] = {}

    @property
    def elsewhere(self) -> PortBinding | None:
        """The first range that is wanted on other addresses."""
        for other in self.ranges:
            if other.addresses != self._addresses:
                return other
        return None

    def fixed_of_container(self, binding: PortBinding) -> Sequence[PortBinding]:
        """Return the fixed ports of the container that a binding is of."""
        if self._fixed_of is None:
            self._fixed_of = {}
            for other in self.fixed:
                self._fixed_of.setdefault((other.service, other.replica), []).append(other)
        return self._fixed_of.get((binding.service, binding.replica), ())

    def rivals_of(self, binding: PortBinding, *, fixed_only: bool) -> tuple[RivalBinding, ...]:
        """Return the other bindings as holders, each of them once."""
        if fixed_only not in self._rivals:
            self._rivals[fixed_only] = _Rivals(self.fixed if fixed_only else self.bindings)
        return self._rivals[fixed_only].beside(binding)


class _Rivals:
    """Bindings as holders. Replicas are the same one."""

    def __init__(self, bindings: Sequence[PortBinding]) -> None:
        self._bindings = bindings
        self._holders = list(map(RivalBinding.of, bindings))
        self._first: dict[RivalBinding, PortBinding] = {}
        for binding, holder in zip(bindings, self._holders, strict=True):
            self._first.setdefault(holder, binding)

    def beside(self, binding: PortBinding) -> tuple[RivalBinding, ...]:
        """Return the holders that the other bindings are, in their order."""
        if self._first[RivalBinding.of(binding)] is not binding:
            return tuple(self._first)
        others = zip(self._bindings, self._holders, strict=True)
        return tuple(dict.fromkeys(holder for other, holder in others if other is not binding))


class Contentions:
    """Those of all bindings of one `up`, whose blocks are cut into pieces that meet whole."""

    def __init__(self, bindings: Iterable[PortBinding]) -> None:
        self._bindings = list(bindings)
        self._index = PortIndex((each.protocol, each.first, each.last) for each in self._bindings)
        self._known: dict[Wish, Contention] = {}

    def of(self, binding: PortBinding) -> Contention:
        """Return the bindings that may exclude `binding`, and itself if it is one of them."""
        wish = wish_of(binding)
        if wish not in self._known:
            places = self._index.meeting(binding.protocol, binding.first, binding.last)
            near = map(self._bindings.__getitem__, places)
            excluded = [other for other in near if other.may_exclude(binding)]
            self._known[wish] = Contention(wish, excluded)
        return self._known[wish]
