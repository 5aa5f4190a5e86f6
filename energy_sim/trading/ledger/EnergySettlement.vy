# pragma version ~=0.4.3
# Settles the trades of a period between households and anchors the ledger they are written in.
# Whole numbers only: energy in Wh, money in micro-EUR. Only the operator writes, and each period once.

MEMBERS: constant(uint256) = 1024

event Settled:
    period: indexed(uint256)
    root: bytes32
    blocks: uint256
    energy_wh: uint256
    members: uint256

struct Anchor:
    root: bytes32
    blocks: uint256
    energy_wh: uint256

operator: public(immutable(address))
balance_ueur: public(HashMap[uint256, HashMap[uint256, int256]])  # by period and member; positive: is owed money
anchors: HashMap[uint256, Anchor]


@deploy
def __init__():
    operator = msg.sender


@external
def settle(
    period: uint256,
    net_ueur: DynArray[int256, MEMBERS],
    energy_wh: uint256,
    root: bytes32,
    blocks: uint256,
):
    """
    @notice Book one net position per household, in the order of the ledger's members, and anchor the ledger.
    @param period Name of the run as a number; it can be settled once.
    @param net_ueur Got less paid, micro-EUR; must sum to zero.
    @param energy_wh All energy traded.
    @param root Merkle root over the ledger's block hashes.
    @param blocks How many blocks the root covers.
    """
    assert msg.sender == operator, "only the operator settles"
    assert self.anchors[period].blocks == 0, "the period is settled"
    assert root != empty(bytes32) and blocks > 0, "there is nothing to anchor"
    total: int256 = 0
    member: uint256 = 0
    for net: int256 in net_ueur:
        self.balance_ueur[period][member] = net
        total += net
        member += 1
    assert total == 0, "net positions do not sum to zero"
    self.anchors[period] = Anchor(root=root, blocks=blocks, energy_wh=energy_wh)
    log Settled(period=period, root=root, blocks=blocks, energy_wh=energy_wh, members=member)


@external
@view
def anchor(period: uint256) -> Anchor:
    """
    @notice What was anchored for a period; zeros where nothing was.
    """
    return self.anchors[period]
