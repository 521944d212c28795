"""Work that is due later: one durable table of jobs, one driver, one alarm. Capabilities see only the port.

A job is a row of `cf_agents_jobs`, written before its push returns. It is deleted after it ran, so that it runs at
least once: again if the object dies between the call and its commit. It never runs before its time.
"""
