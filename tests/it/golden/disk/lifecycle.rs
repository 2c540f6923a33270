//! The life of a storage, step by step, with what lies in its folder after each.

use super::ground::{Files, Ground, JOB, Memory, compare_refusal, compare_state, state};
use super::pointers::{compare_found, compare_pointer};
use super::tree::{self, Tree};
use crate::golden::difference::Difference;
use crate::golden::tally::Outcome;
use crate::golden::text;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stillframe::memory::JobManagerCheckpointStorage;
use stillframe::model::{CheckpointId, JobStatus, LocationReference, Pointer, StateHandle};
use stillframe::storage::{ErrorKind, StateScope, StorageError};

const KIND: &str = "lifecycle";

pub(super) async fn replay(name: &str, case: &Value) -> Outcome {
    let steps = case["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut life = match begin(steps).await {
        Ok(life) => life,
        Err(error) => return Outcome::found(KIND, name, vec![error]),
    };
    for step in steps {
        let op = text(step, "op");
        match life.step(op, &step["result"]).await {
            Ok(found) => life.findings.extend(found.into_iter().map(|finding| format!("{op}: {finding}"))),
            Err(error) => life.findings.push(format!("{op}: ours refused: {error}")),
        }
        let lines = step["tree"].as_array().into_iter().flatten().filter_map(Value::as_str);
        life.compare_tree(op, lines.collect());
    }
    let Life { findings, differences, left_out, .. } = life;
    Outcome { differences, left_out, ..Outcome::found(KIND, name, findings) }
}

/// A storage on its way through a case.
struct Life {
    ground: Ground,
    location: Option<LocationReference>,
    pointer: Option<Pointer>,
    /// State that was written and can be read when its checkpoint is complete, with what is recorded of it.
    written: Vec<(Value, StateHandle)>,
    /// The checkpoint that was begun last, which is the one that is completed.
    completed: CheckpointId,
    /// The one that the recording gives up, which is begun before it says so.
    given_up: CheckpointId,
    /// The first id that the recording names nowhere.
    next: CheckpointId,
    /// Those that ours refused.
    refused: BTreeSet<CheckpointId>,
    /// Whether what was completed has been removed again.
    is_removed: bool,
    findings: Vec<String>,
    differences: BTreeSet<Difference>,
    left_out: Vec<String>,
}

/// Builds the storage that the recording must have had: nothing but what it shows says how it was configured.
async fn begin(steps: &[Value]) -> Result<Life, String> {
    let created = steps.first().map(|step| &step["result"]).ok_or("there are no steps")?;
    let is = |field: &str| created[field].as_bool().ok_or(format!("{field} is not understood"));
    let (checkpoints, savepoints) =
        (is("supports_highly_available_storage")?, is("has_default_savepoint_location")?);
    let all = steps.iter().map(Value::to_string).collect::<String>();
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = all.split_once(&format!("{name}="))?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let ground = match text(created, "class") {
        "FsCheckpointStorageAccess" => {
            let size = |name| number(name).and_then(|size| u32::try_from(size).ok());
            let (threshold, buffer) = (size("fileStateSizeThreshold"), size("writeBufferSize"));
            Ground::files(Files { threshold, buffer, savepoints }).await
        }
        "MemoryBackendCheckpointStorageAccess" => {
            let max_state_size =
                number("maxSize").unwrap_or(JobManagerCheckpointStorage::DEFAULT_MAX_STATE_SIZE);
            Ground::memory(Memory { max_state_size, checkpoints, savepoints }).await
        }
        class => return Err(format!("the class {class} is not understood")),
    };
    let ops = steps.iter().map(|step| text(step, "op"));
    let ids = ops.clone().filter_map(id_in).collect::<BTreeSet<_>>();
    // If the recording gives none up, any that it does not name will do.
    let given_up = ops.clone().find(|op| op.starts_with(GIVES_UP)).and_then(id_in);
    let given_up = given_up.or(ids.last().map(|id| id.next())).unwrap_or(CheckpointId::FIRST);
    Ok(Life {
        ground: ground.map_err(|error| error.to_string())?,
        location: None,
        pointer: None,
        written: Vec::new(),
        completed: CheckpointId::new(0),
        given_up,
        next: ids.last().copied().unwrap_or(given_up).max(given_up).next(),
        refused: BTreeSet::new(),
        is_removed: false,
        findings: Vec::new(),
        differences: BTreeSet::new(),
        left_out: Vec::new(),
    })
}

const BEGINS: &str = "initialize_location_for_checkpoint ";
const GIVES_UP: &str = "dispose_on_failure of chk-";
const REMOVES: &str = "dispose completed chk-";

