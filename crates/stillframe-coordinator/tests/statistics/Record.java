// Writes flink.txt: random histories, and what the statistics of Flink 1.20.5 answer about them. It lives in Flink's package,
// because what keeps the statistics is private to it. With the jars of apache-flink-libraries 1.20.5 on the class path:
//
//     javac -cp "$JARS" -d out Record.java
//     java -cp "out:$JARS" org.apache.flink.runtime.checkpoint.Record 14 80 > flink.txt
//
// The arguments are the number of histories and the number of steps of each.
package org.apache.flink.runtime.checkpoint;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.*;
import org.apache.flink.api.common.ArchivedExecutionConfig;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.JobID;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.jobgraph.JobVertexID;
import org.apache.flink.runtime.jobgraph.tasks.CheckpointCoordinatorConfiguration;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointStatistics;
import org.apache.flink.runtime.rest.messages.checkpoints.StatsSummaryDto;
import org.apache.flink.runtime.rest.util.RestMapperUtils;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.util.TernaryBoolean;

public class Record {
    static final ObjectMapper MAPPER = RestMapperUtils.getStrictObjectMapper();
    static final String HANDLERS = "org.apache.flink.runtime.rest.handler.job.checkpoints.";
    static final String[] KINDS = {
        "checkpoint", "checkpoint", "checkpoint", "checkpoint", "savepoint", "native", "suspend", "terminate"
    };

    final Random random;
    final StringBuilder out = new StringBuilder();
    final CheckpointStatsTracker tracker;
    final String[] names;
    final JobVertexID[] ids;
    final int[] parallelism;
    final boolean[][] finished;
    final Map<JobVertexID, Integer> vertices = new LinkedHashMap<>();
    final Map<Long, PendingCheckpointStats> open = new LinkedHashMap<>();
    final Map<Long, CompletedCheckpointStats> completed = new LinkedHashMap<>();
    final Set<Long> failed = new LinkedHashSet<>();
    final Set<Long> savepoints = new HashSet<>();
    final Map<Long, Set<String>> reported = new HashMap<>();
    int subtasks = 0;
    long clock = 1_700_000_000_000L, next = 1, lastSavepoint = 0;

    Record(long seed) {
        random = new Random(seed);
        int number = 1 + random.nextInt(3), history = new int[] {0, 1, 2, 3, 4, 6}[random.nextInt(6)];
        names = new String[number];
        ids = new JobVertexID[number];
        parallelism = new int[number];
        finished = new boolean[number][];
        out.append("job ").append(history);
        for (int v = 0; v < number; v++) {
            names[v] = "vertex-" + v;
            ids[v] = new JobVertexID();
            parallelism[v] = 1 + random.nextInt(3);
            finished[v] = new boolean[parallelism[v]];
            subtasks += parallelism[v];
            vertices.put(ids[v], parallelism[v]);
            out.append(' ').append(names[v]).append(':').append(parallelism[v]);
        }
        out.append('\n');
        tracker = new CheckpointStatsTracker(history, new UnregisteredMetricsGroup(), new JobID());
    }

    void run(int steps) throws Exception {
        int since = 0;
        for (int i = 0; i < steps; i++) {
            clock += random.nextInt(40);
            int what = random.nextInt(100);
            if (what < 14 || open.isEmpty() && what < 60) {
                trigger();
            } else if (what < 72 && !open.isEmpty()) {
                if (!acknowledge()) {
                    break;
                }
            } else if (what < 78 && !open.isEmpty()) {
                fail();
            } else if (what < 84 && !failed.isEmpty()) {
                late();
            } else if (what < 86) {
                tracker.reportFailedCheckpointsWithoutInProgress();
                out.append("refuse\n");
            } else if (what < 92 && !completed.isEmpty()) {
                long id = any(completed.keySet(), completed.size());
                completed.get(id).discard();
                out.append("discard ").append(id).append('\n');
            } else if (what < 94) {
                restore();
            } else {
                continue;
            }
            if (++since >= 45) {
                since = 0;
                ask(false);
            }
        }
        ask(true);
    }

