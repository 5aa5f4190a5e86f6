"""Models of the things in a house and on its roof: one file for each kind."""
