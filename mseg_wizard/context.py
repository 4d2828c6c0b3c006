"""What every task may ask: answers, secrets, places on disk, the accepted mseg-api tree, the workers.

No rules live here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mseg_wizard.answers.fields import answered_by, check_answer, kind_of
from mseg_wizard.answers.pasted import is_link
from mseg_wizard.core import host
from mseg_wizard.core.invocation import Invocation
from mseg_wizard.core.log import log_to, redact
from mseg_wizard.core.preferences import prefer, remember_id
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.state.store import WORKERS_LOG, Store
from mseg_wizard.step import Archive, Field, Step, roots
from mseg_wizard.vault import KEPT, Secret, Vault

if TYPE_CHECKING:
    from mseg_wizard.workers.dask import Cluster
    from mseg_wizard.workers.pool import Pool

INDEX_FILE = "index.html"
"""The report's first page."""


class Consent(Waiting):
    """Something that only the user can allow; `key` names it, `Context.consents` holds what was allowed."""

    def __init__(
        self,
        what: str,
        do: str,
        key: str,
        *,
        offer: bool = False,
        items: Iterable[str] = (),
        instead: tuple[str, str] | None = None,
    ) -> None:
        """`do` names the option that allows it, as ` (--allow KEY)`."""
        super().__init__(what, do, "", items)
        self.key = key
        self.instead = instead
        """Step and field in which who says no can give something else."""
        self.offer = offer
        """Made once: who says no just starts again, and the work goes on without it."""

    @property
    def question(self) -> str:
        """What to do, for who is asked and needs no option."""
        return self.do.replace(f" (--allow {self.key})", "")


@dataclass(frozen=True)
class Refusal:
    """Answers that turned out to be of no use: not used again in
    this session, and asked for until one of them is given anew.
    """

    step: str
    digests: Mapping[str, str]
    """Field → sha256 of the value that was refused; empty for a value that was not even kept."""
    why: str
    """For the user; quotes no value."""


@dataclass(frozen=True)
class Options:
    """What the command line says about this run."""

    mirror: str | None = None
    """A folder, or the URL of a folder on a server, that holds archives by file name."""
    routes: tuple[str, ...] = ()
    """ORIGIN=ORIGIN: requests for the first go to the second."""
    workers: int | None = None
    scheduler: str = ""
    """Address of a Dask scheduler, whose workers do the work instead of processes of this machine."""
    attended: bool = False
    """A person is at the screen: uploads are waited for, offers are made."""
    consents: frozenset[str] = frozenset()
    keep_archives: bool = False
    hosts: int = 4
    """From so many an archive is fetched at once, whether its turn has come or not; 0: each in its turn."""
    by_questions: bool = False
    """The person is asked one thing after the other (`--plain`): a task must not wait for anything but an answer."""
    invocation: Invocation = field(default_factory=Invocation)
    """The command line itself: what to type to go on."""
    notify: str = ""
    """The user's command for messages, see notify."""
    notify_quiet: bool = False
    """It is not tried at the start."""


