"""E-mail: which agent a message is for, handling it, answering it, and sending new ones.

Import from the modules; this package imports nothing by itself. Inside it, `email` is still the standard library's.
"""
