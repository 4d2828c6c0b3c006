"""Secrets: passwords and bearer links. Environment first, then the OS keyring, then this session's memory; never a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import keyring
import keyring.errors

SERVICE = "mseg-wizard"
PRACTICE_SERVICE = "mseg-wizard-practice"
LIMIT = 5.0
"""Seconds that the keyring gets for one answer: on a server without a desktop, unlocking waits for a dialog that nobody sees."""

ENVIRONMENT = {
    "cityscapes.username": "CITYSCAPES_USERNAME",
    "cityscapes.password": "CITYSCAPES_PASSWORD",
    "wilddash.username": "WILDDASH_USERNAME",
    "wilddash.password": "WILDDASH_PASSWORD",
}
"""The names that MSeg's own scripts use; every other secret is MSEG_WIZARD_<STEP>_<FIELD>."""

T = TypeVar("T")


class Secret:
    """A value that shows itself to nobody: masked in str, repr, format and tracebacks' locals; `reveal()` is the one way to read it."""

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
    """The part of a keyring that we use; `keyring` itself is one."""

    def get_password(self, service: str, name: str) -> str | None: ...

    def set_password(self, service: str, name: str, value: str) -> None: ...

    def delete_password(self, service: str, name: str) -> None: ...


@dataclass(frozen=True)
class Wiped:
    """What a wipe removed, and what is not ours to remove."""

    removed: tuple[str, ...]
    remains: tuple[str, ...]


class Vault:
    """The secrets of one destination. Reading asks the environment, the OS keyring and this session's memory, in that order."""

    def __init__(self, destination_id: str, *, backend: Backend | None = keyring, service: str = SERVICE,
                 environment: Mapping[str, str] = os.environ) -> None:
        self._id = destination_id
        self._backend = backend
        self._service = service
        self._environment = environment
        self._memory: dict[str, str] = {}
        self._read: dict[str, str | None] = {}
        self._trouble: str | None = None if backend else "no keyring is used in this session"

    def get(self, step: str, field: str) -> Secret | None:
        """The secret, or None where nothing is stored."""
        name = f"{step}.{field}"
        if value := self._environment.get(variable(step, field)):
            return Secret(value)
        if (value := self._memory.get(name)) is not None:
            return Secret(value)
        if name not in self._read:  # one question per session: the screen asks often, and a keyring may take seconds
            self._read[name] = self._ask(lambda backend: backend.get_password(self._service, self._entry(name)))
        stored = self._read[name]
        return Secret(stored) if stored else None

    def put(self, step: str, field: str, secret: Secret) -> str:
        """Store a secret; returns where it is kept, in words for the screen.

        Read back before it counts as stored: keyring's null backend accepts everything and keeps nothing.
        """
        name, value = f"{step}.{field}", secret.reveal()
        self._read.pop(name, None)

        def store(backend: Backend) -> bool:
            backend.set_password(self._service, self._entry(name), value)
            return backend.get_password(self._service, self._entry(name)) == value

        if self._ask(store):
            self._memory.pop(name, None)
            return "kept in the system keyring"
        self._memory[name] = value
        return f"kept in this session's memory only ({self._trouble or 'the keyring did not keep it'})"

    def where(self, step: str, field: str) -> str:
        """Where a secret is kept, in words for the screen; empty where there is none."""
        name = f"{step}.{field}"
        if self._environment.get(variable(step, field)):
            return f"from the environment ({variable(step, field)})"
        if name in self._memory:
            return "kept in this session's memory only"
        return "kept in the system keyring" if self.get(step, field) else ""

    def wipe(self, names: Iterable[tuple[str, str]]) -> Wiped:
        """Remove the secrets of these (step, field) pairs from keyring and memory; keyring can't enumerate, so the caller names all."""
        removed, remains = [], []
        for step, field in names:
            name = f"{step}.{field}"
            gone = self._memory.pop(name, None) is not None
            self._read.pop(name, None)
            if self._ask(lambda backend, name=name: backend.get_password(self._service, self._entry(name))):  # type: ignore[misc]
                self._ask(lambda backend, name=name: backend.delete_password(self._service, self._entry(name)))  # type: ignore[misc]
                if self._ask(lambda backend, name=name: backend.get_password(self._service, self._entry(name))):  # type: ignore[misc]
                    remains.append(f"{name} is still in the system keyring")
                else:
                    gone = True
            if gone:
                removed.append(name)
            if self._environment.get(variable(step, field)):
                remains.append(f"{variable(step, field)} in this shell's environment: unset it there")
        return Wiped(tuple(removed), tuple(remains))

    def state(self) -> str:
        """In words for the screen and `doctor`: where new secrets would be kept."""
        if self._trouble is None:
            self._ask(lambda backend: backend.get_password(self._service, f"{self._id}/probe"))
        if self._trouble:
            return f"this session's memory ({self._trouble})"
        return "the system keyring"

    def _entry(self, name: str) -> str:
        return f"{self._id}/{name}"

    def _ask(self, question: Callable[[Backend], T]) -> T | None:
        """Ask the keyring with a limit; after the first trouble it isn't asked again in this session."""
        backend = self._backend
        if backend is None or self._trouble:
            return None
        answers: list[T] = []
        errors: list[Exception] = []

        def body() -> None:
            try:
                answers.append(question(backend))
            except Exception as error:  # keyring's backends raise whatever D-Bus and their libraries raise
                errors.append(error)

        thread = threading.Thread(target=body, name="keyring", daemon=True)
        thread.start()
        thread.join(LIMIT)
        if answers:
            return answers[0]
        if errors:
            # the type alone: a backend's message may quote what it was given
            self._trouble = f"the system keyring does not answer: {type(errors[0]).__name__}"
        else:
            self._trouble = f"the system keyring did not answer within {LIMIT:.0f} s"
        return None


def variable(step: str, field: str) -> str:
    """The environment variable that may hold a secret."""
    return ENVIRONMENT.get(f"{step}.{field}", f"MSEG_WIZARD_{step}_{field}".upper().replace("-", "_"))
