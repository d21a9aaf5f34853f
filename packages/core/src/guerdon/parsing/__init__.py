"""Parsing: what files hold, taken apart with the place that an error has to name."""
