//! The house rules that a machine can judge.

use mintreu_tests::source::{self, SourceFile};

/// The domains, each of which may use those behind it: the order of `domains/mod.rs`.
fn domains() -> Vec<String> {
    let files = source::server_files();
    let list = files
        .filter(|file| file.path == "server/src/domains/mod.rs")
        .flat_map(|file| file.text.lines().map(str::to_owned).collect::<Vec<_>>());
    list.filter_map(|line| {
        let name = line.strip_prefix("pub mod ")?.strip_suffix(';')?;
        Some(name.to_owned())
    })
    .collect()
}

fn domain_of(file: &SourceFile) -> Option<&str> {
    let rest = file.path.strip_prefix("server/src/domains/")?;
    rest.split_once('/').map(|(domain, _)| domain)
}

fn judge(complaint: impl Fn(&SourceFile) -> Vec<String>) {
    let mut judged = 0;
    let mut found = Vec::new();
    for file in source::server_files() {
        judged += 1;
        found.extend(
            complaint(&file)
                .into_iter()
                .map(|what| format!("{}: {what}", file.path)),
        );
    }
    assert!(judged > 40, "only {judged} files were judged");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_folder_tells_its_story_and_its_invariants() {
    judge(|file| {
        let told = file.text.starts_with("//!");
        let is_domain = domain_of(file).is_some() && file.path.matches('/').count() == 4;
        let states = !is_domain
            || file
                .text
                .lines()
                .any(|line| line.starts_with("//!") && line.to_lowercase().contains("invariants"));
        if file.path.ends_with("/mod.rs") && !(told && states) {
            return vec!["opens with //! and lists its Invariants".to_owned()];
        }
        Vec::new()
    });
}

#[test]
fn arrows_between_domains_run_down() {
    let domains = domains();
    assert!(domains.len() > 8, "{domains:?}");
    let floor = |name: &str| domains.iter().position(|domain| domain == name);
    judge(|file| {
        let code = source::code(file);
        let Some(from) = domain_of(file).map(floor) else {
            return Vec::new();
        };
        let used = code.split("crate::domains::").skip(1).flat_map(|rest| {
            let list = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or(""),
                None => rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or(""),
            };
            list.split(',')
                .map(|name| name.trim().split("::").next().unwrap_or("").to_owned())
                .collect::<Vec<_>>()
        });
        used.filter(|name| floor(name).is_some() && floor(name) < from)
            .map(|name| format!("uses {name}, which lies above it"))
            .collect()
    });
}

/// ARCHITECTURE.md says of each domain what it is for, in the order of `domains/mod.rs`.
#[test]
fn the_overview_names_every_domain() {
    let path = source::workspace().join("ARCHITECTURE.md");
    let page = std::fs::read_to_string(path).expect("ARCHITECTURE.md");
    let told = page.lines().filter_map(|line| {
        let (name, story) = line.strip_prefix("| `")?.split_once("` | ")?;
        (story.len() > 10).then(|| name.to_owned())
    });
    let known = domains();
    let told: Vec<_> = told.filter(|name| known.contains(name)).collect();
    assert_eq!(told, known);
}

#[test]
fn machinery_knows_no_domain() {
    let machinery = [
        "app.rs",
        "app/",
        "caller.rs",
        "config.rs",
        "custody.rs",
        "events/",
        "floating/",
        "gateways/",
        "hostfile.rs",
        "limits/",
        "net.rs",
        "net/",
        "print/",
        "problem.rs",
        "queue/",
        "serve.rs",
        "store/",
        "wire/",
    ];
    judge(|file| {
        let path = file.path.trim_start_matches("server/src/");
        let is_machinery = machinery.iter().any(|part| path.starts_with(part));
        if is_machinery && source::code(file).contains("crate::domains") {
            return vec!["is machinery and names a domain".to_owned()];
        }
        Vec::new()
    });
}

