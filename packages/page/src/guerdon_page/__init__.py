"""Rewards, simulators, off-policy estimates and allocation of whole result pages."""
