//! From descriptors to storages, and what is said of those that cannot be built.

use super::policy;
use super::storage::{Fault, Shelf};
use crate::{CustomDescriptor, CustomKind, CustomOptions, Plugin, Rule, Violation};
use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use futures_executor::block_on;
use std::sync::Arc;
use stillframe_model::{JobId, OptionValue, StorageDescriptor};
use stillframe_storage::{ErrorKind, StorageError, StorageRegistry};

const NO_VERSION: RangeInclusive<u32> = RangeInclusive::new(2, 1);

fn text(text: &str) -> OptionValue {
    OptionValue::Text(text.to_owned())
}

/// A kind that knows three options.
fn shelf(options: &CustomOptions) -> Result<Plugin, StorageError> {
    options.text("room")?;
    if options.size_if_set("boards")?.is_some_and(|boards| boards > 9) {
        return Err(options.refuse("boards", "1 to 9"));
    }
    if let Some(secret) = options.secret_if_set("key")?
        && secret.reveal() != "open sesame"
    {
        return Err(StorageError::new(
            ErrorKind::PermissionDenied,
            "open",
            format!("with {}", secret.reveal()),
        ));
    }
    Ok(Plugin::new(Arc::new(Shelf::new(Fault::None))))
}

fn kind(name: &str) -> CustomKind {
    CustomKind::new(name, 2..=4, shelf).with_policy(policy()).with_environment(|name| match name {
        "KEY" => Some("open sesame".to_owned()),
        "WRONG" => Some("let \"me\" in".to_owned()),
        _ => None,
    })
}

fn registry() -> StorageRegistry {
    let mut registry = StorageRegistry::new();
    registry.register("filesystem", |_| Err(StorageError::new(ErrorKind::Other, "build", "files")));
    kind("shelf").register(&mut registry).unwrap();
    CustomKind::new("box", 1..=1, shelf).register(&mut registry).unwrap();
    registry
}

fn in_room() -> StorageDescriptor {
    StorageDescriptor::new("shelf").with("room", text("101"))
}

#[test]
fn a_descriptor_that_travelled_builds_the_same_storage() {
    let descriptor = in_room().with("boards", OptionValue::Size(3)).with("key", text("env:KEY"));
    let built = registry().build(&descriptor).unwrap();
    // The newest version, and said so: another process may know a newer one.
    let expected = descriptor.with(CustomDescriptor::VERSION, OptionValue::Size(4));
    assert_eq!(built.descriptor(), expected);
    assert_eq!(registry().build(&built.descriptor()).unwrap().descriptor(), expected);
    block_on(built.open(JobId::from_bytes([1; 16]))).unwrap();

    let custom = CustomDescriptor::try_from(expected.clone()).unwrap();
    assert_eq!((custom.kind(), custom.version(), custom.transport()), ("shelf", NonZeroU32::new(4), None));
    let names = custom.options().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names, ["boards", "key", "room"]);
    assert_eq!(StorageDescriptor::from(kind("shelf").build(&custom).unwrap()), expected);
}

/// `shelf:101` is room 101.
fn described(address: &str) -> Result<CustomDescriptor, StorageError> {
    CustomDescriptor::new("shelf")?.with("room", text(address.trim_start_matches("shelf:")))
}

