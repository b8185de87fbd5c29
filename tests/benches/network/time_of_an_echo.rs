//! Where the time of an echo goes, as a table for FINDINGS.md.
//!
//! The floor does what every server on a TUN device has to do. What `shout` takes beyond it is its own: the core and the loop.

use crate::load::Sample;
use crate::results::{Outcome, Results};

const WORKLOADS: [&str; 6] =
    ["tcp-64x1", "tcp-64x16", "tcp-64x1000", "tcp-1000x16", "tcp-1000x1000", "udp-64x16"];

/// The table, with a line for each of these workloads that was measured.
pub(crate) fn table(results: &Results) -> String {
    let lines = WORKLOADS.iter().filter_map(|workload| line(results.find(workload)?));
    let head = "\
| workload | client | device and its kernel | core and loop | sum | kernel sockets: client | server | sum |
|---|---|---|---|---|---|---|---|
";
    head.to_owned() + &lines.collect::<String>()
}

/// Medians of processor time, in microseconds.
fn line(outcome: &Outcome) -> Option<String> {
    let of =
        |label: &str, quantity: fn(&Sample) -> f64| Some(outcome.find(label)?.spread(quantity)?.median * 1e6);
    let (client, server) = (of("shout", Sample::client_cost)?, of("shout", Sample::server_cost)?);
    let device = of("floor", Sample::server_cost)?;
    let kernel = [Sample::client_cost, Sample::server_cost].map(|cost| of("kernel sockets", cost));
    let [Some(kernel_client), Some(kernel_server)] = kernel else { return None };
    Some(format!(
        "| {} | {client:.2} | {device:.2} | {:.2} | {:.2} | {kernel_client:.2} | {kernel_server:.2} | {:.2} |\n",
        outcome.name,
        server - device,
        client + server,
        kernel_client + kernel_server,
    ))
}
