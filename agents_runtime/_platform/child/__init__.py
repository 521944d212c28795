"""The platform of an object inside an object: its own storage, and its root's alarm and sockets.

It decorates the platform of either host. What only the root can do goes up to it in order, see `uplink`.
"""
