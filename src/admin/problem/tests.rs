use super::*;
use std::collections::HashSet;

#[test]
fn codes_are_distinct_and_answer_with_an_error() {
    let labels: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(labels.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        assert_eq!(code.challenge().is_some(), code.status() == StatusCode::UNAUTHORIZED, "{code:?}");
        let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&code.status());
        assert_eq!(code.retry_after().is_some(), later, "{code:?}");
    }
}

#[test]
fn every_code_is_in_the_documentation() {
    let document = include_str!("../../../docs/api.md");
    for code in Code::ALL {
        let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
        assert!(document.contains(&row), "docs/api.md lacks {row}");
    }
}

#[test]
fn the_database_is_not_quoted() {
    for error in [CatalogError::Unavailable("db.internal:5432".to_owned()), CatalogError::Damaged("row 7".to_owned())] {
        let problem = Problem::from(error);
        let shown = serde_json::to_string(&problem.view("r")).expect("a view is JSON");
        assert!(!shown.contains("5432") && !shown.contains("row 7"), "{shown}");
        assert!(problem.cause.is_some());
    }
}
