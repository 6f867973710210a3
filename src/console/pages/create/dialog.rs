//! The dialog that creates an ingest key.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::choices::{Choices, InUse};
use super::secret::secret_card;
use super::typed::{EXPIRES, Typed};
use crate::admin::keys::create::IssuedKey;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::{Fault, is_of, of_field};
use crate::console::layout::Frame;
use crate::console::parts::empty::empty;
use crate::console::parts::field::{Field, rest_of};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::limits::limits_editor;
use crate::console::parts::time::day;
use crate::console::visit::{UrlQuery, Visit};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    project: String,
    grid: String,
    environment: String,
}

/// `GET /keys/new`
pub(super) async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let new = Typed::new(visit.once_key()?, visit.now);
    let typed = Typed { project: wanted.project, grid: wanted.grid, environment: wanted.environment, ..new };
    card(&visit, &typed, None, false).await
}

/// `POST /keys/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let typed = Typed::of(&form);
    if form.optional("show").is_some() {
        // Another project has other grids and roles.
        return Ok(card(&visit, &typed, None, true).await?.into_response());
    }
    let problem = match typed.body(visit.now) {
        Ok(body) => match visit.api.post_once::<IssuedKey>("/keys", Some(&body), &typed.once).await {
            Ok(issued) => return Ok(secret_card(&visit, &issued, "").into_response()),
            // Also a project or role that is no longer there is chosen again.
            Err(fault) => match fault.problem() {
                Some(problem) if !problem.errors.is_empty() => Box::new(problem.clone()),
                _ => fault.mendable()?,
            },
        },
        Err(problem) => problem,
    };
    let again = card(&visit, &typed, Some(&problem), false).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response())
}

/// Fields of the API that stand under Advanced.
const ADVANCED: [&str; 7] = ["expires_at", "limits", "allowed_addresses", "owner", "tags", "note", "format"];

/// The dialog. `moved`: the project was just chosen, and the grid is next.
async fn card(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>, moved: bool) -> Result<Markup, Fault> {
    let choices = Choices::of(visit, &typed.project, &typed.grid).await?;
    let frame = &visit.frame;
    let head = html! {
        div.card-head {
            h1 { "Create a key" }
            a.button.icon-button href=(frame.here("/keys")) data-close aria-label="Close" { (icon(Icon::Close)) }
        }
        p { "One key for one grid and environment. This cannot be changed later." }
    };
    if choices.projects.as_ref().is_some_and(Vec::is_empty) {
        let action = html! { a.button.primary href=(frame.href("/projects/-/new")) data-dialog { "Create project" } };
        let text = "A key belongs to a grid, the application that sends, and a grid belongs to a project.";
        return Ok(visit.dialog("Create a key", &html! { (head) (empty("No project yet", text, &action)) }));
    }
    let in_use = choices.in_use(visit).await?;
    let content = html! {
        (head)
        form method="post" action=(frame.here("/keys/new")) data-create {
            (frame.form_fields())
            input type="hidden" name="once" value=(typed.once);
            input type="hidden" name="shown_at" value=(typed.shown_at);
            div.dialog-body {
                (rest_of(problem, &[&["name", "project", "grid", "environment", "role", "permissions"][..], &ADVANCED[..6], &["format", "limits/*"]].concat()))
                (name(typed, problem, !moved))
                (whose(frame, typed, &choices, problem, moved))
                (environment(typed, &choices, problem))
                (role(typed, &choices, problem))
                (advanced(visit, typed, problem))
                p.help {
                    "This is a key for telemetry. People and scripts that administer Gridgate get an "
                    a href=(frame.href("/members")) { "admin key" } "."
                }
            }
            div.dialog-foot {
                (goes_to(visit, typed, &choices, &in_use))
                a.button href=(frame.here("/keys")) data-close { "Cancel" }
                button.primary type="submit" { "Create key" }
                // Behind the other: Enter takes the first.
                button #show-grids type="submit" name="show" value="grids" formnovalidate { "Show grids of the project" }
            }
        }
    };
    Ok(visit.dialog("Create a key", &content))
}

