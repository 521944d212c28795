"""Cloudflare Workers: the port on the platform's own objects. The only importer of js, pyodide and workers.

JavaScript values become Python values here and nowhere above. Importing this touches no entropy and no clock.
"""

from agents_runtime._platform.workers import http, logs
from agents_runtime._platform.workers.bindings import namespaces_of
from agents_runtime._platform.workers.http import closed_upgrade, header_of, headers_starting
from agents_runtime._platform.workers.platform import WorkersPlatform, platform_of, standalone, timing_of

logs.install()

__all__ = [
    "WorkersPlatform",
    "closed_upgrade",
    "header_of",
    "headers_starting",
    "http",
    "namespaces_of",
    "platform_of",
    "standalone",
    "timing_of",
]
