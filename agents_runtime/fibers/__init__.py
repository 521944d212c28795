"""Long work that is noticed when it is interrupted: run it, keep notes of its progress, recover it.

Import from the modules; this package imports nothing by itself.
"""
