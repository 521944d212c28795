"""The line between agents and the machine they run on: the port, and who implements it."""
