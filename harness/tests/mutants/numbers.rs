//! Other numbers in the place of those that are written.

use toml::Value;

/// The prefix that has one address only; nothing where it has no more already.
pub(crate) fn host_prefix(value: &Value) -> Option<String> {
    let (address, length) = value.as_str()?.split_once('/')?;
    // A parameter may stand for a part of it; one for all of an IPv6 address is nowhere in use.
    let full = if address.contains(':') { "128" } else { "32" };
    (length != full).then(|| format!("{address}/{full}"))
}

/// A port that is another one, in the same form: `80`, `"80/tcp"`, `"10.0.0.1:80"`.
pub(crate) fn next_port(value: &Value) -> Option<Value> {
    if let Some(port) = value.as_integer() {
        return Some((port + 1).into());
    }
    let text = value.as_str()?;
    if let Some((port, protocol)) = text.split_once('/') {
        let port: u16 = port.parse().ok()?;
        return Some(format!("{}/{protocol}", port + 1).into());
    }
    if text.starts_with("${") {
        return Some(9.into());
    }
    let (address, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (address.starts_with('[') || !address.contains(':')).then(|| format!("{address}:{}", port + 1).into())
}

#[test]
fn other_numbers_have_the_same_form() {
    let text = |value: &str| Value::from(value);
    assert_eq!(host_prefix(&text("10.0.0.1/24")).as_deref(), Some("10.0.0.1/32"));
    assert_eq!(host_prefix(&text("${net}.1/24")).as_deref(), Some("${net}.1/32"));
    assert_eq!(host_prefix(&text("fd00::1/64")).as_deref(), Some("fd00::1/128"));
    assert_eq!(host_prefix(&text("10.0.0.1/32")), None);
    assert_eq!(host_prefix(&text("default")), None);
    assert_eq!(next_port(&80.into()), Some(81.into()));
    assert_eq!(next_port(&text("80/tcp")), Some(text("81/tcp")));
    assert_eq!(next_port(&text("10.0.0.1:80")), Some(text("10.0.0.1:81")));
    assert_eq!(next_port(&text("[fd00::1]:80")), Some(text("[fd00::1]:81")));
    assert_eq!(next_port(&text("fd00::1")), None);
    assert_eq!(next_port(&text("10.0.0.1")), None);
}
