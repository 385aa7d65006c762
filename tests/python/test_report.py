"""The report: one page with everything in it, read as text, and opened and clicked in a browser."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

import slabheap
from browsing import browser_in
from making_traces import random_trace, trace_of
from places import ROOT, TRACES
from reading_html import EVIL, Page
from slabheap import Trace, compare, plot, replay
from slabheap.texts import bytes_text, time_text

TRACE = Trace.load(TRACES / "perl-pod.trace")
TRACE.information.command = ["/usr/bin/perl", EVIL]

#: The label of the result with classes of its own.
LISTED = "classic classes=16,1024,4096"


@pytest.fixture(scope="module")
def results() -> list[slabheap.Result]:
    """Five results, in an order that no column of the table has."""
    made = compare(TRACE, ["compact", "system", "classic"], repeats=2, snapshot_events=plot.moments(TRACE, 6))
    return [*made, replay(TRACE, classes=[16, 1024, 4096], repeats=2, snapshot_events=()), replay(TRACE, "system", repeats=0)]


@pytest.fixture(scope="module")
def path(results: list[slabheap.Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in a file."""
    path = tmp_path_factory.mktemp("report") / "report & more.html"
    seen: list[tuple[int, int]] = []
    page = slabheap.report(TRACE, results, path, command=f"slabheap report {EVIL}", progress=lambda done, total: seen.append((done, total)))
    assert path.read_text(encoding="utf-8") == page
    assert seen == [(done, 10) for done in range(1, 11)]
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser for all tests of this module."""
    with browser_in(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser: webdriver.Chrome, path: Path) -> webdriver.Chrome:
    """The report, freshly opened from disk, on light paper and 1200 pixels wide."""
    seen_as(browser, "screen", "light")
    browser.set_window_size(1200, 900)
    browser.get(path.as_uri())
    return browser


def seen_as(browser: webdriver.Chrome, medium: str, scheme: str) -> None:
    """Lets the browser show pages on a screen or as they are printed, in light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})


def taken(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What the browser has logged since the last time."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def table(browser: webdriver.Chrome) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, "#allocators table")


def head(browser: webdriver.Chrome, name: str) -> WebElement:
    """The button of a column."""
    buttons = table(browser).find_elements(By.CSS_SELECTOR, "thead button")
    return next(button for button in buttons if button.text.replace("\n", " ") == name)


def column(browser: webdriver.Chrome, index: int) -> list[str]:
    """The texts of a column from top to bottom."""
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[index].text for row in table(browser).find_elements(By.CSS_SELECTOR, "tbody tr")]


def whole(browser: webdriver.Chrome, name: str) -> Path:
    """A picture of the whole page, to be looked at, in build/report."""
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    picture = ROOT / "build/report" / f"{name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(base64.b64decode(shot["data"]))
    return picture


def test_the_page_has_everything_in_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    addresses = Page(text).addresses
    assert len(addresses) > 16
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in text
    assert "@import" not in text
    assert len(text) < 4 << 20


def test_the_table_has_the_figures_of_every_allocator(path: Path, results: list[slabheap.Result]) -> None:
    rows = Page(path.read_text(encoding="utf-8")).rows
    names = ["compact", "system", "classic", LISTED, "system (2)"]
    found = [next(row for row in rows if row[0] == name) for name in names]
    for row, result in zip(found, results, strict=True):
        assert row[3:6] == [
            bytes_text(result.peak_used_bytes),
            bytes_text(result.peak_held_bytes),
            f"{result.peak_held_bytes / result.peak_requested_bytes:.3f}",
        ]
        assert row[7] == "0"
    assert found[0][1] == f"{results[0].operations_per_second / 1e6:.1f}"
    assert found[4][1:3] == ["-", "-"]
    classes = [row for row in rows if row[0] == "4 KiB" and len(row) == 6]
    assert f"{results[0].class_stats[-1].allocations:,}" in {row[1] for row in classes}


def test_the_tables_have_fragmentation_pages_and_what_calls_cost(path: Path, results: list[slabheap.Result]) -> None:
    rows = Page(path.read_text(encoding="utf-8")).rows
    compact, system = results[:2]
    peak = compact.at_peak
    assert peak is not None
    assert peak.occupancy is not None
    assert peak.largest_free is not None
    expected = ["compact", *(f"{share:.1%}" for share in (peak.internal_fragmentation, peak.external_fragmentation, peak.occupancy))]
    expected += [bytes_text(peak.largest_free), bytes_text(compact.mean("held")), bytes_text(compact.mean("held", "time"))]
    assert [*expected, f"{compact.peak_live_pages:,}", f"{compact.touched_pages:,}"] in rows
    assert ["-", "-"] in [row[3:5] for row in rows if row[0] == "system" and len(row) == 9]
    for result in (compact, system):
        assert result.costs is not None
        for operation, (count, *times) in ((name, row.values()) for name, row in result.costs.summary().items()):
            assert [operation.replace("_", " "), result.label, f"{int(count):,}", *map(time_text, times)] in rows
    assert [row[:2] for row in rows if row[0] == "free"] == [["free", name] for name in ("compact", "system", "classic", LISTED)]


def test_nothing_that_a_trace_says_becomes_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == 1
    page = Page(text)
    assert page.elements.count("script") == 1
    assert "&lt;script&gt;" in text


def test_every_picture_has_words_and_stands_there_for_both_kinds_of_paper(path: Path) -> None:
    pictures = Page(path.read_text(encoding="utf-8")).pictures
    assert len(pictures) == 20
    assert all(len(picture["alt"] or "") > 40 for picture in pictures)
    assert [picture["class"] for picture in pictures] == ["on-light", "on-dark"] * 10
    assert len({picture["src"] for picture in pictures}) == 20
    for picture in pictures:
        source = base64.b64decode((picture["src"] or "").partition(",")[2])
        assert source.startswith(b"<?xml")