    void trigger() throws Exception {
        String kind = KINDS[random.nextInt(KINDS.length)];
        PendingCheckpointStats pending = tracker.reportPendingCheckpoint(next, clock, properties(kind), vertices);
        reported.put(next, new HashSet<>());
        out.append("trigger ").append(next).append(' ').append(clock).append(' ').append(kind);
        int over = 0;
        for (int v = 0; v < names.length; v++) {
            for (int s = 0; s < parallelism[v]; s++) {
                finished[v][s] |= over + 1 < subtasks && random.nextInt(40) == 0;
                // One task at least takes part.
                finished[v][s] &= over + 1 < subtasks;
                if (finished[v][s]) {
                    over++;
                    out.append(' ').append(v).append('/').append(s);
                    pending.reportSubtaskStats(ids[v], new SubtaskStateStats(s, clock));
                    reported.get(next).add(v + "/" + s);
                }
            }
        }
        out.append('\n');
        if (pending.getProperties().isSavepoint()) {
            savepoints.add(next);
        }
        open.put(next++, pending);
        changed();
    }

    /** False if the history must end here. */
    boolean acknowledge() throws Exception {
        long id = any(open.keySet(), 2);
        PendingCheckpointStats pending = open.get(id);
        int v = random.nextInt(names.length), s = random.nextInt(parallelism[v]);
        // Mostly one that has not reported before.
        for (int tries = 0; tries < 4 && reported.get(id).contains(v + "/" + s); tries++) {
            v = random.nextInt(names.length);
            s = random.nextInt(parallelism[v]);
        }
        pending.reportSubtaskStats(ids[v], report("ack", id, v, s, true));
        reported.get(id).add(v + "/" + s);
        changed();
        if (pending.getNumberOfAcknowledgedSubtasks() < subtasks) {
            return true;
        }
        // Flink would make an older savepoint the latest checkpoint here, and we do not.
        if (savepoints.contains(id) && id < lastSavepoint) {
            return false;
        }
        lastSavepoint = savepoints.contains(id) ? id : lastSavepoint;
        clock += random.nextInt(20);
        String path = "file:/checkpoints/chk-" + id;
        open.remove(id);
        completed.put(id, pending.toCompletedCheckpointStats(path));
        tracker.reportCompletedCheckpoint(completed.get(id));
        out.append(String.format("complete %d %d %s%n", id, clock, path));
        return true;
    }

    void fail() {
        long id = any(open.keySet(), open.size());
        failed.add(id);
        tracker.reportFailedCheckpoint(open.remove(id).toFailedCheckpoint(clock, new Exception("m" + id)));
        out.append(String.format("fail %d %d m%d%n", id, clock, id));
    }

    /** What CheckpointStatsTracker.reportIncompleteStats does, with our clock. */
    void late() throws Exception {
        long id = any(failed, failed.size());
        int v = random.nextInt(names.length), s = random.nextInt(parallelism[v]);
        SubtaskStateStats late = report("late", id, v, s, false);
        Field history = CheckpointStatsTracker.class.getDeclaredField("history");
        history.setAccessible(true);
        AbstractCheckpointStats known = ((CheckpointStatsHistory) history.get(tracker)).getCheckpointById(id);
        if (known != null && known.getStatus().isFailed()) {
            ((PendingCheckpointStats) known).reportSubtaskStats(ids[v], late);
            changed();
        }
    }

    void restore() {
        long id = 1 + random.nextInt((int) next);
        String kind = random.nextBoolean() ? "checkpoint" : "savepoint";
        tracker.reportInitializationStartTs(clock);
        tracker.reportRestoredCheckpoint(id, properties(kind), "file:/restored/" + id, 77);
        out.append(String.format("restore %d %d %s file:/restored/%d%n", id, clock, kind, id));
    }

