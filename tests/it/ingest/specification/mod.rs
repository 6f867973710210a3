//! The OTLP specification, clause by clause: `docs/otlp.md` numbers them and says what was decided.
//!
//! One module per subject, one test per clause, named by its number. What another test holds already stands there only.

mod failures;
