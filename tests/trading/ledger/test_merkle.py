import pytest

from energy_sim.trading.ledger.merkle import inclusion_path, leaf_hash, merkle_root, node_hash, root_of_path

# Test vectors of Certificate Transparency (certificate-transparency-go, merkle tree reference).
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size):
    assert merkle_root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing():
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_node_cannot_be_taken_for_a_leaf():
    assert node_hash(LEAVES[0], LEAVES[1]) != leaf_hash(LEAVES[0] + LEAVES[1])


@pytest.mark.parametrize("size", range(1, 18))
def test_every_leaf_has_a_path_to_the_root_from_its_own_place_only(size):
    leaves = [leaf_hash(bytes([i])) for i in range(size)]
    root = merkle_root(leaves)
    for index in range(size):
        path = inclusion_path(leaves, index)
        assert [i for i in range(size) if root_of_path(leaves[index], i, size, path) == root] == [index]
        assert root_of_path(leaf_hash(b"other"), index, size, path) != root
        assert root_of_path(leaves[index], index, size, (*path, root)) is None
        if path:
            assert root_of_path(leaves[index], index, size, path[:-1]) != root


def test_a_place_outside_the_tree_has_no_path():
    assert root_of_path(LEAVES[0], 1, 1, ()) is None
    assert root_of_path(LEAVES[0], -1, 1, ()) is None
    with pytest.raises(IndexError):
        inclusion_path(LEAVES, 8)
