//! From the options of a descriptor to typed values, for the descriptors of the storages we know.

use crate::Redacted;
use crate::descriptor_error::described;
use crate::{DescriptorError, OptionValue, StorageDescriptor, StoragePath};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;

pub(crate) fn expect_kind(descriptor: &StorageDescriptor, kind: &'static str) -> Result<(), DescriptorError> {
    if descriptor.kind == kind {
        Ok(())
    } else {
        Err(DescriptorError::new("kind", Redacted::new(&descriptor.kind).quote(), kind))
    }
}

pub(crate) fn address(option: &'static str, value: &OptionValue) -> Result<StoragePath, DescriptorError> {
    match value {
        OptionValue::Text(text) => StoragePath::parse(text).map_err(|error| error.with_option(option)),
        OptionValue::Size(_) => {
            Err(DescriptorError::new(option, described(value), "the text of an address with a scheme"))
        }
    }
}

pub(crate) fn size_up_to(
    largest: u32,
    option: &'static str,
    value: &OptionValue,
) -> Result<u32, DescriptorError> {
    let found = match value {
        OptionValue::Size(size) => match u32::try_from(*size) {
            Ok(size) if size <= largest => return Ok(size),
            _ => size.to_string(),
        },
        OptionValue::Text(_) => described(value),
    };
    Err(DescriptorError::new(option, found, format!("0 to {largest} bytes")))
}

pub(crate) fn unknown(option: &str, known: &[&str]) -> DescriptorError {
    DescriptorError::new(option.to_owned(), "an unknown option", format!("only {}", known.join(", ")))
}
