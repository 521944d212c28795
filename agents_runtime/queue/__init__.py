"""The queue: items that a method of the agent is called for, one after the other, and items that wait to be pulled."""
