//! How much goes on at once.

use super::gate::{Gate, Op, Release};
use super::*;
use crate::offload::{CONCURRENT, Call, Deadlines};
use tokio::task::JoinSet;

/// As many as the cleaner runs in parallel, and as tasks write. Whoever comes then waits for a place, however many there are.
#[tokio::test]
async fn a_lane_runs_as_many_at_once_as_it_has_places() {
    for places in [1, CONCURRENT] {
        let gate = Arc::<Gate>::default();
        let _release = Release(Arc::clone(&gate));
        gate.close_for(Op::Remove);
        let lane = Offload::new().lane(places, "the cleaner");
        let mut running = JoinSet::new();
        for _ in 0..3 * CONCURRENT {
            let (lane, gate) = (lane.clone(), Arc::clone(&gate));
            running.spawn(async move {
                let (call, deadlines) = (Call::new("remove", "something"), Deadlines::new(Duration::MAX));
                lane.run_within(&call, &deadlines, async move { gate.pass(Op::Remove) }).await
            });
        }
        while gate.inside() < places {
            tokio::task::yield_now().await;
        }
        // Time enough for one more to begin, if there were a place for it.
        for _ in 0..100 {
            tokio::task::spawn_blocking(|| {}).await.unwrap();
        }
        assert_eq!((gate.asked(Op::Remove), lane.under_way().len()), (places, places));
        gate.open();
        while let Some(ran) = running.join_next().await {
            assert_eq!(ran.unwrap(), Ok(()));
        }
        assert_eq!(gate.asked(Op::Remove), 3 * CONCURRENT);
    }
}
