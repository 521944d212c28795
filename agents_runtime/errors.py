"""Every error of the library, arranged by who must act.

    AgentError                 .code (stable slug), .public_message (safe to send to a client)
    |- DefinitionError         the class is wrong; raised when it is defined: change the class
    |- ConfigError             the project's files are wrong: change the named file and key
    |- UsageError              the call is wrong: change the calling code
    |  |- NotJson              .path, .problem
    |  |- StateTooLarge        .size_bytes, .limit_bytes
    |  |- NotNamed             the agent was addressed by an id without a name
    |  |- UnknownCallback      .callback: the class has no such method to call later
    |  |- InvalidCron          .expression, .position, .meant
    |  |- TooManyPending       .limit: more waits to be done than is allowed
    |  `- more in tasks/errors.py, fibers/models.py and sub_agents/errors.py
    |- PeerError               the client or remote caller is wrong: nothing to change here
    |  |- ReadonlyConnection
    |  |- RpcError             raised by your callables: its text is always sent
    |  `- SocketClosed
    |- StorageError            SQLite refused or failed
    |  |- SqlError             .query
    |  |- CorruptDatabase      .file: restore it from a backup
    |  |- DatabaseUnavailable  .file: the machine refuses it
    |  |- DiskFull             .file: free some space
    |  `- SchemaTooNew         .key: run the newer version of the library
    |- RemoteError             the other object, server or worker failed
    |  `- FetchFailed          .url, .reason, .is_timeout: no whole answer came from another machine
    |- RetryableError          try again (.retry_after_ms)
    |- NonRetryableError       raised by your steps: do not try again
    `- DurabilityError         durable work ended otherwise than its caller hoped; more in tasks/errors.py
       |- ApprovalRejected     .request_id, .reason
       `- ApprovalExpired      .request_id
    Evicted(BaseException)     this object's memory is being dropped; `except Exception` must not swallow it
    InternalError(Exception)   a bug of this library; please report it

Only `public_message` ever crosses a socket. A control-flow error is a BaseException, so the wrong way to
clean up is `except BaseException: pass`; the right way is `finally:` or `except Exception:`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class AgentError(Exception):
    """Base of every error an agent's user may want to catch."""

    code: ClassVar[str] = "agent_error"

    @property
    def public_message(self) -> str:
        """What a client may read. By default the text of the error."""
        return str(self)


class DefinitionError(AgentError, TypeError):
    """Raised when an Agent class is defined in a way that cannot work."""

    code = "definition_error"


class ConfigError(AgentError):
    """Raised when a project file is missing or wrong.

    Attributes:
        file: the file to change, as text.
        key: the key inside it, or None when the file as a whole is at fault.
    """

    code = "config_error"

    def __init__(self, file: object, key: str | None, problem: str) -> None:
        self.file = str(file)
        self.key = key
        self.problem = problem
        super().__init__(f"{self.file}: {key}: {problem}" if key else f"{self.file}: {problem}")


class UsageError(AgentError, ValueError):
    """Raised when a call cannot be served as written."""

    code = "usage_error"


class NotJson(UsageError):
    """Raised when a value cannot be written as JSON.

    Attributes:
        path: where the value is, such as `state.players[2]`.
        problem: what is wrong there, and the remedy.
    """

    code = "not_json"

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path} {problem}")


class StateTooLarge(UsageError):
    """Raised when a state has more bytes of JSON than one database row may hold. The old state stays.

    Attributes:
        size_bytes: the size of the refused state.
        limit_bytes: the most that is stored.
    """

    code = "state_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the state has {size_bytes:,} bytes of JSON and at most {limit_bytes:,} can be stored: keep what grows "
            "(messages, logs, items) in tables of your own with self.sql(...), and only a summary in the state"
        )


class NotNamed(UsageError):
    """Raised when an agent is addressed by a unique id, or by a name so long that the platform forgot it."""

    code = "not_named"

    def __init__(self, object_id: str) -> None:
        super().__init__(
            f"the object {object_id} has no name: agents are addressed by name (get_agent_by_name, idFromName, or a "
            "URL), not by newUniqueId, and names have at most 1,024 bytes"
        )


class UnknownCallback(UsageError):
    """Raised when something that is to be called later is no method of the agent.

    Attributes:
        callback: what was given, as text.
    """

    code = "unknown_callback"

    def __init__(self, callback: str, problem: str) -> None:
        self.callback = callback
        super().__init__(problem)


class InvalidCron(UsageError):
    """Raised when a cron expression cannot be read, or matches no date.

    Attributes:
        expression: as it was written.
        position: where it goes wrong, in characters from 0.
        problem: what is wrong there.
        meant: an expression that was probably meant, or None.
        next_runs: when that one would run next, as texts.
    """

    code = "invalid_cron"

    def __init__(
        self, expression: str, position: int, problem: str, meant: str | None = None, next_runs: Sequence[str] = ()
    ) -> None:
        self.expression = expression
        self.position = position
        self.problem = problem
        self.meant = meant
        self.next_runs = tuple(next_runs)
        text = f"the cron expression {expression!r} is wrong at character {position + 1}: {problem}"
        if meant is not None:
            text += f"; did you mean {meant!r}?"
        if next_runs:
            text += f" It would run next at {', '.join(next_runs)}"
        super().__init__(text)