    SubtaskStateStats report(String word, long id, int v, int s, boolean inTime) {
        long size = random.nextInt(5) == 0 ? 0 : random.nextInt(900_000);
        long written = random.nextBoolean() || size == 0 ? size : random.nextInt((int) size);
        long sync = random.nextInt(50), async = random.nextInt(400);
        long processed = random.nextInt(3) == 0 ? 0 : random.nextInt(9_000);
        long persisted = random.nextInt(3) == 0 ? random.nextInt(5_000) : 0;
        long alignment = random.nextInt(100), delay = random.nextInt(30);
        boolean unaligned = random.nextInt(12) == 0 && !savepoints.contains(id);
        out.append(String.format("%s %d %d/%d %d %d %d %d %d %d %d %d %d %s%n", word, id, v, s, clock, written, size,
                sync, async, processed, persisted, alignment, delay, unaligned ? "unaligned" : "aligned"));
        return new SubtaskStateStats(s, clock, written, size, sync, async, processed, persisted, alignment, delay,
                unaligned, inTime);
    }

    void ask(boolean everything) throws Exception {
        CheckpointStatsSnapshot snapshot = tracker.createSnapshot();
        answer("checkpoints", call("CheckpointingStatisticsHandler", "createCheckpointingStatistics", snapshot));
        for (long id = 1; everything && id < next; id++) {
            if (id + 3 < next && random.nextInt(3) != 0) {
                continue;
            }
            AbstractCheckpointStats known = snapshot.getHistory().getCheckpointById(id);
            if (known == null) {
                out.append("details ").append(id).append(" none\n");
                continue;
            }
            answer("details " + id, CheckpointStatistics.generateCheckpointStatistics(known, true));
            int v = random.nextInt(names.length);
            answer("subtasks " + id + " " + v, call("TaskCheckpointStatisticDetailsHandler", "createCheckpointDetails",
                    known, known.getTaskStateStats(ids[v])));
        }
    }

    void answer(String question, Object answer) throws Exception {
        JsonNode json = MAPPER.readTree(MAPPER.writeValueAsString(answer));
        name(json);
        out.append(question).append(' ').append(MAPPER.writeValueAsString(json)).append('\n');
    }

    /** Puts names for the random ids of vertices, in the order of the vertices. */
    void name(JsonNode json) {
        if (json.get("tasks") instanceof ObjectNode) {
            ObjectNode tasks = (ObjectNode) json.get("tasks");
            ObjectNode old = tasks.deepCopy();
            tasks.removeAll();
            for (int v = 0; v < names.length; v++) {
                if (old.has(ids[v].toString())) {
                    tasks.set(names[v], old.get(ids[v].toString()));
                }
            }
        }
        json.forEach(this::name);
    }

    /** One of the first few. */
    long any(Collection<Long> of, int first) {
        return new ArrayList<>(of).get(random.nextInt(Math.min(of.size(), first)));
    }

    /** Makes the tracker draw up a new answer. */
    void changed() throws Exception {
        Field dirty = CheckpointStatsTracker.class.getDeclaredField("dirty");
        dirty.setAccessible(true);
        dirty.set(tracker, true);
    }

    static Object call(String handler, String method, Object... arguments) throws Exception {
        for (Method candidate : Class.forName(HANDLERS + handler).getDeclaredMethods()) {
            if (candidate.getName().equals(method) && candidate.getParameterCount() == arguments.length) {
                candidate.setAccessible(true);
                return candidate.invoke(null, arguments);
            }
        }
        throw new IllegalStateException(handler + " has no " + method);
    }

    static CheckpointProperties properties(String kind) {
        switch (kind) {
            case "checkpoint":
                return CheckpointProperties.forCheckpoint(CheckpointRetentionPolicy.NEVER_RETAIN_AFTER_TERMINATION);
            case "savepoint":
                return CheckpointProperties.forSavepoint(true, SavepointFormatType.CANONICAL);
            case "native":
                return CheckpointProperties.forSavepoint(true, SavepointFormatType.NATIVE);
            case "suspend":
                return CheckpointProperties.forSyncSavepoint(true, false, SavepointFormatType.CANONICAL);
            default:
                return CheckpointProperties.forSyncSavepoint(true, true, SavepointFormatType.NATIVE);
        }
    }

