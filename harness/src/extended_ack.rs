//! The kernel's own sentence in a negative answer.
//!
//! Source: linux/netlink.h, `struct nlmsgerr` and `enum nlmsgerr_attrs`: behind the error code stands the header of the
//! request, then (unless `NLM_F_CAPPED`) its payload, then, with `NLM_F_ACK_TLVS`, attributes.

/// `NLM_F_CAPPED`: the request's payload is left out.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow.
pub const ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`: the sentence.
const ATTRIBUTE_MESSAGE: u16 = 1;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct nlattr`.
const ATTRIBUTE_HEADER: usize = 4;

/// The sentence, if the answer carries one. `rest` is what stands behind the error code.
pub fn text(flags: u16, rest: &[u8]) -> Option<String> {
    if flags & ACK_TLVS == 0 {
        return None;
    }
    let request = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let mut at = if flags & CAPPED == 0 { align(request) } else { HEADER };
    while let Some(header) = rest.get(at..at + ATTRIBUTE_HEADER) {
        let length = u16::from_ne_bytes([header[0], header[1]]) as usize;
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let value = rest.get(at + ATTRIBUTE_HEADER..at + length)?;
        if kind == ATTRIBUTE_MESSAGE {
            let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        at += align(length.max(ATTRIBUTE_HEADER));
    }
    None
}

fn align(length: usize) -> usize {
    length.div_ceil(4) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_sentence_behind_the_request() {
        let mut rest = vec![0; 20];
        rest[0] = 20;
        rest.extend([12, 0, 2, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
        rest.extend([7, 0, 1, 0, b'n', b'o', 0, 0]);
        assert_eq!(text(ACK_TLVS, &rest).as_deref(), Some("no"));
        assert_eq!(text(0, &rest), None);
        rest.drain(16..20);
        assert_eq!(text(ACK_TLVS | CAPPED, &rest).as_deref(), Some("no"));
        for cut in 0..rest.len() {
            text(ACK_TLVS, &rest[..cut]);
        }
    }
}
