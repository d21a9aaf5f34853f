"""Rewards for search: nuggets as rubrics, relevance of documents, grounded answers, and staying on topic."""
