"""Tools made of Python functions: the decorator, their schemas, and what becomes of their results.

Import from the modules; this package imports nothing by itself.
"""
