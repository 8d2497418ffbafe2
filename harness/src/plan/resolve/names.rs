//! What a node and an interface may be called.

use crate::diagnostic::Diagnostic;
use crate::source::Spanned;

/// The kernel's IFNAMSIZ (`linux/if.h`) without the closing zero.
const LONGEST_INTERFACE: usize = 15;

/// The longest DNS label (RFC 1035, section 2.3.4).
const LONGEST_NODE: usize = 63;

/// What is wrong with the name of a node or a network.
pub(super) fn check_node(what: &str, name: &Spanned<String>) -> Option<Diagnostic> {
    let wrong =
        |label: &str| Some(Diagnostic::error(name.span, format!("`{}` cannot name a {what}", **name)).label(label));
    if name.is_empty() {
        return Some(Diagnostic::error(name.span, format!("this {what} has no name")).label("an empty name"));
    }
    if name.len() > LONGEST_NODE {
        return wrong(&format!("{} bytes; at most {LONGEST_NODE}", name.len()));
    }
    if name.contains('.') {
        return wrong("no dots: `NODE.INTERFACE` is split at the first one");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return wrong("a host name has letters, digits and `-` only");
    }
    if name.starts_with('-') || name.ends_with('-') {
        return wrong("a host name starts and ends with a letter or a digit");
    }
    None
}

/// What is wrong with the name of an interface.
pub(super) fn check_interface(name: &str, span: crate::source::Span) -> Option<Diagnostic> {
    let wrong = |label: &str| Some(Diagnostic::error(span, format!("`{name}` cannot name an interface")).label(label));
    if name.is_empty() {
        return Some(Diagnostic::error(span, "this interface has no name").label("an empty name"));
    }
    if name.len() > LONGEST_INTERFACE {
        return Some(
            Diagnostic::error(span, format!("the interface name `{name}` has {} bytes", name.len()))
                .label(format!("the kernel takes at most {LONGEST_INTERFACE}")),
        );
    }
    match name {
        "." | ".." => return wrong("the kernel uses it for a folder"),
        "all" | "default" => return wrong("the kernel means every interface by it, in `net.ipv4.conf`"),
        _ => {}
    }
    match name.chars().find(|c| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control()) {
        Some(c) if c.is_whitespace() || c.is_control() => wrong("the kernel takes no white space in it"),
        Some(c) => wrong(&format!("the kernel takes no `{c}` in it")),
        None => None,
    }
}

/// Whether the kernel takes a name for an interface.
pub(super) fn fits_interface(name: &str) -> bool {
    check_interface(name, crate::source::Span::default()).is_none()
}
