//! One SQL text, two engines: every statement prepares on both, and both have the same tables.

use mintreu_server::store::{Engine, Tx};
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

const COLUMNS_SQLITE: &str = "SELECT tables.name AS table_name, columns.name AS column_name,
    columns.type AS column_type FROM sqlite_schema AS tables
    JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";

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
