"""Rigs for meshes: read, measured, generated token by token, and rewarded by their geometry."""
