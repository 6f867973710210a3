"""A tour of every page, in both themes and at three widths: each fits, is accessible, and is kept as a picture.

GRIDGATE_TEST_PICTURES names the folder for all of them; without it they are looked at by nobody. GRIDGATE_README_PICTURES=1 writes those that
the README shows anew.
"""

import os
import re
from pathlib import Path

import pytest
from furnished import tour
from gate import ROOT

WIDTHS = [1440, 768, 360]

# What the README shows: page, theme.
README = [("", "light"), ("/keys", "light"), ("/key", "dark"), ("/refusals", "light")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_is_accessible(visitor, furnished, theme, width):
    gate, key = furnished
    viewport = {"width": width, "height": 900}
    console = visitor(gate, viewport=viewport, color_scheme=theme, reduced_motion="reduce").sign_in()
    folder = os.environ.get("GRIDGATE_TEST_PICTURES")
    wrong, there = [], 0
    for path in tour(key):
        answer = console.open(path)
        if answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
            continue
        there += 1
        name = re.sub(r"[^a-z]+", "-", re.sub(r"key_\w+", "key", path)).strip("-") or "overview"
        if folder:
            console.picture(Path(folder) / f"{name}-{theme}-{width}.png")
        readme = (path.replace(key, "/key"), theme)
        if os.environ.get("GRIDGATE_README_PICTURES") and width == 1440 and readme in README:
            console.picture(ROOT / "docs/pictures" / f"{name}.png", full=False)
        for check in (console.fits, console.is_accessible):
            try:
                check()
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n\n".join(wrong)
    assert there == len(tour(key))


@pytest.mark.parametrize("system, chosen", [("light", "dark"), ("dark", "light")])
def test_the_theme_is_chosen_and_kept(visitor, system, chosen):
    console = visitor(color_scheme=system).sign_in()
    console.open("/audit")
    ground = "getComputedStyle(document.body).backgroundColor"
    first = console.page.evaluate(ground)
    switch = console.page.get_by_role("button", name="Switch between light and dark")
    switch.click()
    console.page.wait_for_selector(f"html[data-theme={chosen}]")
    second = console.page.evaluate(ground)
    assert second != first
    assert console.page.url.endswith("/audit"), "one stays where one is"
    console.open("/audit")
    assert console.page.evaluate(ground) == second
    switch.click()
    console.page.wait_for_selector(f"html[data-theme={system}]")
    assert console.page.evaluate(ground) == first, "and back"


def test_what_the_readme_shows_is_there():
    shown = re.findall(r"docs/pictures/[\w-]+\.png", (ROOT / "README.md").read_text())
    assert len(set(shown)) == len(README), shown
    for picture in shown:
        size = (ROOT / picture).stat().st_size
        assert 0 < size < 200_000, f"{picture} has {size} bytes"
