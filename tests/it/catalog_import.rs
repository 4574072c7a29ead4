//! Importing a catalog: counts that add up, resumed after a kill, the same again changes nothing.

use crate::catalog_search::astray;
use mintreu_server::app::App;
use mintreu_server::domains::catalog::import::{
    Format, ImportError, Items, Options, Report, Source, import, open,
};
use mintreu_server::domains::catalog::model::{Listing, SearchQuery};
use mintreu_server::domains::catalog::ops::{Categories, categories, listing, search};
use mintreu_tests::TestApp;
use std::ops::ControlFlow;

/// Small commits, so that a short list has several.
const OPTIONS: Options = Options {
    format: Format::Debian,
    chunk: 50,
    fresh: false,
};

struct Text(String);

impl Source for Text {
    fn open(&self) -> std::io::Result<Items<'_>> {
        open(Format::Debian, self.0.as_bytes())
    }
}

fn stanza(number: usize, summary: &str) -> String {
    let (seller, section) = (number % 7, ["python", "libs", "games"][number % 3]);
    format!(
        "Package: thing{number}\nVersion: 1.{number}\nSection: {section}\n\
         Maintainer: Maker {seller} <m{seller}@example.org>\nDescription: {summary}\n\
         Tag: role::program, game::strategy\n\n"
    )
}

/// 130 stanzas of which every tenth has no version, and one package twice.
fn list() -> Text {
    let mut text = String::new();
    for number in 0..130 {
        let good = stanza(number, &format!("Number {number} of the things"));
        match number % 10 {
            9 => text.push_str(&good.replace("Version", "X-Version")),
            _ => text.push_str(&good),
        }
    }
    text.push_str(&stanza(5, "Again"));
    Text(text)
}

async fn run(test: &TestApp, source: &Text) -> Report {
    let mut go_on = |_: &_| ControlFlow::Continue(());
    import(&test.app, &test.system(), OPTIONS, source, &mut go_on)
        .await
        .expect("the import ends")
}

/// Runs until `commits` are done, then stops as a killed process would: nothing after the last
/// commit happens.
async fn run_and_kill(test: &TestApp, source: &Text, commits: usize) {
    let mut left = commits;
    let mut stop = |_: &_| {
        left -= 1;
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let stopped = import(&test.app, &test.system(), OPTIONS, source, &mut stop).await;
    assert!(matches!(stopped, Err(ImportError::Stopped)));
}

async fn listed(app: &App, test: &TestApp) -> u64 {
    let all = Listing::default();
    app.read(&test.guest(), all, listing)
        .await
        .expect("a page")
        .total
}

/// Whether a report says what the database holds.
async fn adds_up(test: &TestApp, report: &Report) -> bool {
    let told: u64 = report.reasons.iter().map(|(_, count)| count).sum();
    report.read == report.imported() + report.refused
        && told == report.refused
        && listed(&test.app, test).await == report.imported()
}

#[tokio::test]
async fn a_killed_import_goes_on_and_its_counts_add_up() {
    TestApp::both(async |test| {
        let source = list();
        run_and_kill(test, &source, 2).await;
        assert_eq!(listed(&test.app, test).await, 90);
        let report = run(test, &source).await;
        assert_eq!((report.read, report.resumed_at), (131, 100));
        assert_eq!((report.created, report.refused), (117, 14));
        let reasons = [
            ("duplicate".to_owned(), 1),
            ("field_missing".to_owned(), 13),
        ];
        assert_eq!(report.reasons, reasons);
        assert_eq!(report.refusals[0].line, 9 * 7 + 1);
        assert!(adds_up(test, &report).await);
        // The check is worth something: a report that lost the items before the kill fails it.
        let forgetful = Report {
            created: report.created - 90,
            read: report.read - 100,
            ..report
        };
        assert!(!adds_up(test, &forgetful).await);
    })
    .await;
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_a_change_is_written_in_place() {
    TestApp::both(async |test| {
        let source = list();
        let first = run(test, &source).await;
        let again = run(test, &source).await;
        assert_eq!((again.created, again.updated), (0, 0));
        assert_eq!(
            (again.unchanged, again.refused),
            (first.created, first.refused)
        );
        let changed = Text(source.0.replace("Number 7 of", "Zebras 7 of"));
        let report = run(test, &changed).await;
        assert_eq!((report.created, report.updated), (0, 1));
        assert!(adds_up(test, &report).await);
        let query = SearchQuery {
            text: "zebra".into(),
            ..SearchQuery::default()
        };
        let page = test
            .app
            .read(&test.guest(), query, search)
            .await
            .expect("a page");
        assert_eq!(page.items[0].slug, "thing7");
        assert_eq!(page.total, 1);
    })
    .await;
}

#[tokio::test]
async fn a_changed_beginning_is_not_resumed_but_read_anew() {
    let test = TestApp::sqlite().await;
    let source = list();
    run_and_kill(&test, &source, 2).await;
    let changed = Text(source.0.replacen("Number 3 of", "Changed 3 of", 1));
    let report = run(&test, &changed).await;
    assert_eq!(
        (report.resumed_at, report.updated, report.unchanged),
        (0, 1, 89)
    );
    assert!(adds_up(&test, &report).await);
    test.finish().await;
}

#[tokio::test]
async fn counts_of_categories_are_those_of_their_pages() {
    TestApp::both(async |test| {
        run(test, &list()).await;
        assert_eq!(astray(test).await, 0);
        let guest = test.guest();
        let tree = test
            .app
            .read(&guest, Categories, categories)
            .await
            .expect("the tree");
        let paths: Vec<&str> = tree
            .iter()
            .map(|entry| entry.category.path.as_str())
            .collect();
        assert_eq!(
            paths,
            [
                "development",
                "development/libraries",
                "games",
                "languages",
                "languages/python",
                "topics",
                "topics/game",
                "topics/game/strategy",
                "topics/role",
                "topics/role/program",
            ]
        );
        for entry in &tree {
            let of_category = Listing {
                category: entry.category.path.clone(),
                ..Listing::default()
            };
            let page = test
                .app
                .read(&guest, of_category, listing)
                .await
                .expect("a page");
            assert_eq!(page.total, entry.count, "{}", entry.category.path);
        }
        let programs = tree
            .iter()
            .find(|entry| entry.category.path == "topics/role/program");
        assert_eq!(programs.expect("there").count, 117);
        // What the next list changes moves the counts with it: 39 of a section to another, and one
        // that has a version now.
        let moved = list().0.replace("Section: games", "Section: libs");
        let report = run(test, &Text(moved.replacen("X-Version", "Version", 1))).await;
        assert_eq!((report.created, report.updated > 30), (1, true));
        assert_eq!(astray(test).await, 0);
    })
    .await;
}
