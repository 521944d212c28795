"""Schedules: methods of the agent that are called at a time, after a while, at an interval, or by a cron expression."""
