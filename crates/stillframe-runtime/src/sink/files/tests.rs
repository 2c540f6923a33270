use super::*;
use stillframe_model::{Attempt, JobId};

type Lines = FileTransactions<fn(&String, &mut dyn Write) -> io::Result<()>>;

fn line(record: &String, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{record}")
}

fn sink(directory: &Path, job: u8) -> Lines {
    sink_of(directory, job, 0, 1)
}

fn sink_of(directory: &Path, job: u8, subtask: u32, parallelism: u32) -> Lines {
    let task = TaskContext {
        job: JobId::from_bytes([job; 16]),
        vertex: Name::new("sink").unwrap(),
        subtask,
        parallelism,
        max_parallelism: 128,
        attempt: Attempt::new(0),
    };
    FileTransactions::new(&task, directory, "lines", line)
}

/// Writes one record and prepares it.
fn prepared(sink: &mut Lines, record: &str) -> FileTransaction {
    sink.write(record.to_owned()).unwrap();
    let (transaction, preparation) = sink.prepare().unwrap().unwrap();
    preparation().unwrap();
    transaction
}

/// The contents of all committed files, and how many hidden ones there are.
fn found(directory: &Path) -> (Vec<String>, usize) {
    let mut committed = Vec::new();
    let mut hidden = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with('.') {
            hidden += 1;
        } else {
            committed.push(fs::read_to_string(entry.path()).unwrap());
        }
    }
    committed.sort();
    (committed, hidden)
}

#[test]
fn nothing_is_visible_before_the_commit_and_committing_twice_is_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = sink(directory.path(), 1);
    sink.recover(None).unwrap();
    assert!(sink.prepare().unwrap().is_none(), "an empty transaction is none");
    let transaction = prepared(&mut sink, "one");
    assert_eq!(found(directory.path()), (vec![], 1));
    for _ in 0..2 {
        Transactions::<String>::commit(&mut sink, &transaction).unwrap();
        assert_eq!(found(directory.path()), (vec!["one\n".to_owned()], 0));
    }
}

#[test]
fn a_restore_commits_what_was_promised_and_undoes_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = sink(directory.path(), 1);
    before.recover(None).unwrap();
    let promised = prepared(&mut before, "promised");
    let writer = before.writer();
    prepared(&mut before, "prepared after the checkpoint");
    before.write("begun".to_owned()).unwrap();
    fs::write(directory.path().join(".foreign"), "not ours").unwrap();
    drop(before);

    let mut after = sink(directory.path(), 1);
    Transactions::<String>::commit(&mut after, &promised).unwrap();
    after.recover(Some(vec![writer])).unwrap();
    assert_eq!(
        found(directory.path()),
        (vec!["promised\n".to_owned()], 1),
        "only the foreign file stays hidden"
    );
}

#[test]
fn a_job_killed_before_its_first_checkpoint_leaves_nothing_to_the_next_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = sink(directory.path(), 1);
    first.recover(None).unwrap();
    first.write("begun".to_owned()).unwrap();
    drop(first);
    sink(directory.path(), 1).recover(None).unwrap();
    assert_eq!(found(directory.path()), (vec![], 0));
}

#[test]
fn output_committed_after_the_restored_checkpoint_is_refused_and_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink_before = sink(directory.path(), 1);
    sink_before.recover(None).unwrap();
    let writer = sink_before.writer();
    let later = prepared(&mut sink_before, "later");
    Transactions::<String>::commit(&mut sink_before, &later).unwrap();

    let refused = sink(directory.path(), 2).recover(Some(vec![writer])).unwrap_err().to_string();
    assert!(refused.contains("committed after the checkpoint that is restored"), "{refused}");
    let refused = sink(directory.path(), 1).recover(None).unwrap_err().to_string();
    assert!(refused.contains("the job has no checkpoint"), "{refused}");
    let refused = sink_of(directory.path(), 1, 2, 4).recover(None).unwrap_err().to_string();
    assert!(refused.contains("the job has no checkpoint"), "whatever the parallelism: {refused}");
    assert_eq!(found(directory.path()), (vec!["later\n".to_owned()], 0));
}

#[test]
fn a_lost_transaction_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = sink(directory.path(), 1);
    sink.recover(None).unwrap();
    let transaction = prepared(&mut sink, "one");
    fs::remove_file(hidden(directory.path(), &transaction.name)).unwrap();
    let error = Transactions::<String>::commit(&mut sink, &transaction).unwrap_err().to_string();
    assert!(error.contains("output that a checkpoint promised is lost"), "{error}");
}

#[test]
fn a_name_from_a_checkpoint_cannot_lead_out_of_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = sink(directory.path(), 1);
    for name in ["../escape", "a/b", "..", ""] {
        let transaction = FileTransaction { name: name.into() };
        assert!(Transactions::<String>::commit(&mut sink, &transaction).is_err(), "{name}");
    }
    let writer = FileWriter { id: "../x".into(), next: 0 };
    assert!(sink.recover(Some(vec![writer])).is_err());
}

/// The subtasks of an attempt open one after the other, and the first may have written before the last recovers.
#[test]
fn a_subtask_that_takes_over_writers_does_not_touch_what_others_have_begun() {
    let directory = tempfile::tempdir().unwrap();
    let mut before: Vec<_> = (0..3).map(|subtask| sink_of(directory.path(), 1, subtask, 3)).collect();
    before.iter_mut().for_each(|sink| sink.recover(None).unwrap());
    let promised = prepared(&mut before[1], "promised");
    let writers: Vec<_> = before.iter().map(Transactions::<String>::writer).collect();
    drop(before);

    // Two instead of three: the first takes over the writers 0 and 1.
    let [mut first, mut second] = [0, 1].map(|subtask| sink_of(directory.path(), 1, subtask, 2));
    second.recover(Some(vec![writers[2].clone()])).unwrap();
    let begun = prepared(&mut second, "begun");
    let writer = second.writer();
    Transactions::<String>::commit(&mut first, &promised).unwrap();
    first.recover(Some(writers[..2].to_vec())).unwrap();
    Transactions::<String>::commit(&mut second, &begun).unwrap();
    let lines = ["begun\n", "promised\n"].map(str::to_owned).to_vec();
    assert_eq!(found(directory.path()), (lines, 0));

    let mut again = sink_of(directory.path(), 1, 1, 2);
    Transactions::<String>::commit(&mut again, &begun).unwrap();
    again.recover(Some(vec![writer])).expect("what the first has committed is none of its business");
}
