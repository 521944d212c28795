"""What every capability is made with: pure where possible, and blind to everything but the ports.

Import from the modules; this package imports nothing by itself.
"""
