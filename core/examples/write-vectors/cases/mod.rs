//! The cases, file by file. What each expects is written down here, not computed: where the engine
//! gives another verdict, the runner fails.

mod activations;
mod chains;
mod codes;
mod forged;
mod grown;
mod licenses;
mod made;
mod news;
mod prices;
mod trusts;
mod weak;

use serde_json::{Value, json};

/// File names and contents.
pub fn files() -> Vec<(&'static str, String)> {
    let mut licenses = licenses::cases();
    licenses.extend(grown::cases());
    licenses.extend(forged::cases());
    [
        ("licenses.json", "license", licenses),
        ("chains.json", "license", chains::cases()),
        ("activations.json", "activation", activations::cases()),
        ("news.json", "activation", news::cases()),
        ("redeem-codes.json", "redeem_code", codes::cases()),
        ("trusts.json", "trust", trusts::cases()),
        ("prices.json", "price", prices::cases()),
    ]
    .into_iter()
    .map(|(name, kind, cases)| (name, file(kind, &cases)))
    .collect()
}

fn file(kind: &str, cases: &[Value]) -> String {
    let value = json!({ "file": kind, "cases": cases });
    let mut text = serde_json::to_string_pretty(&value).expect("JSON of strings and numbers");
    text.push('\n');
    text
}
