"""Parsing: what files and texts hold, taken apart; of a file with the place that an error has to name."""
