//! One line of the input: what it says, and whether it says it in the way that is expected.

use serde::{Deserialize, Serialize};
use std::fmt;
use stillframe::state::KeyHash;

/// The first line of every input.
pub(crate) const HEADER: &str = "date,delay,distance,origin,destination";

/// A departure later than this many minutes counts as delayed.
pub(crate) const DELAYED_AFTER: i32 = 15;

/// A departure later than this many minutes is an alert.
pub(crate) const ALERT_AFTER: i32 = 60;

/// An airport by its IATA code: three capital letters or digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Airport([u8; 3]);

impl Airport {
    /// The airport of this code, `None` if no airport can have it.
    pub(crate) fn new(code: &[u8]) -> Option<Self> {
        let code: [u8; 3] = code.try_into().ok()?;
        code.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9')).then_some(Self(code))
    }

    /// The three bytes of its code.
    pub(crate) const fn code(&self) -> &[u8; 3] {
        &self.0
    }
}

impl KeyHash for Airport {
    fn key_hash(&self) -> i32 {
        self.0.key_hash()
    }
}

impl fmt::Display for Airport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padding is for the table of the busiest airports.
        f.pad(str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// What the job needs to know about one departure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) origin: Airport,
    /// Minutes; negative if it left early.
    pub(crate) delay: i32,
    /// Miles.
    pub(crate) distance: u32,
    /// `date,origin,destination,delay` as the input spells them, only for a delay of more than [`ALERT_AFTER`].
    pub(crate) alert: Option<Box<str>>,
}

impl Departure {
    /// Reads a line without its line end.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let mut fields = line.split(|&byte| byte == b',');
        let (Some(date), Some(delay), Some(distance), Some(origin), Some(destination), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Malformed::new("line", line, "5 fields: date,delay,distance,origin,destination"));
        };
        if !is_date(date) {
            return Err(Malformed::new("date", date, "the shape YYYY-MM-DDTHH:MM"));
        }
        let Some(minutes) = integer(delay) else {
            return Err(Malformed::new("delay", delay, "a whole number of minutes such as -3 or 61"));
        };
        let Some(distance) = natural(distance) else {
            return Err(Malformed::new("distance", distance, "a whole number of miles, not negative"));
        };
        let Some(origin) = Airport::new(origin) else {
            return Err(Malformed::new("origin", origin, "three capital letters or digits"));
        };
        let Some(destination) = Airport::new(destination) else {
            return Err(Malformed::new("destination", destination, "three capital letters or digits"));
        };
        let alert = (minutes > ALERT_AFTER).then(|| {
            let fields = [date, origin.code(), destination.code(), delay].join(&b',');
            // Every byte was found to be ASCII above.
            fields.into_iter().map(char::from).collect()
        });
        Ok(Self { origin, delay: minutes, distance, alert })
    }

    /// Whether it counts as delayed.
    pub(crate) const fn is_delayed(&self) -> bool {
        self.delay > DELAYED_AFTER
    }
}

/// A line that does not say what a line of the input says. Where it is, its reader knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    part: &'static str,
    found: String,
    expected: &'static str,
}

impl Malformed {
    /// How much of what was found is shown, in bytes.
    const SHOWN: usize = 60;

    pub(crate) fn new(part: &'static str, found: &[u8], expected: &'static str) -> Self {
        let shown = found[..found.len().min(Self::SHOWN)].escape_ascii().to_string();
        let more = if found.len() > Self::SHOWN { "…" } else { "" };
        Self { part, found: format!("{shown}{more}"), expected }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, found, expected } = self;
        write!(f, "the {part} is `{found}`, expected {expected}")
    }
}

fn is_date(text: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00";
    text.len() == SHAPE.len()
        && SHAPE
            .iter()
            .zip(text)
            .all(|(shape, byte)| if *shape == b'0' { byte.is_ascii_digit() } else { shape == byte })
}

