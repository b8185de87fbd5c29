//! The rows of the summary as a picture: rates as multiples of the kernel-socket server's.

use core::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::load::Sample;
use crate::results::{Results, Spread};
use crate::servers::Kind;
use crate::summary;
use crate::targets;

const WIDTH: u32 = 900;
const ROW: u32 = 34;
/// Above and below the rows: the caption, the axis and the legend.
const MARGINS: u32 = 150;
/// The multiples that the axis shows.
const RANGE: core::ops::Range<f64> = 0.02..20.0;
const FONT: &str = "sans-serif";

const SHOUT: RGBColor = RGBColor(200, 60, 20);
const FLOOR: RGBColor = RGBColor(60, 100, 180);
const NAGLE: RGBColor = RGBColor(110, 160, 60);
const PYTHON: RGBColor = RGBColor(130, 130, 130);
/// The servers in the order in which they are drawn, so that `shout` is on top.
const SERVERS: [(&str, RGBColor); 4] =
    [("Python", PYTHON), ("kernel sockets with Nagle", NAGLE), ("the floor", FLOOR), ("shout", SHOUT)];

/// A line of the picture.
struct Row {
    name: &'static str,
    marks: Vec<(Spread, RGBColor)>,
    target: Option<f64>,
}

/// Draws the rows that were measured, as SVG.
pub(crate) fn of(results: &Results) -> Result<String, String> {
    let rows: Vec<Row> = summary::ROWS.iter().filter_map(|row| self::row(row, results)).collect();
    let mut svg = String::new();
    draw(&rows, &mut svg).map_err(|error| format!("cannot draw the results: {error}"))?;
    Ok(svg)
}

fn row(row: &summary::Row, results: &Results) -> Option<Row> {
    let (outcome, shout) = row.of(results)?;
    let mark = |server, colour| {
        let record = outcome.beside(shout, server)?;
        Some((outcome.ratio_to(record, Kind::Kernel, Sample::rate)?, colour))
    };
    let servers = [
        (Kind::Python, PYTHON),
        (Kind::KernelNagle, NAGLE),
        (Kind::Floor, FLOOR),
        (shout.contestant.server, SHOUT),
    ];
    let marks = servers.into_iter().filter_map(|(server, colour)| mark(server, colour)).collect();
    let target = targets::ALL.iter().find_map(|target| target.rate_to_kernel(row.workload, row.contestant));
    Some(Row { name: row.what, marks, target })
}

fn draw(rows: &[Row], svg: &mut String) -> Result<(), Box<dyn Error>> {
    let count = u32::try_from(rows.len())?;
    let root = SVGBackend::with_string(svg, (WIDTH, count * ROW + MARGINS)).into_drawing_area();
    root.fill(&WHITE)?;
    let (picture, legend) = root.split_vertically(count * ROW + MARGINS - 40);
    let mut chart = ChartBuilder::on(&picture)
        .margin(10)
        .margin_right(25)
        .x_label_area_size(45)
        .y_label_area_size(270)
        .caption("Rates as multiples of the one-thread kernel-socket server's", (FONT, 17))
        .build_cartesian_2d(RANGE.log_scale(), 0.0..f64::from(count))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(10)
        .light_line_style(WHITE)
        .x_desc("times the rate of kernel sockets with TCP_NODELAY")
        .axis_desc_style((FONT, 13))
        .label_style((FONT, 12))
        .draw()?;
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, f64::from(count))], BLACK.mix(0.5))])?;
    let name_style = (FONT, 12).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    let shown = |value: f64| value.clamp(RANGE.start, RANGE.end);
    for (row, below) in rows.iter().zip((0..count).rev()) {
        let height = f64::from(below) + 0.5;
        let name = Text::new(row.name.replace('`', ""), (-8, 0), name_style.clone());
        chart.draw_series([EmptyElement::at((RANGE.start, height)) + name])?;
        for (ratio, colour) in &row.marks {
            let ends = [(shown(ratio.min), height), (shown(ratio.max), height)];
            chart.draw_series([PathElement::new(ends, colour.mix(0.5).stroke_width(2))])?;
            chart.draw_series([Circle::new((shown(ratio.median), height), 4, colour.filled())])?;
        }
        if let Some(target) = row.target {
            let ends = [(target, height - 0.35), (target, height + 0.35)];
            chart.draw_series([PathElement::new(ends, BLACK.stroke_width(2))])?;
        }
    }
    drop(chart);
    draw_legend(&legend)?;
    root.present()?;
    Ok(())
}

/// A sign and its meaning, one beside the other.
fn draw_legend(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Box<dyn Error>> {
    let style = (FONT, 12).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let middle = 15;
    let mut left = 25;
    let text = |left: i32, what: &str| Text::new(what.to_owned(), (left + 12, middle), style.clone());
    for (what, colour) in SERVERS.into_iter().rev() {
        area.draw(&PathElement::new(
            [(left - 8, middle), (left + 8, middle)],
            colour.mix(0.5).stroke_width(2),
        ))?;
        area.draw(&Circle::new((left, middle), 4, colour.filled()))?;
        area.draw(&text(left, what))?;
        left += 50 + i32::try_from(what.len())? * 7;
    }
    area.draw(&PathElement::new([(left, middle - 8), (left, middle + 8)], BLACK.stroke_width(2)))?;
    area.draw(&text(left - 4, "target"))?;
    left += 70;
    area.draw(&PathElement::new([(left - 8, middle), (left + 8, middle)], BLACK.mix(0.5)))?;
    area.draw(&text(left, "dot: median; line: extremes of the rounds"))?;
    Ok(())
}
