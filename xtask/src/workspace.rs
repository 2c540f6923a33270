use crate::command::CommandLine;
use crate::error::Error;
use serde_json::Value;
use std::path::PathBuf;

/// The packages of this workspace, as cargo sees them.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where everything is built, and where whatever else this program makes goes.
    pub(crate) target: PathBuf,
    /// Sorted by name.
    pub(crate) packages: Vec<Package>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether it goes to the registry.
    pub(crate) published: bool,
    /// The names of its features without `default`, sorted.
    pub(crate) features: Vec<String>,
    /// Whether `default` turns any of them on.
    pub(crate) has_defaults: bool,
    /// Whether it promises to work without the standard library.
    pub(crate) no_std: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self, Error> {
        let command = CommandLine::cargo("metadata --no-deps --offline --format-version 1");
        let text = command.output()?;
        let unexpected = |detail: String| Error::Output { command: command.to_string(), detail };
        let value = serde_json::from_str::<Value>(&text).map_err(|error| unexpected(error.to_string()))?;
        Self::parse(&value).ok_or_else(|| unexpected("a field is missing".into()))
    }

    fn parse(value: &Value) -> Option<Self> {
        let path = |field: &str| value.get(field).and_then(Value::as_str).map(PathBuf::from);
        let mut packages =
            value.get("packages")?.as_array()?.iter().map(Package::parse).collect::<Option<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self { root: path("workspace_root")?, target: path("target_directory")?, packages })
    }

    /// The packages that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.published)
    }

    /// The packages that promise to work without the standard library.
    pub(crate) fn no_std(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.no_std)
    }

    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self { root: PathBuf::new(), target: PathBuf::new(), packages: Vec::new() }
    }
}

impl Package {
    fn parse(value: &Value) -> Option<Self> {
        let features = value.get("features")?.as_object()?;
        let categories = value.get("categories")?.as_array()?;
        Some(Self {
            name: value.get("name")?.as_str()?.to_owned(),
            // Absent means any registry; a list, even an empty one, means those only.
            published: value.get("publish").is_none_or(Value::is_null),
            features: features.keys().filter(|name| *name != "default").cloned().collect(),
            has_defaults: features
                .get("default")
                .and_then(Value::as_array)
                .is_some_and(|names| !names.is_empty()),
            no_std: categories.iter().any(|category| category == "no-std"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_cargo_prints() {
        let value = json!({
            "workspace_root": "/w",
            "target_directory": "/t",
            "packages": [
                { "name": "b", "publish": [], "features": {}, "categories": [] },
                { "name": "a", "publish": null, "categories": ["config", "no-std"],
                  "features": { "default": ["x"], "x": [], "y": ["dep:z"] } },
            ],
        });
        let workspace = Workspace::parse(&value).unwrap();
        let a = Package {
            name: "a".into(),
            published: true,
            features: vec!["x".into(), "y".into()],
            has_defaults: true,
            no_std: true,
        };
        let b = Package { name: "b".into(), ..Package::default() };
        assert_eq!(workspace.packages, [a, b]);
        assert_eq!(workspace.published().count(), 1);
    }
}
