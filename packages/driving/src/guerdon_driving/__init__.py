"""Rewards, checkers, tasks and claims for driving: from meta-actions to trajectories."""
