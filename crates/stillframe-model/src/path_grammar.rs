//! What Flink's `Path` and `java.net.URI` between them make of the text of an address, as pure functions.
//!
//! They differ from it in one point: a slash that a last `.` or `..` leaves at the end is removed as any other is, so
//! that a normalised address is normalised. Flink needs a second pass for that.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

/// The three parts of an address that is fine.
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) authority: Option<&'a str>,
    /// Normalised, absolute, and not the root.
    pub(crate) path: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Empty,
    NoScheme,
    IllegalScheme,
    IllegalAuthority,
    NoPath,
    Relative,
    DriveName,
    Root,
}

pub(crate) fn parse(text: &str) -> Result<Parts<'_>, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    let (scheme, rest) = scheme(text)?;
    let (authority, path) = authority(rest);
    if !authority.is_none_or(is_authority) {
        return Err(Refusal::IllegalAuthority);
    }
    let path = normalise(path)?;
    check_not_root(&path)?;
    Ok(Parts { scheme, authority, path })
}

/// What stands before the first colon, if that comes before any slash.
fn scheme(text: &str) -> Result<(&str, &str), Refusal> {
    let (scheme, rest) = text.split_once(':').ok_or(Refusal::NoScheme)?;
    let is_drive = scheme.len() == 1 && scheme.bytes().all(|c| c.is_ascii_alphabetic());
    // To java.net.URI, a question mark or a number sign ends the part of a text in which a scheme can be.
    if is_drive || scheme.contains(['/', '?', '#']) {
        return Err(Refusal::NoScheme);
    }
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if begins && scheme.chars().all(fits) { Ok((scheme, rest)) } else { Err(Refusal::IllegalScheme) }
}

/// What stands between two slashes at the start and the next one. An empty authority is none.
fn authority(text: &str) -> (Option<&str>, &str) {
    match text.strip_prefix("//") {
        None | Some("") => (None, text),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority).filter(|authority| !authority.is_empty()), path)
        }
    }
}

/// Every name will do for a file system, also one that no host can have, as long as it has no brackets. Brackets
/// enclose an IPv6 address, and then the rest has to fit, too: `user@[address%zone]:port`.
fn is_authority(authority: &str) -> bool {
    if !authority.contains(['[', ']']) {
        return true;
    }
    let (user, server) = authority.split_once('@').unwrap_or(("", authority));
    let Some((host, port)) = server.strip_prefix('[').and_then(|server| server.split_once(']')) else {
        return false;
    };
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    let is_zone = |zone: &str| {
        !zone.is_empty() && zone.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.'))
    };
    !user.contains(['[', ']'])
        && address.parse::<Ipv6Addr>().is_ok()
        && zone.is_none_or(is_zone)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// No digits at all are fine, and so is what no port can be, up to the largest `int` of Java.
fn is_port(digits: &str) -> bool {
    digits.is_empty() || digits.bytes().all(|c| c.is_ascii_digit()) && digits.parse::<i32>().is_ok()
}

/// Resolves by name alone. `..` at the start, where there is nothing to go up from, stays.
fn normalise(path: &str) -> Result<String, Refusal> {
    let path = path.replace('\\', "/");
    if path.is_empty() {
        return Err(Refusal::NoPath);
    }
    if !path.starts_with('/') {
        return Err(Refusal::Relative);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match (name, names.last()) {
            ("" | ".", _) => {}
            ("..", Some(&last)) if last != ".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    let mut normalised = "/".to_owned();
    normalised.push_str(&names.join("/"));
    if is_drive_root(&path) {
        normalised.push('/');
    }
    Ok(normalised)
}

/// `/data:/` keeps its last slash: Flink takes it for the root of a Windows drive, however long its name is.
fn is_drive_root(path: &str) -> bool {
    let name = path.trim_matches('/').strip_suffix(':');
    path.ends_with('/')
        && name.is_some_and(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphabetic()))
}

/// There has to be a directory above. Above what begins like a Windows drive it takes a slash behind the drive.
fn check_not_root(path: &str) -> Result<(), Refusal> {
    let in_drive = match path.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => &path["/C:".len()..],
        _ => return if path == "/" { Err(Refusal::Root) } else { Ok(()) },
    };
    match in_drive {
        "" | "/" => Err(Refusal::Root),
        _ if in_drive.contains('/') => Ok(()),
        _ => Err(Refusal::DriveName),
    }
}
