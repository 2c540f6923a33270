use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::{Package, Workspace};

/// Checks each published crate alone: without features, with the default ones, with each single one. A workspace build
/// joins the features of all its members and cannot see what is missing in one of them.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let mut failed = Vec::new();
    for package in workspace.published() {
        for selection in selections(package) {
            let command =
                CommandLine::cargo("check --quiet --lib --package").arg(&package.name).words(&selection);
            if !console.run(&command)? {
                failed.push(format!("{} {selection}", package.name).trim_end().to_owned());
            }
        }
    }
    Ok(if failed.is_empty() { Outcome::Ok } else { Outcome::Failed(failed.join("; ")) })
}

fn selections(package: &Package) -> Vec<String> {
    let mut selections = vec!["--no-default-features".to_owned()];
    if package.has_defaults {
        selections.push(String::new());
    }
    let single = |feature: &String| format!("--no-default-features --features {feature}");
    selections.extend(package.features.iter().map(single));
    selections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_tried_alone() {
        let features = vec!["fs".into(), "serde".into()];
        let package = Package { features, has_defaults: true, ..Package::default() };
        let expected = [
            "--no-default-features",
            "",
            "--no-default-features --features fs",
            "--no-default-features --features serde",
        ];
        assert_eq!(selections(&package), expected);
    }

    #[test]
    fn without_defaults_there_is_no_second_way_to_have_none() {
        assert_eq!(selections(&Package::default()), ["--no-default-features"]);
    }
}
