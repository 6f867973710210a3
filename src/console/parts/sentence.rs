//! Words of the API, for people.

/// `words` as a sentence: it begins in upper case, unless with the id of a key, and ends with a full stop.
pub(in crate::console) fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    if words.starts_with("key_") { format!("{words}.") } else { format!("{first}{}.", characters.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_as_they_are() {
        let cases = [("no such key", "No such key."), ("key_1 is revoked", "key_1 is revoked."), ("über", "Über.")];
        for (words, said) in cases {
            assert_eq!(sentence(words), said);
        }
    }
}
