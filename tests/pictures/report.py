"""Makes the README's pictures of the report: `python -m tests.pictures.report` opens that of practice in Chromium."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from PIL import Image

from mseg_wizard.practice.world import make_world
from tests.faults.journeys import Journey
from tests.pictures import DESTINATION, HERE, places
from tests.reporting.browser import Browser


def pictures(folder: Path) -> None:
    journey = Journey(folder / "journey", make_world(folder / "world", images=60), mirrored=True)
    journey.finish("--dest", DESTINATION)
    made = journey.wizard.run("universal", "--dest", DESTINATION)
    assert made.returncode == 0, made.stderr
    pages = DESTINATION / ".mseg-wizard" / "report"
    first = sorted((pages / "class").glob("*.html"), key=lambda path: path.read_text().count("<figure"))[-1]
    with closing(Browser(folder)) as browser:
        for name, page, dark in (("report", pages / "index.html", False), ("class", first, True)):
            browser.open(page, width=1100, height=900, dark=dark)
            browser.value("new Promise((done) => setTimeout(done, 500))")
            picture = Image.fromarray(browser.picture()).quantize(128)
            picture.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    with places() as folder:
        pictures(folder)
