use super::targets::every_outcome;
use crate::loss::Losses;
use crate::machine::Busy;
use crate::results::Results;
use crate::{page, plot, summary};

fn results() -> Results {
    let busy = Busy::now().unwrap();
    let machine = "Measured here.".to_owned();
    Results { outcomes: every_outcome(), loss: Losses::default(), machine, busy: busy.since(busy) }
}

#[test]
fn every_row_is_of_something_that_is_measured() {
    let results = results();
    let table = summary::table(&results);
    assert_eq!(table.lines().count(), 2 + summary::ROWS.len(), "{table}");
    for row in &summary::ROWS {
        assert!(row.of(&results).is_some() && table.contains(row.what), "{row:?}");
    }
}

#[test]
fn the_picture_shows_the_rows_and_says_what_its_signs_mean() {
    let svg = plot::of(&results()).unwrap();
    let names = summary::ROWS.iter().map(|row| row.what.replace('`', ""));
    let signs = ["shout", "the floor", "kernel sockets with Nagle", "Python", "target"].map(str::to_owned);
    for text in names.chain(signs) {
        // Each text is on a line of its own.
        assert!(svg.lines().any(|line| line.trim() == text), "{text} is missing in\n{svg}");
    }
}

#[test]
fn the_page_shows_every_workload_and_processor_time_first() {
    let results = results();
    let page = page::of(&results, "plot.svg");
    assert!(page.contains("](plot.svg)"));
    assert!(page.contains("| workload | variant | processor time, µs |"));
    for outcome in &results.outcomes {
        assert!(page.contains(&format!("\n| {} |", outcome.name)), "{} is missing", outcome.name);
    }
}

#[test]
fn what_failed_has_no_numbers() {
    let mut results = results();
    for record in results.outcomes.iter_mut().flat_map(|outcome| &mut outcome.records) {
        record.samples.clear();
    }
    let page = page::of(&results, "plot.svg");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.iter().any(|row| row.contains("| failed |")), "{page}");
    assert!(!rows.iter().any(|row| row.contains("NaN")), "{page}");
}