#[test]
fn a_kind_with_a_scheme_is_built_for_an_address_behind_the_same_guard() {
    let mut registry = StorageRegistry::new();
    kind("shelf").with_scheme("shelf", described).register(&mut registry).unwrap();
    let built = registry.build_for("shelf:101").unwrap();
    let expected = in_room().with(CustomDescriptor::VERSION, OptionValue::Size(4));
    assert_eq!(built.descriptor(), expected);
    let error = registry.build_for("desk:101").unwrap_err().to_string();
    assert!(error.contains("scheme desk:; known schemes: shelf:"), "{error}");

    // What the address is read as has to be of this kind.
    let other = |_: &str| CustomDescriptor::new("box");
    kind("another").with_scheme("box", other).register(&mut registry).unwrap();
    let error = registry.build_for("box:1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn a_scheme_that_is_none_or_is_known_is_refused_and_nothing_is_registered() {
    let mut registry = registry();
    registry.register_scheme(["file", ""], |_| Err(StorageError::new(ErrorKind::Other, "build", "files")));
    for (scheme, expected) in [
        ("file", ErrorKind::AlreadyExists),
        ("", ErrorKind::AlreadyExists),
        ("desk", ErrorKind::AlreadyExists),
        ("s3:", ErrorKind::InvalidOption),
        ("s3://", ErrorKind::InvalidOption),
        ("3s", ErrorKind::InvalidOption),
        ("a_b", ErrorKind::InvalidOption),
    ] {
        let desk = kind("desk").with_scheme("desk", described).with_scheme(scheme, described);
        let error = desk.register(&mut registry).unwrap_err();
        assert_eq!(error.kind(), expected, "{scheme}: {error}");
        assert!(!registry.kinds().any(|kind| kind == "desk"), "{scheme}");
        assert_eq!(registry.schemes().collect::<Vec<_>>(), ["", "file"], "{scheme}");
    }
}

#[test]
fn what_cannot_be_built_is_named_with_what_could() {
    let version = |version| in_room().with("version", version);
    let cases = [
        (
            StorageDescriptor::new("shelv"),
            ErrorKind::Unsupported,
            "known kinds: box (version 1), filesystem, shelf (versions 2 to 4)",
        ),
        (
            version(OptionValue::Size(1)),
            ErrorKind::Unsupported,
            "build custom storage shelf: unsupported (version 1 is not known here, known versions: 2 to 4)",
        ),
        (
            version(OptionValue::Size(0)),
            ErrorKind::InvalidOption,
            "option version: 0 is not allowed, allowed: the size 1 to 4294967295",
        ),
        (
            version(OptionValue::Size(1 << 32)),
            ErrorKind::InvalidOption,
            "option version: 4294967296 is not allowed",
        ),
        (version(text("2")), ErrorKind::InvalidOption, "option version: a text is not allowed"),
        (
            in_room().with("transport", text("unix:/run/shelf")),
            ErrorKind::Unsupported,
            "option transport: storages in other processes are not supported yet",
        ),
        (
            in_room().with("transport", text("")),
            ErrorKind::InvalidOption,
            "option transport is not allowed to be empty",
        ),
        (
            StorageDescriptor::new("shelf"),
            ErrorKind::InvalidOption,
            "configure custom storage shelf: invalid option (version 4: option room is missing, expected: a text)",
        ),
        (
            in_room().with("room", OptionValue::Size(1)),
            ErrorKind::InvalidOption,
            "option room: the size 1 is not allowed, allowed: a text",
        ),
        (
            in_room().with("boards", text("a secret")),
            ErrorKind::InvalidOption,
            "option boards: this text is not allowed, allowed: a size",
        ),
        (
            in_room().with("boards", OptionValue::Size(10)),
            ErrorKind::InvalidOption,
            "option boards: the size 10 is not allowed, allowed: 1 to 9",
        ),
        (
            in_room().with("bords", OptionValue::Size(1)),
            ErrorKind::InvalidOption,
            "option bords is unknown, known options: boards, key, room",
        ),
        (
            in_room().with("key", text("a secret")),
            ErrorKind::InvalidOption,
            "option key: this text is not allowed, allowed: env: and the name of a variable",
        ),
        (
            in_room().with("key", text("env:NONE")),
            ErrorKind::InvalidOption,
            "option key: this text is not allowed",
        ),
    ];
    for (descriptor, kind, expected) in cases {
        let error = registry().build(&descriptor).unwrap_err();
        let shown = error.to_string();
        assert!(error.kind() == kind && shown.contains(expected), "{shown}");
        assert!(!shown.contains("a secret"), "{shown}");
    }
}

#[test]
fn settings_that_are_for_every_storage_are_no_unknown_options() {
    let descriptor = in_room().with(StorageDescriptor::CHECKPOINTS_DIRECTORY, text("file:/c"));
    registry().build(&descriptor).unwrap();
}

#[test]
fn hardening_4_3_3_an_error_that_shows_a_secret_is_withheld() {
    let error = registry().build(&in_room().with("key", text("env:WRONG"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("withheld") && !shown.contains("let "), "{shown}");

    let careless =
        CustomKind::new("shelf", 1..=1, |options| panic!("no {}", options.secret("key")?.reveal()));
    let careless = careless.with_policy(policy()).with_environment(|_| Some("open sesame".to_owned()));
    let descriptor = CustomDescriptor::new("shelf").unwrap().with("key", text("env:KEY")).unwrap();
    let error = careless.build(&descriptor).unwrap_err();
    assert_eq!(Violation::of(&error).unwrap().rule(), Rule::DoesNotPanic);
    assert_eq!(Violation::of(&error).unwrap().found(), "***");
}

#[test]
fn a_kind_is_registered_once_under_a_name_of_its_own() {
    let cases = [
        ("", 1..=1, "printable ASCII"),
        ("two words", 1..=1, "printable ASCII"),
        ("FileSystem", 1..=1, "built-in"),
        ("jobmanager", 1..=1, "built-in"),
        ("new", 0..=1, "the versions 0..=1 are not allowed"),
        ("new", NO_VERSION, "at least one, from 1 on"),
        ("shelf", 1..=1, "the registry knows this kind"),
    ];
    for (name, versions, expected) in cases {
        let error = CustomKind::new(name, versions, shelf).register(&mut registry()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let other = CustomDescriptor::new("box").unwrap();
    assert_eq!(kind("shelf").build(&other).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn hardening_4_3_3_texts_are_in_no_debug_output() {
    let descriptor = CustomDescriptor::try_from(in_room()).unwrap();
    let storage = kind("shelf").build(&descriptor).unwrap();
    for shown in [format!("{descriptor:?}"), format!("{storage:?}"), format!("{:?}", registry())] {
        assert!(!shown.contains("101"), "{shown}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_descriptor_is_read_with_the_same_rules_as_it_is_made() {
    let descriptor = CustomDescriptor::try_from(in_room()).unwrap().with_version(NonZeroU32::MIN);
    let json = serde_json::to_string(&descriptor).unwrap();
    assert_eq!(serde_json::from_str::<CustomDescriptor>(&json).unwrap(), descriptor);
    let error = serde_json::from_str::<CustomDescriptor>(&json.replace("shelf", "filesystem")).unwrap_err();
    assert!(error.to_string().contains("built-in"), "{error}");
}
