"""The page itself: facts and results into one HTML file and the tables beside it.

Nothing is looked up or drawn here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from mseg_wizard.context import INDEX_FILE
from mseg_wizard.core.files import write_atomically
from mseg_wizard.core.log import redact
from mseg_wizard.core.tables import write_csv
from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.labels.universal import UniversalClass, universal_names
from mseg_wizard.progress import printable
from mseg_wizard.reporting.catalog import COUNTED, DatasetSummary, TaxonomySummary
from mseg_wizard.reporting.classes import ClassFacts, Tally, class_facts, opening
from mseg_wizard.reporting.facts import Facts
from mseg_wizard.reporting.palette import color_text, universal_palette
from mseg_wizard.reporting.pictures import PictureJob, PictureResult

if TYPE_CHECKING:
    from jinja2 import Template

SCRIPT = "report.js"
PAGES = "class"
"""Folder of the pages of the universal classes."""
CLASSES = "classes"
"""Folder of the tables of classes."""
SHARED = "universal"
"""The classes that all training sets share, as MSeg's master table calls them."""
LEGEND = 12
"""Classes that are named below a picture."""
FAULTS = 200
"""Faults that are listed; the verdict's file has all."""
DECADES = 6
"""The charts' axis goes from 10⁻⁶ to 1: what is rarer hardly occurs once in a million pixels."""
CONSTANTS: Mapping[str, object] = {
    "CLASSES": CLASSES,
    "COUNTED": COUNTED,
    "INDEX": INDEX_FILE,
    "PAGES": PAGES,
    "SHARED": SHARED,
    "IGNORED": IGNORED,
    "DECADES": DECADES,
    "FAULTS": FAULTS,
    "LEGEND": LEGEND,
}


@dataclass(frozen=True)
class Bar:
    """One class in a chart."""

    id: int
    name: str
    color: str
    share: float
    """Of all pixels, 0 to 1."""
    universal: int | None = None
    """The universal class that it is, where it is one."""

    @property
    def length(self) -> float:
        return length(self.share)


def write(
    folder: Path,
    of: str,
    facts: Facts,
    datasets: Sequence[DatasetSummary],
    shared: Sequence[UniversalClass],
    drawn: Mapping[str, PictureResult],
    tallies: Mapping[str, Tally],
) -> None:
    """Write page and tables into `folder`, where the pictures are.

    `of`: what the page is about, to be found by `subject_of`.

    `drawn`: by the name of the picture of the labels alone; `tallies`: by taxonomy.
    """
    from jinja2 import (
        Environment,
        FunctionLoader,
        StrictUndefined,
    )  # a tenth of a second that no other command should pay

    tables = folder / CLASSES
    tables.mkdir(mode=0o700, exist_ok=True)
    names = universal_names(shared)
    for taxonomy in (taxonomy for dataset in datasets for taxonomy in dataset.taxonomies):
        _write_classes(tables / f"{taxonomy.name}.csv", taxonomy, names)
    if shared:
        colors = universal_palette(len(names))
        rows = [(row.id, row.name, color_text(colors[row.id]), row.synset, row.definition) for row in shared]
        write_csv(tables / f"{SHARED}.csv", ("id", "name", "color", "synset", "definition"), rows)
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "count": lambda number: f"{number:,}", "moment": moment}
    classes = class_facts(datasets, shared, drawn, tallies) if shared else []
    environment.globals |= {
        "style": Markup(_text("style.css")),  # noqa: S704 - a file of ours
        "facts": facts,
        "bars": _bars,
        "below": _below,
        "legend": _legend,
        "length": length,
        "opening": opening,
        "words": _words,
        **CONSTANTS,
    }
    _write_class_pages(folder / PAGES, environment.get_template("class.html"), classes)
    write_atomically(folder / SCRIPT, _text(SCRIPT).encode())
    template = environment.get_template("page.html")
    html = template.render(of=of, datasets=datasets, shared=shared, drawn=drawn, tallies=tallies, classes=classes)
    write_atomically(folder / INDEX_FILE, html.encode())


