use super::*;
use mintreu::Currency;
use proptest::prelude::*;

const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

fn policy(home: &str, inclusive: bool) -> Policy {
    Policy {
        home: Some(Place::parse(home).expect("a place")),
        inclusive,
    }
}

fn buyer(country: &str, vat_id: Option<&str>) -> Buyer {
    Buyer::declared(Some(country), None, vat_id).expect("a buyer")
}

#[test]
fn who_pays_which_tax() {
    let german = policy("DE", true);
    for (of, vat_id, why, bps, whose) in [
        ("DE", None, Why::Standard, 1_900, "DE"),
        ("FR", None, Why::Standard, 2_000, "FR"),
        ("FI", None, Why::Standard, 2_550, "FI"),
        ("FR", Some("FR40303265045"), Why::ReverseCharge, 0, "FR"),
        // A business at home pays what everybody pays.
        ("DE", Some("DE136695976"), Why::Standard, 1_900, "DE"),
        ("GB", None, Why::Standard, 2_000, "GB"),
        ("IN", None, Why::Standard, 1_800, "IN"),
        ("US", None, Why::NoTax, 0, "US"),
    ] {
        let tax = rule(&german, &[], &buyer(of, vat_id), NOON);
        let said = (tax.why, tax.bps, tax.jurisdiction.as_str());
        assert_eq!(said, (why, bps, whose), "{of} {vat_id:?}");
        assert!(tax.inclusive);
    }
    let nowhere = rule(&german, &[], &Buyer::default(), NOON);
    assert_eq!((nowhere.why, nowhere.bps), (Why::Assumed, 1_900));
    let off = rule(&Policy::default(), &[], &buyer("DE", None), NOON);
    assert_eq!(
        (off.why, off.bps, off.inclusive),
        (Why::NotRegistered, 0, false)
    );
    let reverse = rule(&german, &[], &buyer("FR", Some("FR40303265045")), NOON);
    assert_eq!(reverse.reason, REVERSE_CHARGE);
}

#[test]
fn a_buyer_is_where_they_say_and_so_is_their_number() {
    let none = Buyer::declared(None, Some(""), Some("  ")).expect("nothing said");
    assert_eq!(none, Buyer::default());
    let region = Buyer::declared(Some("PT"), Some("20"), None).expect("a region");
    assert_eq!(region.place.expect("a place").as_str(), "PT-20");
    let elsewhere = Buyer::declared(Some("DE"), None, Some("FR40303265045"));
    assert!(matches!(elsewhere, Err(TaxError::VatIdElsewhere("FR"))));
    let nowhere = Buyer::declared(None, None, Some("FR40303265045"));
    assert!(matches!(nowhere, Err(TaxError::VatIdElsewhere("FR"))));
    let mistyped = Buyer::declared(Some("FR"), None, Some("FR41303265045"));
    assert!(matches!(mistyped, Err(TaxError::VatId)));
    let lonely = Buyer::declared(None, Some("20"), None);
    assert!(matches!(lonely, Err(TaxError::Country)));
}

fn tax(bps: u32, inclusive: bool) -> Tax {
    Tax {
        bps,
        inclusive,
        ..Tax::zero("a test")
    }
}

/// By hand: a price that contains 19 % is 4117.647… and 782.352… parts of 49.00, and the larger
/// fraction gets the unit; on top, 931 are exact.
#[test]
fn the_golden_table_holds() {
    for (code, price, bps, inclusive, base, taxed, charged) in [
        ("EUR", 4_900, 1_900, true, 4_118, 782, 4_900),
        ("EUR", 4_900, 1_900, false, 4_900, 931, 5_831),
        ("EUR", 1, 1_900, true, 1, 0, 1),
        ("EUR", 0, 1_900, true, 0, 0, 0),
        ("USD", 1_999, 888, true, 1_836, 163, 1_999),
        ("USD", 1_999, 888, false, 1_999, 178, 2_177),
        ("JPY", 1_100, 1_000, true, 1_000, 100, 1_100),
        ("JPY", 980, 1_000, true, 891, 89, 980),
        // 98.5 and 99.5 exactly: halves go to the even unit.
        ("JPY", 985, 1_000, false, 985, 98, 1_083),
        ("JPY", 995, 1_000, false, 995, 100, 1_095),
        ("KWD", 12_345, 500, true, 11_757, 588, 12_345),
        ("KWD", 12_345, 500, false, 12_345, 617, 12_962),
        ("INR", 99_900, 1_800, true, 84_661, 15_239, 99_900),
        ("INR", 99_900, 1_800, false, 99_900, 17_982, 117_882),
    ] {
        let currency = Currency::parse(code).expect("a currency");
        let parts = tax(bps, inclusive)
            .on(Money::new(price, currency))
            .expect("is taxed");
        let minor = (parts.base.minor(), parts.tax.minor(), parts.charged.minor());
        assert_eq!(
            minor,
            (base, taxed, charged),
            "{code} {price} {bps} {inclusive}"
        );
    }
}

proptest! {
    #[test]
    fn base_and_tax_are_what_is_paid(
        price in 0_i64..=1_000_000_000_000, bps in 0_u32..=10_000, inclusive: bool, currency in 0_usize..5,
    ) {
        let code = ["JPY", "USD", "EUR", "KWD", "INR"][currency];
        let price = Money::new(price, Currency::parse(code).expect("a currency"));
        let parts = tax(bps, inclusive).on(price).expect("is taxed");
        prop_assert_eq!(parts.base.checked_add(parts.tax).expect("adds up"), parts.charged);
        prop_assert_eq!(if inclusive { parts.charged } else { parts.base }, price);
        prop_assert!(parts.tax.minor() >= 0 && parts.base.minor() >= 0);
        // Never more than half a unit off what is due.
        let due = i128::from(parts.base.minor()) * i128::from(bps);
        let off = (due - i128::from(parts.tax.minor()) * 10_000).abs();
        prop_assert!(off <= 10_000, "{off}");
    }
}
