"""The `overlay` command on a data folder, in this process or in one of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from markers.ledger import LedgerEntry
from overlay.cli import main
from overlay.services import running
from overlay.settings import Settings


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """Its one line on standard error; it ended with 1 and said nothing else."""
        assert self.code == 1, self
        assert not self.out, self
        return self.last_refusal

    @property
    def last_refusal(self) -> str:
        """The last line on standard error, of a command that also named what is bad."""
        assert self.code == 1, self
        *named, last, end = self.err.split("\n")
        assert not end, self
        assert last.startswith("Error: "), self
        assert "Traceback" not in self.err, self
        assert all(line.strip() for line in named), self
        return last.removeprefix("Error: ")

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


@dataclass
class Folder:
    """A data folder; `environment` is what the command sees beside OVERLAY_DATA."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, stdin: str | bytes | None = None) -> Done:
        """The command in this process, which spares starting one."""
        runner = CliRunner(env={**dict.fromkeys(_own(os.environ)), **self._environment()})
        done = runner.invoke(main, [str(argument) for argument in arguments], input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """The command in a process of its own, still running."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OVERLAY_")}
        return subprocess.Popen(
            [sys.executable, "-m", "overlay", *map(str, arguments)],
            env={**inherited, **self._environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def process(self, *arguments: str | Path, seconds: float = 60, **options: Any) -> Done:
        """The command in a process of its own, to its end."""
        return ended(self.start(*arguments, **options), seconds)

    def ledger(self) -> list[LedgerEntry]:
        """Every entry but those of the proof of life, which comes and goes by the minute."""
        with running(self.settings()) as services:
            entries = [LedgerEntry.from_bytes(record.entry) for record in services.store.ledger()]
            return [entry for entry in entries if entry.actor_id not in services.access.provers()]

    def markers(self) -> dict[str, dict[str, Any]]:
        """Every marker the store holds, by reference."""
        with running(self.settings()) as services:
            found = [json.loads(record.plain or b"{}") for record in services.store.load("markers").records]
        by_reference = {marker["reference"]: marker for marker in found}
        assert len(by_reference) == len(found)
        return by_reference

    def settings(self) -> Settings:
        return Settings.read(self._environment())

    def _environment(self) -> dict[str, str]:
        return {"OVERLAY_DATA": str(self.data), **self.environment}


def ended(process: subprocess.Popen[str], seconds: float = 60) -> Done:
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end within {seconds} s:\n{out}\n{err}") from None
    return Done(process.returncode, out, err)


@contextmanager
def killed_in_the_end(process: subprocess.Popen[str]) -> Any:
    """Whatever becomes of the test, the process does not outlive it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def write_csv(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Rows with a header of every column any of them has."""
    listed = list(rows)
    columns = list(dict.fromkeys(name for row in listed for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(listed)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, to see that nothing was changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "store.sock"
    }


def _own(environment: Mapping[str, str]) -> list[str]:
    return [name for name in environment if name.startswith("OVERLAY_")]
