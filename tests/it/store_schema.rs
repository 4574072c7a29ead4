//! One SQL text, two engines: every statement prepares on both, and both have the same tables.

use mintreu_server::store::{Engine, Tx, Value};
use mintreu_tests::{TestApp, source};
use std::collections::BTreeSet;

/// The text of each `const NAME: &str = "…"` that is a statement, with where it stands.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in source::server_files().filter(|file| source::may_hold_sql(&file.path)) {
        if file.path.contains("/store/") {
            continue;
        }
        let mut rest = file.text.as_str();
        while let Some(at) = rest.find(": &str =") {
            let name = rest[..at].rsplit(' ').next().unwrap_or("").to_owned();
            rest = &rest[at + ": &str =".len()..];
            if let Some(text) = rest.trim_start().strip_prefix('"') {
                let sql = source::literal(text);
                let verb = sql.split_whitespace().next().unwrap_or("").to_owned();
                // Rows are added to the head of a statement that inserts many.
                let is_head =
                    verb == "INSERT" && !sql.contains("VALUES") && !sql.contains("SELECT");
                let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
                if verbs.contains(&verb.as_str()) && !is_head {
                    found.push((format!("{} {name}", file.path), sql));
                }
            }
        }
    }
    found
}

/// A statement for one engine says so in its name.
fn is_for(name: &str, engine: Engine) -> bool {
    match engine {
        Engine::Sqlite => !name.ends_with("_POSTGRES"),
        Engine::Postgres => !name.ends_with("_SQLITE"),
    }
}

#[tokio::test]
async fn every_statement_prepares() {
    let statements = statements();
    assert!(
        statements.len() > 60,
        "only {} were found",
        statements.len()
    );
    TestApp::both(async |test| {
        let mut broken = Vec::new();
        for (name, sql) in &statements {
            if is_for(name, test.engine())
                && let Err(error) = test.app.store.prepare(sql).await
            {
                broken.push(format!("{name}: {error}"));
            }
        }
        assert!(broken.is_empty(), "{:?}: {broken:#?}", test.engine());
        let wrong = test.app.store.prepare("SELECT nothing FROM nowhere").await;
        assert!(wrong.is_err(), "the negative control prepared");
    })
    .await;
}

