"""`python -m guerdon.cli`: the same as `guerdon`."""

from guerdon.cli import main

if __name__ == "__main__":
    main(prog_name="guerdon")
