"""Secrets: passwords and bearer links.

Environment first, then the OS keyring, then this session's memory; never a file.
"""

from __future__ import annotations

import ctypes
import os
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from mseg_wizard.core.background import in_thread
from mseg_wizard.core.limits import home
from mseg_wizard.core.log import hide

SERVICE = "mseg-wizard"
PRACTICE_SERVICE = "mseg-wizard-practice"
PRACTICE_ID = "practice"
LIMIT = 5.0
"""Seconds that the keyring gets for one answer: on a server without
a desktop, unlocking waits for a dialog that nobody sees.
"""

OF_A_LOGIN = ("username", "password")
"""Fields whose variables are <STEP>_<FIELD>, as in MSeg's own scripts; every other is MSEG_WIZARD_<STEP>_<FIELD>."""

OF_ALL = {"hf_token": "HF_TOKEN"}
"""Fields whose variables other programs read as well."""

KEPT = "kept in the system keyring"

UNFIT = {
    "keyring.backends.fail": "this system has no keyring",
    "keyring.backends.null": "the system keyring is switched off in its settings",
    "keyrings.alt": "the keyring that is set up here would keep secrets in a file",
}
"""Modules of backends that are not asked, and why. keyrings.alt would also ask for a password on the terminal."""

T = TypeVar("T")

_taken: dict[str, str] = {}
"""Variables that were taken out of the environment, see take_environment."""


class Secret:
    """A value that shows itself to nobody: masked in str, repr, format
    and tracebacks' locals; `reveal()` is the one way to read it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not sent to other processes or files")


class Backend(Protocol):
    """The part of a keyring that we use."""

    def get_password(self, service: str, name: str) -> str | None: ...

    def set_password(self, service: str, name: str, value: str) -> None: ...

    def delete_password(self, service: str, name: str) -> None: ...


class Unfit(Exception):
    """There is no keyring here that may be used; says why."""


def system_keyring() -> Backend:
    """The keyring that this user's system has, itself: the package's own functions would hand secrets on to any that is
    installed. Raises Unfit.
    """
    import keyring  # it looks through all packages that are installed, for backends
    from keyring.backends.chainer import ChainerBackend

    chosen = keyring.get_keyring()
    candidates = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
    reasons = ["this system has no keyring"]
    for candidate in candidates:
        unfit = [reason for module, reason in UNFIT.items() if type(candidate).__module__.startswith(module)]
        if not unfit:
            return candidate
        reasons.insert(0, unfit[0])
    raise Unfit(reasons[0])


@dataclass(frozen=True)
class VaultWipeResult:
    """What a wipe removed, and what is still there."""

    removed: tuple[str, ...]
    remains: tuple[str, ...]
    unreached: str = ""
    """Why the keyring could not be asked; empty where it was."""


class Vault:
    """The secrets of one destination.

    Reading asks the environment, the OS keyring and this session's memory, in that order.

    Only what was entered in this session goes before the environment: else nobody could correct a password that is
    wrong there.
    """

    def __init__(
        self,
        destination_id: str,
        *,
        backend: Callable[[], Backend] | None = system_keyring,
        service: str = SERVICE,
        environment: Mapping[str, str] = ChainMap(_taken, os.environ),
    ) -> None:
        self._id = destination_id
        self._backend = backend
        self._service = service
        self._environment = environment
        self._memory: dict[str, str] = {}
        self._entered: set[str] = set()
        self._read: dict[str, str | None] = {}
        self._changes = 0
        self._trouble = "" if backend else "no keyring is used in this session"

    def get(self, step: str, field: str) -> Secret | None:
        """The secret, or None where nothing is stored."""
        name = f"{step}.{field}"
        value = self._memory.get(name)
        if value is None and name not in self._entered:
            value = self._environment.get(variable(step, field)) or None
        if value is None:
            value = self._remembered(name) or None
        if value is None:
            return None
        _hide(name, value)
        return Secret(value)

    def put(self, step: str, field: str, secret: Secret) -> str:
        """Store a secret; returns where it is kept, in words for the screen.

        Read back before it counts as stored: a keyring may accept everything and keep nothing.
        """
        name, value = f"{step}.{field}", secret.reveal()
        _hide(name, value)
        self._forget(name)
        self._entered.add(name)
        # One that has to be unlocked first is not handed anything that it would keep after we gave up on it.
        self._stored(name)
        self._ask(lambda backend: backend.set_password(self._service, self._entry(name), value))
        kept = self._stored(name) == value
        self._forget(name)
        if kept:
            self._memory.pop(name, None)
            return KEPT
        self._memory[name] = value
        return f"kept in this session's memory only ({self._trouble or 'the system keyring did not keep it'})"

    def where(self, step: str, field: str) -> str:
        """Where a secret is kept, in words for the screen; empty where there is none."""
        name = f"{step}.{field}"
        if name in self._memory:
            return "kept in this session's memory only"
        if variables := self.variables(step, (field,)):
            return f"from the environment ({variables[0]})"
        return KEPT if self.get(step, field) else ""

    def kept(self, names: Iterable[tuple[str, str]]) -> list[str]:
        """Names, as `step.field`, of the secrets that the keyring or this session's memory holds."""
        return [
            name
            for name in (f"{step}.{field}" for step, field in names)
            if name in self._memory or self._remembered(name)
        ]

    def variables(self, step: str, fields: Iterable[str]) -> list[str]:
        """The environment's variables that the secrets of these fields come from."""
        used = [variable(step, field) for field in fields if f"{step}.{field}" not in self._entered]
        return [name for name in used if self._environment.get(name)]

    def wipe(self, names: Iterable[tuple[str, str]]) -> VaultWipeResult:
        """Remove the secrets of these (step, field) pairs from keyring
        and memory; keyring can't enumerate, so the caller names all.
        """
        removed, remains = [], []
        for step, field in names:
            name = f"{step}.{field}"
            gone = self._memory.pop(name, None) is not None
            self._forget(name)
            self._entered.discard(name)
            if self._stored(name) is not None:
                self._ask(lambda backend, name=name: backend.delete_password(self._service, self._entry(name)))  # type: ignore[misc]
                if self._stored(name) is None and not self._trouble:
                    gone = True
                else:
                    remains.append(f"{name} is still in the system keyring")
            self._forget(name)
            if gone:
                removed.append(name)
        return VaultWipeResult(tuple(removed), tuple(remains), self._trouble)

    def state(self) -> str:
        """In words for the screen and `doctor`: where new secrets would be kept."""
        self._stored("probe")
        return f"this session's memory ({self._trouble})" if self._trouble else "the system keyring"

    def _remembered(self, name: str) -> str | None:
        """What the keyring holds; asked once in a session: the screen asks often, and a keyring may take seconds."""
        if name in self._read:
            return self._read[name]
        before = self._changes
        stored = self._stored(name)
        if self._trouble:
            return None
        # Not where another thread stored or wiped something meanwhile: this may be old by now.
        if before == self._changes:
            self._read[name] = stored
        return stored

    def _forget(self, name: str) -> None:
        """Ask the keyring anew next time."""
        self._changes += 1
        self._read.pop(name, None)

    def _stored(self, name: str) -> str | None:
        return self._ask(lambda backend: backend.get_password(self._service, self._entry(name)))

    def _entry(self, name: str) -> str:
        return f"{self._id}/{name}"

    def _ask(self, question: Callable[[Backend], T]) -> T | None:
        """Ask the keyring with a limit; after a trouble it isn't asked
        again, unless an answer comes late (somebody unlocked it).
        """
        backend = self._backend
        if backend is None or self._trouble:
            return None
        answer = in_thread(lambda: question(backend()), "keyring")
        try:
            return answer.result(LIMIT)
        except TimeoutError:
            self._trouble = f"the system keyring did not answer within {LIMIT:.0f} s"
            answer.add_done_callback(self._answered_late)
        except Unfit as unfit:
            self._trouble = str(unfit)
        except Exception as error:  # keyring's backends raise whatever D-Bus and their libraries raise
            # the type alone: a backend's message may quote what it was given
            self._trouble = f"the system keyring does not answer: {type(error).__name__}"
        return None

    def _answered_late(self, answer: Future[T]) -> None:
        if answer.exception() is None:
            self._trouble = ""


