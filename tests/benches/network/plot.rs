//! The results as a picture: rates as multiples of the kernel-socket server's.

use core::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::load::Sample;
use crate::results::{Outcome, Record, Spread};
use crate::servers::Kind;
use crate::targets;

const WIDTH: u32 = 900;
const ROW: u32 = 22;
/// Above and below the rows.
const MARGINS: u32 = 110;
/// The multiples that are shown.
const RANGE: core::ops::Range<f64> = 0.02..20.0;

const SHOUT: RGBColor = RGBColor(200, 60, 20);
const FLOOR: RGBColor = RGBColor(60, 100, 180);
const PYTHON: RGBColor = RGBColor(130, 130, 130);

/// One line of the plot.
struct Row {
    name: String,
    marks: Vec<Mark>,
    target: Option<f64>,
}

struct Mark {
    ratio: Spread,
    colour: RGBColor,
}

/// Draws them, as SVG.
pub(crate) fn of(outcomes: &[Outcome]) -> Result<String, String> {
    let rows: Vec<Row> = outcomes.iter().flat_map(rows).collect();
    let mut svg = String::new();
    draw(&rows, &mut svg).map_err(|error| format!("cannot draw the results: {error}"))?;
    Ok(svg)
}

/// A row for each build of the program that took part; the first also shows the other servers.
fn rows(outcome: &Outcome) -> Vec<Row> {
    let mark = |record: &Record, colour| {
        outcome.ratio_to(record, Kind::Kernel, Sample::rate).map(|ratio| Mark { ratio, colour })
    };
    let others = outcome.records.iter().filter_map(|record| match record.contestant.server {
        Kind::Floor => mark(record, FLOOR),
        Kind::Python => mark(record, PYTHON),
        Kind::Shout(_) | Kind::Other(_) | Kind::Kernel | Kind::KernelNoDelay => None,
    });
    let mut others: Vec<Mark> = others.collect();
    let variants = outcome.records.iter().filter(|record| matches!(record.contestant.server, Kind::Shout(_)));
    variants
        .filter_map(|record| {
            let label = &record.contestant.label;
            let options = label.trim_start_matches("shout");
            let mut marks = core::mem::take(&mut others);
            marks.push(mark(record, SHOUT)?);
            let target = targets::ALL.iter().find_map(|target| target.rate_to_kernel(&outcome.name, label));
            Some(Row { name: format!("{}{options}", outcome.name), marks, target })
        })
        .collect()
}

fn draw(rows: &[Row], svg: &mut String) -> Result<(), Box<dyn Error>> {
    let count = u32::try_from(rows.len())?;
    let root = SVGBackend::with_string(svg, (WIDTH, count * ROW + MARGINS)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(25)
        .x_label_area_size(45)
        .y_label_area_size(330)
        .caption("Rates as multiples of the one-thread kernel-socket server's", ("sans-serif", 17))
        .build_cartesian_2d(RANGE.log_scale(), 0.0..f64::from(count))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(10)
        .light_line_style(WHITE)
        .x_desc("red: shout, blue: the floor, grey: the seed's Python; lines: extremes of the rounds; black: target")
        .axis_desc_style(("sans-serif", 13))
        .label_style(("sans-serif", 12))
        .draw()?;
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, f64::from(count))], BLACK.mix(0.5))])?;
    let name_style = ("sans-serif", 12).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    let shown = |value: f64| value.clamp(RANGE.start, RANGE.end);
    for (row, below) in rows.iter().zip((0..count).rev()) {
        let height = f64::from(below) + 0.5;
        let name = Text::new(row.name.clone(), (-8, 0), name_style.clone());
        chart.draw_series([EmptyElement::at((RANGE.start, height)) + name])?;
        for Mark { ratio, colour } in &row.marks {
            let ends = [(shown(ratio.min), height), (shown(ratio.max), height)];
            chart.draw_series([PathElement::new(ends, colour.mix(0.5).stroke_width(2))])?;
            chart.draw_series([Circle::new((shown(ratio.median), height), 4, colour.filled())])?;
        }
        if let Some(target) = row.target {
            let ends = [(target, height - 0.4), (target, height + 0.4)];
            chart.draw_series([PathElement::new(ends, BLACK.stroke_width(2))])?;
        }
    }
    drop(chart);
    root.present()?;
    Ok(())
}
