"""What a first visit to each page brings over the wire, and that nothing moves under the pointer meanwhile."""

import pytest
from furnished import tour

# Bytes of a first visit, with headers: HTML, style and script.
BYTES = 100_000

# How much may move while a page comes up, as browsers measure it: share of the window times share of the way.
SHIFT = 0.01

MOVED = """async () => {
    const shifts = [];
    const observer = new PerformanceObserver((list) => shifts.push(...list.getEntries()));
    observer.observe({ type: "layout-shift", buffered: true });
    // A shift is known when the frame after it is drawn.
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    shifts.push(...observer.takeRecords());
    observer.disconnect();
    return shifts.filter((shift) => !shift.hadRecentInput).reduce((sum, shift) => sum + shift.value, 0);
}"""

BROUGHT = """() => ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
    .map((one) => [one.name, one.initiatorType, one.transferSize])"""


@pytest.fixture
def newcomer(visitor, furnished):
    """Someone who is signed in and whose browser keeps nothing."""
    console = visitor(furnished[0]).sign_in()
    devtools = console.context.new_cdp_session(console.page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    return console


def test_a_first_visit_is_small_and_from_here_alone(newcomer, furnished):
    origin = newcomer.url.removesuffix("console")
    wrong = []
    for path in tour(furnished[1]):
        assert newcomer.open(path).status == 200, path
        brought = newcomer.page.evaluate(BROUGHT)
        # Otherwise the cache was at work, and nothing was measured.
        first = {kind for _, kind, size in brought if size > 0}
        assert {"navigation", "link", "script"} <= first, f"{path}: {brought}"
        wrong += [f"{path} asks {name}" for name, _, _ in brought if not name.startswith(origin)]
        size = sum(size for _, _, size in brought)
        if size > BYTES:
            wrong.append(f"{path} takes {size} bytes: {brought}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("width", [1440, 360])
def test_nothing_moves_while_a_page_comes_up(newcomer, furnished, width):
    newcomer.page.set_viewport_size({"width": width, "height": 900})
    moved = {}
    for path in tour(furnished[1]):
        assert newcomer.open(path).status == 200, path
        moved[path] = newcomer.page.evaluate(MOVED)
    assert not {path: shift for path, shift in moved.items() if shift >= SHIFT}
    # And what does move is seen.
    newcomer.page.evaluate("document.querySelector('main').style.paddingTop = '400px'")
    assert newcomer.page.evaluate(MOVED) >= SHIFT
