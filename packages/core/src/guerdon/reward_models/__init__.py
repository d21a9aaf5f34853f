"""Reward models: a language model with one number for a head. As rewards (`rewards`), and trained (`training`)."""
