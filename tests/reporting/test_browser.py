"""The report as a person uses it, in a real Chromium: looked at, searched, clicked, at any width, without script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mseg_wizard.state.journal import OWN
from tests.reporting.browser import Browser
from tests.verification.finished import make

pytestmark = pytest.mark.slow

LABELS = "#look figure .labels img"
OVER = "#look .stack img:last-child"


@pytest.fixture(scope="module")
def report(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(golden, tmp_path_factory, "verify") / OWN / "report"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_it_fits_every_window_and_complains_of_nothing(browser: Browser, report: Path, width: int, dark: bool) -> None:
    for page in ("index.html", "class/125.html"):
        browser.open(report / page, width=width, dark=dark)
        wider = browser.value("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
        assert wider == 0, f"{page} has to be moved sideways"
        assert browser.value("document.querySelectorAll('.tools').length") == 1
        corner = browser.picture()[:5, :5].mean()
        assert corner < 40 if dark else corner > 240
    assert browser.complaints == []
    assert all(url.startswith("file:") for url in browser.requests)


def test_labels_can_be_seen_through_as_far_as_one_likes(browser: Browser, report: Path) -> None:
    browser.open(report / "index.html")
    shown = f"getComputedStyle(document.querySelector('{OVER}')).opacity"
    assert browser.value(shown) == "0.55"
    browser.click("#opacity")
    browser.press("Home", 36)
    assert browser.value(shown) == "0"
    browser.press("End", 35)
    assert browser.value(shown) == "1"


def test_a_class_that_is_clicked_is_seen_alone_and_leads_to_its_page(browser: Browser, report: Path) -> None:
    browser.open(report / "index.html")
    browser.click("#look figure .legend button")
    color = browser.value("document.querySelector('#look figure [data-color]').dataset.color")
    assert browser.value("document.body.className") == "alone"
    seen = browser.picture(LABELS)[4:-4, 4:-4].reshape(-1, 3)
    colors, counts = np.unique(seen, axis=0, return_counts=True)
    # The class's own colour and the paper that shows where it isn't; few pixels lie between, where pictures are scaled.
    most = {f"#{bytes(color).hex()}" for color in colors[np.argsort(-counts)[:2]].astype(np.uint8)}
    assert most == {color, "#ffffff"}
    shown = "[...document.querySelectorAll('figure')].filter((figure) => !figure.hidden)"
    has = f"every((figure) => figure.querySelector('[data-color=\"{color}\"]'))"
    assert browser.value(f"{shown}.{has}")
    page = browser.value("document.querySelector('#status a').href")
    assert (report / "class" / page.rpartition("/")[2]).is_file()
    browser.click("#status button")
    assert browser.value("document.body.className") == ""
    assert browser.value("document.querySelectorAll('figure[hidden]').length") == 0


def test_a_picture_is_enlarged_and_put_back_by_keys(browser: Browser, report: Path) -> None:
    browser.open(report / "index.html")
    small = browser.value(f"document.querySelector('{OVER}').getBoundingClientRect().width")
    browser.click("#look .stack")
    assert browser.value("document.querySelector('dialog').open")
    assert browser.value("document.querySelector('dialog img').getBoundingClientRect().width") > 1.5 * small
    browser.press("Escape", 27)
    assert not browser.value("document.querySelector('dialog').open")


def test_a_word_finds_classes_and_pictures(browser: Browser, report: Path) -> None:
    browser.open(report / "index.html")
    browser.click("#search")
    browser.ask("Input.insertText", text="Motorcyc")
    names = "[...document.querySelectorAll('.chips li')].filter((item) => !item.hidden).map((item) => item.innerText)"
    assert [name.split()[1] for name in browser.value(names)] == ["motorcyclist", "motorcycle"]
    hidden = browser.value("document.querySelectorAll('figure[hidden]').length")
    assert 0 < hidden < browser.value("document.querySelectorAll('figure').length")


def test_without_script_it_is_whole(browser: Browser, report: Path) -> None:
    browser.open(report / "index.html", scripts=False)
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)  # to ask it; its own did not run
    assert browser.value("document.querySelectorAll('.tools, .stack, button').length") == 0
    assert browser.value("document.querySelectorAll('#look .panels img').length") == 3 * 13
    assert browser.value("[...document.querySelectorAll('.panels a')].every((link) => link.href.startsWith('file:'))")
    assert browser.value("document.querySelector('.legend a').href.includes('/class/')")
