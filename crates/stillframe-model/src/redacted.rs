use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

/// As much of a text as an error quotes, in characters.
const LONGEST_QUOTE: usize = 200;

/// A text as it may be shown to anybody: if it is an address, without the secret in it.
///
/// In `s3://key:secret@bucket/x` that is what stands between the first colon of the authority and the last `@`, and in
/// `https://host/x?sig=secret` what follows the question mark. The text need not be a valid address, and the secret may contain slashes, which end an authority; so too much is
/// left out rather than too little.
///
/// ```
/// use stillframe_model::Redacted;
///
/// assert_eq!(Redacted::new("s3://key:se/cret@bucket/x").to_string(), "s3://key:***@bucket/x");
/// assert_eq!(Redacted::new("https://host/x?sig=secret").to_string(), "https://host/x?***");
/// assert_eq!(Redacted::new("hdfs://namenode:8020/x").to_string(), "hdfs://namenode:8020/x");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redacted<'a> {
    before: &'a str,
    after: Option<&'a str>,
    is_cut: bool,
}

impl<'a> Redacted<'a> {
    /// Finds the secret.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let from = match text.split_once(':') {
            Some((scheme, rest)) if rest.starts_with("//") => scheme.len() + "://".len(),
            _ if text.starts_with("//") => "//".len(),
            _ => 0,
        };
        let secret = text[from..].find(':').zip(text.rfind('@')).filter(|(colon, at)| from + colon < *at);
        let (before, rest) = match secret {
            Some((colon, at)) => (Some(&text[..=from + colon]), &text[at..]),
            None => (None, text),
        };
        let shown = match rest.split_once('?') {
            // It was left out before, perhaps in a quotation.
            None | Some((_, "***" | "***\"")) => rest,
            Some((start, _)) => &rest[..=start.len()],
        };
        let is_cut = shown.len() < rest.len();
        match before {
            Some(before) => Self { before, after: Some(shown), is_cut },
            None => Self { before: shown, after: None, is_cut },
        }
    }

    /// The text as an error quotes it: in quotes, escaped, and of bounded length.
    #[must_use]
    pub fn quote(&self) -> String {
        let shown = self.to_string();
        let mut rest = shown.chars();
        let start: String = rest.by_ref().take(LONGEST_QUOTE).collect();
        format!("\"{}{}\"", start.escape_debug(), if rest.next().is_some() { "…" } else { "" })
    }
}

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.before)?;
        self.after.map_or(Ok(()), |after| write!(f, "***{after}"))?;
        if self.is_cut { f.write_str("***") } else { Ok(()) }
    }
}

impl fmt::Debug for Redacted<'_> {
    /// In quotes and escaped, as a string is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}", self.before.escape_debug())?;
        self.after.map_or(Ok(()), |after| write!(f, "***{}", after.escape_debug()))?;
        if self.is_cut {
            f.write_str("***")?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn no_place_of_a_secret_is_shown() {
        for text in [
            "s3://key:SECRET@bucket/x",
            "s3://key:SEC/RET@bucket/x",
            "s3://key:SEC@RET@bucket/x",
            "s3://key:SEC:RET@bucket/x",
            "s3://key:SEC//RET@bucket",
            "s3:////key:SECRET@bucket/x",
            "s3:/key:SECRET@bucket/x",
            "s3:key:SEC//a:RET@bucket/x",
            "//key:SECRET@bucket/x",
            "key:SECRET@bucket/x",
            " s3://key:SECRET@bucket/x",
            "s3://:SECRET@bucket/x",
            "s3:\\\\key:SECRET@bucket",
        ] {
            let redacted = Redacted::new(text);
            for shown in [redacted.to_string(), format!("{redacted:?}")] {
                assert!(!shown.contains("SEC") && !shown.contains("RET"), "{shown}");
                assert!(shown.contains("***@bucket"), "{shown}");
            }
        }
    }

    /// Errors are made of what is shown elsewhere, and are shown themselves.
    #[test]
    fn what_was_left_out_is_left_out_once() {
        let once = Redacted::new("https://key:SECRET@host/x?sig=SECRET");
        for shown in [once.to_string(), once.quote()] {
            assert_eq!(Redacted::new(&shown).to_string(), shown);
        }
        assert_eq!(Redacted::new("https://host/x?***SECRET").to_string(), "https://host/x?***");
    }

    #[test]
    fn what_holds_no_secret_is_shown_as_it_is() {
        for text in ["", "@", ":", "a@b:c", "s3://user@bucket:80/x", "file:/a\nb", "s3://bucket/a:b"] {
            assert_eq!(Redacted::new(text).to_string(), text);
            assert_eq!(format!("{:?}", Redacted::new(text)), format!("{text:?}"));
        }
    }
}
