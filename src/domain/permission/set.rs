//! Sets of permissions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Permission;
use crate::domain::TokenKind;

/// A set of permissions: Gridgate's own, and names that a deployment gives meaning to in its own services, such as
/// `customer.read`. Its text form is their names, sorted, with single spaces between them.
///
/// The name `*` stands for every permission that an admin key can hold, names of the deployment's own included. Exporting is
/// none of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Permissions {
    /// The set holds `*`; then it holds nothing else that `*` covers.
    every: bool,
    built_in: BTreeSet<Permission>,
    own: BTreeSet<Arc<str>>,
}

/// The name of every permission that an admin key can hold.
const EVERY: &str = "*";

/// The length of the longest name of a deployment's own, in characters.
pub const MAX_NAME_LENGTH: usize = 64;

/// What names of a deployment's own do not begin with: it is ours, or may become so.
pub const RESERVED: [&str; 14] = [
    "telemetry",
    "api",
    "project",
    "grid",
    "environment",
    "role",
    "member",
    "quota",
    "usage",
    "limit",
    "plan",
    "audit",
    "webhook",
    "gridgate",
];

/// Why a text is no permission. The text is not repeated: it may have been pasted by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PermissionError {
    /// It begins like one of Gridgate's own, of which it is none.
    #[error("Gridgate has no permission of this name")]
    Unknown,
    /// It does not have the form of a name.
    #[error(
        "a permission has 2 to 8 parts with dots between them, each a letter of a-z and then a-z, 0-9, _ or -, and at most \
         {MAX_NAME_LENGTH} characters in all"
    )]
    Form,
}

impl Permissions {
    /// What an ingest key may do unless told otherwise: export every signal.
    #[must_use]
    pub fn ingest() -> Self {
        Permission::ALL.iter().copied().filter(|one| one.is_telemetry_write()).collect()
    }

    /// What an owner may do: everything but export, which admin keys never do.
    #[must_use]
    pub fn owner() -> Self {
        Self { every: true, ..Self::default() }
    }

    /// Whether the set holds `*`, as an owner's does.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        self.every
    }

    /// Whether there is nothing in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.every && self.built_in.is_empty() && self.own.is_empty()
    }

    /// Whether `permission` is in the set.
    #[must_use]
    pub fn contains(&self, permission: Permission) -> bool {
        (self.every && !permission.is_telemetry_write()) || self.built_in.contains(&permission)
    }

    /// Whether the permission of this name is in the set: one of Gridgate's, one of the deployment's own, or `*`. What is no
    /// name of a permission is in no set.
    #[must_use]
    pub fn contains_name(&self, name: &str) -> bool {
        match read(name) {
            Ok(Name::Every) => self.every,
            Ok(Name::BuiltIn(permission)) => self.contains(permission),
            Ok(Name::Own(own)) => self.every || self.own.contains(own),
            Err(_) => false,
        }
    }

    /// The first permission of `other` that is missing here, by name: who lacks one cannot grant it.
    #[must_use]
    pub fn first_missing<'o>(&self, other: &'o Self) -> Option<&'o str> {
        other.names().find(|name| !self.contains_name(name))
    }

    /// The first permission that no key of this kind holds, by name: exporting is for ingest keys, Gridgate's administration
    /// for admin keys, and names of the deployment's own are for both.
    #[must_use]
    pub fn first_unfit(&self, kind: TokenKind) -> Option<&str> {
        let ingest = kind == TokenKind::Ingest;
        let unfit = self.built_in.iter().find(|one| one.is_telemetry_write() != ingest).map(|one| one.as_str());
        if self.every && ingest { Some(EVERY) } else { unfit }
    }

    /// What is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = Self {
            every: self.every || other.every,
            built_in: self.built_in.union(&other.built_in).copied().collect(),
            own: self.own.union(&other.own).cloned().collect(),
        };
        all.normalize();
        all
    }

    /// Adds the permission of this name.
    ///
    /// # Errors
    /// Where it is the name of none.
    pub fn insert(&mut self, name: &str) -> Result<(), PermissionError> {
        match read(name)? {
            Name::Every => self.every = true,
            Name::BuiltIn(permission) => drop(self.built_in.insert(permission)),
            Name::Own(own) => drop(self.own.insert(Arc::from(own))),
        }
        self.normalize();
        Ok(())
    }

    /// The names, sorted. Of `*` its own name alone.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = self.built_in.iter().map(|one| one.as_str());
        let mut names: Vec<&str> = built_in.chain(self.own.iter().map(AsRef::as_ref)).collect();
        names.sort_unstable();
        // The asterisk sorts before every letter.
        self.every.then_some(EVERY).into_iter().chain(names)
    }

    /// Forgets what `*` covers.
    fn normalize(&mut self) {
        if self.every {
            self.built_in.retain(|one| one.is_telemetry_write());
            self.own.clear();
        }
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(iter: I) -> Self {
        Self { built_in: iter.into_iter().collect(), ..Self::default() }
    }
}

