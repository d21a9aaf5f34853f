"""Rewards for medical agents that look things up while they reason. For research and tests, never for clinical use."""
