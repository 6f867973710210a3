//! What there is to choose from where a key is created.

use super::super::projects::segment;
use crate::admin::environments::EnvironmentView;
use crate::admin::grids::GridView;
use crate::admin::keys::KeyView;
use crate::admin::page::PageView;
use crate::admin::projects::ProjectView;
use crate::admin::roles::RoleView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::visit::Visit;

/// As many as one page of the API holds.
const MOST: u32 = 200;

/// What the visitor may choose from; `None` of what they may not see, and have to type.
pub(super) struct Choices {
    pub(super) projects: Option<Vec<ProjectView>>,
    /// Of the project that is chosen.
    pub(super) grids: Option<Vec<GridView>>,
    pub(super) environments: Option<Vec<EnvironmentView>>,
    /// Those for ingest keys of the project.
    pub(super) roles: Option<Vec<RoleView>>,
    /// The project and the grid that are chosen: what was asked for, or else the first.
    pub(super) project: String,
    pub(super) grid: String,
}

/// How many keys of a grid are active in an environment.
pub(super) struct InUse {
    pub(super) environment: String,
    /// Of those on the first page.
    pub(super) count: usize,
    /// Whether the grid has more than those.
    pub(super) more: bool,
}

impl Choices {
    /// Those there are, if `project` and `grid` are asked for (empty: any).
    pub(super) async fn of(visit: &Visit, project: &str, grid: &str) -> Result<Self, Fault> {
        let projects = listed_with(visit, "/projects", project, |one: &ProjectView| &one.slug).await?;
        let project = chosen(projects.as_deref(), project, |one: &ProjectView| &one.slug);
        let of_project = format!("/projects/{}/grids", segment(&project));
        let grids = if project.is_empty() {
            Some(Vec::new())
        } else {
            listed_with(visit, &of_project, grid, |one: &GridView| &one.slug).await?
        };
        let grid = chosen(grids.as_deref(), grid, |one: &GridView| &one.slug);
        let environments = listed(visit, "/environments", &Query::default()).await?;
        let of_project = Query::default().with("limit", Some(MOST)).with("project", Some(&project));
        let roles: Option<Vec<RoleView>> = listed(visit, "/roles", &of_project).await?;
        let roles = roles.map(|roles| roles.into_iter().filter(|role| role.kind == "ingest").collect());
        Ok(Self { projects, grids, environments, roles, project, grid })
    }

    /// How many keys of the chosen grid are active in each environment that has any.
    pub(super) async fn in_use(&self, visit: &Visit) -> Result<Vec<InUse>, Fault> {
        if self.grid.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query::default()
            .with("limit", Some(MOST))
            .with("project", Some(&self.project))
            .with("grid", Some(&self.grid))
            .with("status", Some("active"));
        let page: Option<PageView<KeyView>> = Api::if_allowed(visit.api.list("/keys", &query)).await?;
        let (keys, more) = page.map(|page| (page.data, page.has_more)).unwrap_or_default();
        let count = |slug: &str| keys.iter().filter(|key| key.environment.as_deref() == Some(slug)).count();
        let slugs = self.environments.iter().flatten().map(|environment| environment.slug.clone());
        Ok(slugs.map(|slug| InUse { count: count(&slug), environment: slug, more }).collect())
    }

    /// How many keys of a grid and environment may be active at once, where the project says.
    pub(super) fn most(&self) -> Option<u32> {
        self.projects.iter().flatten().find(|one| one.slug == self.project)?.max_active_keys
    }
}

async fn listed<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    path: &str,
    query: &Query,
) -> Result<Option<Vec<T>>, Fault> {
    let page: Option<PageView<T>> = Api::if_allowed(visit.api.list(path, query)).await?;
    Ok(page.map(|page| page.data))
}

/// The list at `path`; with the one called `wanted`, also where it is beyond the first page.
async fn listed_with<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    path: &str,
    wanted: &str,
    slug: impl Fn(&T) -> &String,
) -> Result<Option<Vec<T>>, Fault> {
    let query = Query::default().with("limit", Some(MOST));
    let page: Option<PageView<T>> = Api::if_allowed(visit.api.list(path, &query)).await?;
    let Some(PageView { mut data, has_more, .. }) = page else { return Ok(None) };
    if has_more && !wanted.is_empty() && data.iter().all(|one| slug(one) != wanted) {
        match visit.api.get(&format!("{path}/{}", segment(wanted))).await {
            Ok(one) => data.push(one),
            // What is gone is chosen again.
            Err(fault) if fault.problem().is_some_and(|problem| problem.code.ends_with("not_found")) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(data))
}

/// `wanted`, if it is there or nobody can say; else the first.
fn chosen<T>(there: Option<&[T]>, wanted: &str, slug: impl Fn(&T) -> &String) -> String {
    let Some(there) = there else { return wanted.to_owned() };
    let found = there.iter().map(&slug).find(|slug| *slug == wanted).or_else(|| there.first().map(&slug));
    found.cloned().unwrap_or_default()
}
