//! Cases of the kind `config`: calls on a config, and everything that can be asked of it afterwards.

use super::argument::{self, Trouble};
use super::call::{self, Answer};
use super::conversion;
use super::difference::Difference;
use super::effective;
use super::getter;
use super::option_keys as keys;
use super::option_map;
use super::tally::{Outcome, Verdict};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use stillframe::config::{CheckpointConfig, ConfigErrors, Options};

/// One case on its way.
pub(crate) struct Replay {
    pub(crate) config: CheckpointConfig,
    /// Options of which Flink holds another value than we do, because of a difference.
    apart: BTreeMap<&'static str, BTreeSet<Difference>>,
    /// Keys that nobody knew and that were reported.
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) differences: BTreeSet<Difference>,
    pub(crate) findings: Vec<String>,
    left_out: Vec<String>,
}

const FIELDS: [&str; 11] = [
    "name",
    "kind",
    "note",
    "calls",
    "graph",
    "env_config",
    "env_raises",
    "getters",
    "java_getters",
    "config",
    "effective",
];

pub(crate) fn replay(name: &str, case: &Map<String, Value>) -> Outcome {
    let mut replay = Replay::new();
    replay.findings = keys::unknown_fields(case, &FIELDS);
    let missing = ["calls"].into_iter().filter(|field| !case.contains_key(*field));
    replay.findings.extend(missing.map(|field| format!("the field `{field}` is missing")));
    if replay.begin(case) {
        let answers = ["/effective/application_storage", "/getters/get_checkpoint_storage"];
        let told = json!({ "effective": case.get("effective"), "getters": case.get("getters") });
        let told =
            answers.into_iter().find_map(|answer| told.pointer(answer)?.get("checkpoint_path")?.as_str());
        for call in case.get("calls").and_then(Value::as_array).into_iter().flatten() {
            let mut call = call.clone();
            let arguments = call.get_mut("args").and_then(Value::as_array_mut).into_iter().flatten();
            arguments.for_each(|argument| argument::complete(argument, told));
            replay.call(&call);
        }
        replay.ask(case.get("getters"));
        replay.ask(case.get("java_getters"));
        match case.get("config") {
            Some(recorded) => option_map::compare(&mut replay, recorded),
            None => replay.findings.push("the field `config` is missing".into()),
        }
        if let Some(recorded) = case.get("effective") {
            effective::compare(&mut replay, recorded, case);
        }
    }
    replay.outcome("config", name)
}

