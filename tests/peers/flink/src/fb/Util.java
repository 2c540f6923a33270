package fb;

import java.io.*;
import java.lang.management.*;
import java.nio.file.*;
import java.util.*;

/** Flag parsing, statistics and a one-line JSON writer shared by every case. */
final class Util {
    private Util() {}

    /** --name value flags; a flag without a value is "true". */
    static final class Args {
        private final Map<String, String> m = new LinkedHashMap<>();

        Args(String[] argv) {
            for (int i = 0; i < argv.length; i++) {
                if (!argv[i].startsWith("--")) throw new IllegalArgumentException("bad flag " + argv[i]);
                String k = argv[i].substring(2);
                if (i + 1 < argv.length && !argv[i + 1].startsWith("--")) m.put(k, argv[++i]);
                else m.put(k, "true");
            }
        }

        String s(String k, String d) { return m.getOrDefault(k, d); }
        long l(String k, long d) { return m.containsKey(k) ? Long.parseLong(m.get(k)) : d; }
        int i(String k, int d) { return (int) l(k, d); }
        boolean b(String k, boolean d) { return m.containsKey(k) ? Boolean.parseBoolean(m.get(k)) : d; }
        Map<String, String> all() { return m; }
    }

    /** A sample of timings/rates; printed as median, min and max, and as all values so that several runs can be put together. */
    static final class Sample {
        private final ArrayList<Double> v = new ArrayList<>();
        void add(double d) { v.add(d); }
        int n() { return v.size(); }
        double q(double p) {
            if (v.isEmpty()) return Double.NaN;
            ArrayList<Double> s = new ArrayList<>(v);
            Collections.sort(s);
            double pos = p * (s.size() - 1);
            int lo = (int) Math.floor(pos), hi = (int) Math.ceil(pos);
            return s.get(lo) + (s.get(hi) - s.get(lo)) * (pos - lo);
        }
        double med() { return q(0.5); }
        double min() { return q(0); }
        double max() { return q(1); }
        Map<String, Object> json() {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("n", n());
            o.put("median", med());
            o.put("min", min());
            o.put("max", max());
            o.put("values", v);
            return o;
        }
        Map<String, Object> jsonP() {
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("n", n());
            o.put("p50", med());
            o.put("p90", q(0.9));
            o.put("p99", q(0.99));
            o.put("min", min());
            o.put("max", max());
            return o;
        }
    }

    static String num(double d) {
        if (Double.isNaN(d) || Double.isInfinite(d)) return "null";
        if (d == Math.rint(d) && Math.abs(d) < 1e15) return Long.toString((long) d);
        double a = Math.abs(d);
        return a >= 1000 ? String.format(Locale.ROOT, "%.1f", d)
                : a >= 1 ? String.format(Locale.ROOT, "%.3f", d)
                : String.format(Locale.ROOT, "%.6f", d);
    }

    @SuppressWarnings("unchecked")
    static String json(Object o) {
        if (o == null) return "null";
        if (o instanceof Map) {
            StringJoiner j = new StringJoiner(", ", "{", "}");
            ((Map<String, Object>) o).forEach((k, x) -> j.add("\"" + k + "\": " + json(x)));
            return j.toString();
        }
        if (o instanceof Collection) {
            StringJoiner j = new StringJoiner(", ", "[", "]");
            ((Collection<Object>) o).forEach(x -> j.add(json(x)));
            return j.toString();
        }
        if (o instanceof Sample) return json(((Sample) o).json());
        if (o instanceof Double || o instanceof Float) return num(((Number) o).doubleValue());
        if (o instanceof Number || o instanceof Boolean) return o.toString();
        return "\"" + o.toString().replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    static long vmHwmKib() {
        try {
            for (String l : Files.readAllLines(Paths.get("/proc/self/status")))
                if (l.startsWith("VmHWM")) return Long.parseLong(l.replaceAll("\\D", ""));
        } catch (IOException e) { /* not Linux */ }
        return -1;
    }

    /** Machine-wide busy/steal jiffies, so a reader can see how much others disturbed a run. */
    static long[] procStat() {
        try {
            String[] f = Files.readAllLines(Paths.get("/proc/stat")).get(0).trim().split("\\s+");
            long total = 0;
            for (int i = 1; i <= 8; i++) total += Long.parseLong(f[i]);
            long idle = Long.parseLong(f[4]) + Long.parseLong(f[5]);
            return new long[] {total, idle, Long.parseLong(f[8])};
        } catch (Exception e) {
            return new long[] {0, 0, 0};
        }
    }

    static final com.sun.management.OperatingSystemMXBean OS =
            (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private static final ThreadMXBean TMX = ManagementFactory.getThreadMXBean();

    /** CPU time of the calling thread: hardly moved by other processes, unlike the wall clock. */
    static long thrCpuNs() { return TMX.getCurrentThreadCpuTime(); }

    static double cpuS() { return OS.getProcessCpuTime() / 1e9; }

    /** Brackets a measurement and reports own CPU, foreign CPU share and steal. */
    static final class Load {
        private final long[] st = procStat();
        private final double cpu = cpuS();
        private final long t = System.nanoTime();

        Map<String, Object> json() {
            long[] e = procStat();
            double own = cpuS() - cpu, wall = (System.nanoTime() - t) / 1e9;
            double ticks = Math.max(1, e[0] - st[0]);
            double busy = (ticks - (e[1] - st[1])) / ticks;
            int ncpu = Runtime.getRuntime().availableProcessors();
            Map<String, Object> o = new LinkedHashMap<>();
            o.put("wall_s", wall);
            o.put("own_cpu_s", own);
            o.put("foreign_cpu_frac", Math.max(0, busy - own / wall / ncpu));
            o.put("steal_frac", (e[2] - st[2]) / ticks);
            return o;
        }
    }

    static void emit(String kase, Map<String, Object> params, Map<String, Object> figures) {
        Map<String, Object> o = new LinkedHashMap<>();
        o.put("case", kase);
        o.put("peer", "flink-1.20.5");
        o.put("params", params);
        o.putAll(figures);
        o.put("peak_rss_kib", vmHwmKib());
        System.out.println(json(o));
        System.out.flush();
    }

    static void rm(Path p) throws IOException {
        if (!Files.exists(p)) return;
        try (var s = Files.walk(p)) {
            s.sorted(Comparator.reverseOrder()).forEach(x -> x.toFile().delete());
        }
    }
}
