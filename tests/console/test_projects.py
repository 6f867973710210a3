"""Projects, grids and environments, by clicks."""

import uuid

from playwright.sync_api import expect

# The machines that test may be slow.
expect.set_options(timeout=30_000)


def unique(stem):
    """A slug that no other test has."""
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def dialog(page):
    """The dialog that is open."""
    return page.get_by_role("dialog")


def submit(page, name):
    """Sends the form of the dialog."""
    dialog(page).get_by_role("button", name=name).click()


def test_a_project_is_created_given_a_plan_suspended_and_resumed(owner, gate):
    page, slug, plan = owner.page, unique("shop"), unique("trial")
    gate.run("plans", "create", plan, "--project-limit", "5000000 items/day")
    owner.open("/projects")
    page.get_by_role("link", name="Create project").click()

    # A fault is told at its field, and what was typed stays.
    dialog(page).get_by_label("Slug").fill("No Slug")
    dialog(page).get_by_label("Name").fill("<b>The Shop</b>")
    submit(page, "Create project")
    expect(dialog(page).get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    expect(dialog(page)).to_contain_text("a slug has only the characters")
    expect(dialog(page).get_by_label("Name")).to_have_value("<b>The Shop</b>")
    owner.is_accessible()

    dialog(page).get_by_label("Slug").fill(slug)
    dialog(page).get_by_label("Plan").select_option(plan)
    submit(page, "Create project")
    # The name is text, whatever stands in it.
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text("<b>The Shop</b>")
    assert gate.show("projects", "show", slug)["plan"] == plan
    expect(page.get_by_role("region", name="Limits, table")).to_contain_text("from the plan")
    owner.is_accessible()

    page.get_by_role("link", name="Create grid").click()
    dialog(page).get_by_label("Slug").fill("web")
    submit(page, "Create grid")
    expect(page.get_by_role("region", name="Grids, table")).to_contain_text("web")
    page.get_by_role("link", name="Create grid").click()
    dialog(page).get_by_label("Slug").fill("web")
    submit(page, "Create grid")
    expect(dialog(page).get_by_role("alert")).to_contain_text("Grid exists already")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Suspend…").click()
    expect(dialog(page)).to_contain_text(f"Every export of {slug} is refused")
    dialog(page).get_by_label("Reason").fill("unpaid since May")
    submit(page, "Suspend project")
    expect(page.get_by_role("main")).to_contain_text("unpaid since May")
    assert gate.show("projects", "show", slug)["suspended"]["reason"] == "unpaid since May"
    page.get_by_role("link", name="Resume…").click()
    submit(page, "Resume project")
    expect(page.get_by_role("link", name="Suspend…")).to_be_visible()
    assert gate.show("projects", "show", slug)["suspended"] is None


def test_who_edits_what_somebody_else_has_changed_is_told(owner, gate):
    page, slug = owner.page, unique("shop")
    gate.run("projects", "create", slug)
    owner.open(f"/projects/{slug}")
    page.get_by_role("link", name="Edit…").click()
    dialog(page).get_by_label("Name").fill("Mine")
    dialog(page).get_by_label("Limits of its own").fill("10 items/second\nten spans")
    submit(page, "Save changes")
    expect(dialog(page)).to_contain_text("ten spans: a limit is written as in")
    expect(dialog(page).get_by_label("Name")).to_have_value("Mine")
    dialog(page).get_by_label("Limits of its own").fill("1,000 items/second burst 5000")

    gate.run("projects", "edit", slug, "--name", "Theirs")
    submit(page, "Save changes")
    expect(dialog(page)).to_contain_text("Changed meanwhile")
    expect(dialog(page).get_by_label("Name")).to_have_value("Mine")
    assert gate.show("projects", "show", slug)["name"] == "Theirs"
    # Whoever has been told may put their own in its place.
    submit(page, "Save changes")
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text("Mine")
    limit, = gate.show("projects", "show", slug)["limits"]
    assert (limit["amount"], limit["burst"]) == (1000, 5000)


def test_an_environment_is_created_and_edited(owner, gate):
    page, slug = owner.page, unique("load")
    owner.open("/projects")
    page.get_by_role("link", name="Create environment").click()
    dialog(page).get_by_label("Slug").fill(slug)
    dialog(page).get_by_label("In tokens").fill("x")
    dialog(page).get_by_label("New secret due after").fill("often")
    submit(page, "Create environment")
    expect(dialog(page).get_by_label("In tokens")).to_have_attribute("aria-invalid", "true")
    expect(dialog(page).get_by_label("New secret due after")).to_have_attribute("aria-invalid", "true")
    dialog(page).get_by_label("In tokens").fill(slug[-8:])
    dialog(page).get_by_label("New secret due after").fill("30")
    submit(page, "Create environment")
    page.get_by_role("link", name=f"Edit {slug}").click()
    dialog(page).get_by_label("New secret due after").fill("")
    submit(page, "Save changes")
    row = page.get_by_role("region", name="Environments, table").get_by_role("row", name=slug)
    expect(row).to_contain_text("Never")
    assert gate.show("environments", "show", slug)["rotation_days"] is None


def test_a_viewer_is_offered_no_change(visitor, gate):
    slug = unique("shop")
    gate.run("projects", "create", slug)
    token = gate.run("members", "invite", "--name", unique("eve"), "--role", "viewer")
    console = visitor().sign_in(token)
    for path in ["/projects", f"/projects/{slug}", "/limits", f"/limits?project={slug}", "/members", "/roles", "/roles/owner"]:
        console.open(path)
        main = console.page.get_by_role("main")
        expect(main.get_by_role("heading", level=1)).to_be_visible()
        assert main.locator("[data-dialog]").count() == 0, path
    # Whoever asks all the same is refused in words.
    console.open("/projects/-/new")
    console.page.get_by_label("Slug").fill(unique("mine"))
    console.page.get_by_role("button", name="Create project").click()
    expect(console.page.get_by_role("alert")).to_contain_text("Permission denied")


def test_without_script_everything_is_there(visitor, gate):
    console, slug = visitor(java_script_enabled=False), unique("plain")
    console.sign_in()
    console.open("/projects")
    console.page.get_by_role("link", name="Create project").click()
    console.page.get_by_label("Slug").fill(slug)
    console.page.get_by_role("button", name="Create project").click()
    expect(console.page.get_by_role("main").get_by_role("heading", level=1)).to_have_text(slug)
    assert gate.show("projects", "show", slug)["slug"] == slug
