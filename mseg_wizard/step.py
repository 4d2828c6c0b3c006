"""The steps as typed objects: what their files in steps/ say, and what follows from that alone.

What a step does is not known here, and how files are read in step_files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

COLUMNS = ("image", "label", "records")
"""What expected files are computed from."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A page that the user may want to open."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a form asks for."""

    name: str
    kind: str
    label: str
    help: str = ""
    required: bool = True
    """Must be given before the step can start (an acknowledgement must be true)."""
    secret: bool = False
    """Kept in the vault, never in the journal."""
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    """Known values of a `choice`; it may still take free text where `free` is set."""
    free: bool = False
    script: str = ""
    """Of a `base_url`: the name of the script that holds it, as it comes by mail."""
    only_for: tuple[str, ...] = ()
    """Archives by file name: the field is needed only while one of them can be had from no earlier source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """A file that people take for the right one, and how to tell it. Any one of the marks that are given suffices."""

    reason: str
    """Ends the sentence "… is not the archive that is wanted: …", so it has no full stop of its own."""
    md5: str = ""
    sha256: str = ""
    layout: str = ""
    """Pattern that one of its members matches (fnmatch, `*` also matches `/`)."""
    lacks: str = ""
    """Pattern that none of its members matches; looked at where the layout is not met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """Another file that may stand in for an archive, such as another release or a repackaging, and why it may."""

    title: str
    """As a sentence can take it: "ADE20K's release of 2021"."""
    files: tuple[str, ...]
    """Names under which it comes."""
    layout: tuple[str, ...]
    """As of an archive: each pattern must match a member, and then it is this one."""
    proof: str
    """By what it counts; ends the sentence "It counts because …"."""
    where: str
    """The page where people get it."""
    hub: str = ""
    """`owner/name:folder` of a dataset on Hugging Face's hub whose parquet files it is: fetched where no address of the
    archive gives anything.
    """
    last_known: str = ""
    """What was last known of that page, with the month."""
    about: int | None = None
    md5: str = ""
    sha256: str = ""
    take: Mapping[str, str] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    only: str = ""

    def in_words(self, file: str) -> str:
        """What a user is told where it stands in for the archive `file`."""
        return f"{file}: {self.title} stands in for it; it counts because {self.proof}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """An archive inside an archive: unpacked where it stands and then removed."""

    file: str
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFiles:
    """Files that must be there after extraction, computed from the rows of the accepted mseg-api tree's lists."""

    taxonomy: str
    column: str
    """`image` or `label`, of the taxonomy's lists; `records`:
    every image that a relabelling record of the taxonomy names.
    """
    match: str = ""
    """Only rows whose path holds this text: where several archives make up one dataset."""
    splits: tuple[str, ...] = ("train", "val")
    replace: Mapping[str, str] = field(default_factory=dict)
    """Text replaced in the listed path, in order: from a label's path to that of the file it is made from."""
    folder: str = ""
    """For `records`: the folder, below the dataset's, that is searched at any depth for `<stem><suffix>`."""
    suffix: str = ""
    or_made: bool = False
    """The listed path itself counts too: the file is removed once what is made from it was checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSite:
    """One site's login: a form of `username`, `password`, `submit=Login` and the hidden fields that the page adds."""

    id: str
    name: str
    """As people call the site."""
    origin: str
    """Credentials are sent there and nowhere else."""
    path: str
    token: str = ""
    """Hidden field without which the form is not accepted."""
    sums: str = ""
    """Path of the page that tells an archive's md5; the query is that of the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFolder:
    """What is to be known of a dataset's folder, where it is not as the step has it."""

    folder: str
    """Below mseg_dataset/."""
    name: str = ""
    """How people call the dataset, where its step is not called so: a step that brings several."""
    lists: str = ""
    """The folder below it that the paths of its lists start from, where that is not itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One file to fetch and unpack, and every fact by which to know it."""

    file: str
    dataset: str
    """Folder below mseg_dataset/: the archive is kept and unpacked there."""
    urls: tuple[str, ...] = ()
    bytes: int | None = None
    """Published size: binding."""
    about: int | None = None
    """Approximate size, for estimates where none is published."""
    sha256: str = ""
    md5: str = ""
    sha1: str = ""
    warn_only: bool = False
    """A hash that differs is reported, not refused (known from one third-party report only)."""
    layout: tuple[str, ...] = ()
    """Patterns (fnmatch, `*` also matches `/`), each of which some member must match."""
    wrong: tuple[Lookalike, ...] = ()
    take: Mapping[str, str] = field(default_factory=dict)
    """Prefix of the members' names → prefix below the dataset's folder; members under no prefix are left out.

    Empty: everything.
    """
    skip: tuple[str, ...] = ()
    """Prefixes of members that are left out, of nested archives too."""
    only: str = ""
    """Pattern (fnmatch) of the members that are unpacked; empty: all."""
    equivalents: tuple[Equivalent, ...] = ()
    """What may stand in for it; the published archive is looked for first, wherever both could be."""
    last_known: Mapping[str, str] = field(default_factory=dict)
    """Of `urls`, `login_path` or `link_field`: what was last known of that place, with the month."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Host of an older pasted link → host that the publisher moved to: tried where the older one fails."""
    shared: tuple[str, ...] = ()
    """Prefixes of members that another archive of the dataset brings too: the copy that is there first stays."""
    nested: tuple[Nested, ...] = ()
    keep: bool = False
    """The archive stays after extraction (as MSeg's scripts have it)."""
    files: int = 0
    """Files that come out of the full-size archive."""
    expands: float = 1.0
    """Bytes that come out, over the archive's size."""
    rows: int = 0
    """Paths that the expected files give with the full-size lists, each expected
    files' once: estimates are scaled by the accepted tree's over this.
    """
    holds: tuple[ExpectedFiles, ...] = ()
    also: tuple[str, ...] = ()
    """Files that must be there besides, below the dataset's folder: those that later work reads and no list names."""
    other_names: tuple[str, ...] = ()
    """Names under which a link may bring an archive that serves as well."""
    login: str = ""
    """Id of the login of this step that lets it be fetched, where there is one."""
    login_path: str = ""
    link_field: str = ""
    """Name of the step's field that holds the pasted link (or base URL) for it, where there is one."""
    link_path: str = ""
    """Path that is joined to the pasted base URL; empty: the pasted link is the archive itself."""
    any_name: bool = False
    """Its links say no name that one could know it by: any is taken, and the content decides."""
    browser: bool = False
    """Only a browser can fetch it: it is uploaded to the server or named as a file."""
    withdrawn: str = ""
    """Given, it may be set aside once its own site, logged in to, has it no more: why the rest can do without it.

    Ends the sentence "… can do without it: …". Nothing of another step may be made from it.
    """

    @property
    def size(self) -> int:
        """Bytes, published or approximate; 0 while neither is known."""
        return self.bytes or self.about or 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of files that may be it or stand in for it, its own first."""
        return (self.file, *self.other_names, *(name for other in self.equivalents for name in other.files))

    def replaced_by(self, title: str) -> Archive:
        """The archive as the equivalent of that title brings it; itself where there is none."""
        other = next((other for other in self.equivalents if other.title == title), None)
        if other is None:
            return self
        return replace(
            self,
            bytes=None,
            about=other.about,
            sha256=other.sha256,
            md5=other.md5,
            sha1="",
            warn_only=True,
            layout=other.layout,
            take=other.take,
            skip=other.skip,
            only=other.only,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One task with its arguments: the unit that is finished, skipped, resumed and shown as one line."""

    key: str
    task: str
    title: str
    args: Any = None
    """What the row says besides, as its kind of task types it: an archive, or a frozen dataclass; None: nothing."""
    each_bytes: int = 0
    """Average size of one file that the task writes on the full data; 0 where it writes none worth counting."""
    seconds: int = 0
    """That it takes on the full data with four cores; 0: hardly any, or as long as its archive is large."""

    @property
    def archive(self) -> Archive | None:
        return self.args if isinstance(self.args, Archive) else None

    @property
    def given(self) -> tuple[Any, ...]:
        """What its task's functions get after the context."""
        return () if self.args is None else (self.args,)

    @property
    def needs(self) -> tuple[str, ...]:
        """Taxonomies of the label maps that it reads."""
        return tuple(getattr(self.args, "needs", ()))

    @property
    def makes(self) -> tuple[str, ...]:
        """Taxonomies of the label maps that it makes."""
        return tuple(getattr(self.args, "makes", ()))


