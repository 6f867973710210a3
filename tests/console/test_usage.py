"""How much came in: the chart, the table, and CSV."""

import csv
import io

import pytest
from tenants import Tenant, api


def row(console, name):
    """The cells of the row of that name, by the heads of their columns."""
    table = console.page.locator(".usage-table")
    heads = [head.strip() for head in table.locator("thead th").all_inner_texts()]
    one = table.get_by_role("row").filter(has=console.page.get_by_role("rowheader", name=name))
    cells = one.locator("th, td")
    return dict(zip(heads, [cells.nth(index).inner_text().strip() for index in range(cells.count())], strict=True))


@pytest.fixture(scope="module")
def tenants(gate):
    """Eight tenants, of which each has sent more than the one before."""
    all_of_them = [Tenant(gate, f"usage-{number}") for number in range(8)]
    for number, tenant in enumerate(all_of_them):
        assert tenant.send(100 + number) == 200
        tenant.counted(1)
    return all_of_them


def test_the_largest_tenants_stand_for_themselves_and_the_others_together(owner, gate, tenants):
    owner.open("/usage?range=24h")
    last = row(owner, "usage-7 / web")
    assert (last["Items"], last["Traces"], last["Refused exports"], last["Change"]) == ("107", "107", "0", "new")
    top = api(gate, "/usage/top?group_by=project,grid,environment&limit=6")
    total = api(gate, "/usage/top")["data"][0]
    shown = owner.page.locator(".usage-table tbody tr")
    assert shown.count() == 7, "six, and the others"
    left = total["items"] - sum(one["items"] for one in top["data"])
    other = row(owner, f"Other, {top['groups'] - 6} tenants")
    assert int(other["Items"].replace(",", "")) == left
    everything = row(owner, f"All {top['groups']} tenants")
    assert int(everything["Items"].replace(",", "")) == total["items"]
    assert owner.page.locator(".usage figure .swatch").count() == 7
    owner.is_accessible()


def test_units_groups_and_ranges_are_chosen_and_kept(owner, tenants):
    owner.open("/usage?project=usage-3")
    owner.page.get_by_label("Unit").get_by_role("link", name="Exports").click()
    owner.page.get_by_role("heading", name="1 exports received").wait_for()
    owner.page.get_by_label("Group by").select_option("key")
    owner.page.get_by_role("rowheader", name="checkout").wait_for()
    assert row(owner, "checkout")["Exports"] == "1"
    owner.page.get_by_label("Range").get_by_role("link", name="1 h", exact=True).click()
    owner.page.wait_for_url("**range=1h**")
    assert "unit=exports" in owner.page.url and "by=key" in owner.page.url and "project=usage-3" in owner.page.url
    owner.page.get_by_label("Group by").select_option("signal")
    owner.page.get_by_role("rowheader", name="Traces").wait_for()
    owner.is_accessible()


def test_csv_is_what_the_api_says(owner, tenants):
    owner.open("/usage?range=24h&project=usage-5")
    with owner.page.expect_download() as waiting:
        owner.page.get_by_role("link", name="CSV").click()
    download = waiting.value
    assert download.suggested_filename == "gridgate-usage-24h.csv"
    rows = list(csv.DictReader(io.StringIO(download.path().read_text())))
    assert [(one["project"], one["signal"], one["items"], one["accepted"]) for one in rows] == [
        ("usage-5", "traces", "105", "1")
    ]


def test_nothing_is_said_where_nothing_came(owner, gate):
    Tenant(gate, "usage-none")
    owner.open("/usage?project=usage-none")
    owner.page.get_by_text("No exports in this range").wait_for()
    assert owner.page.locator(".usage-table").count() == 0
    owner.is_accessible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_it_fits_and_is_accessible(visitor, tenants, scheme, width):
    console = visitor(color_scheme=scheme, viewport={"width": width, "height": 900}).sign_in()
    console.open("/usage")
    console.fits()
    console.is_accessible()
