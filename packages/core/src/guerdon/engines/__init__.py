"""How a language policy generates: engines behind `guerdon.protocols.Engine`. Nothing heavy is imported here."""
