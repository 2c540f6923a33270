//! How far an excuse goes. Each case here needs one, and a case beside it would need one that there is not.

use super::difference::Difference;
use super::guarded;
use super::tally::{Outcome, Verdict};
use serde_json::{Value, json};

fn outcome(case: &Value) -> Outcome {
    guarded("golden_config.json", case).remove(0)
}

fn passes_by(case: &Value, differences: &[Difference]) {
    let outcome = outcome(case);
    assert_eq!(outcome.verdict, Verdict::Passed, "{case}");
    assert_eq!(outcome.differences.iter().copied().collect::<Vec<_>>(), differences, "{case}");
}

fn fails(case: &Value) {
    assert!(matches!(outcome(case).verdict, Verdict::Failed(_)), "{case}");
}

/// A case with a config that begins with these settings.
fn config(settings: Value, calls: Value, held: Value, effective: Value) -> Value {
    let getters = json!({});
    json!({
        "name": "", "kind": "config", "env_config": settings, "calls": calls, "getters": getters,
        "java_getters": getters, "config": held, "effective": effective,
    })
}

fn refusal(class: &str) -> Value {
    json!({ "raises": { "layer": "java", "java_class": class, "message": "no" } })
}

#[test]
fn an_overflow_needs_a_value_that_is_too_long() {
    let overflow = |keys: &[&str]| {
        let mut overflow = refusal("java.lang.ArithmeticException");
        overflow["keys"] = json!(keys);
        overflow
    };
    let timeout = "execution.checkpointing.aligned-checkpoint-timeout";
    let after = |seconds: i64, effective: Value| {
        let duration = json!({ "duration": { "of_seconds": seconds } });
        let call = json!({ "method": "set_alignment_timeout", "args": [duration], "returns": "self" });
        config(json!({}), json!([call]), overflow(&[timeout]), effective)
    };
    let long = after(i64::MAX, refusal("java.lang.ArithmeticException"));
    passes_by(&long, &[Difference::EveryValueCanBeWritten]);
    fails(&after(1, refusal("java.lang.IllegalStateException")));
    fails(&after(i64::MAX / 1_000_000, refusal("java.lang.ArithmeticException")));
    let mut short = config(json!({}), json!([]), json!({}), refusal("java.lang.ArithmeticException"));
    fails(&short);
    short["env_config"] = json!({ timeout: "1 s" });
    short["config"] = overflow(&[timeout]);
    short.as_object_mut().expect("an object").remove("effective");
    fails(&short);
}

#[test]
fn a_refused_job_is_excused_by_the_options_of_the_broken_rule_alone() {
    let kept = |settings: Value, held: Value| {
        let call = json!({
            "method": "env.configure",
            "args": [{ "configuration": settings }],
            "raises": { "layer": "java", "java_class": "X" },
        });
        config(json!({}), json!([call]), held, refusal("java.lang.IllegalArgumentException"))
    };
    let short = json!({ "execution.checkpointing.timeout": "5 ms" });
    passes_by(&kept(short.clone(), short.clone()), &[Difference::AtomicSetters]);
    let mut other = kept(short, json!({}));
    fails(&other);
    // Bad, but nothing that a job is refused for.
    other["config"] = json!({ "execution.checkpointing.num-retained": "x" });
    fails(&other);
}

#[test]
fn a_custom_storage_stays_custom_in_its_constructor_and_not_in_the_config() {
    let made = |class: &str, kind: &str| {
        let result = json!({ "type": kind, "java_class": { "raises": { "layer": "python" } } });
        json!({ "name": "", "kind": "storage", "class": class, "args": {}, "result": result })
    };
    for inside in ["None", "String", "JobManager", "FileSystem"] {
        let class = format!("CustomAround{inside}");
        passes_by(&made(&class, "CustomCheckpointStorage"), &[]);
        fails(&made(&class, "JobManagerCheckpointStorage"));
    }
    let storage = json!({ "storage": { "class": "CustomAroundFileSystem", "args": {} } });
    let call = json!({ "method": "set_checkpoint_storage", "args": [storage], "returns": "self" });
    let mut case = config(json!({}), json!([call]), json!({}), Value::Null);
    case.as_object_mut().expect("an object").remove("effective");
    let answer =
        |kind: &str| json!({ "type": kind, "checkpoint_path": "file:/x", "write_buffer_size": 4096 });
    case["getters"] = json!({ "get_checkpoint_storage": answer("FileSystemCheckpointStorage") });
    passes_by(&case, &[Difference::StorageByValueIsWritten]);
    case["getters"] = json!({ "get_checkpoint_storage": answer("CustomCheckpointStorage") });
    fails(&case);
}

#[test]
fn a_storage_without_a_name_is_refused_when_it_is_read() {
    let key = "execution.checkpointing.storage";
    let mut case = config(json!({ key: "" }), json!([]), json!({ key: "" }), Value::Null);
    case.as_object_mut().expect("an object").remove("effective");
    passes_by(&case, &[Difference::RefusedWhenRead]);
    case["env_config"] = json!({ key: "bogus" });
    fails(&case);
}

#[test]
fn the_key_of_another_option_is_no_older_name() {
    let key = "execution.state-recovery.from-local";
    let mut case = config(json!({ key: "true" }), json!([]), json!({ key: "true" }), Value::Null);
    case.as_object_mut().expect("an object").remove("effective");
    passes_by(&case, &[]);
    case["config"] = json!({ key: "true", "execution.checkpointing.local-backup.enabled": "true" });
    fails(&case);
}

#[test]
fn a_storage_set_by_program_is_completed_from_what_flink_reads() {
    let dir = "execution.checkpointing.dir";
    let threshold = "execution.checkpointing.data-inline-threshold";
    let load = |class: &str, args: Value, job: Value, cluster: Value, answer: (&str, Value)| {
        let storage = json!({ "storage": { "class": class, "args": args } });
        json!({
            "name": "", "kind": "load_storage", "state_backend": "hashmap", "application_storage": storage,
            "job_config": job, "cluster_config": cluster, answer.0: answer.1,
        })
    };
    let memory = |job: Value, cluster: Value, answer: (&str, Value)| {
        load("JobManagerCheckpointStorage", json!({ "max_state_size": 9 }), job, cluster, answer)
    };
    let without_dir =
        json!({ "type": "JobManagerCheckpointStorage", "checkpoint_path": null, "max_state_size": 9 });
    let refused = || ("raises", refusal("X")["raises"].take());
    let bad = || json!({ dir: "rel" });
    // Flink does not read the job's, and refuses the cluster's.
    passes_by(&memory(bad(), json!({}), ("result", without_dir.clone())), &[Difference::RefusedWhenRead]);
    fails(&memory(
        bad(),
        json!({}),
        ("result", json!({ "type": "JobManagerCheckpointStorage", "max_state_size": 8 })),
    ));
    fails(&memory(bad(), json!({}), refused()));
    passes_by(&memory(json!({}), bad(), refused()), &[Difference::RefusedWhenRead]);
    fails(&memory(json!({}), json!({}), refused()));
    // What the job's hides in the cluster's, Flink refuses as well.
    let files = |cluster: &str| {
        let path = json!({ "checkpoint_path": "file:///a" });
        let (job, cluster) = (json!({ threshold: "1kb" }), json!({ threshold: cluster }));
        load("FileSystemCheckpointStorage", path, job, cluster, refused())
    };
    passes_by(&files("abc"), &[Difference::OneConfiguration]);
    fails(&files("2kb"));
}
