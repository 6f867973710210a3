"""Signing in and out."""


def test_an_owner_signs_in_and_out(visitor):
    console = visitor()
    console.open("/audit")
    # The page to sign in comes first, and leads on to what was asked for.
    assert console.page.get_by_role("heading", name="Sign in").is_visible()
    console.is_accessible()
    console.page.get_by_label("Admin key").fill(console.gate.variables["GRIDGATE_ADMIN_KEY"])
    console.page.keyboard.press("Enter")
    console.page.get_by_role("heading", name="Audit log").wait_for()
    assert console.page.url.endswith("/console/audit")
    console.is_accessible()

    cookie, = [one for one in console.context.cookies() if one["name"] == "__Host-gridgate"]
    assert cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/"
    assert cookie["expires"] == -1, "it ends with the browser"

    console.page.get_by_role("button", name="Sign out").click()
    console.page.get_by_role("heading", name="Sign in").wait_for()
    # The session is over on the server, whoever has kept the cookie.
    console.context.add_cookies([cookie])
    console.open("/audit")
    assert console.page.get_by_role("heading", name="Sign in").is_visible()


def test_what_is_no_admin_key_is_refused_with_the_reason(visitor, gate):
    console = visitor()
    for wrong, said in [
        (gate.token, "This is an ingest key"),
        ("gga_wrong", "The credential is no admin token"),
        ("gga_AAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA00000", "no admin token"),
    ]:
        console.open("/sign-in")
        console.page.get_by_label("Admin key").fill(wrong)
        console.page.keyboard.press("Enter")
        console.page.get_by_text(said).wait_for()
        assert wrong not in console.page.content(), "what was typed is not shown again"
