"""The steps read from steps/*.toml: checked whole, each complaint by file, key and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import SimpleNamespace
from typing import Any, TypeVar

from mseg_wizard.core.files import parse_toml
from mseg_wizard.core.typed_toml import check_keys, check_unique, tables_of, typed
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.step import (
    COLUMNS,
    Archive,
    Call,
    DatasetFolder,
    Field,
    Link,
    LoginSite,
    Step,
)

KEYS = (
    "id",
    "title",
    "summary",
    "why",
    "time",
    "licence",
    "links",
    "fields",
    "datasets",
    "archives",
    "logins",
    "tasks",
)
"""Of a step file."""
T = TypeVar("T")


def load(
    folder: Traversable | None = None,
    kinds: Mapping[str, type | None] | None = None,
    check_field: Callable[[str, Field], None] | None = None,
) -> tuple[Step, ...]:
    """The steps in order, from steps/*.toml; raises Usage that names file, key and remedy.

    `kinds`: task → the frozen dataclass to which each [[tasks]] row is converted, `Archive` where it names one of the
    step's, None where it says nothing. `check_field` raises Problem for a field, whose place in the file it is told.
    Without them any will do.
    """
    folder = folder or files("mseg_wizard.steps")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if not names:
        raise Problem(f"No step files in {folder}.", "Install mseg-wizard again: its steps are missing.")
    try:
        steps = [_step(name, folder.joinpath(name).read_bytes(), number, kinds) for number, name in enumerate(names, 1)]
        if check_field:
            for name, step in zip(names, steps, strict=True):
                for item in step.fields:
                    check_field(f"{name}: field {item.name}", item)
        check_unique("steps", "id", [step.id for step in steps])
    except Problem as problem:
        raise Usage(problem.what, problem.do) from None
    return tuple(steps)


def _step(name: str, content: bytes, number: int, kinds: Mapping[str, type | None] | None) -> Step:
    table = _table(name, content, number)

    def text_of(key: str, *, needed: bool = True) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise Problem(f"{name}: {key} is missing or empty.", f'Write {key} = "…".')
        return value.strip()

    def rows_of(key: str, kind: type[T]) -> tuple[T, ...]:
        return tuple(typed(kind, row, f"{name}: {key}[{i}]") for i, row in enumerate(tables_of(name, table, key)))

    asked, archives, logins = rows_of("fields", Field), rows_of("archives", Archive), rows_of("logins", LoginSite)
    names = rows_of("datasets", DatasetFolder)
    _check_names(name, names, {archive.dataset for archive in archives})
    check_unique(name, "field", [item.name for item in asked])
    check_unique(name, "archive", [archive.file for archive in archives])
    check_unique(name, "login", [login.id for login in logins])
    by_file = {archive.file: archive for archive in archives}
    for item in asked:
        _check_only_for(f"{name}: field {item.name}", item, by_file)
    for archive in archives:
        _check_archive(f"{name}: archive {archive.file}", archive, {item.name for item in asked}, logins)
    calls = tuple(_call(name, table["id"], row, by_file, kinds) for row in tables_of(name, table, "tasks"))
    check_unique(name, "task", [call.key for call in calls])
    return Step(
        id=table["id"],
        number=number,
        title=text_of("title"),
        summary=text_of("summary"),
        why=text_of("why"),
        time=text_of("time"),
        licence=text_of("licence", needed=False),
        links=rows_of("links", Link),
        fields=asked,
        datasets=names,
        archives=archives,
        logins=logins,
        calls=calls,
    )


def _table(name: str, content: bytes, number: int) -> dict[str, Any]:
    """A step file as TOML has it, its name and keys checked."""
    try:
        table = parse_toml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem(f"{name} is not UTF-8 text: byte {error.start}.", "Save it as UTF-8.") from None
    except ValueError as error:
        raise Problem(f"{name} is not valid TOML: {error}.", "Correct that line.") from None
    prefix = re.match(r"(\d\d)-([a-z][a-z0-9-]*)\.toml$", name)
    if not prefix or int(prefix[1]) != number:
        raise Problem(f"{name} is not step {number}.", f"Name the files {number:02}-<id>.toml, numbered without gaps.")
    check_keys(name, table, KEYS)
    if table.get("id") != prefix[2]:
        raise Problem(f"{name}: id is {table.get('id')!r}.", f"Make it {prefix[2]!r}, as in the file's name.")
    return table


def _check_only_for(where: str, item: Field, archives: Collection[str]) -> None:
    for file in item.only_for:
        if file not in archives:
            raise Problem(f"{where}: only_for names {file!r}.", "Name an archive of this step.")


def _check_names(where: str, names: Collection[DatasetFolder], folders: Collection[str]) -> None:
    check_unique(where, "dataset", [each.folder for each in names])
    for each in names:
        if each.folder not in folders:
            raise Problem(f"{where}: dataset {each.folder!r} has no archive.", f"Name one of {', '.join(folders)}.")


def _check_archive(where: str, archive: Archive, fields_: Collection[str], logins: Collection[LoginSite]) -> None:
    if archive.link_field and archive.link_field not in fields_:
        raise Problem(f"{where}: link_field is {archive.link_field!r}.", "Name a field of this step.")
    if bool(archive.login) != bool(archive.login_path):
        raise Problem(f"{where}: login and login_path belong together.", "Give both or neither.")
    if archive.login and archive.login not in {login.id for login in logins}:
        raise Problem(f"{where}: login is {archive.login!r}.", "Name one of this step's [[logins]].")
    if archive.login and not {"username", "password"} <= set(fields_):
        raise Problem(f"{where}: nothing asks for its user name and password.", "Add the fields username and password.")
    for expected in archive.holds:
        if expected.column not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise Problem(f"{where}: holds: column {expected.column!r} is unknown.", f"Use one of {known}.")
    if archive.withdrawn and not archive.login:
        do = "Leave it out: only the archive's own site, logged in to, can say that it is gone."
        raise Problem(f"{where}: withdrawn is given, and no login.", do)
    for place in archive.last_known:
        if place not in (*archive.urls, archive.login_path, archive.link_field):
            raise Problem(
                f"{where}: last_known names {place!r}.", "Name one of its urls, its login_path or link_field."
            )
    for wrong in archive.wrong:
        if not (wrong.md5 or wrong.sha256 or wrong.layout or wrong.lacks):
            raise Problem(f"{where}: wrong: no mark tells such a file.", "Add md5, sha256, layout or lacks.")


def _call(
    name: str,
    step: str,
    row: Mapping[str, Any],
    archives: Mapping[str, Archive],
    kinds: Mapping[str, type | None] | None,
) -> Call:
    """One [[tasks]] row, converted to the arguments of its kind.

    Its first argument, or the first item of that, tells it from its siblings: it ends the call's key.
    """
    args = dict(row)
    task, title = args.pop("task", None), args.pop("title", None)
    counts = {name: args.pop(name, 0) for name in ("each_bytes", "seconds")}
    if not isinstance(task, str) or not isinstance(title, str):
        raise Problem(f"{name}: a task lacks its name or title.", 'Write task = "…" and title = "…" in each [[tasks]].')
    where = f"{name}: task {task}"
    for key, value in counts.items():
        if type(value) is not int:
            raise Problem(f"{where}: {key} is {value!r}.", "Write a whole number.")
    first = next(iter(args.values()), "")
    subject = str(first[0] if isinstance(first, list) and first else first)
    if kinds is not None and task not in kinds:
        raise Problem(f"{name}: task {task!r} is unknown.", f"Use one of {', '.join(kinds)}.")
    arguments: Any = None
    kind = kinds[task] if kinds is not None else Archive if "archive" in args else SimpleNamespace if args else None
    if kind is Archive:
        check_keys(where, args, ("archive",))
        arguments = next((item for file, item in archives.items() if file == args.get("archive")), None)
        if arguments is None:
            raise Problem(f"{where}: archive {args.get('archive')!r} is unknown.", "Name an archive of this step.")
    elif kind is None:
        check_keys(where, args, ())
    elif kind is SimpleNamespace:
        arguments = SimpleNamespace(
            **{k: tuple(value) if isinstance(value, list) else value for k, value in args.items()}
        )
    else:
        arguments = typed(kind, args, where)
    return Call(f"{step}/{task}" + (f"/{subject}" if subject else ""), task, title, arguments, **counts)