/// The checkpoint that an operation names.
fn id_in(op: &str) -> Option<CheckpointId> {
    let rest = [BEGINS, GIVES_UP, REMOVES].into_iter().find_map(|words| op.strip_prefix(words))?;
    rest.strip_suffix(" location").unwrap_or(rest).parse().ok().map(CheckpointId::new)
}

/// How many bytes of something were written, where the recording says so.
fn size_of(recorded: &Value, otherwise: usize) -> usize {
    let size = recorded["state_size"].as_u64().and_then(|size| usize::try_from(size).ok());
    size.unwrap_or(otherwise)
}

/// What was found where a refusal was recorded or happened.
fn compare_outcome<T>(recorded: &Value, ours: Result<T, StorageError>) -> Result<Option<T>, Vec<String>> {
    match (ours, recorded.get("raises")) {
        (Ok(ours), None) => Ok(Some(ours)),
        (Err(error), Some(raises)) => match compare_refusal(raises, &error) {
            findings if findings.is_empty() => Ok(None),
            findings => Err(findings),
        },
        (Ok(_), Some(raises)) => Err(vec![format!("expected the refusal {raises}, ours accepted")]),
        (Err(error), None) => Err(vec![format!("expected {recorded}, ours refused: {error}")]),
    }
}

impl Life {
    async fn step(&mut self, op: &str, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let coordinator = &self.ground.coordinator;
        match op {
            "create_checkpoint_storage" => {
                let ours = json!({
                    "supports_highly_available_storage": coordinator.is_highly_available(),
                    "has_default_savepoint_location": coordinator.has_default_savepoint_location(),
                });
                let differ = |field: &&str| recorded[*field] != ours[*field];
                let fields = ["supports_highly_available_storage", "has_default_savepoint_location"];
                let differ = fields.into_iter().filter(|field| differ(field));
                Ok(differ
                    .map(|field| format!("{field}: expected {}, ours {}", recorded[field], ours[field]))
                    .collect())
            }
            "initialize_base_locations" | "initialize_base_locations again" => {
                coordinator.claim().await?;
                Ok(unexpected(recorded, recorded.is_null()))
            }
            _ if op.starts_with(BEGINS) => self.begin_checkpoint(op, recorded).await,
            "write metadata again" => self.commit_again(recorded).await,
            "open metadata of another location then close" => {
                coordinator.begin_checkpoint(self.given_up).await?;
                self.differences.insert(Difference::MetadataInOneStep);
                Ok(unexpected(recorded, recorded.is_null()))
            }
            _ if op.starts_with(GIVES_UP) => {
                let Some(given_up) = id_in(op) else {
                    return Ok(vec!["the number is not understood".into()]);
                };
                coordinator.discard(given_up, &LocationReference::Default).await?;
                Ok(unexpected(recorded, recorded.is_null()))
            }
            "resolve_checkpoint of own pointer" => self.resolve(recorded).await,
            "savepoint without directory" => {
                let begun = coordinator.begin_savepoint(self.next, None).await;
                self.next = self.next.next();
                Ok(compare_outcome(recorded, begun).err().unwrap_or_default())
            }
            _ if op.starts_with("savepoint into ROOT/") => self.savepoint(op, recorded).await,
            "savepoint into a relative directory" => {
                self.left_out.push("a relative target begins in the directory of the process".into());
                Ok(Vec::new())
            }
            _ if op.starts_with(REMOVES) && id_in(op) == Some(self.completed) => {
                coordinator.conclude(JobStatus::Finished, &[self.completed]).await?;
                coordinator.remove(self.completed, &[]).await?;
                self.is_removed = true;
                if recorded.get("raises").is_some() {
                    self.differences.insert(Difference::RemovalTakesState);
                }
                Ok(unexpected(recorded, recorded.is_null() || recorded["raises"]["message"].is_string()))
            }
            _ => self.write(op, recorded).await,
        }
    }

