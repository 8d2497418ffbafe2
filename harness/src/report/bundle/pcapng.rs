//! A capture of one interface as Wireshark opens it: the pcapng format (draft-ietf-opsawg-pcapng), of which three kinds
//! of block are written. That is less than the one crate for it would bring along, which cannot say the direction of a
//! packet without its raw options, too.

use std::iter;

use crate::evidence::Frame;

/// The kinds of block (sections 4.1 to 4.3 of the draft).
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// Written in the order of this machine, from which a reader tells it.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// `LINKTYPE_ETHERNET` of the registry of link types.
const ETHERNET: u16 = 1;

/// Options (sections 3.5, 4.1, 4.2, 4.3); the last three belong to an interface, `FLAGS` to a packet.
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const FLAGS: u16 = 2;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;

/// Time stamps count 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// `epb_flags`, bits 0 and 1.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// The length of an option is a number of 16 bits; words that are longer than this say nothing more.
const LONGEST_TEXT: usize = 4096;

/// The frames of one interface, named `NODE.INTERFACE`.
pub fn write(interface: &str, description: &str, frames: &[&Frame]) -> Vec<u8> {
    write_commented(interface, description, frames.iter().map(|frame| (*frame, "")))
}

/// The frames of one interface, each with a comment, which may be empty.
pub fn write_commented<'a>(
    interface: &str,
    description: &str,
    frames: impl IntoIterator<Item = (&'a Frame, &'a str)>,
) -> Vec<u8> {
    let packets = frames.into_iter().map(|(frame, comment)| packet_block(frame, comment));
    iter::once(section_block()).chain([interface_block(interface, description)]).chain(packets).flatten().collect()
}

fn section_block() -> Vec<u8> {
    let mut body = BYTE_ORDER.to_ne_bytes().to_vec();
    // Version 1.0, and a section whose length is not told.
    body.extend(1_u16.to_ne_bytes());
    body.extend(0_u16.to_ne_bytes());
    body.extend((-1_i64).to_ne_bytes());
    block(SECTION, body, &[(APPLICATION, concat!("netcase ", env!("CARGO_PKG_VERSION")).as_bytes())])
}

fn interface_block(interface: &str, description: &str) -> Vec<u8> {
    let mut body = ETHERNET.to_ne_bytes().to_vec();
    // Two reserved bytes, and no limit of the length: each packet says its own.
    body.extend([0; 6]);
    block(INTERFACE, body, &[(NAME, text(interface)), (DESCRIPTION, text(description)), (RESOLUTION, &[NANOSECONDS])])
}

fn packet_block(frame: &Frame, comment: &str) -> Vec<u8> {
    let (bytes, tag) = with_tag(frame);
    let captured = size(bytes.len());
    let [high, low] = [frame.time >> 32, frame.time & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
    // Of interface 0, the only one.
    let numbers = [0, high, low, captured, (frame.length + tag).max(captured)];
    let mut body: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    body.extend(bytes);
    pad(&mut body);
    let flags = if frame.outgoing { OUTBOUND } else { INBOUND }.to_ne_bytes();
    block(PACKET, body, &[(FLAGS, &flags), (COMMENT, text(comment))])
}

/// The bytes with the tag that the kernel keeps beside them, and how many bytes that makes more. Of the tag only the VLAN
/// is known, so it is written as one of 802.1Q.
fn with_tag(frame: &Frame) -> (Vec<u8>, u32) {
    match (frame.vlan, frame.bytes.split_at_checked(12)) {
        (Some(vlan), Some((macs, rest))) => ([macs, &[0x81, 0x00], &vlan.to_be_bytes(), rest].concat(), 4),
        _ => (frame.bytes.clone(), 0),
    }
}

/// A block: its kind, its length before and behind it, and options, of which empty ones are left out.
fn block(kind: u32, mut body: Vec<u8>, options: &[(u16, &[u8])]) -> Vec<u8> {
    for (option, value) in options.iter().filter(|(_, value)| !value.is_empty()) {
        body.extend(option.to_ne_bytes());
        body.extend(u16::try_from(value.len()).unwrap_or(0).to_ne_bytes());
        body.extend(*value);
        pad(&mut body);
    }
    // The end of options.
    body.extend([0; 4]);
    let length = size(body.len() + 12).to_ne_bytes();
    [&kind.to_ne_bytes()[..], &length, &body, &length].concat()
}

/// Everything in a block begins at a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn text(words: &str) -> &[u8] {
    let end = (0..=LONGEST_TEXT.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    &words.as_bytes()[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: Vec<u8>) -> Frame {
        let length = size(bytes.len());
        Frame { node: 0, interface: 1, time: 0x0001_0000_0002, outgoing: true, vlan: None, length, bytes }
    }

    /// Kind and body of each block, by the lengths before and behind it.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let number = |bytes: &[u8]| u32::from_ne_bytes(*bytes.first_chunk().expect("four bytes"));
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let length = usize::try_from(number(&file[4..])).expect("a small number");
            assert!(length.is_multiple_of(4), "{length}");
            let (block, rest) = file.split_at(length);
            assert_eq!(block[4..8], block[length - 4..]);
            blocks.push((number(block), block[8..length - 4].to_vec()));
            file = rest;
        }
        blocks
    }

    #[test]
    fn a_file_is_a_section_an_interface_and_packets() {
        for length in 0..20 {
            let frame = frame(vec![7; length]);
            let file = write_commented("a.eth0", "", [(&frame, ""), (&frame, "why")]);
            let blocks = blocks(&file);
            let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [SECTION, INTERFACE, PACKET, PACKET]);
            assert_eq!(blocks[2].1[4..12], [1_u32.to_ne_bytes(), 2_u32.to_ne_bytes()].concat());
            assert_eq!(blocks[2].1[20..20 + length], vec![7; length]);
        }
    }

    #[test]
    fn a_tag_is_put_back() {
        let tagged = Frame { vlan: Some(0x123), ..frame((0..20).collect()) };
        let (bytes, more) = with_tag(&tagged);
        assert_eq!((bytes[10..18].to_vec(), more), (vec![10, 11, 0x81, 0x00, 0x01, 0x23, 12, 13], 4));
        assert_eq!(with_tag(&Frame { vlan: Some(1), ..frame(vec![0; 11]) }), (vec![0; 11], 0));
    }

    #[test]
    fn long_words_are_cut_at_a_letter() {
        let long = "é".repeat(LONGEST_TEXT);
        assert_eq!(text(&format!("a{long}")).len(), LONGEST_TEXT - 1);
        blocks(&write(&long, &long, &[]));
    }
}
