"""A street of houses, tick by tick: what it produces, uses, shares and trades with the grid."""