impl Replay {
    pub(crate) fn new() -> Self {
        Self {
            config: CheckpointConfig::default(),
            apart: BTreeMap::new(),
            unknown: BTreeSet::new(),
            differences: BTreeSet::new(),
            findings: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(crate) fn outcome(self, kind: &str, name: &str) -> Outcome {
        let Self { differences, findings, left_out, .. } = self;
        Outcome { differences, left_out, ..Outcome::found(kind, name, findings) }
    }

    /// Begins with what was configured from outside. `false` if that is where the case ends.
    fn begin(&mut self, case: &Map<String, Value>) -> bool {
        let refused = case.get("env_raises");
        let Some(recorded) = case.get("env_config") else { return true };
        if let Some(layer) = refused.and_then(not_java) {
            self.left_out.push(format!("env_config refused in the {layer} layer"));
            return false;
        }
        let options = match keys::options(recorded) {
            Ok(options) => options,
            Err(error) => {
                self.findings.push(error);
                return false;
            }
        };
        let read = self.read(options, refused.is_none());
        match (refused, read) {
            (None, read) => read,
            (Some(_), false) => false,
            (Some(refusal), true) => {
                self.findings
                    .push(format!("env_config: Flink refused it ({}), ours accepted", message(refusal)));
                false
            }
        }
    }

    /// Reads a configuration. What we refuse and Flink does not is left out, if that is a difference of ours; any other
    /// refusal is a finding if the whole is to be accepted. `false` if it was not accepted.
    pub(crate) fn read(&mut self, mut options: Options, is_accepted: bool) -> bool {
        loop {
            let errors = match CheckpointConfig::from_options(&options) {
                Ok((config, report)) => {
                    self.config = config;
                    self.unknown.extend(report.unknown.iter().map(|unknown| unknown.key().to_owned()));
                    return true;
                }
                Err(_) if !is_accepted => return false,
                Err(errors) => errors,
            };
            match refusals(&errors, &options) {
                Ok(refusals) => {
                    for (key, difference) in refusals {
                        self.stand_apart([key], difference);
                        // The one that the option names would have taken the place of whatever was set before it.
                        self.stand_apart((key == keys::STORAGE).then_some(keys::SET_BY_PROGRAM), difference);
                        self.differences.insert(difference);
                        let option = keys::option(key);
                        options =
                            option.and_then(|option| keys::without(&options, option)).unwrap_or(options);
                    }
                }
                Err(error) => {
                    self.findings.push(error);
                    return false;
                }
            }
        }
    }

    fn call(&mut self, call: &Value) {
        let (Some(name), Some(arguments)) = (call["method"].as_str(), call["args"].as_array()) else {
            return self.findings.push(format!("no method with arguments: {call}"));
        };
        if let Some(fields) = call.as_object() {
            self.findings.extend(keys::unknown_fields(fields, &["method", "args", "returns", "raises"]));
        }
        let refusal = call.get("raises");
        if let Some(layer) = refusal.and_then(not_java) {
            return self.left_out.push(format!("call refused in the {layer} layer"));
        }
        let before = self.config.clone();
        let made = call::make(&mut self.config, name, arguments);
        let (is_alone, about) = call::about(name, arguments);
        if made.is_err() && self.config != before {
            self.findings.push(format!("{name}: refused, and the config was changed all the same"));
        }
        match (refusal, made) {
            (_, Err(Trouble::NotUnderstood(what))) => self.findings.push(format!("{name}: {what}")),
            (None, Ok(Answer::Value(ours))) => {
                let about = getter::ask(&before, &method(name)).map_or(&[][..], |asked| asked.about);
                self.compare(name, &call["returns"], &ours, about);
            }
            // A getter that refuses to answer did not change anything.
            (Some(_), Ok(Answer::Value(ours))) if ours.get("raises").is_some() => {}
            (None, Ok(answer)) => {
                if is_alone {
                    about.iter().for_each(|key| drop(self.apart.remove(key)));
                }
                if let Answer::Unknown(unknown) = answer {
                    self.unknown.extend(unknown);
                }
            }
            (Some(refusal), Ok(_)) => {
                self.findings.push(format!("{name}: Flink refused it ({}), ours accepted", message(refusal)));
            }
            (Some(refusal), Err(trouble)) => {
                if trouble == Trouble::Inexpressible(Difference::NullIsNone) {
                    self.differences.insert(Difference::NullIsNone);
                }
                self.stand_apart(call::kept_by_flink(name, arguments), Difference::AtomicSetters);
                self.keep_unknown(arguments);
                if refusal["java_class"].as_str().is_none() {
                    self.findings.push(format!("{name}: the refusal names no class: {refusal}"));
                }
            }
            (None, Err(Trouble::Inexpressible(difference))) => {
                self.differences.insert(difference);
                self.stand_apart(about, difference);
            }
            (None, Err(Trouble::RefusedSettings(errors))) => {
                let options = keys::options(&arguments[0]["configuration"]).unwrap_or_default();
                match refusals(&errors, &options) {
                    Ok(refusals) => {
                        // Nothing of it was applied, also of what is not to blame.
                        for (_, difference) in refusals {
                            self.differences.insert(difference);
                            self.stand_apart(about.iter().copied(), difference);
                        }
                        self.keep_unknown(arguments);
                    }
                    Err(error) => self.findings.push(format!("{name}: {error}")),
                }
            }
            (None, Err(Trouble::Refused(error))) => {
                self.findings.push(format!("{name}: Flink accepted it, ours refused: {error}"));
            }
        }
    }

    /// Flink keeps what nobody knows, also out of a configuration that it refuses.
    fn keep_unknown(&mut self, arguments: &[Value]) {
        let configuration = arguments.first().and_then(|argument| argument["configuration"].as_object());
        let keys = configuration.into_iter().flatten().map(|(key, _)| key.clone());
        self.unknown.extend(keys.filter(|key| keys::read_under(key).next().is_none()));
    }

    fn ask(&mut self, getters: Option<&Value>) {
        let Some(getters) = getters.and_then(Value::as_object) else {
            return self.findings.push("the getters are missing".into());
        };
        for (name, recorded) in getters {
            match getter::ask(&self.config, &method(name)) {
                None => self.findings.push(format!("there is no getter {name}")),
                Some(asked) => self.compare(name, recorded, &asked.value, asked.about),
            }
        }
    }

    /// From here on, Flink may hold other values of these options.
    fn stand_apart(&mut self, keys: impl IntoIterator<Item = &'static str>, difference: Difference) {
        for key in keys {
            self.apart.entry(key).or_default().insert(difference);
        }
    }

    /// The differences that make one of these options another one than in Flink.
    pub(crate) fn apart<'a>(&'a self, about: &'a [&str]) -> impl Iterator<Item = Difference> + 'a {
        about.iter().filter_map(|key| self.apart.get(key)).flatten().copied()
    }

    /// Compares one value. Where it depends on an option that stands apart, it may differ, and that is noted.
    pub(crate) fn compare(&mut self, what: &str, recorded: &Value, ours: &Value, about: &[&str]) {
        let refuses = |value: &Value| value.get("raises").is_some();
        let agree = match (refuses(recorded), refuses(ours)) {
            (false, false) => conversion::agree(recorded, ours),
            (recorded, ours) => recorded == ours,
        };
        if !agree {
            self.differ(about, || format!("{what}: expected {recorded}, ours {ours}"));
        }
    }

    /// Notes that something differs: as a difference if an option stands apart, else as a finding.
    pub(crate) fn differ(&mut self, about: &[&str], finding: impl FnOnce() -> String) {
        let apart: Vec<_> = self.apart(about).collect();
        if apart.is_empty() {
            self.findings.push(finding());
        }
        self.differences.extend(apart);
    }
}

fn method(name: &str) -> String {
    conversion::method(name.strip_prefix("env.").unwrap_or(name))
}

/// The layer that refused a call, if it was not Flink itself: such a call does not compile in a typed language, or never
/// reached Flink.
pub(crate) fn not_java(refusal: &Value) -> Option<&str> {
    refusal["layer"].as_str().filter(|layer| matches!(*layer, "py4j" | "python"))
}

pub(crate) fn message(refusal: &Value) -> &str {
    refusal["message"].as_str().unwrap_or("without a message")
}

/// For each refused setting, the difference because of which Flink does not refuse it; or what has no such excuse.
pub(crate) fn refusals(
    errors: &ConfigErrors,
    options: &Options,
) -> Result<Vec<(&'static str, Difference)>, String> {
    let refusal = |error: &stillframe::config::ConfigError| {
        let option = keys::option(error.option()).ok_or_else(|| format!("{error}: no key of the table"))?;
        let (_, text) = keys::found(option, options).ok_or_else(|| format!("{error}: it is not set"))?;
        match (option.key(), text.parse::<i64>().ok()) {
            (key, Some(..1)) if keys::is_at_least_one(key) => Ok((key, Difference::AtLeastOne)),
            (key, Some(..0)) if keys::is_unsigned(key) => Ok((key, Difference::UnsignedTypes)),
            // Any text is a name to Flink until it looks for what it names.
            (key, _) if key == keys::STORAGE && text.trim().is_empty() => {
                Ok((key, Difference::RefusedWhenRead))
            }
            (key, _) if !keys::is_applied(key) => Ok((key, Difference::RefusedWhenRead)),
            _ => Err(format!("Flink accepted it, ours refused: {error}")),
        }
    };
    errors.iter().map(refusal).collect()
}

/// Whether the case was looked at all.
pub(crate) fn skipped_for_its_layer(refusal: &Value) -> Option<Verdict> {
    not_java(refusal).map(|layer| Verdict::Skipped(format!("refused in the {layer} layer")))
}
