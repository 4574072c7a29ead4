//! Who may do what: the committed tables are those of the code.

use mintreu_server::caller::{Capability, Role, grants};
use mintreu_tests::source;
use std::collections::{BTreeMap, BTreeSet};

fn table(name: &str) -> Vec<Vec<String>> {
    let path = source::workspace().join("docs").join(name);
    let text = std::fs::read_to_string(path).expect("a table");
    let row = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

#[test]
fn the_matrix_of_roles_is_the_code_s() {
    let rows = table("permissions.csv");
    let mut expected = vec![vec!["role".to_owned()]];
    expected[0].extend(Capability::ALL.map(|one| one.name().to_owned()));
    for role in Role::ALL {
        let mut row = vec![role.name().to_owned()];
        let granted = Capability::ALL.map(|capability| grants(role, capability));
        row.extend(granted.map(|yes| if yes { "yes" } else { "no" }.to_owned()));
        expected.push(row);
    }
    assert_eq!(rows, expected);
}

/// Method and path to what it needs: a capability's name, `proof` for what providers sign, or `own`
/// for what answers everybody with their own, possibly nothing.
pub fn needs() -> BTreeMap<(String, String), String> {
    let rows = table("permissions-routes.csv");
    assert_eq!(rows[0], ["method", "path", "capability"]);
    let mut needs = BTreeMap::new();
    for row in &rows[1..] {
        let [method, path, capability] = row.as_slice() else {
            panic!("{row:?} has three cells");
        };
        let known = Capability::ALL.iter().any(|one| one.name() == capability);
        assert!(
            known || ["own", "proof"].contains(&capability.as_str()),
            "{row:?}"
        );
        let key = (method.clone(), path.clone());
        assert!(needs.insert(key, capability.clone()).is_none(), "{row:?}");
    }
    needs
}

/// Every route of the description.
fn routes() -> BTreeSet<(String, String)> {
    let described = serde_json::to_value(mintreu_server::api::openapi()).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let mut routes = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                routes.insert((method.clone(), path.clone()));
            }
        }
    }
    routes
}

#[test]
fn every_route_says_what_it_needs() {
    let written: BTreeSet<_> = needs().into_keys().collect();
    let routes = routes();
    let missing: Vec<_> = routes.difference(&written).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
    let gone: Vec<_> = written.difference(&routes).collect();
    assert!(gone.is_empty(), "no such route: {gone:?}");
    assert!(routes.len() > 100, "{} routes", routes.len());
}