class TooManyPending(UsageError):
    """Raised when so much waits to be done already that nothing more is accepted.

    Attributes:
        limit: the most that may wait.
    """

    code = "too_many_pending"

    def __init__(self, what: str, limit: int, remedy: str) -> None:
        self.limit = limit
        super().__init__(f"{limit:,} {what} wait already, which is the limit: {remedy}")


class PeerError(AgentError):
    """Raised when a client or remote caller asked for something it may not have or that does not exist."""

    code = "peer_error"


class ReadonlyConnection(PeerError):
    """Raised when a read-only connection tries to change the state."""

    code = "readonly_connection"

    def __init__(self) -> None:
        super().__init__("Connection is readonly")


class RpcError(PeerError):
    """Raise it in a `@callable` method to tell the client what is wrong: its text is always sent.

    The texts of other exceptions are sent too, unless the class sets `options = {"redact_errors": True}`.
    """

    code = "rpc_error"


class StorageError(AgentError):
    """Raised when the object's storage refused or failed."""

    code = "storage_error"

    @property
    def public_message(self) -> str:
        """Nothing about files or statements."""
        return "Storage error"


class SqlError(StorageError):
    """Raised when SQLite refuses a statement. The original exception is the cause.

    Attributes:
        query: the statement, with `?` where values stood.
    """

    code = "sql_error"

    def __init__(self, query: str, cause: BaseException) -> None:
        self.query = query
        super().__init__(f"SQL query failed: {cause}")


class CorruptDatabase(StorageError):
    """Raised when an object's file is not a database or is damaged. Other objects are not affected.

    Attributes:
        file: the damaged file, as text.
    """

    code = "corrupt_database"

    def __init__(self, file: object, cause: BaseException) -> None:
        self.file = str(file)
        super().__init__(f"{self.file} is damaged ({cause}): restore it from a backup, or move it away to start empty")


class DatabaseUnavailable(StorageError):
    """Raised when the machine does not let an object's file be opened, read or written.

    Attributes:
        file: the file concerned, as text.
    """

    code = "database_unavailable"

    def __init__(self, file: object, cause: BaseException) -> None:
        self.file = str(file)
        super().__init__(
            f"{self.file} cannot be used ({cause}): check that its folder exists and is writable, that no other "
            "program locks it, and that the process may open more files"
        )


class DiskFull(StorageError):
    """Raised when there is no room to write an object's file. The writes of this turn are not kept.

    Attributes:
        file: the file concerned, as text.
    """

    code = "disk_full"

    def __init__(self, file: object) -> None:
        self.file = str(file)
        super().__init__(f"no room to write {self.file}: free some space on its disk; nothing of this turn was kept")


class SchemaTooNew(StorageError):
    """Raised when a newer version of the library stored what this one does not know. Nothing is changed.

    Attributes:
        key: where the version is stored.
        found: the version that was found.
        known: the newest version that this library knows.
    """

    code = "schema_too_new"

    def __init__(self, key: str, found: int, known: int) -> None:
        self.key = key
        self.found = found
        self.known = known
        super().__init__(
            f"{key} is {found}, and this version of agents_runtime knows up to {known}: run the newer version again"
        )


class RemoteError(AgentError):
    """Raised when a remote method, another object or a server failed. Carries no remote traceback."""

    code = "remote_error"


class FetchFailed(RemoteError):
    """Raised when another machine could not be reached, broke off, answered too slowly or with too much.

    Attributes:
        url: what was asked for.
        reason: what went wrong.
        is_timeout: whether it took too long.
    """

    code = "fetch_failed"

    def __init__(self, url: str, reason: str, *, is_timeout: bool = False) -> None:
        self.url = url
        self.reason = reason
        self.is_timeout = is_timeout
        host = url.partition("://")[2].split("/")[0].split("?")[0].rpartition("@")[2]
        super().__init__(f"{host or 'the request'}: {reason}")


class RetryableError(AgentError):
    """Raised when the same call may succeed later.

    Attributes:
        retry_after_ms: the least time to wait, or None.
    """

    code = "retryable"

    def __init__(self, message: str, retry_after_ms: int | None = None) -> None:
        self.retry_after_ms = retry_after_ms
        super().__init__(message)


class NonRetryableError(AgentError):
    """Raise it in a task's step when trying again cannot help: the step fails at once."""

    code = "non_retryable"


class DurabilityError(AgentError):
    """Raised when durable work ended in another way than its caller hoped."""

    code = "durability_error"


class ApprovalRejected(DurabilityError):
    """Raised where an approval was waited for and refused.

    Attributes:
        request_id: which request.
        reason: what `reject` was given, or None.
    """

    code = "approval_rejected"

    def __init__(self, request_id: str, reason: str | None) -> None:
        self.request_id = request_id
        self.reason = reason
        super().__init__(f"the request {request_id!r} was rejected" + (f": {reason}" if reason else ""))


class ApprovalExpired(DurabilityError):
    """Raised where an approval was waited for and nobody decided in time.

    Attributes:
        request_id: which request.
    """

    code = "approval_expired"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"nobody decided on the request {request_id!r} in time")


class SocketClosed(PeerError):
    """Raised when sending on a WebSocket that is closing or closed."""

    code = "socket_closed"

    def __init__(self) -> None:
        super().__init__("Can't call WebSocket send() after close().")


class Evicted(BaseException):
    """Raised inside an object whose memory is being dropped (`abort`, failed commit, crash)."""


class InternalError(Exception):
    """Raised when the library broke one of its own rules: a bug, please report it."""
