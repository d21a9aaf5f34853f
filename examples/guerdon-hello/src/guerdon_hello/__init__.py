"""Rewards and tasks for guerdon."""
