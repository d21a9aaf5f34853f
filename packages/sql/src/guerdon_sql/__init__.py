"""Text-to-SQL rewards, tasks and metrics."""
