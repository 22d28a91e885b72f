//! The miss-ratio curve as SVG.

use super::{Point, Sizing};
use plotters::prelude::*;
use std::error::Error;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 540;
const NEARCACHE: RGBColor = RGBColor(0x1b, 0x5e, 0xb8);
const LRU: RGBColor = RGBColor(0xc2, 0x5b, 0x12);
const KNEE: RGBColor = RGBColor(0x55, 0x55, 0x55);
const MIB: f64 = (1u64 << 20) as f64;

/// A line's name, color and what it shows.
type Line = (&'static str, RGBColor, fn(&Point) -> f64);

/// Draws the curve.
///
/// # Errors
/// If there are no points, or the drawing library refuses.
pub fn svg(sizing: &Sizing) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        draw(sizing, &area)?;
        area.present()?;
    }
    Ok(text)
}

fn draw<DB: DrawingBackend>(
    sizing: &Sizing,
    area: &DrawingArea<DB, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>>
where
    DB::ErrorType: 'static,
{
    let points = &sizing.curve.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Err("there is nothing to draw".into());
    };
    let mib = |bytes: u64| bytes as f64 / MIB;
    let (from, to) = (
        mib(first.memory),
        mib(last.memory).max(mib(first.memory) * 1.01),
    );
    let mut chart = ChartBuilder::on(area)
        .caption(
            format!("Miss ratio by memory: {}", sizing.trace),
            ("sans-serif", 22),
        )
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(56)
        .build_cartesian_2d((from..to).log_scale(), 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc("memory of the cache, MiB")
        .y_desc("misses, % of reads")
        .y_label_formatter(&|percent| format!("{percent:.0}"))
        .x_label_formatter(&|mib| {
            format!("{mib:.4}")
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        })
        .light_line_style(WHITE)
        .draw()?;
    let lines: [Line; 2] = [
        ("LRU", LRU, |point| point.lru),
        ("nearcache", NEARCACHE, |point| point.nearcache),
    ];
    let at = |point: &Point, ratio: f64| (mib(point.memory), 100.0 - ratio * 100.0);
    for (name, color, ratio) in lines {
        let line = points.iter().map(|point| at(point, ratio(point)));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], color.stroke_width(2)));
    }
    if let Some(knee) = sizing.curve.knee() {
        chart
            .draw_series([Circle::new(at(&knee, knee.nearcache), 5, KNEE.filled())])?
            .label("knee")
            .legend(|(x, y)| Circle::new((x + 11, y), 5, KNEE.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(KNEE)
        .draw()?;
    Ok(())
}
