"""Workflows on the local host: instances that outlive their process, as the platform's engine runs them.

An instance is a hidden object with a database and an alarm of its own; its steps are journaled as those of tasks are.
"""
