"""Where a study is kept: a journal file, or any storage URL that Optuna knows."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.storages.journal import JournalFileSymlinkLock

from bench.errors import Failed, Refused

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class MendingLock(JournalFileSymlinkLock):
    """Optuna's own lock of a journal (so that its dashboard may write too), which cuts off the line that a killed writer left unfinished.

    Without that the next line is appended to the fragment, and nobody can read the journal any more (optuna#5138).
    A lock that a killed writer left is broken after 30 s.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._path = path

    def acquire(self) -> bool:
        held = super().acquire()
        with open(self._path, "rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        return held


def opened(place: str, *, tries: int = 8) -> BaseStorage:
    """The storage at `place`: a URL such as postgresql+psycopg://user@host/db, or the path of a journal file, made if it is not there.

    Several workers may come first at once: making the tables of an empty database is then tried again (Optuna does not).
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in place:
        path = Path(place)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path), lock_obj=MendingLock(path)))
        except OSError as error:
            raise Refused(f"cannot write to {path}: {error.strerror}; choose another place with --storage") from error
    from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, OperationalError, ProgrammingError

    last: Exception | None = None
    for left in reversed(range(tries)):
        try:
            return optuna.storages.get_storage(place)
        except ImportError as error:
            raise Refused(
                f"--storage: the driver of {place.partition(':')[0]} is not installed; for PostgreSQL write "
                "postgresql+psycopg://... after `pip install 'melqcd-bench[postgres]'`"
            ) from error
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise Refused(
                f"--storage: not a URL that SQLAlchemy reads, for example postgresql+psycopg://host/db: {error}"
            ) from error
        except (IntegrityError, ProgrammingError) as error:  # another worker made the same table at the same time
            last = error
        except OperationalError as error:
            last = error
        if left:
            time.sleep(random.uniform(0.05, 0.5))
    raise Failed(f"--storage: {str(last).splitlines()[0]}") from last
