//! How roll-ups are stored: numbers of seven bits a byte, and bytes.

/// Stored bytes that nobody of us wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Bytes in the making.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A number.
    pub fn number(&mut self, value: u64) {
        self.wide(u128::from(value));
    }

    /// A number of either sign: zigzag, so that small ones stay short.
    pub fn signed(&mut self, value: i128) {
        self.wide(((value << 1) ^ (value >> 127)) as u128);
    }

    fn wide(&mut self, mut value: u128) {
        while value >= 128 {
            self.0.push((value as u8 & 127) | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Bytes whose number the reader knows.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes being read.
#[derive(Debug)]
pub struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// From the first.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// What [`Writer::number`] wrote.
    pub fn number(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.wide()?).map_err(|_| Broken)
    }

    /// What [`Writer::signed`] wrote.
    pub fn signed(&mut self) -> Result<i128, Broken> {
        let value = self.wide()?;
        Ok((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    fn wide(&mut self) -> Result<u128, Broken> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let (first, rest) = self.0.split_first().ok_or(Broken)?;
            self.0 = rest;
            value |= u128::from(first & 127) << shift;
            if first & 128 == 0 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'b [u8], Broken> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Broken)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        let values = [0, 1, -1, 63, 64, -64, -65, i128::MAX, i128::MIN, 1 << 100];
        let mut out = Writer::default();
        values.iter().for_each(|value| out.signed(*value));
        out.number(u64::MAX);
        let bytes = out.into_bytes();
        let mut input = Reader::new(&bytes);
        for value in values {
            assert_eq!(input.signed(), Ok(value));
        }
        assert_eq!(input.number(), Ok(u64::MAX));
        assert_eq!(input.number(), Err(Broken));
        assert_eq!(Reader::new(&[255; 30]).signed(), Err(Broken));
    }
}
