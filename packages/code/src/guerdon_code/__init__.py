"""Rewards, tasks and claims for code generation and tool calls."""
