//! Encodings that may never become a public key.

/// The y of the points of order 8, and of their negatives.
const ORDER_EIGHT: [&str; 2] = [
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

/// Public key 3 plus each point of low order but the neutral one: it verifies as if it were the
/// honest key whenever the cofactor is multiplied away.
const WITH_TORSION: [&str; 7] = [
    "46fb8abfcbc7dac11410f606ecea5ebf72c830439f2a6e1a8632c1fb6df2f6ff",
    "3c6b36f76b40c55f64b379ba8169b03072dc3f3261e45d4f4d1da83f5bdfe805",
    "801815e70ffa607a3956a51f94ba587a587e203b36255974040c54d591c90949",
    "00b6d739d72e3d391516fcc76fa66a9ed6a6d8c5a39c06c9c93eb9eb5378c82e",
    "a70475403438253eebef09f91315a1408d37cfbc60d591e579cd3e04920d0900",
    "b194c90894bf3aa09b4c86457e964fcf8d23c0cd9e1ba2b0b2e257c0a42017fa",
    "6de7ea18f0059f85c6a95ae06b45a785a781dfc4c9daa68bfbf3ab2a6e36f6b6",
];

/// The 14 encodings of the eight points of low order, honest keys with a torsion part, encodings
/// of numbers of p and above, and no points at all.
pub fn keys() -> Vec<[u8; 32]> {
    let mut keys = low_order();
    keys.extend(WITH_TORSION.map(hex));
    // p + 2 to p + 18 are the numbers that have a second encoding and are not of low order.
    keys.extend((0xef..=0xff).map(above));
    keys.extend((0xef..=0xff).map(|first| with_sign(above(first))));
    let mut no_point = [0; 32];
    no_point[0] = 2;
    keys.push(no_point);
    keys
}

/// All encodings of points of low order, canonical and not.
pub fn low_order() -> Vec<[u8; 32]> {
    let mut one = [0; 32];
    one[0] = 1;
    // y is 0, p; 1, p + 1; p - 1: each with either sign bit.
    let small = [[0; 32], above(0xed), one, above(0xee), above(0xec)];
    let points = small.into_iter().chain(ORDER_EIGHT.map(hex));
    points.flat_map(|y| [y, with_sign(y)]).collect()
}

/// 2²⁵⁵ − 256 and what is in the first byte.
fn above(first: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (first, 0x7f);
    bytes
}

fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[31] |= 0x80;
    bytes
}

fn hex(text: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
}
