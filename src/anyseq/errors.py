"""Every error anyseq raises on purpose.

The tree (each class is also the builtin it refines, so that `except ValueError` keeps working)::

    AnyseqError
    ├── UsageError (ValueError)            mendable before the first step: exit 2
    │   ├── ConfigError                    a recipe or an override is wrong; lists all faults at once
    │   ├── DataError                      a file or a line of it is wrong
    │   ├── ModelFolderError               a folder is no model, is of another format, or is incomplete
    │   ├── OutputExistsError (FileExistsError)
    │   └── FolderInUseError               another run is at work in a folder
    ├── MissingExtraError (ImportError)    an optional dependency is absent: exit 2
    └── RunError (RuntimeError)            a run failed on the way: exit 1
        ├── NotSavedError (OSError)        the disk is full, or whatever else; what was saved before is whole
        └── Interrupted                    stopped by a signal after saving: exit 128 + signal

A message says what was given, what is allowed, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AnyseqError(Exception):
    """Root of the tree. `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(AnyseqError, ValueError):
    """Something the user can mend before the first training step."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a configuration: where it stands and what to do."""

    path: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class ConfigError(UsageError):
    """A recipe or an override is wrong. All faults are reported together."""

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        count = len(self.faults)
        head = "" if count == 1 else f"{count} faults in the configuration:\n  "
        super().__init__(head + "\n  ".join(str(fault) for fault in self.faults))


class DataError(UsageError):
    """A data file, or a line of it, cannot be used."""

    def __init__(self, message: str, file: str | None = None, line: int | None = None) -> None:
        place = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(place + message)
        self.file, self.line = file, line


class ModelFolderError(UsageError):
    """A folder is no model folder, or one this version cannot read."""


class OutputExistsError(UsageError, FileExistsError):
    """The output folder already holds a run; nothing was touched."""


class FolderInUseError(UsageError):
    """Another run is at work in the folder; nothing was touched."""


class MissingExtraError(AnyseqError, ImportError):
    """An optional dependency is not installed."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs the package {package!r}: pip install 'anyseq[{extra}]'")


class RunError(AnyseqError, RuntimeError):
    """A run failed after it had started."""


class NotSavedError(RunError, OSError):
    """A checkpoint could not be written; those before it are whole."""


class Interrupted(RunError):  # noqa: N818  it is no fault
    """Stopped by a signal, after saving."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
