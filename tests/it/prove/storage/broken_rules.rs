//! Somebody breaks the rules of a job's directory: by accident, with bad intent, or as a second coordinator. Whatever is done
//! to it, what is read is what was written, or there is an error; and nothing is touched that is not the job's, or that
//! somebody needs.

mod bytes;
mod ground;
mod names;
mod people;

use crate::prove::{Proof, report};
use ground::{Ground, Judged, Refusal};
use stillframe::storage::ErrorKind;

/// What was tried, and what came of it.
#[derive(Debug, Default)]
struct Tried {
    refused: u64,
    /// Read as it was written, since what was broken is not what is read.
    right: u64,
    wrong: Vec<String>,
}

impl Tried {
    /// What was broken is read as it was written, or refused with an error of one of these kinds.
    fn judged(&mut self, judged: Judged, expected: &[ErrorKind], context: impl FnOnce() -> String) {
        match judged {
            Judged::Refused(refusal) if expected.contains(&refusal.kind) => self.refused += 1,
            Judged::Refused(Refusal { kind, text }) => {
                self.wrong.push(format!("{}: {kind:?} instead of {expected:?}: {text}", context()));
            }
            Judged::Right => self.right += 1,
            Judged::Wrong(wrong) => self.wrong.push(format!("{}: {wrong}", context())),
        }
    }

    /// As [`judged`](Self::judged), for what must not pass for right.
    fn noticed(&mut self, judged: Judged, expected: &[ErrorKind], context: impl FnOnce() -> String) {
        match judged {
            Judged::Right => self.wrong.push(format!("{}: nobody noticed", context())),
            other => self.judged(other, expected, context),
        }
    }

    /// Nothing was broken, or nothing that is this job's. Where this is not judged right, no refusal means anything.
    fn untouched(&mut self, judged: Judged, context: impl FnOnce() -> String) {
        match judged {
            Judged::Right => self.right += 1,
            other => self.wrong.push(format!("{}: nothing is broken, and yet: {other:?}", context())),
        }
    }

    /// It has to be refused with an error of one of these kinds.
    fn refused<T, E: Into<Refusal>>(
        &mut self,
        result: Result<T, E>,
        expected: &[ErrorKind],
        context: impl FnOnce() -> String,
    ) {
        match result {
            Ok(_) => self.wrong.push(format!("{}: nobody refused", context())),
            Err(error) => self.judged(Judged::Refused(error.into()), expected, context),
        }
    }

    /// Something has to be so.
    fn holds(&mut self, is_so: bool, otherwise: impl FnOnce() -> String) {
        match is_so {
            true => self.refused += 1,
            false => self.wrong.push(otherwise()),
        }
    }
}

type Rule = fn(&dyn Fn() -> Ground, &mut Tried);

const RULES: [(&str, Rule); 11] = [
    ("one bit flipped", bytes::one_bit_is_flipped),
    ("truncated or extended", bytes::a_tail_is_missing_or_too_much),
    ("files exchanged", bytes::two_files_are_exchanged),
    ("valid checksums around bad names", bytes::names_lead_elsewhere_under_valid_checksums),
    ("file or directory gone", names::something_is_gone),
    ("symbolic link", names::symbolic_links_are_swapped_in),
    ("bad pointer", names::pointers_lead_elsewhere),
    ("foreign file or directory", names::foreign_things_are_everywhere),
    ("another job's register", people::the_register_is_another_jobs),
    ("second coordinator", people::two_coordinators_hold_one_directory),
    ("second job", people::two_jobs_share_a_place),
];

#[test]
#[expect(clippy::print_stdout, reason = "what was found is what a person needs to see")]
fn whoever_breaks_a_rule_gets_an_error_and_harms_nobody() {
    let mut proof = Proof::begin("storage/broken_rules");
    let mut details = Vec::new();
    for (name, rule) in RULES {
        for (disk, ground) in [("memory", Ground::simulated as fn() -> Ground), ("a real disk", Ground::real)]
        {
            let mut tried = Tried::default();
            let control = ground().with_two_checkpoints();
            tried.untouched(control.copied().judge(), || "a copy".to_owned());
            tried.untouched(control.judge(), || "what was copied".to_owned());
            rule(&ground, &mut tried);
            let Tried { refused, right, wrong } = tried;
            proof.cases += refused + right + wrong.len() as u64;
            proof.violations += wrong.len() as u64;
            details.push(format!("{name} in {disk}: {refused} refused, {right} without effect"));
            wrong.iter().take(20).for_each(|wrong| println!("{name} in {disk}: {wrong}"));
        }
    }
    proof.detail = details.join("; ");
    println!("{}", proof.detail.replace("; ", "\n"));
    report(&proof);
}
