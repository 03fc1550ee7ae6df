"""Run a PostgreSQL server for the tests, in a private folder and on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from pro import db

TEMPLATE = "pro_template"
# A folder in memory makes creating a database ten times faster. The servers of several test processes fit.
MEMORY_FOLDER, MIN_FREE_BYTES = Path("/dev/shm"), 2**31


def find_program(name: str) -> str | None:
    """Find PostgreSQL's program ``name`` in PATH or Debian's folders: the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4].split(".")[0]))
    return shutil.which(name) or (str(found[-1]) if found else None)


@dataclass
class Server:
    """A running server; ``new`` creates a database with this code's tables in it."""

    port: int
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, name: str) -> str:
        """Return the address of database ``name``."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def command(self, sql: str) -> None:
        """Run ``sql`` outside any transaction in the maintenance database."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(sql))
        engine.dispose()

    def empty(self) -> str:
        """Create a database without tables and return its URL."""
        name = f"t{next(self.numbers)}"
        self.command(f"CREATE DATABASE {name}")
        return self.url(name)

    def new(self, like: str = "") -> str:
        """Create a database with all tables, or as a copy of ``like``; return its URL.

        The database at ``like`` must have no connections.
        """
        name = f"t{next(self.numbers)}"
        self.command(f"CREATE DATABASE {name} TEMPLATE {like.rpartition('/')[2] or TEMPLATE}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database and close its connections."""
        self.command(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def server_parent_folder(durable: bool) -> str | None:
    """Return the folder for a server's files: in memory if it has room and is not ``durable``.

    None means the usual temporary folder.
    """
    roomy = (
        MEMORY_FOLDER.is_dir()
        and os.access(MEMORY_FOLDER, os.W_OK)
        and shutil.disk_usage(MEMORY_FOLDER).free >= MIN_FREE_BYTES
    )
    return str(MEMORY_FOLDER) if roomy and not durable else None


@contextmanager
def server(durable: bool = False) -> Iterator[Server]:
    """Start a server (1 s) with the migrated template database; stop it at the end.

    ``durable``: on disk, with fsync. PostgreSQL refuses to run as root, so root starts it as the user postgres.
    """
    folder = Path(tempfile.mkdtemp(prefix="pro-postgres-", dir=server_parent_folder(durable)))
    person: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        person = {"user": "postgres", "group": "postgres", "extra_groups": []}
    data, port = folder / "data", free_port()

    def run(name: str, *arguments: str) -> None:
        log = folder / "log"
        with (folder.parent / f"{folder.name}.out").open("ab") as out:
            done = subprocess.run(
                [find_program(name) or name, *arguments],
                cwd=folder,
                stdout=out,
                stderr=out,
                timeout=60,
                check=False,
                **person,
            )
        if done.returncode:
            raise RuntimeError(f"{name} failed: {Path(out.name).read_text()} {log.read_text() if log.exists() else ''}")

    try:
        run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        quick = "" if durable else " -c fsync=off -c full_page_writes=off"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1{quick}"
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-w", "-t", "30", "-o", options, "start")
        try:
            found = Server(port)
            found.command(f"CREATE DATABASE {TEMPLATE}")
            engine = db.make_engine(found.url(TEMPLATE))
            db.upgrade(engine)
            engine.dispose()
            yield found
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.out").unlink(missing_ok=True)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
