"""Real processes on this machine: the demo, the fleet of the page, and faults that are done to them."""