/// The names of a statement's parameters.
fn parameters(sql: &str) -> BTreeSet<&str> {
    let names = sql.split(':').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// How SQLite, which knows nothing of how many rows there are, goes about a statement.
async fn plan(test: &TestApp, sql: &str) -> Vec<String> {
    let sql = sql.to_owned();
    let explained = test.app.store.read(move |tx: &mut dyn Tx| {
        let names = parameters(&sql);
        let params: Vec<_> = names.into_iter().map(|name| (name, Value::Null)).collect();
        tx.query(&format!("EXPLAIN QUERY PLAN {sql}"), &params)
    });
    let rows = explained.await.expect("reads").expect("explains");
    let details = rows.iter().map(|row| row.text("detail"));
    details.collect::<Result<_, _>>().expect("a detail")
}

/// Whether a step of a plan reads all rows of a table, or all that a tenant has there.
fn is_walk(step: &str) -> bool {
    step.ends_with("(tenant_id=?)") || step.starts_with("SCAN ")
}

/// Steps that are meant to walk: whose statement, what, and why.
const WALKS: [(&str, &str, &str); 22] = [
    ("categories.rs ALL", "SEARCH category", "all are wanted"),
    ("listing.rs FOUND", "SCAN w ", "the full-text index answers"),
    (
        "listing.rs FOUND_WITHIN",
        "SCAN w ",
        "the full-text index answers",
    ),
    (
        "products.rs DROP_WORDS",
        "SCAN product_words",
        "by its rowid",
    ),
    (
        "fees/sql.rs DISPUTE_FEES",
        "SEARCH dispute_fee",
        "all are wanted",
    ),
    (
        "lists.rs OF_CUSTOMER",
        "SCAN p",
        "what the inner statements found",
    ),
    (
        "lists.rs OF_SELLER",
        "SCAN p",
        "what the inner statements found",
    ),
    ("explore.rs SUMS", "SCAN e", "the whole ledger is summed"),
    (
        "explore.rs SUMS",
        "SCAN s",
        "what the inner statement found",
    ),
    (
        "ledger/sql.rs TRIAL_BALANCE",
        "SCAN ledger_entry",
        "the whole ledger is summed",
    ),
    ("sealed.rs TENANTS", "SCAN tenant", "all are wanted"),
    (
        "evidence/sql.rs SERVER_EPOCH",
        "SEARCH usage_restore",
        "the last of the index",
    ),
    ("risk/sql.rs RULES", "SEARCH risk_rule", "all are wanted"),
    (
        "risk/sql/review.rs LIST",
        "SEARCH risk_review",
        "the first of the index",
    ),
    ("taxes/sql.rs POLICY", "SEARCH tax_policy", "a row a tenant"),
    (
        "taxes/sql.rs OWN_RATES",
        "SEARCH tax_own_rate",
        "all are wanted",
    ),
    ("tenants/sql.rs ANY", "SCAN tenant", "one is enough"),
    (
        "transparency/sql.rs FIND_KEY",
        "SEARCH log_key",
        "a row a tenant",
    ),
    (
        "transparency/sql.rs RESEAL_KEY",
        "SEARCH log_key",
        "a row a tenant",
    ),
    (
        "transparency/sql.rs NEWEST_HEAD",
        "SEARCH log_head",
        "the last of the index",
    ),
    ("endpoints.rs ANY", "SCAN webhook_endpoint", "one is enough"),
    ("queue/sql.rs COUNTS", "SCAN job", "all are counted"),
];

#[tokio::test]
async fn no_statement_walks_all_rows_of_a_tenant() {
    let test = TestApp::sqlite().await;
    let (mut walks, mut met) = (Vec::new(), BTreeSet::new());
    for (name, sql) in statements() {
        // The sandbox's tables are as long as somebody has played.
        if !is_for(&name, Engine::Sqlite) || name.contains("/sandbox/") {
            continue;
        }
        for step in plan(&test, &sql)
            .await
            .into_iter()
            .filter(|step| is_walk(step))
        {
            let meant =
                |(of, what, _): &(&str, &str, &str)| name.ends_with(of) && step.starts_with(what);
            match WALKS.iter().position(meant) {
                Some(walk) => drop(met.insert(walk)),
                None => walks.push(format!("{name}: {step}")),
            }
        }
    }
    assert!(walks.is_empty(), "{walks:#?}");
    assert_eq!(met.len(), WALKS.len(), "one no longer walks: {met:?}");
    let by_name = "SELECT slug FROM product WHERE tenant_id = :tenant AND name = :name";
    let control = plan(&test, by_name).await;
    assert!(control.iter().any(|step| is_walk(step)), "{control:?}");
    test.finish().await;
}

const COLUMNS_SQLITE: &str = "SELECT tables.name AS table_name, columns.name AS column_name,
    columns.type AS column_type FROM sqlite_schema AS tables
    JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'";

const COLUMNS_POSTGRES: &str = "SELECT CAST(table_name AS TEXT) AS table_name,
    CAST(column_name AS TEXT) AS column_name, CAST(data_type AS TEXT) AS column_type
    FROM information_schema.columns WHERE table_schema = current_schema()";

async fn columns(test: &TestApp) -> BTreeSet<String> {
    let sql = match test.engine() {
        Engine::Sqlite => COLUMNS_SQLITE,
        Engine::Postgres => COLUMNS_POSTGRES,
    };
    let rows = test
        .app
        .store
        .read(move |tx: &mut dyn Tx| tx.query(sql, &[]))
        .await;
    let rows = rows.expect("a read").expect("the catalog");
    let line = |row: &mintreu_server::store::Row| {
        let kind = match row.text("column_type").expect("a type").as_str() {
            "INTEGER" | "bigint" => "BIGINT",
            "TEXT" | "text" => "TEXT",
            "BLOB" | "bytea" => "BYTEA",
            _ => "other",
        };
        let (table, column) = (row.text("table_name"), row.text("column_name"));
        format!(
            "{}.{} {kind}",
            table.expect("a table"),
            column.expect("a column")
        )
    };
    // Full-text search is the one thing that each engine does its own way.
    rows.iter()
        .map(line)
        .filter(|line| !line.starts_with("product_words"))
        .collect()
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let sqlite = TestApp::sqlite().await;
    let expected = columns(&sqlite).await;
    assert!(
        expected.len() > 50 && expected.contains("account.email TEXT"),
        "{expected:#?}"
    );
    sqlite.finish().await;
    if let Some(postgres) = TestApp::postgres().await {
        let found = columns(&postgres).await;
        let differ: Vec<_> = expected.symmetric_difference(&found).collect();
        assert!(differ.is_empty(), "{differ:#?}");
        postgres.finish().await;
    }
}
