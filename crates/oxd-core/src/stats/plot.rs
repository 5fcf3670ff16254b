//! Small plots of the last hour as inline SVG, which needs no script and no style of its own.

use std::fmt::Write as _;

/// Size of the drawing, in units of the view box; the page stretches it to its width.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;
/// Room for the numbers beside and below.
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 20.0;

/// One line of bars: a class of the style sheet for its colour, and a value for each minute.
pub struct Bars<'b> {
    /// The class.
    pub class: &'static str,
    /// The values, the oldest first.
    pub values: &'b [f64],
}

/// A plot of bars that stand on each other, minute by minute. `title` is read by screen readers, `unit` follows the
/// largest value.
pub fn stacked(title: &str, unit: &str, layers: &[Bars<'_>]) -> String {
    let minutes = layers
        .iter()
        .map(|layer| layer.values.len())
        .max()
        .unwrap_or(0)
        .max(1);
    let total = |minute: usize| -> f64 { layers.iter().filter_map(|layer| layer.values.get(minute)).sum() };
    let top = round_up((0..minutes).map(total).fold(0.0, f64::max));
    let (plot_width, plot_height) = (WIDTH - LEFT, HEIGHT - BOTTOM - 8.0);
    let step = plot_width / minutes as f64;
    let floor = HEIGHT - BOTTOM;
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    );
    // Writing into a String cannot fail.
    for (value, label) in [(0.0, "0".to_owned()), (top, format!("{top}{unit}"))] {
        let y = floor - value / top * plot_height;
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for minute in 0..minutes {
        let mut y = floor;
        for layer in layers {
            let value = layer.values.get(minute).copied().unwrap_or(0.0);
            if value > 0.0 {
                // One of a thousand must still be seen.
                let height = (value / top * plot_height).max(1.5);
                y -= height;
                let _ = write!(
                    svg,
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                    layer.class,
                    LEFT + minute as f64 * step + step * 0.1,
                    step * 0.8
                );
            }
        }
    }
    for (ago, anchor) in [(60, "start"), (30, "middle"), (0, "end")] {
        let x = LEFT + plot_width * (1.0 - f64::from(ago) / 60.0);
        let label = if ago == 0 {
            "now".to_owned()
        } else {
            format!("-{ago} min")
        };
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
            HEIGHT - 5.0
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The next of 1, 2, 5, 10, 20, 50, ...
fn round_up(value: f64) -> f64 {
    let mut scale = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0] {
            if value <= step * scale {
                return step * scale;
            }
        }
        scale *= 10.0;
        if scale > 1e15 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, top) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (1.5, 2.0),
            (3.0, 5.0),
            (51.0, 100.0),
            (1_200.0, 2_000.0),
        ] {
            assert_eq!(round_up(value), top, "{value}");
        }
        assert!(round_up(f64::MAX).is_finite());
    }

    #[test]
    fn a_plot_has_a_bar_for_each_value_and_a_name() {
        let layers = [
            Bars {
                class: "good",
                values: &[0.0, 3.0, 1.0],
            },
            Bars {
                class: "bad",
                values: &[0.0, 0.0, 1.0],
            },
        ];
        let svg = stacked("Logins", "", &layers);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("aria-label=\"Logins\"") && svg.contains(">5<"));
        assert!(!stacked("Empty", " ms", &[]).contains("NaN"));
    }
}
