# What `from workers import ...` gives on CPython: the local host's module of that name.
from agents_runtime.local.shim import *
