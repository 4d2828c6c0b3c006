"""TOML tables as frozen dataclasses: keys known, values of their types, complaints by place, key and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mseg_wizard.progress import Problem

T = TypeVar("T")


def typed(kind: type[T], row: Mapping[str, Any], where: str) -> T:
    """`row` as a `kind`: every key known, every value of the declared type, nothing missing; raises Problem."""
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy doubts that a type can be hashed
    declared = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    check_keys(where, row, declared.keys())
    for key, item in declared.items():
        if key not in row and item.default is MISSING and item.default_factory is MISSING:
            raise Problem(f"{where}: {key} is missing.", f"Add {key} = …")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in row.items()}
    try:
        return kind(**values)
    except Problem as problem:  # what only this kind knows to be wrong
        raise Problem(f"{where}: {problem.what}", problem.do) from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of its fields; worked out once, as there are hundreds of rows."""
    return get_type_hints(kind)


def tables_of(name: str, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables that stand under [[key]], none where there are none; raises Problem where it is something else."""
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem(f"{name}: {key} is not a list of tables.", f"Write [[{key}]] before each.")
    return rows


def check_keys(where: str, row: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise Problem for the first key that is none of `known`."""
    names = sorted(known)
    for key in row:
        if key not in names:
            raise Problem(f"{where}: unknown key {key!r}.", f"Known are: {', '.join(names)}.")


def check_unique(where: str, what: str, names: list[str]) -> None:
    """Raise Problem for a name that occurs twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Problem(f"{where}: {what} {twice[0]!r} occurs twice.", "Give each its own name.")


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise Problem(f"{where} is not a list.", "Write [ … ].")
        inner = args[0]
        tables = isinstance(inner, type) and is_dataclass(inner)
        return tuple(
            typed(inner, v, where) if tables and isinstance(v, dict) else _value(inner, v, where) for v in value
        )
    if origin is Mapping:
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise Problem(f"{where} is not a table of texts.", 'Write { "from" = "to" }.')
        return dict(value)
    allowed = args if isinstance(hint, UnionType) else (hint,)
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
        return float(value)
    if type(value) not in allowed:
        wanted = " or ".join(kind.__name__ for kind in allowed if kind is not type(None))
        raise Problem(f"{where} is {value!r}.", f"It must be of type {wanted}.")
    return value
