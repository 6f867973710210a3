//! `kill -9` of the real process under load, many times in a row.