def variable(step: str, field: str) -> str:
    """The environment variable that may hold a secret."""
    if field in OF_ALL:
        return OF_ALL[field]
    prefix = "" if field in OF_A_LOGIN else "MSEG_WIZARD_"
    return f"{prefix}{step}_{field}".upper().replace("-", "_")


def take_environment(names: Iterable[tuple[str, str]]) -> None:
    """Take the secrets of these (step, field) pairs out of the environment, for this process alone to keep.

    What it starts then never has them, and the block that the system shows of a process (`ps e`, /proc/<pid>/environ)
    is overwritten.
    """
    for step, field in names:
        name = variable(step, field)
        if value := os.environ.get(name):
            _taken[name] = value
            _overwrite(name, value)
            del os.environ[name]


def _overwrite(name: str, value: str) -> None:
    with suppress(OSError, AttributeError):  # another C library
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        if place := getenv(os.fsencode(name)):
            ctypes.memset(place, 0, len(os.fsencode(value)))


def _hide(name: str, value: str) -> None:
    """Keep a secret out of the log. User names and hosts are in half of all paths and open nothing."""
    if name.endswith(".username"):
        if not value.isalnum() and value not in str(home() or ""):
            hide(value)
        return
    for line in value.splitlines():
        hide(line)
        with suppress(ValueError):  # no address
            parts = urlsplit(line)
            hide(parts.query)
            if name.endswith(".base_url"):
                hide(parts.path.strip("/"))