def test_it_opens_from_disk_without_an_error_or_a_request(opened: webdriver.Chrome, path: Path) -> None:
    assert opened.title == f"Allocations of /usr/bin/perl {EVIL}"
    taken(opened, "performance")
    opened.refresh()
    assert taken(opened, "browser") == []
    requests = []
    for entry in taken(opened, "performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            requests.append(message["params"]["request"]["url"])
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}
    widths = opened.execute_script("return Array.from(document.images, (image) => image.naturalWidth)")
    assert len(widths) == 20
    assert min(widths) > 500
    whole(opened, "light")


def test_a_click_on_a_name_sorts_by_numbers_and_a_second_turns_it_round(opened: webdriver.Chrome) -> None:
    held = {name: float(ratio) for name, ratio in zip(column(opened, 0), column(opened, 5), strict=True)}
    ascending = sorted(held, key=lambda name: held[name])
    assert column(opened, 0) != ascending
    button = head(opened, "peak held / requested")
    button.click()
    assert [held[name] for name in column(opened, 0)] == sorted(held.values())
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    button.click()
    assert [held[name] for name in column(opened, 0)] == sorted(held.values(), reverse=True)
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def test_bytes_are_sorted_by_size_and_not_by_their_texts(opened: webdriver.Chrome) -> None:
    head(opened, "peak used").click()
    shown = column(opened, 3)
    sizes = [float(text.split()[0]) * {"KiB": 1, "MiB": 1024}[text.split()[1]] for text in shown]
    assert sizes == sorted(sizes)


def test_what_was_not_timed_stays_below_either_way(opened: webdriver.Chrome) -> None:
    button = head(opened, "million operations a second")
    for _ in range(2):
        button.click()
        shown = column(opened, 1)
        assert shown[-1] == "-"
        assert "-" not in shown[:-1]


def test_names_are_sorted_as_texts_and_one_column_is_marked(opened: webdriver.Chrome) -> None:
    head(opened, "failures").click()
    head(opened, "allocator").click()
    assert column(opened, 0) == ["classic", "classic classes=16,1024,4096", "compact", "system", "system (2)"]
    assert len(table(opened).find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
    head(opened, "allocator").click()
    assert column(opened, 0)[0] == "system (2)"


def test_the_keyboard_sorts_and_a_reader_is_told(opened: webdriver.Chrome) -> None:
    body = opened.find_element(By.TAG_NAME, "body")
    names = []
    for _ in range(20):
        body.send_keys(Keys.TAB)
        focused = opened.switch_to.active_element
        names.append((focused.tag_name, focused.text))
        if focused.tag_name == "button" and focused.text == "peak held":
            break
    focused = opened.switch_to.active_element
    assert focused.text == "peak held", names
    assert opened.execute_script("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    focused.send_keys(Keys.ENTER)
    announcement = opened.find_element(By.ID, "announcement")
    assert announcement.get_attribute("textContent") is not None
    assert str(announcement.get_attribute("textContent")).endswith("by peak held, ascending")
    focused.send_keys(Keys.SPACE)
    assert str(announcement.get_attribute("textContent")).endswith("by peak held, descending")
    assert opened.switch_to.active_element == focused


def visible(browser: webdriver.Chrome) -> set[str]:
    """The classes of the pictures that are seen."""
    script = "return Array.from(document.images).filter((image) => image.offsetParent !== null).map((image) => image.className)"
    return set(browser.execute_script(script))


def ground(browser: webdriver.Chrome) -> list[int]:
    """The colour of the page."""
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in re.findall(r"\d+", colour)[:3]]


def test_dark_is_dark_and_paper_is_always_light(opened: webdriver.Chrome) -> None:
    assert (ground(opened), visible(opened)) == ([255, 255, 255], {"on-light"})
    seen_as(opened, "screen", "dark")
    assert visible(opened) == {"on-dark"}
    assert max(ground(opened)) < 60
    whole(opened, "dark")
    seen_as(opened, "print", "dark")
    assert visible(opened) == {"on-light"}
    assert ground(opened) == [255, 255, 255]
    printed = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    (ROOT / "build/report/report.pdf").write_bytes(printed)
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20


@pytest.mark.parametrize("width", [520, 800, 1600])
def test_no_width_makes_the_page_scroll_sideways(opened: webdriver.Chrome, width: int) -> None:
    opened.set_window_size(width, 900)
    overflow = opened.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0


def test_the_parts_are_linked(opened: webdriver.Chrome) -> None:
    links = [str(link.get_attribute("href")).partition("#")[2] for link in opened.find_elements(By.CSS_SELECTOR, "nav a")]
    assert len(links) == 10
    assert [opened.find_element(By.ID, link).tag_name for link in links] == ["section"] * 10


@pytest.mark.parametrize("trace", [trace_of(), random_trace(1, 1)], ids=["nothing", "one event"])
def test_small_traces_have_a_report(trace: Trace) -> None:
    page = Page(slabheap.report(trace, compare(trace, ["classic", "system"], repeats=1)))
    assert page.pictures
    assert any(row[0] == "classic" for row in page.rows)


def test_a_report_of_nothing_or_of_another_trace_is_refused(tmp_path: Path, results: list[slabheap.Result]) -> None:
    target: Any = tmp_path / "report.html"
    with pytest.raises(ValueError, match="there is no result to report"):
        slabheap.report(TRACE, [], target)
    with pytest.raises(ValueError, match="the result of compact is not of this trace: it has 126,262 events, not 10"):
        slabheap.report(random_trace(1, 10), results, target)
    assert not target.exists()
