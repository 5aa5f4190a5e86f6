"""What `make bench` measures: budgets as numbers and ratios of one run. Nothing here needs the test tools."""