/// A name, and whether a file (by its path) may name it.
type Rule = (&'static str, fn(&str) -> bool);

#[test]
fn names_stay_where_they_belong() {
    let rules: &[Rule] = &[
        ("rusqlite", |path| path.contains("/store/")),
        ("tokio_postgres", |path| path.contains("/store/")),
        ("std::env", |path| path.ends_with("src/config.rs")),
        // A client that begins elsewhere has no TLS and can't be built.
        ("Client::builder", |path| path.ends_with("src/net.rs")),
        ("SystemTime::now", |_| false),
        ("unimplemented!", |_| false),
        ("todo!(", |_| false),
        ("axum::", |path| {
            let is_face = path.ends_with("http.rs") || path.contains("/http/");
            let below_domains = path.contains("/domains/") && !is_face;
            !(below_domains || path.contains("/store/") || path.contains("/queue/"))
        }),
    ];
    judge(|file| {
        let code = source::code(file);
        let broken = rules
            .iter()
            .filter(|(name, may)| code.contains(name) && !may(&file.path));
        broken.map(|(name, _)| format!("names {name}")).collect()
    });
}

#[test]
fn sql_is_written_in_sql_files_alone() {
    let verbs = ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM "];
    judge(|file| {
        let code = source::code(file);
        let breaks = verbs.iter().any(|verb| code.contains(verb));
        if breaks && !source::may_hold_sql(&file.path) {
            return vec!["holds SQL".to_owned()];
        }
        // Pattern matching by the database is neither the same nor fast on both engines.
        if source::may_hold_sql(&file.path) && code.contains(" LIKE ") {
            return vec!["uses LIKE".to_owned()];
        }
        Vec::new()
    });
}

#[test]
fn no_machine_s_paths_are_written_down() {
    // Written in two halves, or this file would complain of itself.
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/var/ca", "che"),
        concat!("/ho", "me/"),
    ];
    let folders = ["core/src", "server/src", "tests/src", "tests/it"];
    for file in folders.into_iter().flat_map(source::rust_files) {
        for path in paths {
            assert!(!file.text.contains(path), "{} holds {path}", file.path);
        }
    }
}

/// The codes of problems in a file's text: `new(422, "email_malformed", …`.
fn problem_codes(code: &str) -> Vec<String> {
    let calls = code.split("new(").skip(1);
    let codes = calls.filter_map(|rest| {
        let (status, rest) = rest.split_once(',')?;
        status.trim().parse::<u16>().ok()?;
        let (name, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
        Some(name.to_owned())
    });
    codes.collect()
}

#[test]
fn every_problem_code_is_documented() {
    let path = source::workspace().join("docs/http-api.md");
    let page = std::fs::read_to_string(path).expect("docs/http-api.md");
    assert_eq!(problem_codes("X::new(\n 404,\n \"gone\", d)"), ["gone"]);
    judge(|file| {
        let codes = problem_codes(&source::code(file)).into_iter();
        let missing = codes.filter(|code| !page.contains(&format!("| `{code}` |")));
        missing
            .map(|code| format!("{code} is not in docs/http-api.md"))
            .collect()
    });
}

/// The names under which a file's types are described: as their attribute says, or their own. What
/// a macro names isn't seen.
fn described_types(code: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let fits = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim_start().chars().take_while(fits).collect()
    };
    let mut names = Vec::new();
    for part in code.split("#[derive(").skip(1) {
        let derived = part.split(')').next().unwrap_or("");
        let item = [" struct ", " enum ", "\nstruct ", "\nenum "];
        let at = item
            .iter()
            .filter_map(|word| Some((part.find(word)?, word)));
        let Some((at, word)) = at.min() else { continue };
        if derived.contains("ToSchema") {
            let (attributes, item) = part.split_at(at);
            let renamed = attributes
                .split_once("schema(as = ")
                .map(|(_, rest)| name(rest));
            let own = name(item.strip_prefix(word).unwrap_or(""));
            names.extend(renamed.or(Some(own)).filter(|name| !name.is_empty()));
        }
    }
    names
}

/// Of two types of one name the description would hold one, for both.
#[test]
fn described_types_have_names_of_their_own() {
    let example = "#[derive(Debug, ToSchema)]\n#[schema(as = Other)]\npub struct One {}\n\
        #[derive(ToSchema)]\nenum Two {}\n#[derive(Debug)]\nstruct Three;";
    assert_eq!(described_types(example), ["Other", "Two"]);
    let mut places = std::collections::BTreeMap::<String, Vec<String>>::new();
    for folder in ["core/src", "server/src"] {
        for file in source::rust_files(folder) {
            for name in described_types(&source::code(&file)) {
                places.entry(name).or_default().push(file.path.clone());
            }
        }
    }
    assert!(places.len() > 200, "only {} types", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// `mintreu keys rewrap` seals again what it knows of: a new sealed column belongs there too.
#[test]
fn every_sealed_column_is_known_to_the_rewrapping() {
    let folder = source::workspace().join("server/migrations");
    let mut columns = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the migrations") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("a text");
        let mut table = String::new();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["CREATE", "TABLE", name, ..] => table = name.to_owned(),
                [column, "BYTEA", ..] if column.ends_with("_sealed") => {
                    columns.push(format!("{table}.{column}"));
                }
                _ => {}
            }
        }
    }
    columns.sort();
    let known = [
        "license.redeem_sealed",
        "license_key.key_sealed",
        "log_key.seed_sealed",
        "seller_key.seed_sealed",
        "webhook_secret.secret_sealed",
    ];
    assert_eq!(columns, known);
}