def _write_class_pages(folder: Path, template: Template, classes: Sequence[ClassFacts]) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for before, one, after in zip([None, *classes[:-1]], classes, [*classes[1:], None], strict=True):
        html = template.render(one=one, before=before, after=after)
        write_atomically(folder / one.file, html.encode(), durable=False)


def length(share: float) -> float:
    """How long a bar is, 0 to 100, on a logarithmic axis."""
    return max(0.5, 100 * (1 + math.log10(share) / DECADES)) if share > 0 else 0.0


def subject_of(folder: Path) -> str:
    """What the page in `folder` is about; empty where there is no page."""
    try:
        with (folder / INDEX_FILE).open(encoding="utf-8") as file:
            head = file.read(2000)
    except (OSError, UnicodeDecodeError):
        return ""
    return head.partition('<meta name="subject" content="')[2].partition('"')[0]


def percent(share: float) -> str:
    """A share as people read it: 34 %, 3.4 %, 0.12 %, < 0.01 %."""
    value = 100 * share
    if value == 0:
        return "0 %"
    if value < 0.01:
        return "< 0.01 %"
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 1 else f"{value:.2f} %"


def moment(text: str) -> str:
    """A time in ISO 8601 to the minute."""
    return text[:16].replace("T", " ")


def _bars(taxonomy: TaxonomySummary, tally: Tally) -> list[Bar]:
    """The classes by frequency; ids that no class has are told, too."""
    whole = max(1, int(tally.pixels.sum()))
    known = {id_: (name, color) for id_, name, color in taxonomy.classes}
    unknown = [int(id_) for id_ in np.flatnonzero(tally.pixels) if int(id_) not in known]
    rows = [
        Bar(id_, name, color, int(tally.pixels[id_]) / whole, _universal(taxonomy, id_))
        for id_, (name, color) in known.items()
    ]
    rows += [Bar(id_, "no class has this id", "#ffffff", int(tally.pixels[id_]) / whole) for id_ in unknown]
    return sorted(rows, key=lambda bar: (-bar.share, bar.id))


def _legend(taxonomy: TaxonomySummary, drawn: PictureResult) -> Iterator[Bar]:
    """The most frequent classes of one picture."""
    known = {id_: (name, color) for id_, name, color in taxonomy.classes}
    for id_, share in drawn.shares[:LEGEND]:
        name, color = known.get(id_, (f"id {id_}, which no class has", "#ffffff"))
        yield Bar(id_, name, color, share, _universal(taxonomy, id_))


def _universal(taxonomy: TaxonomySummary, id_: int) -> int | None:
    ids = taxonomy.universal[id_] if id_ < len(taxonomy.universal) else ()
    return ids[0] if len(ids) == 1 else None


def _words(taxonomy: TaxonomySummary, shot: PictureJob, drawn: PictureResult) -> str:
    """What a search finds a picture by: its files, its set of classes, its classes."""
    names = " ".join(taxonomy.names[id_] for id_, _ in drawn.shares if id_ < len(taxonomy.names))
    return f"{shot.image} {taxonomy.name} {names}".lower()


def _below(facts: Facts, path: str) -> str:
    """A path below mseg_dataset/, short."""
    return path.removeprefix(f"{facts.dataset}/")


def _shown(value: object) -> object:
    """What the template puts out: foreign text without control
    characters and without what links carry in their query.
    """
    return printable(redact(value), 2000) if isinstance(value, str) and not isinstance(value, Markup) else value


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _write_classes(path: Path, taxonomy: TaxonomySummary, universal: Sequence[str]) -> None:
    """A table of classes; a class that became several universal ones names them all."""
    rows = []
    for id_, name, color in taxonomy.classes:
        ids = taxonomy.universal[id_] if id_ < len(taxonomy.universal) else ()
        shared = ids[0] if len(ids) == 1 else "; ".join(map(str, ids))
        rows.append((id_, name, color, shared, "; ".join(universal[one] for one in ids)))
    write_csv(path, ("id", "name", "color", "universal_id", "universal"), rows)
