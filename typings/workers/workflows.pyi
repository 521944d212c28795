# What `from workers.workflows import ...` gives on CPython.
from agents_runtime.local.shim.workflows import *
