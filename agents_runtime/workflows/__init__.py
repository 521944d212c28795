"""Workflows: work that outlives the agent that began it, as the platform runs it, tracked by its agent.

`AgentWorkflow` is what users subclass; the verbs and hooks of the agent start it, follow it and decide in it.
"""