fn name(typed: &Typed, problem: Option<&ProblemView>, focused: bool) -> Markup {
    let wrong = of_field(problem, "name");
    html! {
        div.field {
            label for="name" { "Name" }
            input #name type="text" name="name" value=(typed.name) required maxlength="128" autocomplete="off" autofocus[focused]
                aria-describedby="name-help" aria-invalid=[wrong.map(|_| "true")];
            @match wrong {
                Some(wrong) => p #name-help .field-error { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) },
                None => p #name-help .help { "Name it after what will send with it." },
            }
        }
    }
}

/// Project and grid.
fn whose(frame: &Frame, typed: &Typed, choices: &Choices, problem: Option<&ProblemView>, moved: bool) -> Markup {
    let (project, grid) = (Field::new("project", "Project"), Field::new("grid", "Grid"));
    let (project, grid) = (project.wrong(problem, "project"), grid.wrong(problem, "grid"));
    html! {
        div.pair {
            @match &choices.projects {
                Some(projects) => div.field {
                    label for="project" { "Project" }
                    select #project name="project" data-submit="show-grids" aria-invalid=[project.wrong.map(|_| "true")] {
                        @for one in projects {
                            option value=(one.slug) selected[one.slug == choices.project] { (one.name) }
                        }
                    }
                    @if let Some(wrong) = project.wrong { p.field-error { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) } }
                },
                None => (project.help("Its slug.").line(&typed.project, true)),
            }
            @match &choices.grids {
                Some(grids) => div.field {
                    label for="grid" { "Grid" }
                    select #grid name="grid" required data-submit="show-grids" autofocus[moved] aria-describedby="grid-help" aria-invalid=[grid.wrong.map(|_| "true")] {
                        @for one in grids {
                            option value=(one.slug) selected[one.slug == choices.grid] { (one.name) }
                        }
                    }
                    @if let Some(wrong) = grid.wrong {
                        p #grid-help .field-error { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) }
                    } @else if grids.is_empty() {
                        p #grid-help .help {
                            "This project has no grid yet. "
                            a href=(frame.href(&format!("/projects/{}/grids/-/new", choices.project))) target="_blank" { "Create grid" span.visually-hidden { " in a new tab" } }
                        }
                    }
                },
                None => (grid.help("Its slug.").line(&typed.grid, true)),
            }
        }
    }
}

fn environment(typed: &Typed, choices: &Choices, problem: Option<&ProblemView>) -> Markup {
    let field = Field::new("environment", "Environment").wrong(problem, "environment");
    let Some(all) = &choices.environments else { return field.help("Its slug.").line(&typed.environment, true) };
    let chosen = chosen_environment(typed, choices);
    if all.len() > 7 {
        let options: Vec<_> = all.iter().map(|one| (one.slug.clone(), one.name.clone())).collect();
        return field.select(&options, chosen);
    }
    let options: Vec<_> = all.iter().map(|one| (one.slug.as_str(), one.name.as_str())).collect();
    field.radios(&options, chosen)
}

/// The one that is asked for; else production, or the first.
fn chosen_environment<'a>(typed: &'a Typed, choices: &'a Choices) -> &'a str {
    let slugs = || choices.environments.iter().flatten().map(|one| one.slug.as_str());
    let found = slugs().find(|slug| *slug == typed.environment).or_else(|| slugs().find(|slug| *slug == "production"));
    found.or_else(|| slugs().next()).unwrap_or(&typed.environment)
}

