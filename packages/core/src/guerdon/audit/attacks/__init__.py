"""The attacks that core brings: one module per thing that is exploited, one class per idea."""
