//! The samples as a picture: SVG for a page that may be light or dark, which an image cannot ask. So nothing is filled
//! behind it, and each colour stands out from white and from black.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::sample::Row;
use crate::usage::Usage;

type Fault = Box<dyn Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A name, a colour, and the value of a sample, if it has one.
type Line<'a> = (&'a str, RGBColor, Box<dyn Fn(&Row) -> Option<f64>>);

const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);
const BLUE: RGBColor = RGBColor(0x2f, 0x86, 0xd1);
const ORANGE: RGBColor = RGBColor(0xc9, 0x77, 0x2b);
const GREEN: RGBColor = RGBColor(0x3c, 0x9a, 0x5f);
const WIDTH: u32 = 980;
const HEIGHT: u32 = 1130;
/// The height of the line above a panel, and the width of a letter there.
const HEAD: i32 = 24;
const LETTER: f64 = 6.3;

/// The shortest time that is told from none, in milliseconds.
const LEAST: f64 = 0.1;

/// Points for each line; of more samples only every so many are drawn.
const POINTS: usize = 700;

/// The picture.
pub fn svg(rows: &[Row], heading: &str) -> Result<String, Fault> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        let root = root.titled(heading, font(17))?;
        let panels = root.split_evenly((5, 1));
        draw(&panels, rows)?;
        root.present()?;
    }
    // For those who hear it.
    let named = format!("role=\"img\"><title>{heading}</title>");
    Ok(text.replacen('>', &format!(" {named}"), 1))
}

fn draw(panels: &[Area<'_>], rows: &[Row]) -> Result<(), Fault> {
    let mib = |value: u64| value as f64 / 1024.0;
    // For a moment of a restart there are none.
    let of_child = |value: fn(&Usage) -> u64| {
        move |row: &Row| (!row.children.is_empty()).then(|| row.largest(value) as f64)
    };
    let memory = of_child(|child| child.private);
    linear(
        &panels[0],
        rows,
        "memory, MiB",
        &[
            (
                "all processes (Pss)",
                GREY,
                Box::new(move |row| Some(mib(row.whole()))),
            ),
            (
                "the largest child (private)",
                ORANGE,
                Box::new(move |row| Some(memory(row)? / 1024.0)),
            ),
            (
                "the parent (private)",
                BLUE,
                Box::new(move |row| Some(mib(row.parent.private))),
            ),
        ],
    )?;
    linear(
        &panels[1],
        rows,
        "shared memory, processes",
        &[
            (
                "shared memory of the parent, MiB",
                BLUE,
                Box::new(move |row| Some(mib(row.parent.shared))),
            ),
            (
                "processes",
                ORANGE,
                Box::new(|row| Some(row.children.len() as f64 + 1.0)),
            ),
        ],
    )?;
    linear(
        &panels[2],
        rows,
        "descriptors, threads",
        &[
            (
                "descriptors of a child, at most",
                ORANGE,
                Box::new(of_child(|child| child.descriptors)),
            ),
            (
                "threads of a child, at most",
                GREEN,
                Box::new(of_child(|child| child.threads)),
            ),
            (
                "descriptors of the parent",
                BLUE,
                Box::new(|row| Some(row.parent.descriptors as f64)),
            ),
        ],
    )?;
    linear(
        &panels[3],
        rows,
        "answers a second",
        &[
            ("all", GREY, Box::new(|row| Some(row.answers))),
            ("pages with a session", BLUE, Box::new(|row| Some(row.pages))),
        ],
    )?;
    let time = |number: usize| move |row: &Row| (row.pages > 0.0).then(|| row.times[number].max(LEAST));
    let lines: [Line<'_>; 3] = [
        ("p99.9", ORANGE, Box::new(time(2))),
        ("p99", GREEN, Box::new(time(1))),
        ("p50", BLUE, Box::new(time(0))),
    ];
    let most = highest(rows, &lines).max(1.0) * 2.0;
    panel(
        &panels[4],
        rows,
        "a page with a session, ms",
        &lines,
        (LEAST..most).log_scale(),
        most,
    )
}

fn linear(area: &Area<'_>, rows: &[Row], title: &str, lines: &[Line<'_>]) -> Result<(), Fault> {
    // Room for the names of the stores above the lines.
    let most = highest(rows, lines).max(1.0) * 1.2;
    panel(area, rows, title, lines, 0.0..most, most)
}

fn panel<Y>(
    area: &Area<'_>,
    rows: &[Row],
    title: &str,
    lines: &[Line<'_>],
    range: Y,
    top: f64,
) -> Result<(), Fault>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let end = rows.last().map_or(1.0, |row| row.time / 60.0).max(0.1);
    let (head, area) = area.split_vertically(HEAD);
    // The names of the lines in their colours, instead of a legend that would hide some of them.
    let names = lines.iter().map(|(name, colour, _)| (*name, *colour));
    let mut left = 48;
    for (name, colour) in [(title, GREY)].into_iter().chain(names) {
        let style = ("sans-serif", 13).into_font().color(&colour);
        head.draw(&Text::new(name.to_owned(), (left, 6), style))?;
        left += (name.len() as f64 * LETTER) as i32 + 24;
    }
    let mut chart = ChartBuilder::on(&area)
        .margin_top(2)
        .margin_right(16)
        .x_label_area_size(22)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..end, range)?;
    let bands = bands(rows).into_iter();
    for (number, (store, all, restarts)) in bands.enumerate() {
        for (span, strength) in [
            (all.clone(), if number % 2 == 0 { 0.08 } else { 0.0 }),
            (restarts, 0.14),
        ] {
            let corners = [(span.start, top), (span.end, 1e-3)];
            chart.draw_series([Rectangle::new(corners, GREY.mix(strength).filled())])?;
        }
        chart.draw_series([Text::new(store, (all.start, top * 0.97), font(12))])?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .axis_style(GREY)
        .label_style(font(11))
        .y_labels(5)
        .x_label_formatter(&|minutes| match end {
            ..5.0 => format!("{minutes:.1} min"),
            _ => format!("{minutes:.0} min"),
        })
        .y_label_formatter(&|value| format!("{value}"))
        .draw()?;
    let step = rows.len().div_ceil(POINTS).max(1);
    for (_, colour, value) in lines {
        // Between two turns there is nothing.
        for turn in rows.chunk_by(|one, other| one.store == other.store) {
            let points = turn.iter().step_by(step);
            let points = points.filter_map(|row| Some((row.time / 60.0, value(row)?)));
            chart.draw_series(LineSeries::new(points, colour.stroke_width(1)))?;
        }
    }
    Ok(())
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&GREY)
}

fn highest(rows: &[Row], lines: &[Line<'_>]) -> f64 {
    let values = lines
        .iter()
        .flat_map(|(_, _, value)| rows.iter().filter_map(value));
    values.fold(0.0, f64::max)
}

/// Each store's turn and its part with restarts, in minutes.
fn bands(rows: &[Row]) -> Vec<(&'static str, Range<f64>, Range<f64>)> {
    let mut bands: Vec<(&'static str, Range<f64>, Range<f64>)> = Vec::new();
    for row in rows {
        let time = row.time / 60.0;
        if bands.last().is_none_or(|band| band.0 != row.store) {
            bands.push((row.store, time..time, time..time));
        }
        let Some((_, all, restarts)) = bands.last_mut() else {
            continue;
        };
        all.end = time;
        restarts.end = time;
        if !row.restarts {
            restarts.start = time;
        }
    }
    bands
}