impl Extend<Permission> for Permissions {
    fn extend<I: IntoIterator<Item = Permission>>(&mut self, iter: I) {
        self.built_in.extend(iter);
        self.normalize();
    }
}

impl FromStr for Permissions {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let mut set = Self::default();
        text.split_whitespace().try_for_each(|name| set.insert(name))?;
        Ok(set)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        self.names().try_for_each(|name| {
            write!(f, "{separator}{name}")?;
            separator = " ";
            Ok(())
        })
    }
}

/// What a name stands for.
enum Name<'a> {
    Every,
    BuiltIn(Permission),
    Own(&'a str),
}

fn read(name: &str) -> Result<Name<'_>, PermissionError> {
    if name == EVERY {
        return Ok(Name::Every);
    }
    if let Some(permission) = Permission::ALL.iter().find(|one| one.as_str() == name) {
        return Ok(Name::BuiltIn(*permission));
    }
    let parts = name.split('.').count();
    if name.len() > MAX_NAME_LENGTH || !(2..=8).contains(&parts) || !name.split('.').all(is_part) {
        return Err(PermissionError::Form);
    }
    if name.split('.').next().is_some_and(|first| RESERVED.contains(&first)) {
        return Err(PermissionError::Unknown);
    }
    Ok(Name::Own(name))
}

