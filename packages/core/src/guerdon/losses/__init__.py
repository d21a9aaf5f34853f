"""Losses: pure functions of flat per-step tensors. Axis N: the policy steps of a whole batch, laid end to end."""