    static String samples(int count, long seed, long modulus) throws Exception {
        StatsSummary summary = new StatsSummary(10_000);
        long drawn = seed;
        for (int i = 0; i < count; i++) {
            drawn = (drawn * 1103515245L + 12345L) & 0x7fffffffL;
            summary.add(drawn % modulus);
        }
        String answer = MAPPER.writeValueAsString(StatsSummaryDto.valueOf(summary.createSnapshot()));
        return String.format("samples %d %d %d %s%n", count, seed, modulus, answer);
    }

    static String config(String name, CheckpointCoordinatorConfiguration config, String storage) throws Exception {
        Object graph = Proxy.newProxyInstance(Record.class.getClassLoader(), new Class<?>[] {AccessExecutionGraph.class},
                (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "getCheckpointCoordinatorConfiguration":
                            return config;
                        case "getStateBackendName":
                            return Optional.of("HashMapStateBackend");
                        case "getCheckpointStorageName":
                            return Optional.of(storage);
                        case "getChangelogStorageName":
                            return Optional.of("InMemoryStateChangelogStorage");
                        case "getArchivedExecutionConfig":
                            return new ArchivedExecutionConfig(new ExecutionConfig());
                        case "isChangelogStateBackendEnabled":
                            return TernaryBoolean.FALSE;
                        default:
                            throw new IllegalStateException(method.getName());
                    }
                });
        Object answer = call("CheckpointConfigHandler", "createCheckpointConfigInfo", graph);
        return String.format("config %s %s%n", name, MAPPER.writeValueAsString(answer));
    }

    static CheckpointCoordinatorConfiguration.CheckpointCoordinatorConfigurationBuilder config() {
        return CheckpointCoordinatorConfiguration.builder()
                .setCheckpointTimeout(600_000)
                .setMaxConcurrentCheckpoints(1)
                .setExactlyOnce(true)
                .setEnableCheckpointsAfterTasksFinish(true);
    }

    public static void main(String[] arguments) throws Exception {
        for (long seed = 1; seed <= Integer.parseInt(arguments[0]); seed++) {
            Record history = new Record(seed);
            history.run(Integer.parseInt(arguments[1]));
            System.out.print(history.out);
        }
        int[][] samples = {
            {0, 1, 10}, {1, 5, 1000}, {2, 9, 1000}, {3, 9, 1000}, {10, 3, 100}, {100, 8, 5000}, {999, 4, 77},
            {1000, 6, 1_000_000}, {10_000, 2, 1_000_000}, {10_001, 2, 1_000_000}, {25_000, 11, 9_000_000}
        };
        for (int[] drawn : samples) {
            System.out.print(samples(drawn[0], drawn[1], drawn[2]));
        }
        System.out.print(config("default", config()
                .setCheckpointInterval(10_000)
                .setCheckpointRetentionPolicy(CheckpointRetentionPolicy.NEVER_RETAIN_AFTER_TERMINATION)
                .setTolerableCheckpointFailureNumber(0)
                .build(), "JobManagerCheckpointStorage"));
        System.out.print(config("others", config()
                .setCheckpointInterval(Long.MAX_VALUE)
                .setCheckpointTimeout(70_000)
                .setMinPauseBetweenCheckpoints(1_500)
                .setMaxConcurrentCheckpoints(3)
                .setCheckpointRetentionPolicy(CheckpointRetentionPolicy.RETAIN_ON_CANCELLATION)
                .setExactlyOnce(false)
                .setTolerableCheckpointFailureNumber(Integer.MAX_VALUE)
                .setEnableCheckpointsAfterTasksFinish(false)
                .build(), "FileSystemCheckpointStorage"));
        System.out.print(config("unaligned", config()
                .setCheckpointInterval(1_000)
                .setCheckpointRetentionPolicy(CheckpointRetentionPolicy.RETAIN_ON_FAILURE)
                .setTolerableCheckpointFailureNumber(5)
                .setUnalignedCheckpointsEnabled(true)
                .setAlignedCheckpointTimeout(30_000)
                .build(), "FileSystemCheckpointStorage"));
    }
}