fn natural(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn integer(text: &[u8]) -> Option<i32> {
    match text.strip_prefix(b"-") {
        Some(digits) => i32::try_from(-i64::from(natural(digits)?)).ok(),
        None => i32::try_from(natural(text)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Departure, String> {
        Departure::parse(line.as_bytes()).map_err(|malformed| malformed.to_string())
    }

    #[test]
    fn a_departure_is_what_its_line_says() {
        let departure = parse("2001-01-01T00:01,33,2176,LAS,PHL").expect("a good line");
        assert_eq!(departure.origin.to_string(), "LAS");
        assert_eq!((departure.delay, departure.distance, departure.alert), (33, 2176, None));
        assert_eq!(parse("2001-01-01T00:01,-80,0,1A2,PHL").expect("a good line").delay, -80);
    }

    #[test]
    fn delayed_begins_after_fifteen_minutes_and_alerts_after_sixty() {
        for (delay, delayed, alert) in
            [(15, false, false), (16, true, false), (60, true, false), (61, true, true)]
        {
            let departure = parse(&format!("2001-01-01T00:01,{delay},1,LAS,PHL")).expect("a good line");
            assert_eq!((departure.is_delayed(), departure.alert.is_some()), (delayed, alert), "{delay}");
        }
    }

    #[test]
    fn an_alert_spells_its_fields_as_the_input_does() {
        let departure = parse("2001-01-13T08:10,0061,545,ATL,PBI").expect("a good line");
        assert_eq!(departure.alert.as_deref(), Some("2001-01-13T08:10,ATL,PBI,0061"));
    }

    #[test]
    fn numbers_reach_to_the_ends_of_their_types() {
        assert_eq!(
            parse("2001-01-01T00:01,2147483647,4294967295,LAS,PHL").map(|d| (d.delay, d.distance)),
            Ok((i32::MAX, u32::MAX))
        );
        assert_eq!(parse("2001-01-01T00:01,-2147483648,0,LAS,PHL").map(|d| d.delay), Ok(i32::MIN));
    }

    #[test]
    fn every_malformed_line_is_refused_with_what_was_found_and_expected() {
        let fields = "expected 5 fields: date,delay,distance,origin,destination";
        let date = "expected the shape YYYY-MM-DDTHH:MM";
        let delay = "expected a whole number of minutes such as -3 or 61";
        let distance = "expected a whole number of miles, not negative";
        let airport = "expected three capital letters or digits";
        for (line, message) in [
            ("", format!("the line is ``, {fields}")),
            ("2001-01-01T00:01,33,2176,LAS", format!("the line is `2001-01-01T00:01,33,2176,LAS`, {fields}")),
            (
                "2001-01-01T00:01,3,1,LAS,PHL,",
                format!("the line is `2001-01-01T00:01,3,1,LAS,PHL,`, {fields}"),
            ),
            ("2001-01-01 00:01,33,2176,LAS,PHL", format!("the date is `2001-01-01 00:01`, {date}")),
            ("2001-01-01T00:1,33,2176,LAS,PHL", format!("the date is `2001-01-01T00:1`, {date}")),
            ("2001-01-01T00:01:00,3,1,LAS,PHL", format!("the date is `2001-01-01T00:01:00`, {date}")),
            ("2001-01-01T00:0x,33,2176,LAS,PHL", format!("the date is `2001-01-01T00:0x`, {date}")),
            (",33,2176,LAS,PHL", format!("the date is ``, {date}")),
            ("2001-01-01T00:01,,2176,LAS,PHL", format!("the delay is ``, {delay}")),
            ("2001-01-01T00:01,-,2176,LAS,PHL", format!("the delay is `-`, {delay}")),
            ("2001-01-01T00:01,--3,2176,LAS,PHL", format!("the delay is `--3`, {delay}")),
            ("2001-01-01T00:01,+3,2176,LAS,PHL", format!("the delay is `+3`, {delay}")),
            ("2001-01-01T00:01, 3,2176,LAS,PHL", format!("the delay is ` 3`, {delay}")),
            ("2001-01-01T00:01,3.5,2176,LAS,PHL", format!("the delay is `3.5`, {delay}")),
            ("2001-01-01T00:01,2147483648,1,LAS,PHL", format!("the delay is `2147483648`, {delay}")),
            ("2001-01-01T00:01,-2147483649,1,LAS,PHL", format!("the delay is `-2147483649`, {delay}")),
            ("2001-01-01T00:01,3,,LAS,PHL", format!("the distance is ``, {distance}")),
            ("2001-01-01T00:01,3,-1,LAS,PHL", format!("the distance is `-1`, {distance}")),
            ("2001-01-01T00:01,3,4294967296,LAS,PHL", format!("the distance is `4294967296`, {distance}")),
            ("2001-01-01T00:01,3,1,las,PHL", format!("the origin is `las`, {airport}")),
            ("2001-01-01T00:01,3,1,LA,PHL", format!("the origin is `LA`, {airport}")),
            ("2001-01-01T00:01,3,1,LAS,PHLX", format!("the destination is `PHLX`, {airport}")),
            ("2001-01-01T00:01,3,1,LAS,", format!("the destination is ``, {airport}")),
            ("2001-01-01T00:01,3,1,LAS,P\u{e4}", format!(r"the destination is `P\xc3\xa4`, {airport}")),
        ] {
            assert_eq!(parse(line), Err(message), "{line}");
        }
    }

    #[test]
    fn a_message_shows_the_beginning_of_a_long_line() {
        let error = parse(&"x".repeat(4000)).expect_err("not a departure");
        assert_eq!(error, format!("the line is `{}…`, expected 5 fields: {HEADER}", "x".repeat(60)));
    }
}
