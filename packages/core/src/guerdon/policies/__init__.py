"""What is trained: language models, tables, scripts; all behind `guerdon.protocols.Policy`. Nothing heavy is imported here."""