@dataclass
class Context:
    """One destination and everything around it, for the duration of one run."""

    steps: tuple[Step, ...]
    store: Store
    vault: Vault
    options: Options = field(default_factory=Options)
    consents: set[str] = field(default_factory=set)
    answered: int = 0
    """How often answers were given: what waits for some looks again."""
    call: str = ""
    """Key of the running call; this and the next three are each call's own, see `during`."""
    distrust: bool = False
    """Files of an earlier run of the call may be empty, because the power failed since."""
    foreign: bool = False
    """What stands where the call writes may be something else's; `adopt` settles that."""
    notes: list[str] = field(default_factory=list)
    """Remarks of the call; the engine hands them to the journal."""
    refusals: list[Refusal] = field(default_factory=list)
    offered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Offers that were made in this session: key of the Consent → what it concerned."""
    gone: dict[str, frozenset[str]] = field(default_factory=dict)
    """Archive, by file name → the places that said in this session that it is gone, see `datasets.withdrawn`."""
    _trees: dict[tuple[Path, str], MsegApiTree] = field(default_factory=dict)
    _pools: list[Pool] = field(default_factory=list)
    _clusters: list[Cluster] = field(default_factory=list)

    def during(self, call: str, *, foreign: bool, distrust: bool) -> Context:
        """What one call gets to see: everything as here and in common,
        but for what is its own; two calls may run side by side.
        """
        return replace(self, call=call, foreign=foreign, distrust=distrust, notes=[])

    @property
    def destination(self) -> Path:
        return self.store.destination

    @property
    def dataset_folder(self) -> Path:
        """The folder that MSeg's code knows: <MSEG_DST_DIR>/mseg_dataset."""
        return self.destination / "mseg_dataset"

    @property
    def universal_folder(self) -> Path:
        """What `mseg-wizard universal` makes, beside it."""
        return self.destination / "mseg_universal"

    @property
    def own(self) -> Path:
        return self.store.own

    @property
    def report_page(self) -> Path:
        """Where the report begins, once there is one."""
        return self.own / "report" / INDEX_FILE

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.id == name)

    def step_of(self, archive: Archive) -> Step:
        return next(step for step in self.steps if archive in step.archives)

    def field(self, step: str, name: str) -> Field:
        return self.step(step).field(name)

    def answer(self, step: str, name: str) -> Any:
        """A field's answer or its default; None where there is neither. Secrets come from `secret`."""
        value = self.store.journal.answer(step, name)
        return self.field(step, name).default if value is None else value

    def secret(self, step: str, name: str) -> Secret | None:
        """A stored secret; None too where it was refused in this session."""
        secret = self.vault.get(step, name)
        return None if secret is None or self._refused(step, name, secret) else secret

    def given(self, step: str, name: str) -> bool:
        """Is there an answer that counts?"""
        item = self.field(step, name)
        if item.secret:
            return bool(self.secret(step, name))
        return answered_by(item, self.sources(step) if kind_of(item).rows else self.answer(step, name))

    def sources(self, step: str) -> tuple[str | Secret, ...]:
        """What the step's `archives` field names: paths as text, links as secrets (they are bearer tokens)."""
        if not any(kind_of(item).rows for item in self.step(step).fields):
            return ()
        kept = self.vault.get(step, "archives")
        rows = [Secret(row) for row in kept.reveal().splitlines()] if kept else []
        return (
            *(self.answer(step, "archives") or ()),
            *(row for row in rows if not self._refused(step, "archives", row)),
        )

    def remember(self, step: Step, table: Mapping[str, Any]) -> dict[str, str]:
        """Check and keep answers for one step: secrets and links in the vault, the rest in the journal.

        Returns where each secret is kept, by field; raises Problem that names the first field that is wrong, and then
        keeps nothing.
        """
        known = {item.name: item for item in step.fields}
        for name in table:
            if name not in known:
                raise Problem(
                    f"{step.id}: there is no field {name!r}.", f"Its fields are: {', '.join(known) or 'none'}."
                )
        checked = {name: check_answer(step, known[name], value) for name, value in table.items()}
        where = {}
        for name, value in checked.items():
            if known[name].secret:
                where[name] = self._put(step.id, name, value)
            elif kind_of(known[name]).rows:
                urls = [row for row in value if is_link(row)]
                if urls:
                    where[name] = self._put(step.id, name, "\n".join(urls))
                else:
                    self.vault.wipe([(step.id, name)])
                self.store.answer(step.id, name, [row for row in value if row not in urls])
            else:
                self.store.answer(step.id, name, value)
        self.answered += 1
        self.refusals[:] = [
            refusal for refusal in self.refusals if refusal.step != step.id or not refusal.digests.keys() & table.keys()
        ]
        return where

    def refuse(self, step: str, why: str, values: Mapping[str, Secret | None]) -> None:
        """Not use these values of fields again in this session, until one of the fields is given anew."""
        digests = {name: _digest(value) if value else "" for name, value in values.items()}
        self.refusals.append(Refusal(step, digests, why))

    def reasons(self, step: str) -> list[str]:
        """Why answers of this step were refused, in words."""
        return list(dict.fromkeys(refusal.why for refusal in self.refusals if refusal.step == step))

    def _refused(self, step: str, name: str, value: Secret) -> bool:
        return any(refusal.step == step and refusal.digests.get(name) == _digest(value) for refusal in self.refusals)

    def _put(self, step: str, name: str, value: str) -> str:
        where = self.vault.put(step, name, Secret(value))
        if where == KEPT:
            self.store.kept(f"{step}.{name}")
        return where

    def adopt(self) -> None:
        """Say that whatever stands where the running call writes is ours: nothing was there, or it was checked."""
        self.store.adopt(self.call)
        self.foreign = False

    def note(self, text: str) -> None:
        """Remark something about the running call, for the screen and the report."""
        text = redact(text)
        if text not in self.notes:
            self.notes.append(text)

    @property
    def modified_tree(self) -> bool:
        """Did the user accept a tree that is not MSeg's at the pinned commit, and is it one?"""
        return bool(self.store.journal.answer("prepare", "accept_modified_tree")) and not self.tree_is_pinned

    @property
    def tree_folder(self) -> Path:
        """Where the accepted mseg-api tree stands; raises Problem while step 1 has not put one there."""
        record = self.store.journal.tree
        if not record or not (Path(record.folder) / "mseg" / "dataset_lists").is_dir():
            raise Problem("The mseg-api tree is not there yet.", f"Run step {self.step('prepare').named}.")
        return Path(record.folder)

    @property
    def tree_is_pinned(self) -> bool:
        return bool((record := self.store.journal.tree) and record.pinned)

    @property
    def tree(self) -> MsegApiTree:
        """The accepted mseg-api tree: class tables, lists, records."""
        folder, record = self.tree_folder, self.store.journal.tree
        # a tree that was exchanged during the session is read anew
        return self._trees.setdefault((folder, record.stamp if record else ""), MsegApiTree(folder, roots(self.steps)))

    @property
    def workers(self) -> int:
        """Worker processes: the command line's number, else the
        form's, else one for each core that this process may use.
        """
        if self.options.workers:
            return self.options.workers
        answer = self.answer("prepare", "workers")
        return (answer if isinstance(answer, int) else 0) or host.cores()

    def pool(self) -> Pool | Cluster:
        """The worker processes of this machine or, where a scheduler is named, of a cluster; started at first use."""
        if not self.options.scheduler:
            return self.processes()
        if not self._clusters:
            from mseg_wizard.workers.dask import Cluster  # few need it, and it loads what workers load

            self._clusters.append(
                Cluster(
                    self.options.scheduler,
                    lambda: [path for path in (self.own, self.dataset_folder, self.universal_folder) if path.is_dir()],
                )
            )
        return self._clusters[0]

    def processes(self) -> Pool:
        """The worker processes of this machine, started at first use: for
        what only this machine may see, such as the user's archives.
        """
        if not self._pools:
            from mseg_wizard.workers.pool import Pool  # whoever only looks at a destination needs no processes

            self._pools.append(Pool(self.workers, self.own / WORKERS_LOG))
        return self._pools[0]

    @property
    def at_work(self) -> int:
        """Processes that work for this run so far, on this machine and in a cluster; none are started for asking."""
        return sum(pool.workers for pool in self._pools) + sum(cluster.hosts()[0] for cluster in self._clusters)

    def worker_news(self) -> list[str]:
        """What happened to a cluster's workers since this was asked last, in words for the user."""
        return [text for cluster in self._clusters for text in cluster.worker_news()]

    def close(self) -> None:
        """End the workers and release the lock."""
        for pool in self._pools:
            pool.close()
        for cluster in self._clusters:
            cluster.close()
        self.store.close()


def _digest(value: Secret) -> str:
    return hashlib.sha256(value.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def open_context(
    steps: tuple[Step, ...],
    destination: Path,
    options: Options,
    *,
    take_over: bool = False,
    vault: Vault | None = None,
    remember: bool = True,
) -> Context:
    """Open a destination for work, under its lock; raises Locked where another wizard has it.

    `vault` replaces the usual one (practice keeps its secrets to itself); `remember`: offer this destination at the
    next start.
    """
    destination = destination.expanduser().absolute()
    if not str(
        destination
    ).isprintable():  # surrogates stand for bytes that are no UTF-8, which JSON and MSeg's code can't hold
        raise Problem("The destination's name has characters that can't be printed.", "Choose another folder.")
    store = Store(destination, take_over=take_over)
    try:
        log_to(store.own)
        if vault is None:
            vault = Vault(store.journal.id)
        ctx = Context(steps, store, vault, options, set(options.consents))
        ctx.store.answer("prepare", "destination", str(destination))
    except BaseException:
        store.close()
        raise
    if remember:
        prefer("destination", str(destination))
        remember_id(store.journal.id)
    return ctx
