"""`python -m careloop` is the `careloop` command."""

from careloop.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
