//! Route: to which destinations a record goes, by its tenant and signal.

use serde::{Deserialize, Serialize};

use crate::domain::{Signal, Slug, Tenant};

/// The name of the destination that is always there.
pub const LAKE_NAME: &str = "lake";

/// A destination, by its place among the names that its [`Routes`] know. The lake is the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DestinationId(pub(super) usize);

impl DestinationId {
    /// The lake.
    pub const LAKE: Self = Self(0);

    /// The forward that is configured at `place`, counted from 0.
    #[must_use]
    pub const fn forward(place: usize) -> Self {
        Self(place + 1)
    }

    /// The place among the destinations, the lake's is 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Records of some tenants and signals go to these destinations. What is left out is any.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The project's slug.
    pub project: Option<String>,
    /// The grid's slug.
    pub grid: Option<String>,
    /// The environment's slug.
    pub environment: Option<String>,
    /// The names of the signals.
    pub signals: Option<Vec<String>>,
    /// The names of the destinations.
    pub to: Vec<String>,
}

/// Why a route cannot be followed, and by which option. Routes count from 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{option}: {fault}")]
pub struct RouteError {
    /// The option, like `route[0].to`.
    pub option: String,
    /// What is wrong with it.
    pub fault: RouteFault,
}

/// What can be wrong with a route.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RouteFault {
    /// It leads nowhere.
    #[error("a route needs at least one destination")]
    Nowhere,
    /// It leads to a destination that there is not.
    #[error("there is no destination {name:?}; there are {known}")]
    Unknown {
        /// Its name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// It leads to a destination twice.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// It is for something that is no slug.
    #[error("{0:?} is not a slug")]
    Slug(String),
    /// It is for something that is no signal.
    #[error("{0:?} is not a signal; there are traces, metrics, logs and profiles")]
    Signal(String),
    /// It is for no signal at all.
    #[error("a route for no signal matches nothing; leave it out for any")]
    NoSignal,
}

/// Where everything goes: the first route that matches decides, and without one it is the lake.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Routes {
    rules: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    project: Option<Slug>,
    grid: Option<Slug>,
    environment: Option<Slug>,
    /// By [`Signal::index`].
    signals: [bool; 4],
    to: Vec<DestinationId>,
}

impl Routes {
    /// The routes among the destinations `names`, the first of which is the lake.
    ///
    /// # Errors
    /// [`RouteError`], which names the option.
    pub fn new(names: &[String], routes: &[Route]) -> Result<Self, RouteError> {
        let rule = |(place, route)| Rule::new(names, place, route);
        Ok(Self { rules: routes.iter().enumerate().map(rule).collect::<Result<_, _>>()? })
    }

    /// Where the records of `tenant` and `signal` go. Never nowhere.
    #[must_use]
    pub fn of(&self, tenant: &Tenant, signal: Signal) -> &[DestinationId] {
        let found = self.rules.iter().find(|rule| rule.matches(tenant, signal));
        found.map_or(&[DestinationId::LAKE], |rule| &rule.to)
    }

    /// Whether any route leads to `destination`.
    #[must_use]
    pub fn reaches(&self, destination: DestinationId) -> bool {
        self.rules.iter().any(|rule| rule.to.contains(&destination))
    }
}