    /// Begins the checkpoint that the operation names.
    async fn begin_checkpoint(&mut self, op: &str, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let Some(number) = op.strip_prefix(BEGINS).and_then(|number| number.parse::<i64>().ok()) else {
            return Ok(vec!["the number is not understood".into()]);
        };
        let Ok(number) = u64::try_from(number) else {
            self.differences.insert(Difference::UnsignedTypes);
            return Ok(unexpected(recorded, recorded.get("raises").is_some()));
        };
        let (id, coordinator) = (CheckpointId::new(number), &self.ground.coordinator);
        // Ours go up in ranges, so that a larger one can only be reached by way of others, which are given up.
        let between = self.ground.claim.next.get()..number;
        for id in between.step_by(16).skip(1).map(CheckpointId::new) {
            coordinator.begin_checkpoint(id).await?;
            coordinator.discard(id, &LocationReference::Default).await?;
        }
        let begun = coordinator.begin_checkpoint(id).await;
        if id < self.ground.claim.next {
            // Before the first id that the claim gave.
            self.differences.insert(Difference::ClaimedIds);
            self.refused.insert(id);
            let is_refused = begun.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists);
            return Ok(unexpected(recorded, is_refused && recorded.get("raises").is_none()));
        }
        let location = begun?;
        let is_default = location == LocationReference::Default;
        (self.location, self.completed) = (Some(location), id);
        Ok(unexpected(recorded, recorded["reference_is_default"] == is_default))
    }

    /// Writes state, or metadata. The operation names the scope and the size, and whether the stream is given up.
    async fn write(&mut self, op: &str, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let words = op.split(' ').collect::<Vec<_>>();
        let (scope, len, is_given_up) = match words[..] {
            ["write", "metadata", len, "bytes"] => match len.parse() {
                Ok(len) => return self.commit(len, recorded).await,
                Err(_) => return Ok(vec!["the size is not understood".into()]),
            },
            ["write", scope, len, "bytes"] => (scope, len, false),
            ["write", scope, len, "bytes", "then", "close", "without", "handle"] => (scope, len, true),
            _ => return Ok(vec!["the operation is not understood".into()]),
        };
        let (Ok(len), Some(location)) = (len.parse::<usize>(), self.location.clone()) else {
            return Ok(vec!["the operation is not understood".into()]);
        };
        let scope = match scope {
            "exclusive" => StateScope::Exclusive,
            "shared" => StateScope::Shared,
            "task-owned" => return self.write_task_owned(len, recorded).await,
            _ => return Ok(vec!["the scope is not understood".into()]),
        };
        if is_given_up {
            let mut stream = self.ground.worker.create(self.completed, &location, scope).await?;
            stream.write(state(0, len).into()).await?;
            stream.abort().await?;
            return Ok(unexpected(recorded, recorded.is_null()));
        }
        match compare_outcome(recorded, self.ground.write(self.completed, &location, scope, len).await) {
            Ok(Some(Some(handle))) => self.written.push((recorded.clone(), handle)),
            Ok(Some(None)) => return Ok(vec![format!("expected {recorded}, ours no handle")]),
            Ok(None) => {}
            Err(findings) => return Ok(findings),
        }
        Ok(Vec::new())
    }

    async fn write_task_owned(&mut self, len: usize, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let Some(owned) = self.ground.worker.task_owned() else {
            self.differences.insert(Difference::TaskOwnedInFiles);
            let is_known = recorded["handle"] == "ByteStreamStateHandle" || recorded.get("raises").is_some();
            return Ok(unexpected(recorded, is_known));
        };
        let mut stream = owned.create().await?;
        stream.write(state(0, len).into()).await?;
        let Some(handle) = stream.finish().await? else { return Ok(vec!["ours gave no handle".into()]) };
        let mut reader = owned.open(&handle).await?;
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await? {
            read.extend_from_slice(&piece);
        }
        if recorded.get("raises").is_none() {
            return Ok(compare_state(recorded, &handle, &read));
        }
        // Flink makes such a stream with a buffer below the threshold, which it then refuses.
        self.differences.insert(Difference::TaskOwnedAsConfigured);
        owned.delete(&handle).await?;
        let is_known = recorded["raises"]["java_class"] == "java.lang.IllegalArgumentException";
        Ok(unexpected(recorded, is_known))
    }

    async fn commit(&mut self, len: usize, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let Some(location) = &self.location else { return Ok(vec!["nothing was begun".into()]) };
        let coordinator = &self.ground.coordinator;
        let pointer = coordinator.commit(self.completed, location, state(0, len).into(), &[]).await?;
        let found = coordinator.open_checkpoint(self.completed).await?;
        let mut findings = compare_pointer(&self.ground, &recorded["external_pointer"], &pointer);
        findings.extend(compare_found(&self.ground, recorded, &*found).await?);
        for (recorded, handle) in &self.written {
            findings.extend(compare_state(recorded, handle, &found.read(handle).await?));
        }
        if text(recorded, "external_pointer").starts_with("file:") {
            self.differences.insert(Difference::PlainPointers);
        }
        self.pointer = Some(pointer);
        Ok(findings)
    }

    async fn commit_again(&mut self, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let Some(location) = &self.location else { return Ok(vec!["nothing was begun".into()]) };
        let len = size_of(&recorded["metadata_handle"], 6);
        let again = self.ground.coordinator.commit(self.completed, location, state(0, len).into(), &[]).await;
        if recorded.get("raises").is_none() && recorded["metadata_handle"]["state_size"] == len {
            self.differences.insert(Difference::WrittenOnce);
            let is_refused = again.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists);
            return Ok(unexpected(recorded, is_refused));
        }
        Ok(compare_outcome(recorded, again).err().unwrap_or_default())
    }

    async fn resolve(&mut self, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let Some(pointer) = &self.pointer else { return Ok(vec!["nothing was completed".into()]) };
        match self.ground.storage.resolve(pointer).await {
            Ok(found) if recorded.get("raises").is_none() => {
                compare_found(&self.ground, recorded, &*found).await
            }
            // Flink looks for it on the disk; that it is no address is known without.
            Err(error) if error.kind() == ErrorKind::InvalidPointer => {
                let is_known = recorded["raises"]["java_class"] == "java.io.FileNotFoundException";
                Ok(unexpected(recorded, is_known))
            }
            ours => Ok(compare_outcome(recorded, ours).err().unwrap_or_default()),
        }
    }

    async fn savepoint(&mut self, op: &str, recorded: &Value) -> Result<Vec<String>, StorageError> {
        let target = op.trim_start_matches("savepoint into ");
        let (id, target) = (self.next, self.ground.real(target));
        self.next = self.next.next();
        let location = self.ground.coordinator.begin_savepoint(id, Some(&target)).await?;
        let mut written = Vec::new();
        for (name, scope) in [("exclusive", StateScope::Exclusive), ("shared", StateScope::Shared)] {
            match compare_outcome(
                recorded,
                self.ground.write(id, &location, scope, size_of(&recorded[name], 100_000)).await,
            ) {
                Ok(Some(Some(handle))) => written.push((name, handle)),
                Ok(Some(None)) => return Ok(vec![format!("{name}: ours gave no handle")]),
                Ok(None) => return Ok(Vec::new()),
                Err(findings) => return Ok(findings),
            }
        }
        let len = size_of(&recorded["completed"]["metadata_handle"], 4);
        let pointer = self.ground.coordinator.publish_savepoint(id, &location, state(0, len).into()).await?;
        let found = self.ground.storage.resolve(&pointer).await?;
        let mut findings = compare_found(&self.ground, &recorded["completed"], &*found).await?;
        for (name, handle) in written {
            let mut recorded = recorded[name].clone();
            if name == "shared" && recorded["handle"] == "FileStateHandle" {
                recorded["handle"] = json!("RelativeFileStateHandle");
                self.differences.insert(Difference::SavepointsMoveWhole);
            }
            findings.extend(compare_state(&recorded, &handle, &found.read(&handle).await?));
        }
        let is_default = location == LocationReference::Default;
        if recorded["reference_is_default"] == true && !is_default {
            self.differences.insert(Difference::ReferencesNameSavepoints);
        } else {
            findings.extend(unexpected(recorded, recorded["reference_is_default"] == is_default));
        }
        Ok(findings)
    }

    /// Compares what lies in the folder.
    fn compare_tree(&mut self, op: &str, lines: Vec<&str>) {
        // Metadata that is being written is one of Flink's files, and none of ours.
        let expected =
            Tree::recorded(lines.into_iter().filter(|line| !line.contains("/._metadata.inprogress.")));
        let removed = self.completed;
        let gone = self.refused.iter().chain(self.is_removed.then_some(&removed));
        let mut expected =
            gone.fold(expected, |expected, id| expected.without(&format!("cp/{JOB}/chk-{id}/")));
        let mut ours = tree::of(self.ground.root.path());
        let findings = &mut self.findings;
        if expected.with_state() != ours.with_state() {
            findings.push(format!(
                "{op}: expected state in {:?}, ours in {:?}",
                expected.with_state(),
                ours.with_state()
            ));
        }
        if expected.metadata != ours.metadata {
            findings.push(format!(
                "{op}: expected the metadata {:?}, ours {:?}",
                expected.metadata, ours.metadata
            ));
        }
        // These are made when something is put into them.
        for directory in [
            "cp/".to_owned(),
            format!("cp/{JOB}/"),
            format!("cp/{JOB}/shared/"),
            format!("cp/{JOB}/taskowned/"),
        ] {
            if expected.directories.remove(&directory) != ours.directories.remove(&directory) {
                self.differences.insert(Difference::DirectoriesOnDemand);
            }
        }
        if expected.directories != ours.directories {
            findings.push(format!(
                "{op}: expected the directories {:?}, ours {:?}",
                expected.directories, ours.directories
            ));
        }
    }
}

/// Says so if a recorded result is not what it should be.
fn unexpected(recorded: &Value, is_expected: bool) -> Vec<String> {
    (!is_expected).then(|| format!("ours does not agree with {recorded}")).into_iter().collect()
}
