//! The file that a shop gives for a host of floating seats: one text with everything the host
//! shows to devices, and what it is checked against.
//!
//! ```text
//! # whose it is, for people
//! mt1-trust product=acme.editor root=MT1K-…
//! -----BEGIN MINTREU LICENSE-----      the license's bundle
//! -----BEGIN MINTREU CERTIFICATE-----  the product key's; left out where the root certified the host
//! -----BEGIN MINTREU CERTIFICATE-----  the host key's
//! ```
//!
//! The trust in it only lets the host see early what a device would refuse: devices pin their own,
//! so whoever changes this file gains nothing. It holds no secret.

use mintreu::document::{Bundle, Kind, from_text, to_armor};
use mintreu::license::Trust;
use mintreu::{Error, Result};

/// The most characters that are looked at.
const MAX_TEXT: usize = 128 * 1024;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// What the file holds. Nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// What products of this vendor pin, if the file says so.
    pub trust: Option<Trust>,
    /// The license's bundle.
    pub license: Vec<u8>,
    /// From the root down to the host's own: one or two.
    pub certificates: Vec<Vec<u8>>,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("host_file_malformed", detail)
}

impl HostFile {
    /// Reads the text; `host_file_malformed` with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(malformed("a host's file has at most 128 KiB"));
        }
        let (mut trust, mut license, mut certificates) = (None, None, Vec::new());
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("mt1-trust") && trust.is_none() {
                trust = Some(Trust::parse(line)?);
                continue;
            }
            let document = from_text(&armour(line, &mut lines)?)?;
            match Bundle::from_bytes(&document)?.kind() {
                Kind::License if license.is_none() => license = Some(document),
                Kind::Certificate if certificates.len() < 2 => certificates.push(document),
                _ => {
                    return Err(malformed(
                        "a host's file holds one license and one or two certificates",
                    ));
                }
            }
        }
        let license = license.ok_or_else(|| malformed("the host's file holds no license"))?;
        if certificates.is_empty() {
            return Err(malformed(
                "the host's file holds no certificate; a license alone makes no host",
            ));
        }
        Ok(Self {
            trust,
            license,
            certificates,
        })
    }

    /// The text; `notes` are lines for people.
    pub fn to_text(&self, notes: &[String]) -> Result<String> {
        let mut text = String::new();
        for note in notes {
            // One line each: what comes after a break would be read.
            let note: String = note.chars().filter(|c| !c.is_control()).collect();
            text.push_str(&format!("# {note}\n"));
        }
        if let Some(trust) = &self.trust {
            text.push_str(&format!("{trust}\n"));
        }
        text.push_str(&to_armor(&self.license)?);
        for certificate in &self.certificates {
            text.push_str(&to_armor(certificate)?);
        }
        Ok(text)
    }
}

/// From a BEGIN line to its END line.
fn armour<'a>(begin: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<String> {
    if !begin.starts_with(BEGIN) {
        return Err(malformed(
            "a host's file is made of a trust and armoured documents; save it again as it was given",
        ));
    }
    let mut text = format!("{begin}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
        if line.starts_with(END) {
            return Ok(text);
        }
    }
    Err(malformed(
        "the host's file was cut off; save it again as a whole",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::document::{SigningKey, seal};

    fn document(kind: Kind) -> Vec<u8> {
        seal(kind, &[0xa0], &SigningKey::from_seed(&[3; 32])).expect("seals")
    }

    fn file(certificates: usize) -> HostFile {
        let root = *SigningKey::from_seed(&[1; 32]).public();
        HostFile {
            trust: Some(Trust::new("acme.editor", root).expect("a trust")),
            license: document(Kind::License),
            certificates: vec![document(Kind::Certificate); certificates],
        }
    }

    #[test]
    fn it_comes_back_as_it_was_and_a_cut_one_never() {
        let notes = ["for you\nmt1-trust product=evil root=x".to_owned()];
        for count in [1, 2] {
            let text = file(count).to_text(&notes).expect("writes");
            assert_eq!(HostFile::parse(&text), Ok(file(count)));
            let windows = text.replace('\n', "\r\n  ");
            assert_eq!(HostFile::parse(&windows), Ok(file(count)));
            let last = text.trim_end().len();
            for cut in (0..last).step_by(7) {
                let read = HostFile::parse(&text[..cut]);
                // What is missing may be the second certificate as a whole, and then it shows.
                assert!(read.map_or(true, |read| read.certificates.len() < count));
            }
        }
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        let whole = file(2).to_text(&[]).expect("writes");
        let license = to_armor(&document(Kind::License)).expect("writes");
        let lease = to_armor(&document(Kind::Lease)).expect("writes");
        let trust = file(1).trust.expect("a trust").to_string();
        let cases = [
            file(0).to_text(&[]).expect("writes"),
            String::new(),
            "hello".to_owned(),
            format!("{whole}{license}"),
            format!("{whole}{lease}"),
            format!(
                "{whole}{}",
                to_armor(&document(Kind::Certificate)).expect("writes")
            ),
            format!("{whole}{trust}\n"),
            "#".repeat(MAX_TEXT + 1),
        ];
        for text in cases {
            let code = HostFile::parse(&text).map_err(|error| error.code());
            assert_eq!(code, Err("host_file_malformed"), "{text}");
        }
    }
}