impl Rule {
    fn new(names: &[String], place: usize, route: &Route) -> Result<Self, RouteError> {
        let wrong = |option: &str, fault| RouteError { option: format!("route[{place}].{option}"), fault };
        let slug = |option, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| wrong(option, RouteFault::Slug(text.clone()))),
        };
        let mut signals = [route.signals.is_none(); 4];
        for name in route.signals.iter().flatten() {
            let signal: Signal = name.parse().map_err(|_| wrong("signals", RouteFault::Signal(name.clone())))?;
            signals[signal.index()] = true;
        }
        if !signals.contains(&true) {
            return Err(wrong("signals", RouteFault::NoSignal));
        }
        let mut to = Vec::new();
        for name in &route.to {
            let found = names.iter().position(|known| known == name).map(DestinationId);
            let unknown = || RouteFault::Unknown { name: name.clone(), known: names.join(", ") };
            let id = found.ok_or_else(|| wrong("to", unknown()))?;
            if to.contains(&id) {
                return Err(wrong("to", RouteFault::Twice(name.clone())));
            }
            to.push(id);
        }
        if to.is_empty() {
            return Err(wrong("to", RouteFault::Nowhere));
        }
        Ok(Self {
            project: slug("project", &route.project)?,
            grid: slug("grid", &route.grid)?,
            environment: slug("environment", &route.environment)?,
            signals,
            to,
        })
    }

    fn matches(&self, tenant: &Tenant, signal: Signal) -> bool {
        let fits = |wanted: &Option<Slug>, is: &Slug| wanted.as_ref().is_none_or(|wanted| wanted == is);
        self.signals[signal.index()]
            && fits(&self.project, &tenant.project)
            && fits(&self.grid, &tenant.grid)
            && fits(&self.environment, &tenant.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(path: &str) -> Tenant {
        let mut slugs = path.split('/').map(|slug| slug.parse().expect("a slug"));
        let mut next = || slugs.next().expect("three slugs");
        Tenant { project: next(), grid: next(), environment: next() }
    }

    fn names() -> Vec<String> {
        ["lake", "collector", "vendor"].map(str::to_owned).into()
    }

    fn route(project: Option<&str>, signals: Option<&[&str]>, to: &[&str]) -> Route {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Route { project: project.map(str::to_owned), signals: signals.map(owned), to: owned(to), ..Route::default() }
    }

    #[test]
    fn the_first_route_that_matches_decides() {
        let mut routes = [
            route(Some("shop"), Some(&["traces"]), &["lake", "collector"]),
            route(Some("shop"), None, &["vendor"]),
            route(None, Some(&["logs"]), &["collector"]),
        ];
        routes[2].grid = Some("web".to_owned());
        routes[2].environment = Some("staging".to_owned());
        let routes = Routes::new(&names(), &routes).expect("they are good");
        for (path, signal, expected) in [
            ("shop/web/production", Signal::Traces, &[0, 1][..]),
            ("shop/api/staging", Signal::Logs, &[2]),
            ("bank/web/staging", Signal::Logs, &[1]),
            ("bank/web/staging", Signal::Traces, &[0]),
            ("bank/web/production", Signal::Logs, &[0]),
            ("bank/api/staging", Signal::Logs, &[0]),
        ] {
            let found: Vec<_> = routes.of(&tenant(path), signal).iter().map(|id| id.index()).collect();
            assert_eq!(found, expected, "{path} {signal}");
        }
        assert!(routes.reaches(DestinationId(2)));
        assert!(!Routes::default().reaches(DestinationId(1)));
    }

    #[test]
    fn a_route_that_cannot_be_followed_is_refused_by_name() {
        let good = route(None, None, &["lake"]);
        for (bad, message) in [
            (route(None, None, &[]), "route[1].to: a route needs at least one destination"),
            (
                route(None, None, &["nowhere"]),
                "route[1].to: there is no destination \"nowhere\"; there are lake, collector, vendor",
            ),
            (route(None, None, &["lake", "lake"]), "route[1].to: \"lake\" is there twice"),
            (route(Some("Shop"), None, &["lake"]), "route[1].project: \"Shop\" is not a slug"),
            (
                route(None, Some(&["spans"]), &["lake"]),
                "route[1].signals: \"spans\" is not a signal; there are traces, metrics, logs and profiles",
            ),
            (
                route(None, Some(&[]), &["lake"]),
                "route[1].signals: a route for no signal matches nothing; leave it out for any",
            ),
        ] {
            let refused = Routes::new(&names(), &[good.clone(), bad]).expect_err("it is bad");
            assert_eq!(refused.to_string(), message);
        }
    }
}