/// What a key may do: by a role, or by permissions of its own.
fn role(typed: &Typed, choices: &Choices, problem: Option<&ProblemView>) -> Markup {
    let wrong = of_field(problem, "role").or_else(|| of_field(problem, "permissions"));
    let default = vec![("ingest".to_owned(), "Exports every signal".to_owned())];
    let roles = choices.roles.as_ref().map_or(default, |roles| {
        let words = |note: &str, name: &str| if note.is_empty() { name.to_owned() } else { note.to_owned() };
        roles.iter().map(|role| (role.slug.clone(), words(&role.note, &role.name))).collect()
    });
    html! {
        fieldset.field aria-describedby=[wrong.map(|_| "role-help")] {
            legend { "Role" }
            div.role-choices {
                @for (slug, words) in &roles {
                    label { input type="radio" name="role" value=(slug) checked[*slug == typed.role]; span { strong { (slug) } " " (words) } }
                }
                label { input type="radio" name="role" value="" checked[typed.role.is_empty()]; span { strong { "Own permissions…" } } }
                div.own-permissions {
                    @for (permission, words) in SIGNALS {
                        label {
                            input type="checkbox" name="permissions" value=(permission) checked[typed.permissions.iter().any(|held| held == permission)];
                            span { (words) }
                        }
                    }
                    (Field::new("others", "Others").help("Permissions of your own products, such as customer.read, separated by commas.").line(&typed.others, false))
                }
            }
            @if let Some(wrong) = wrong { p #role-help .field-error { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) } }
        }
    }
}

const SIGNALS: [(&str, &str); 4] = [
    ("telemetry.traces.write", "Traces"),
    ("telemetry.metrics.write", "Metrics"),
    ("telemetry.logs.write", "Logs"),
    ("telemetry.profiles.write", "Profiles"),
];

fn advanced(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    let open = ADVANCED.iter().any(|name| problem.is_some_and(|one| one.errors.iter().any(|error| is_of(error, name))));
    let days: Vec<_> = EXPIRES.iter().map(|days| (days.to_string(), format!("{days} d"))).collect();
    let mut options: Vec<_> = days.iter().map(|(value, words)| (value.as_str(), words.as_str())).collect();
    options.push(("never", "Never"));
    let line =
        |name, label, help, of, value: &str| Field::new(name, label).help(help).wrong(problem, of).line(value, false);
    html! {
        details.key-advanced open[open] {
            summary { (icon(Icon::Right)) span { "Advanced" } span.meta.push { "90 d, limits of its plan, any address" } }
            div.advanced-body {
                div.expiry {
                    (Field::new("expires", "Expires after").wrong(problem, "expires_at").radios(&options, &typed.expires))
                    @for (value, _) in &days {
                        p.help data-days=(value) {
                            @if let Some(at) = typed.expiry(value, visit.now) { (day(&at.to_string())) ". Warned of 30, 7 and 1 day before." }
                        }
                    }
                    p.help data-days="never" { "It works until somebody ends it." }
                }
                @if visit.may("quota.update") { (limits_editor("limits", &typed.limits, problem)) }
                (Field::new("addresses", "Allowed addresses").help("Such as 10.4.0.0/16, one on each line. Empty means any address.")
                    .wrong(problem, "allowed_addresses").lines(&typed.addresses, 2))
                div.pair {
                    (line("owner", "Owner", "The customer or team that it is for.", "owner", &typed.owner))
                    (line("tags", "Tags", "Separated by commas.", "tags", &typed.tags))
                }
                (line("note", "Note", "Where it is used.", "note", &typed.note))
                (Field::new("format", "Form of the secret").help("A UUID is for senders that take nothing else: it has no checksum and names no key.")
                    .wrong(problem, "format").radios(&[("token", "Token"), ("uuid", "UUID")], &typed.format))
            }
        }
    }
}

/// Where the key's data will be, and how many keys are there already. The script keeps it true to what is chosen.
fn goes_to(visit: &Visit, typed: &Typed, choices: &Choices, in_use: &[InUse]) -> Markup {
    let chosen = chosen_environment(typed, choices);
    let used = |one: &InUse| match (choices.most(), one.count, one.more) {
        (Some(most), count, false) => format!("{count} of {most} active keys in use"),
        (Some(most), count, true) => format!("{count}+ of {most} active keys in use"),
        (None, count, true) => format!("{count}+ active keys there"),
        (None, 0, false) => "No active key there yet".to_owned(),
        (None, 1, false) => "1 active key there".to_owned(),
        (None, count, false) => format!("{count} active keys there"),
    };
    html! {
        div.meta.goes-to {
            @if choices.grid.is_empty() {
                "Goes nowhere yet"
            } @else if in_use.is_empty() {
                "Goes to " (choices.project) " / " (choices.grid)
            }
            @for one in in_use {
                div data-goes-to=(one.environment) hidden[one.environment != chosen] {
                    div { "Goes to " (visit.tenant(&choices.project, &choices.grid, &one.environment)) }
                    div { (used(one)) }
                }
            }
        }
    }
}