fn is_part(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> Permissions {
        text.parse().expect("permissions")
    }

    #[test]
    fn names_and_sets_survive_their_text_form() {
        for &permission in Permission::ALL {
            let one = set(permission.as_str());
            assert!(one.contains(permission) && one.contains_name(permission.as_str()));
            assert_eq!(one.to_string(), permission.as_str());
            assert!(RESERVED.contains(&permission.as_str().split('.').next().expect("a part")));
        }
        assert_eq!(Permissions::owner().to_string(), "*");
        assert_eq!(
            set("  license.manage api.key.view\tcustomer.read ").to_string(),
            "api.key.view customer.read license.manage"
        );
        assert_eq!(Permissions::default().to_string(), "");
        assert!(Permissions::default().is_empty() && !Permissions::owner().is_empty() && !set("a.b").is_empty());
    }

    #[test]
    fn what_has_our_name_is_one_of_ours() {
        for name in ["telemetry.read", "api.key.views", "gridgate.x", "quota.raise"] {
            assert_eq!(name.parse::<Permissions>(), Err(PermissionError::Unknown));
        }
        assert_eq!(set("apis.key.view").to_string(), "apis.key.view");
    }

    #[test]
    fn a_name_of_the_deployments_own_has_a_form() {
        let longest = format!("a.{}", "b".repeat(MAX_NAME_LENGTH - 2));
        for name in ["customer.read", "a.b", "a1-b_c.d-", "a.b.c.d.e.f.g.h", &longest] {
            assert!(set(name).contains_name(name), "{name}");
        }
        let too_long = format!("{longest}b");
        for name in [
            "customer",
            "a.b.c.d.e.f.g.h.i",
            "a..b",
            ".a.b",
            "a.b.",
            "a.1",
            "A.b",
            "a.*",
            "**",
            "a.é",
            "телеметрия.чтение",
            &too_long,
        ] {
            assert_eq!(name.parse::<Permissions>(), Err(PermissionError::Form));
        }
    }

    #[test]
    fn an_owner_may_do_everything_but_export() {
        let owner = Permissions::owner();
        for &permission in Permission::ALL {
            assert_eq!(owner.contains(permission), !permission.is_telemetry_write());
            assert_eq!(owner.contains_name(permission.as_str()), !permission.is_telemetry_write());
        }
        assert!(owner.contains_name("customer.read") && owner.contains_name("*"));
        assert!(!owner.contains_name("customer") && !owner.contains_name(""));
        // What `*` covers is not kept beside it.
        assert_eq!(set("api.key.view customer.read * license.manage"), owner);
        assert_eq!(set("telemetry.logs.write *").to_string(), "* telemetry.logs.write");
    }

    #[test]
    fn who_lacks_a_permission_is_told_which() {
        let viewer = set("api.key.view customer.read");
        assert_eq!(viewer.first_missing(&set("api.key.create api.key.view")), Some("api.key.create"));
        assert_eq!(viewer.first_missing(&set("customer.write customer.read")), Some("customer.write"));
        assert_eq!(viewer.first_missing(&Permissions::owner()), Some("*"));
        assert_eq!(Permissions::owner().first_missing(&set("api.key.create customer.write *")), None);
        assert_eq!(Permissions::owner().first_missing(&Permissions::ingest()), Some("telemetry.logs.write"));
        // All that there is today is not `*`, which holds what is to come as well.
        let all: Permissions = Permission::ALL.iter().copied().collect();
        assert_eq!(all.first_missing(&Permissions::owner()), Some("*"));
    }

    #[test]
    fn each_kind_of_key_has_permissions_of_its_own() {
        use TokenKind::{Admin, Ingest};
        assert_eq!(set("telemetry.logs.write customer.read").first_unfit(Ingest), None);
        assert_eq!(set("api.key.view customer.read").first_unfit(Ingest), Some("api.key.view"));
        assert_eq!(Permissions::owner().first_unfit(Ingest), Some("*"));
        assert_eq!(set("api.key.view customer.read").first_unfit(Admin), None);
        assert_eq!(set("* telemetry.logs.write").first_unfit(Admin), Some("telemetry.logs.write"));
    }

    /// A list of names as the API could be sent it, the good among them more often than not.
    fn some_names() -> impl Strategy<Value = Vec<String>> {
        let built_in = proptest::sample::select(Permission::ALL).prop_map(|one| one.as_str().to_owned());
        let own = "[a-z][a-z0-9_-]{0,3}(\\.[a-z][a-z0-9_-]{0,3}){1,3}";
        proptest::collection::vec(prop_oneof![4 => built_in, 4 => own, 1 => Just("*".to_owned())], 0..12)
    }

    fn set_of(names: &[String]) -> Permissions {
        names.iter().fold(Permissions::default(), |mut all, name| {
            // A name that begins like one of ours is none.
            let _ = all.insert(name);
            all
        })
    }

    proptest! {
        #[test]
        fn the_text_form_is_canonical(names in some_names()) {
            let all = set_of(&names);
            let text = all.to_string();
            prop_assert_eq!(text.parse::<Permissions>().expect("its own text"), all.clone());
            let sorted: BTreeSet<_> = text.split_whitespace().collect();
            prop_assert_eq!(sorted.into_iter().collect::<Vec<_>>().join(" "), text);
            let backwards: Vec<_> = names.iter().rev().cloned().collect();
            prop_assert_eq!(set_of(&backwards), all);
        }

        #[test]
        fn what_is_added_is_there_and_nothing_is_missing(names in some_names(), more in some_names()) {
            let (few, mut all) = (set_of(&names), set_of(&names));
            for name in &more {
                if all.insert(name).is_ok() {
                    prop_assert!(all.contains_name(name));
                }
            }
            prop_assert_eq!(all.first_missing(&few), None);
            prop_assert_eq!(&set_of(&more).union(&few), &all);
            let missing = few.first_missing(&all);
            prop_assert_eq!(missing.is_none(), few == all);
            prop_assert!(missing.is_none_or(|name| all.contains_name(name) && !few.contains_name(name)));
        }

        #[test]
        fn any_text_is_permissions_or_an_error(text in "\\PC*|[a-z.* ]{0,80}") {
            if let Ok(all) = text.parse::<Permissions>() {
                prop_assert!(all.names().all(|name| all.contains_name(name) && name.len() <= MAX_NAME_LENGTH));
            }
        }
    }
}
