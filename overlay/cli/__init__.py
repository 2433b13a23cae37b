"""The `overlay` command. Exit 0 done, 1 refused with a one-line reason on stderr, 2 wrong usage."""

from overlay.cli.group import main

__all__ = ["main"]
