//! Who issues, and to whom: the buyer as given, and details that the buyer adds once.

use super::model::{Invoice, InvoiceError};
use super::sql::parties as sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use mintreu::Timestamp;
use mintreu::id::InvoiceId;

/// Longest name and tax number, in characters.
const MAX_WORDS: usize = 120;
/// Longest address, in characters.
const MAX_ADDRESS: usize = 500;
/// Most lines of an address.
const MAX_LINES: usize = 8;

/// Who pays or who issues, as it is printed. What isn't known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// What to call them.
    pub name: String,
    /// Where mail goes.
    pub email: String,
    /// Lines of an address.
    pub address: String,
    /// A number by which a tax office knows them.
    pub tax_number: String,
}

impl Party {
    /// Blanks around and control characters taken off, or which field can't be printed.
    fn tidied(&self) -> Result<Self, InvoiceError> {
        let words = |text: &str, field| match plain(text, MAX_WORDS) && !text.contains('\n') {
            true => Ok(text.trim().to_owned()),
            false => Err(InvoiceError::Detail(field)),
        };
        let lines = self.address.lines().map(str::trim);
        let address: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        let address = match address.len() <= MAX_LINES {
            true => address.join("\n"),
            false => return Err(InvoiceError::Detail("the address")),
        };
        if !plain(&address, MAX_ADDRESS) {
            return Err(InvoiceError::Detail("the address"));
        }
        Ok(Self {
            name: words(&self.name, "the name")?,
            email: self.email.clone(),
            address,
            tax_number: words(&self.tax_number, "the tax number")?,
        })
    }
}

/// At most `most` characters, none of which moves the others about.
fn plain(text: &str, most: usize) -> bool {
    let moves = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let bad = |c: char| (c.is_control() && c != '\n') || moves(c);
    text.chars().count() <= most && !text.chars().any(bad)
}

/// Keeps who issues from now on: at every start, from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepIssuer(pub Party);

impl Command for KeepIssuer {
    const NAME: &'static str = "invoicing.keep_issuer";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;
}

/// Notes the issuer's details when they differ from the newest; papers that are out keep theirs.
pub fn keep_issuer(cx: &mut Cx<'_>, command: &KeepIssuer) -> Result<(), InvoiceError> {
    let tenant = cx.caller.tenant;
    let wanted = command.0.tidied()?;
    let known = sql::issuer(cx.tx, tenant, cx.now)?;
    if known.as_ref() != Some(&wanted) {
        sql::insert_issuer(cx.tx, (tenant, cx.now), &wanted)?;
    }
    Ok(())
}

/// Adds the buyer's details to an invoice, once: an invoice is never edited. Whoever calls this has
/// checked whose invoice it is. Answers the details as they stand from now on.
pub fn complete_buyer(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    party: &Party,
) -> Result<Party, InvoiceError> {
    let key = (cx.caller.tenant, invoice);
    let given = party.tidied()?;
    if given.name.is_empty() && given.address.is_empty() && given.tax_number.is_empty() {
        return Err(InvoiceError::Detail("an empty form"));
    }
    let kept = sql::party(cx.tx, key)?;
    let kept = kept.ok_or(InvoiceError::NotFound)?;
    let party = Party {
        name: if given.name.is_empty() {
            kept.name
        } else {
            given.name
        },
        email: kept.email,
        ..given
    };
    match sql::complete(cx.tx, key, &party, cx.now)? {
        true => Ok(party),
        false => Err(InvoiceError::Complete),
    }
}

/// Who issued an invoice of the platform's, as it was then, and who pays; whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parties {
    /// Who issued; `None` when it was never said.
    pub issuer: Option<Party>,
    /// Who pays; `None` for an invoice of usage.
    pub buyer: Option<Party>,
    /// Whether the buyer may still add details.
    pub open: bool,
}

/// Who issued papers of the platform's at an instant.
pub fn issuer_at(cx: &mut ReadCx<'_>, at: Timestamp) -> Result<Option<Party>, InvoiceError> {
    Ok(sql::issuer(cx.tx, cx.caller.tenant, at)?)
}

/// Both parties of a paper about an invoice that was issued at an instant; whoever calls this knows
/// who may see the buyer.
pub fn parties(
    cx: &mut ReadCx<'_>,
    invoice: &Invoice,
    at: Timestamp,
) -> Result<Parties, InvoiceError> {
    let tenant = cx.caller.tenant;
    let key = (tenant, invoice.id);
    Ok(Parties {
        issuer: sql::issuer(cx.tx, tenant, at)?,
        buyer: sql::party(cx.tx, key)?,
        open: sql::is_open(cx.tx, key)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(name: &str, address: &str) -> Party {
        Party {
            name: name.to_owned(),
            address: address.to_owned(),
            ..Party::default()
        }
    }

    #[test]
    fn details_are_tidied_or_refused_by_field() {
        let tidied = party("  Ada ", " Main St 1 \r\n\r\n Berlin ").tidied();
        let tidied = tidied.expect("is fine");
        assert_eq!(
            (tidied.name.as_str(), tidied.address.as_str()),
            ("Ada", "Main St 1\nBerlin")
        );
        let long = "x".repeat(MAX_WORDS + 1);
        let lines = "a\n".repeat(MAX_LINES + 1);
        for (wrong, field) in [
            (party(&long, ""), "the name"),
            (party("a\u{202e}b", ""), "the name"),
            (party("a\nb", ""), "the name"),
            (party("", &lines), "the address"),
            (party("", "a\u{7}b"), "the address"),
            (party("", &"x".repeat(MAX_ADDRESS + 1)), "the address"),
        ] {
            match wrong.tidied() {
                Err(InvoiceError::Detail(found)) => assert_eq!(found, field),
                other => panic!("{other:?}"),
            }
        }
    }
}