@dataclass(frozen=True, slots=True)
class Step:
    """One of the steps, in the words that the user reads."""

    id: str
    number: int
    title: str
    summary: str
    why: str
    time: str
    licence: str
    links: tuple[Link, ...]
    fields: tuple[Field, ...]
    archives: tuple[Archive, ...]
    logins: tuple[LoginSite, ...]
    calls: tuple[Call, ...]
    datasets: tuple[DatasetFolder, ...] = ()

    @property
    def form(self) -> str:
        """Where its fields are filled in, in words."""
        return f"the form of step {self.named}"

    @property
    def named(self) -> str:
        """Its number and title, as the screen shows them."""
        return f"{self.number}, {self.title}"

    def name_of(self, folder: str) -> str:
        """How people call the dataset of a folder: as the step is called, where it brings no other."""
        alone = len({archive.dataset for archive in self.archives}) == 1
        return next(
            (each.name for each in self.datasets if each.folder == folder and each.name),
            self.title if alone else folder,
        )

    def root_of(self, folder: str) -> str:
        """What the paths of a dataset's lists start from, below mseg_dataset/."""
        below = next((each.lists for each in self.datasets if each.folder == folder), "")
        return f"{folder}/{below}" if below else folder

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.fields)

    def has(self, task: str) -> bool:
        return any(call.task == task for call in self.calls)

    def without(self, archives: Collection[str]) -> frozenset[str]:
        """Keys of the calls that can't be done while these archives, by file name, can't be had.

        Their own, and those that read the labels that they bring.
        """
        gone = [archive for archive in self.archives if archive.file in archives]
        labels = {expected.taxonomy for archive in gone for expected in archive.holds if expected.column == "label"}
        return frozenset(call.key for call in self.calls if call.archive in gone or labels & set(call.needs))

    def keeping(self, wanted: Callable[[str], bool]) -> Step:
        """The same step with no calls but those whose task is wanted."""
        return replace(self, calls=tuple(call for call in self.calls if wanted(call.task)))


def roots(steps: Iterable[Step]) -> dict[str, str]:
    """Taxonomy that an archive brings or a call makes → what the paths of its lists start from, below mseg_dataset/."""
    found: dict[str, str] = {}
    for step in steps:
        for archive in step.archives:
            found |= {expected.taxonomy: step.root_of(archive.dataset) for expected in archive.holds}
        for call in step.calls:
            root = next((found[taxonomy] for taxonomy in call.needs if taxonomy in found), "")
            found |= dict.fromkeys(call.makes, root) if root else {}
    return found


def only(steps: Iterable[Step], task: str) -> Step:
    """The first step that has this task, with nothing else in it."""
    having = (step.keeping(lambda other: other == task) for step in steps)
    return next(step for step in having if step.calls)
