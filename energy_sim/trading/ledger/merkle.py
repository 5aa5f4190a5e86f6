"""Merkle trees as in Certificate Transparency: root, inclusion path and its check.

Source: RFC 6962 section 2.1 (tree, prefixes 0x00 for leaves and 0x01 for nodes); RFC 9162 section 2.1.3 (paths).
"""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(content: bytes) -> bytes:
    """SHA-256 of a leaf, which no node can be mistaken for.

    >>> leaf_hash(b"").hex()
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
    """
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of two subtrees' roots."""
    return sha256(b"\x01" + left + right).digest()


def _parents(level: list[bytes]) -> list[bytes]:
    """The level above: pairs joined, a last odd one lifted as it is (the same tree as RFC 6962's recursion)."""
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return above + level[len(above) * 2 :]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes in their order; SHA-256 of nothing for no leaves."""
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else sha256(b"").digest()


def inclusion_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Hashes of the siblings from leaf `index` up to the root.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    level, place, path = list(leaves), index, []
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, place = _parents(level), place // 2
    return tuple(path)


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from leaf `index` of `size`; None where the path does not fit that place.

    Sides follow from index and size, so a proof cannot claim another place than the leaf has.
    """
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            found = node_hash(sibling, found)
            while place % 2 == 0 and place:  # lifted levels have no sibling
                place, last = place // 2, last // 2
        else:
            found = node_hash(found, sibling)
        place, last = place // 2, last // 2
    return found if last == 0 else None
