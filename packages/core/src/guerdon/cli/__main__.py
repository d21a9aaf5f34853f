"""`python -m guerdon.cli`: the same as `guerdon`."""

from guerdon.cli import main

main(prog_name="guerdon")
