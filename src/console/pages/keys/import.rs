//! `/keys/import`: keys of tokens that other products gave out.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};

use super::cells;
use crate::admin::keys::import::Imported;
use crate::admin::keys::import_file::{FileError, Rows, columns, located, rows};
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::chip;
use crate::console::parts::field::ONCE;
use crate::console::parts::note::{Severity, note};
use crate::console::visit::Visit;

/// `GET /keys/import`
pub(super) async fn form(visit: Visit) -> Result<Markup, Fault> {
    Ok(visit.dialog("Import keys", &card(&visit, &html! {})?))
}

/// `POST /keys/import`
pub(super) async fn send(visit: Visit, form: Form) -> Result<Response, Fault> {
    let refused = |told: &Markup| -> Result<Response, Fault> {
        let card = visit.dialog("Import keys", &card(&visit, told)?);
        Ok((StatusCode::UNPROCESSABLE_ENTITY, card).into_response())
    };
    let Rows { body, lines } = match rows(form.text("rows")) {
        Ok(rows) if rows.body.keys.is_empty() => return refused(&said("There is no row in what was pasted.")),
        Ok(rows) => rows,
        Err(error) => return refused(&unusable(&error)),
    };
    match visit.api.post_once::<Imported>("/keys/import", Some(&body), form.text(ONCE)).await {
        Ok(imported) => Ok(visit.dialog("Keys imported", &done(&visit, &imported)).into_response()),
        Err(fault) => refused(&wrong(&*fault.mendable()?, &lines)),
    }
}

/// The form, under what is `told` of the try before. What was pasted is never shown again: it holds tokens. Mended, it is sent under an
/// idempotency key of its own.
fn card(visit: &Visit, told: &Markup) -> Result<Markup, Fault> {
    let once = visit.once_key()?;
    Ok(html! {
        h1 { "Import keys" }
        p { "Keys of tokens that another product gave out as UUIDs go on working here. All keys are made, or none." }
        form method="post" action=(visit.frame.href("/keys/import")) {
            (visit.frame.form_fields())
            input type="hidden" name=(ONCE) value=(once);
            div.dialog-body {
                (told)
                div.field {
                    label for="rows" { "CSV or JSON" }
                    textarea #rows name="rows" rows="9" required autocomplete="off" spellcheck="false" aria-describedby="rows-help"
                        placeholder="name,project,grid,environment,tags,token" {}
                    p.help id="rows-help" {
                        "The first line of CSV names the columns; lists are separated by spaces. In place of " code { "token" } ", "
                        code { "sha256" } " takes the digest of the UUID, so that no token leaves the other product."
                    }
                }
                div.field {
                    label for="import-file" { "Or take a file" }
                    input #import-file type="file" accept=".csv,.json,text/csv,application/json" data-paste-into="rows";
                }
                details {
                    summary { "Columns" }
                    p.help { (columns()) }
                }
            }
            div.dialog-foot {
                a.button href=(visit.frame.href("/keys")) data-close { "Cancel" }
                button.primary type="submit" { "Import keys" }
            }
        }
    })
}

fn said(what: &str) -> Markup {
    html! { div role="alert" { (note(Severity::Danger, &html! { (what) " Nothing was imported." })) } }
}

/// What cannot be read, and in which lines.
fn unusable(error: &FileError) -> Markup {
    match error {
        FileError::Rows(rows) => {
            let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
            told("The rows are not as they must be.", &rows)
        }
        FileError::Column { .. } => said(&format!("{error}. Below are the columns that there are.")),
        FileError::Csv(_) | FileError::Json(_) | FileError::Shape | FileError::Row(_) => {
            said(&format!("It cannot be read: {error}."))
        }
    }
}

/// What the API refuses, by row.
fn wrong(problem: &ProblemView, lines: &[usize]) -> Markup {
    let errors = problem.errors.iter();
    let rows: Vec<_> = errors
        .map(|error| located(&format!("{}: {}. Allowed: {}", error.place, error.detail, error.fix), lines))
        .collect();
    let summary =
        if rows.is_empty() { format!("{}. {}.", problem.title, problem.detail) } else { format!("{}.", problem.title) };
    told(&summary, &rows)
}

fn told(summary: &str, rows: &[String]) -> Markup {
    html! {
        (said(summary))
        @if !rows.is_empty() {
            div.import-rows tabindex="0" role="region" aria-label="What is wrong" {
                table {
                    thead { tr { th scope="col" { "Row" } th scope="col" { "What is wrong" } } }
                    tbody {
                        @for row in rows {
                            @let (place, what) = row.split_once(": ").unwrap_or(("", row));
                            tr { th.place scope="row" { (place) } td { (what) } }
                        }
                    }
                }
            }
            p.help { "What was pasted is not shown again, since it holds tokens. Mend it where it comes from, and paste it once more." }
        }
    }
}

/// So many of the keys are listed.
const LISTED: usize = 100;

fn done(visit: &Visit, imported: &Imported) -> Markup {
    let keys = &imported.data;
    html! {
        h1 { (cells::keys(keys.len())) " imported" }
        p { "They are let in from now on, with the tokens that their senders have already. No token is shown here." }
        div.dialog-body {
            div.import-rows tabindex="0" role="region" aria-label="Imported keys" {
                table {
                    thead { tr {
                        th scope="col" { "Name" } th scope="col" { "Key id" } th scope="col" { "Tenant" } th scope="col" { "Status" }
                    } }
                    tbody {
                        @for key in keys.iter().take(LISTED) {
                            tr {
                                th scope="row" { (key.name) }
                                td { code { (key.id) } }
                                td { (cells::tenant(visit, key)) }
                                td { (chip::status(&key.status, true)) }
                            }
                        }
                    }
                }
            }
            @if keys.len() > LISTED { p.help { "and " (cells::keys(keys.len() - LISTED)) " more" } }
        }
        div.dialog-foot { a.button.primary href=(visit.frame.href("/keys")) data-close { "Done" } }
    }
}
