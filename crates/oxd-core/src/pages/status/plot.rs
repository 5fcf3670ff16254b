//! Small plots of the last hour as inline SVG without script: bars only. Text is HTML beside them, so that it does not
//! shrink on a phone.

use std::fmt::Write as _;

/// The height of the drawing; its width is 1 per minute. The page stretches it in both directions.
const HEIGHT: f64 = 100.0;
/// The minimum height of a bar: one of a thousand must stay visible.
const LEAST: f64 = 2.0;

/// One layer of a stacked plot.
pub(super) struct Bars<'b> {
    /// A class of the style sheet, for the colour.
    pub class: &'static str,
    /// The values, oldest first.
    pub values: &'b [f64],
}

/// A plot.
pub(super) struct Plot {
    /// The drawing.
    pub svg: String,
    /// The value at its upper edge; `None` when the plot is empty.
    pub top: Option<f64>,
}

/// Stacked bars, one per minute. `label` is for screen readers; `words` makes the tooltip of a minute.
pub(super) fn stacked(label: &str, layers: &[Bars<'_>], words: impl Fn(usize) -> String) -> Plot {
    let minutes = layers
        .iter()
        .map(|layer| layer.values.len())
        .max()
        .unwrap_or(0)
        .max(1);
    let value = |layer: &Bars<'_>, minute: usize| layer.values.get(minute).copied().unwrap_or(0.0);
    let total = |minute: usize| -> f64 { layers.iter().map(|layer| value(layer, minute)).sum() };
    let most = (0..minutes).map(total).fold(0.0, f64::max);
    let top = round_up(most);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {minutes} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    );
    // Writing into a String cannot fail.
    for minute in (0..minutes).filter(|minute| total(*minute) > 0.0) {
        let _ = write!(
            svg,
            "<g><title>{}</title><rect class=\"hit\" x=\"{minute}\" y=\"0\" width=\"1\" height=\"{HEIGHT}\"/>",
            words(minute)
        );
        let mut y = HEIGHT;
        for layer in layers {
            let value = value(layer, minute);
            if value > 0.0 {
                let height = (value / top * HEIGHT).max(LEAST);
                y -= height;
                let _ = write!(
                    svg,
                    "<rect class=\"{}\" x=\"{minute}.1\" y=\"{y:.1}\" width=\".8\" height=\"{height:.1}\"/>",
                    layer.class,
                );
            }
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    Plot {
        svg,
        top: (most > 0.0).then_some(top),
    }
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
                values: &[0.0, 0.0, 1000.0],
            },
        ];
        let plot = stacked("Logins", &layers, |minute| format!("minute {minute}"));
        let (svg, top) = (plot.svg, plot.top);
        assert_eq!(svg.matches("<rect class=\"good\"").count(), 2);
        assert_eq!(svg.matches("<rect class=\"bad\"").count(), 1);
        assert_eq!(
            svg.matches("<title>").count(),
            2,
            "nothing is said of minutes without anything"
        );
        assert!(svg.contains("aria-label=\"Logins\"") && top == Some(2_000.0));
        // The small value stays visible.
        assert!(svg.contains("height=\"2.0\""), "{svg}");
        let empty = stacked("Empty", &[], |_| String::new());
        assert!(!empty.svg.contains("NaN") && !empty.svg.contains("<rect") && empty.top.is_none());
    }
}
