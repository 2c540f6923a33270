//! From and to a flat configuration.

mod report;
mod value;

pub use report::{Report, UnknownKey};

use super::CheckpointConfig;
use crate::error::Refusal;
use crate::option::{ConfigOption, is_known};
use crate::{ConfigError, ConfigErrors, OPTIONS, Options};
use alloc::format;
use alloc::vec::Vec;
use stillframe_model::FileSystemDescriptor;

impl CheckpointConfig {
    /// A config with these settings.
    ///
    /// # Errors
    /// As for [`configure`](Self::configure).
    #[doc(alias = "configure")]
    pub fn from_options(options: &Options) -> Result<(Self, Report), ConfigErrors> {
        let mut config = Self::default();
        let report = config.configure(options)?;
        Ok((config, report))
    }

    /// Applies every setting that a configuration has. A key is looked for under its own name and then under its older
    /// ones. As in Flink a directory sets the [storage](Self::checkpoint_storage), and the option that names a kind of
    /// storage takes precedence over whatever was set before.
    ///
    /// # Errors
    /// With every value that is not allowed; then nothing is applied.
    pub fn configure(&mut self, options: &Options) -> Result<Report, ConfigErrors> {
        let mut next = self.clone();
        let mut errors = Vec::new();
        let mut report = Report::default();
        for option in OPTIONS {
            let Some((key, text)) = lookup(option, options) else { continue };
            match (option.read)(&mut next.settings, text) {
                Ok(()) if key != option.key() => report.renamed.push((key, option.key())),
                Ok(()) => {}
                Err(refusal) => errors.push(refused(option, key, refusal)),
            }
        }
        let is_set =
            |key: &str| OPTIONS.iter().any(|option| option.key() == key && lookup(option, options).is_some());
        if is_set("execution.checkpointing.dir")
            && let Some(dir) = &next.settings.dir
        {
            next.storage = Some(FileSystemDescriptor::new(dir.path.clone()).into());
        }
        if is_set("execution.checkpointing.storage") {
            next.storage = None;
        }
        match value::read(options) {
            Ok(None) => {}
            Ok(Some(storage)) => next.storage = Some(storage),
            Err(error) => errors.push(error),
        }
        ConfigErrors::from_all(errors)?;
        *self = next;
        let mut search = report::Search::default();
        let unknown = options.iter().filter(|(key, _)| !is_known(key) && !value::is_key(key));
        report.unknown.extend(unknown.map(|(key, value)| UnknownKey::new(key, value, &mut search)));
        Ok(report)
    }

    /// Everything that was set, under today's keys and in Flink's text. What is written reads back as an equal config.
    #[must_use]
    #[doc(alias = "toConfiguration")]
    pub fn to_options(&self) -> Options {
        let written = |option: &ConfigOption| (option.write)(&self.settings).map(|text| (option.key(), text));
        let mut options: Options = OPTIONS.iter().filter_map(written).collect();
        // What the options alone would set.
        let by_options = match (&self.settings.storage, &self.settings.dir) {
            (None, Some(dir)) => Some(FileSystemDescriptor::new(dir.path.clone()).into()),
            _ => None,
        };
        if let Some(storage) = &self.storage
            && self.storage != by_options
        {
            value::write(storage, &mut options);
        }
        options
    }
}

/// The value of an option, and the key under which it is there. What is there under the key of another option sets that
/// one alone, and the getter of this one looks there.
fn lookup<'a>(option: &ConfigOption, options: &'a Options) -> Option<(&'static str, &'a str)> {
    let keys = core::iter::once(option.key()).chain(option.old_keys().iter().copied());
    let (key, text) = keys.into_iter().find_map(|key| Some((key, options.get(key)?)))?;
    let is_of_another = key != option.key() && OPTIONS.iter().any(|other| other.key() == key);
    (!is_of_another).then_some((key, text))
}

fn refused(option: &ConfigOption, key: &str, mut refusal: Refusal) -> ConfigError {
    if key != option.key() {
        refusal.found = format!("{}, set as {key},", refusal.found);
    }
    refusal.at(option.key())
}
