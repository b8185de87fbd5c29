//! The results for programs: a line of CSV for each sample.

use crate::results::Outcome;

/// All samples, as CSV. Latencies are in microseconds.
pub(crate) fn of(outcomes: &[Outcome]) -> String {
    let mut csv = "workload,server,round,unit,rate,p50,p99,p99.9,client_cpu,server_cpu,stalled\n".to_owned();
    for outcome in outcomes {
        for record in &outcome.records {
            for (round, sample) in record.samples.iter().enumerate() {
                let [p50, p99, p999] = [sample.latency.p50, sample.latency.p99, sample.latency.p999]
                    .map(|latency| latency.as_secs_f64() * 1e6);
                csv += &format!(
                    "{},{},{round},{},{:.3},{p50:.3},{p99:.3},{p999:.3},{:.4},{:.4},{}\n",
                    outcome.name,
                    record.contestant.label,
                    record.contestant.load.unit(),
                    sample.rate,
                    sample.client_cpu,
                    sample.server_cpu,
                    sample.stalled,
                );
            }
        }
    }
    csv
}
