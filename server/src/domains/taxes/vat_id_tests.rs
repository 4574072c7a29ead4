use super::*;

/// Numbers that an independent checker of the same public rules accepts: none is known to be
/// anybody's.
#[rustfmt::skip]
const GOOD: &[&str] = &[
    "ATU39099603", "ATU55979711", "ATU34236671", "BE0654610735", "BE0325674827", "BE0815732980",
    "BE1107078519", "BE1797145922", "BE1674625222", "BG258114786", "BG441951585", "BG043418799",
    "BG4248109033", "BG3613015177", "BG4067589351", "CY61816246Q", "CY94804273X", "CY51371158Y",
    "CZ06317979", "CZ19491255", "CZ81126450", "CZ681231279", "CZ604405090", "CZ641727706",
    "CZ8701105501", "CZ9903170123", "CZ8704234803", "DE673176644", "DE239792374", "DE917135870",
    "DK17252925", "DK76987157", "DK94956269", "EE940132850", "EE621718755", "EE242558909",
    "EL974442180", "EL823889907", "EL885246815", "ES82836431E", "ES97428034B", "ES68285682Q",
    "ESY8249167R", "ESZ2731646X", "ESZ1656990Y", "ESR0872604D", "ESQ5287196I", "ESN3444980A",
    "ESB23561459", "ESA22228670", "ESU93790491", "FI50618394", "FI44158678", "FI61913874",
    "FR60182661298", "FR17185119393", "FR00087012100", "FRZQ797359171", "FRFA353067887",
    "FRME516912185", "HR21310976950", "HR37450494560", "HR31739132324", "HU91053581",
    "HU98396197", "HU02461315", "IE2465706G", "IE0479799D", "IE6586144A", "IE6685742DC",
    "IE6600684UD", "IE9498522PE", "IE6K37787B", "IE7S31835P", "IE6D18084S", "IT21050660667",
    "IT56147380770", "IT06676160168", "LT184084012", "LT248108315", "LT950896915",
    "LT167454805014", "LT022101395813", "LT661493102510", "LU79406507", "LU89791280",
    "LU23445731", "LV98738978939", "LV80471613565", "LV64285296404", "MT78330420", "MT81327615",
    "MT36959557", "NL923068743B27", "NL184960927B28", "NL807075760B61", "PL1012325352",
    "PL5408464432", "PL6978103677", "PT712651292", "PT345461843", "PT617993890", "RO36116422",
    "RO22334168", "RO19011175", "RO6620021010", "RO8425365240", "RO7782928559", "RO95744",
    "RO47488", "RO78824", "SE775444746901", "SE724090050101", "SE910436417001", "SI42101247",
    "SI20170807", "SI38613255", "SK2735452192", "SK9006167324",
];

/// The same with one digit changed, which that checker refuses.
#[rustfmt::skip]
const BAD: &[&str] = &[
    "ATU39099602", "ATU55989711", "ATU38236671", "BE0654610785", "BE0325634827", "BE0815732940",
    "BE1407078519", "BE1297145922", "BE1674655222", "BG258104786", "BG446951585", "BG047418799",
    "BG4248509033", "BG4613015177", "BG4007589351", "CY61416246Q", "CY94844273X", "CY51071158Y",
    "CZ06117979", "CZ19491205", "CZ81526450", "CZ687231279", "CZ604905090", "CZ601727706",
    "CZ8801105501", "CZ9902170123", "CZ8704274803", "DE673176444", "DE239792304", "DE917435870",
    "DK17232925", "DK76987257", "DK94856269", "EE920132850", "EE611718755", "EE242558906",
    "EL974242180", "EL823889908", "EL888246815", "ES82036431E", "ES97428036B", "ES68285382Q",
    "ESY8246167R", "ESZ2731546X", "ESZ1659990Y", "ESR0874604D", "ESQ5227196I", "ESN3494980A",
    "ESB22561459", "ESA22328670", "ESU93790490", "FI50618994", "FI44158608", "FI71913874",
    "FR60182671298", "FR17185113393", "FR00087312100", "FRZQ793359171", "FRFA353167887",
    "FRME516912187", "HR21010976950", "HR37450494660", "HR21739132324", "HU97053581",
    "HU98316197", "HU02468315", "IE2415706G", "IE0979799D", "IE6586844A", "IE6605742DC",
    "IE6700684UD", "IE9498592PE", "IE8K37787B", "IE7S41835P", "IE6D18064S", "IT81050660667",
    "IT56147380778", "IT06676163168", "LT184044012", "LT288108315", "LT950897915",
    "LT167254805014", "LT022101335813", "LT661493102520", "LU79506507", "LU87791280",
    "LU23449731", "LV98738928939", "LV80471813565", "LV64285296409", "MT78390420", "MT81327115",
    "MT36949557", "NL923068743B97", "NL184910927B28", "NL607075760B61", "PL1042325352",
    "PL5308464432", "PL6998103677", "PT712651291", "PT345463843", "PT611993890", "RO36176422",
    "RO22334178", "RO19001175", "RO6620221010", "RO7425365240", "RO7782728559", "RO95544",
    "RO97488", "RO79824", "SE770444746901", "SE910436117001", "SI42101241",
    "SI20100807", "SI38623255", "SK2765452192", "SK9006167329", "SK0548066461",
];

#[test]
fn numbers_of_every_member_state_are_told_from_mistyped_ones() {
    let wrong = |text: &&&str| VatId::parse(text).is_err();
    let refused: Vec<_> = GOOD.iter().filter(wrong).collect();
    assert!(refused.is_empty(), "refused: {refused:?}");
    let taken: Vec<_> = BAD.iter().filter(|text| !wrong(text)).collect();
    assert!(taken.is_empty(), "taken: {taken:?}");
    let states = RULES.iter().filter(|(prefix, country, _)| {
        let known = super::super::places::MEMBER_STATES.contains(country);
        known && GOOD.iter().any(|text| text.starts_with(prefix))
    });
    assert_eq!(states.count(), 27);
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let plain = VatId::parse("DE136695976").expect("holds");
    assert_eq!(VatId::parse("de 136.695-976").expect("holds"), plain);
    assert_eq!((plain.country(), plain.as_str()), ("DE", "DE136695976"));
    assert!(!format!("{plain:?}").contains("1366"));
    assert_eq!(
        VatId::parse(GOOD.iter().find(|id| id.starts_with("EL")).expect("one"))
            .expect("holds")
            .country(),
        "GR"
    );
}

#[test]
fn nothing_else_is_a_number() {
    for bad in [
        "",
        "D",
        "DE",
        "136695976",
        "GB980780684",
        "GR023456780",
        "DE13669597\u{661}",
        "\u{fc}\u{fc}",
        "DE\u{fc}36695976",
        "ESXXXXXXXXX",
        "FRIO123456789",
        "IE+",
        "RO1",
        "NL000000000B00",
        "LT",
        "AT",
        "XX123456789",
    ] {
        assert!(VatId::parse(bad).is_err(), "{bad}");
    }
    assert!(VatId::parse(&"1".repeat(100_000)).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(prefix in 0_usize..27, body in "[0-9A-Z+*]{0,12}") {
        let (prefix, _, _) = RULES[prefix];
        VatId::parse(&format!("{prefix}{body}")).ok();
    }
}
