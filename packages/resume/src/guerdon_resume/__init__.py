"""Rewards, tasks, audits and a command line for resume screening."""
