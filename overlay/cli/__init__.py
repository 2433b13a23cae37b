"""The `overlay` command. Exit 0 done, 1 refused with a one-line reason on stderr, 2 wrong usage."""

from overlay.cli.bench import bench
from overlay.cli.check import check_command
from overlay.cli.checklists import checklists
from overlay.cli.gazetteer import gazetteer
from overlay.cli.group import main
from overlay.cli.keys import keys
from overlay.cli.ledger import ledger
from overlay.cli.markers import markers
from overlay.cli.run import run
from overlay.cli.tokens import tokens
from overlay.cli.users import users

__all__ = ["main"]

for part in (bench, check_command, checklists, gazetteer, keys, ledger, markers, run, tokens, users):
    main.add_command(part)
