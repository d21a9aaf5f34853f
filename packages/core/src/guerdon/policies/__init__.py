"""What is trained: language models, tables, scripts; all behind `guerdon.protocols.Policy`. Imports nothing heavy."""
