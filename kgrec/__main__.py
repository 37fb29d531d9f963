"""`python -m kgrec`: the command line."""

from kgrec.cli import main

if __name__ == "__main__":
    main()
