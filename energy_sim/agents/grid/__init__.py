"""The grid agent: what it knows of the agents, its cycles, its HTTP."""
