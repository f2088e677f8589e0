"""`python -m uhop_cli` is `uhop`."""

from uhop_cli.cli.app import main

if __name__ == "__main__":
    main()
