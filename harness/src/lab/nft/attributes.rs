//! Netlink attributes: a length, a kind, a value, and padding to four bytes (linux/netlink.h, `struct nlattr`).

/// Length of `struct nlattr`.
const HEADER: usize = 4;
/// `NLA_F_NESTED`: the value is attributes again.
const NESTED: u16 = 0x8000;
/// `NLA_TYPE_MASK`: the kind without its flags.
const KIND: u16 = 0x3fff;

/// Attributes being written one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds a value as it is.
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// Adds a text, which the kernel wants with a closing zero.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Adds a number in the byte order of networks, as `nf_tables` has all of its numbers.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds attributes inside an attribute.
    pub(super) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    /// What was written.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(align(self.0.len()), 0);
    }
}

/// The attributes in some bytes, each with its kind; what is cut off at the end is left out.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = rest.get(..HEADER)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & KIND;
        let value = rest.get(HEADER..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a kind.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    read(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// The text of an attribute without its closing zero.
pub(super) fn text(value: &[u8]) -> &str {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).unwrap_or_default()
}

/// Whether every attribute of `asked` stands in `found` with the same value; where the value is attributes again, they
/// are compared alike. What the kernel adds of its own is not looked at.
pub(super) fn contains(found: &[u8], asked: &[u8]) -> bool {
    let mut rest = asked;
    while let Some(header) = rest.get(..HEADER) {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let Some(value) = rest.get(HEADER..length) else { return false };
        let same = |(other, there): (u16, &[u8])| {
            other == kind & KIND && if kind & NESTED == 0 { there == value } else { contains(there, value) }
        };
        if !read(found).any(same) {
            return false;
        }
        rest = rest.get(align(length)..).unwrap_or_default();
    }
    true
}

fn align(length: usize) -> usize {
    length.div_ceil(4) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inner = Attributes::default().number(1, 7).text(2, "eth0");
        let written = Attributes::default().text(1, "abc").nest(9, &inner);
        let read: Vec<_> = read(written.as_bytes()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].0, text(read[0].1)), (1, "abc"));
        assert_eq!((read[1].0, read[1].1), (9, inner.as_bytes()));
        assert_eq!(find(inner.as_bytes(), 1), Some(&[0, 0, 0, 7][..]));
        assert_eq!(find(inner.as_bytes(), 3), None);
        for cut in 0..written.as_bytes().len() {
            super::read(&written.as_bytes()[..cut]).for_each(drop);
        }
    }

    #[test]
    fn what_was_asked_for_is_found_among_what_the_kernel_adds() {
        let asked = Attributes::default().nest(4, &Attributes::default().number(1, 7));
        let more = |number| {
            let inner = Attributes::default().number(2, 1).number(1, number);
            Attributes::default().number(3, 0).nest(4, &inner)
        };
        assert!(contains(more(7).as_bytes(), asked.as_bytes()));
        assert!(!contains(more(8).as_bytes(), asked.as_bytes()));
        assert!(!contains(asked.as_bytes(), more(7).as_bytes()));
    }
}
