//! The report of the `listings` form as one page that stands alone: no script, nothing fetched.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use touchstone_pipeline::FEATURES;
use touchstone_types::Decision;

use super::{Flagged, ListingsReport, Point};

/// The size of a plot, in its own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 62.0;

/// From these values of the population stability index on, a feature deserves a look, and has moved.
const LOOK: f64 = 0.1;
const MOVED: f64 = 0.25;

/// How many features the drift table shows.
const N_SHOWN: usize = 12;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;color:#1c2430;background:#fff;max-width:62rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.2rem;margin-top:2.2rem}\
.from{color:#566070;margin-top:.2rem}.cards{display:flex;flex-wrap:wrap;gap:1rem;margin:1.2rem 0}\
.card{border:1px solid #d5dae1;border-radius:8px;padding:.8rem 1rem;flex:1 1 12rem}\
.card b{display:block;font-size:1.5rem}.card span{color:#566070;font-size:.88rem}\
.plots{display:flex;flex-wrap:wrap;gap:1.2rem}figure{margin:0;flex:1 1 26rem}\
figcaption{color:#566070;font-size:.88rem;max-width:26rem}svg{width:100%;max-width:26rem;height:auto}\
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e3e7ec}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.bar{display:inline-block;height:.7rem;border-radius:2px;background:#2b6cb0;vertical-align:middle}\
.bar.bad{background:#c05621}.bar.still{background:#8a94a3}";

/// The page. `versions` names what judged: engine, model, policy.
pub fn html(report: &ListingsReport, versions: &str) -> String {
    let title = format!("{} ({})", report.form.set, report.form.on);
    let n_listings: usize = report.confusion.values().sum();
    let n_positive: usize = report.confusion.iter().filter(|((_, label), _)| *label).map(|(_, n)| n).sum();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Touchstone: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "How good the flags are" }
                p.from { (title) " · " (versions) }
                p.from { (n_listings) " listings, " (n_positive) " of them labelled counterfeit. Labels can be wrong: what is labelled counterfeit under an honest seller's name, or the reverse, is such a label." }
                (cards(report))
                h2 { "What was decided" }
                (decisions(report))
                h2 { "Who is found, and who is flagged wrongly" }
                (behaviours(report))
                h2 { "What a probability means" }
                (plots(report))
                @if !report.drift.is_empty() {
                    h2 { "What has moved since the earlier weeks" }
                    (drift(report))
                }
                h2 { "How hard the data is" }
                (floors(report))
                p.from {
                    "Nothing here is called counterfeit by Touchstone: a flag is a suspicion until a person has ruled."
                }
            }
        }
    };
    page.into_string()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A share that is meant to be small, or to be nearly one.
fn fine_percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn cards(report: &ListingsReport) -> Markup {
    let figure = |name: &str| report.form.metrics.get(name).copied();
    let card = |value: Option<String>, meaning: String| {
        html! { @if let Some(value) = value { div.card { b { (value) } span { (meaning) } } } }
    };
    let automatic = figure("automatic.n").map(|n| {
        let low = figure("automatic.precision_low").unwrap_or(0.0);
        format!(
            "of {n:.0} takedowns without a person were right; with 95 % confidence at least {} of such are",
            fine_percent(low)
        )
    });
    html! {
        div.cards {
            (card(figure("recall").map(percent), "of the counterfeits are flagged".into()))
            (card(figure("false_flag_rate").map(fine_percent), "of the other listings are flagged".into()))
            (card(figure("precision_at_budget").map(percent), format!("of the {} of listings that rank highest are counterfeit: what a person who looks at these finds", percent(report.budget))))
            (card(automatic.as_ref().and(figure("automatic.precision")).map(fine_percent), automatic.clone().unwrap_or_default()))
            (card(figure("calibration_error").map(|error| format!("{error:.4}")), "is how far stated probabilities lie from what came true, on average".into()))
        }
    }
}

fn decisions(report: &ListingsReport) -> Markup {
    let n = |decision, label| report.confusion.get(&(decision, label)).copied().unwrap_or(0);
    html! {
        table {
            thead { tr { th { "decision" } th.n { "counterfeit by the label" } th.n { "not" } } }
            tbody {
                @for decision in [Decision::Takedown, Decision::Review, Decision::Abstain, Decision::Clear] {
                    tr { td { (decision.to_string()) } td.n { (n(decision, true)) } td.n { (n(decision, false)) } }
                }
            }
        }
    }
}

fn behaviours(report: &ListingsReport) -> Markup {
    let of = |wanted: bool| -> Vec<(&str, &Flagged)> {
        let mut found: Vec<(&str, &Flagged)> = report
            .behaviours
            .iter()
            .filter(|((_, label), _)| *label == wanted)
            .map(|((behaviour, _), flagged)| (behaviour.as_str(), flagged))
            .collect();
        found.sort_by(|a, b| b.1.share().total_cmp(&a.1.share()).then(a.0.cmp(b.0)));
        found
    };
    let rows = |rows: Vec<(&str, &Flagged)>, class: &str| {
        html! {
            @for (behaviour, flagged) in rows {
                tr {
                    td { (behaviour) }
                    td.n { (flagged.n) }
                    td.n { (fine_percent(flagged.share())) }
                    td { span class=(format!("bar {class}")) style=(format!("width:{:.1}rem", 12.0 * flagged.share())) {} }
                }
            }
        }
    };
    html! {
        table {
            thead { tr { th { "labelled counterfeit" } th.n { "listings" } th.n { "flagged" } th {} } }
            tbody { (rows(of(true), "")) }
            thead { tr { th { "labelled otherwise" } th.n { "listings" } th.n { "flagged" } th {} } }
            tbody { (rows(of(false), "bad")) }
        }
    }
}

fn plots(report: &ListingsReport) -> Markup {
    let reliability: Vec<Point> =
        report.reliability.iter().map(|bin| Point { x: bin.probability, y: bin.frequency }).collect();
    let worst = report.abstention.iter().map(|point| point.y).fold(0.0, f64::max);
    let top = (worst * 1.2).clamp(0.01, 1.0);
    html! {
        div.plots {
            figure {
                (plot("stated probability", "share that is counterfeit", &reliability, 1.0, true, true))
                figcaption { "Reliability: each point is a group of listings of like probability. On the dashed line a probability means what it says." }
            }
            figure {
                (plot("recall", "precision", &report.precision_recall, 1.0, false, false))
                figcaption { "Precision and recall as the threshold falls from left to right." }
            }
            figure {
                (plot("share of listings decided", "share of wrong decisions", &report.abstention, top, false, false))
                figcaption { "Abstention: if only the surest listings were decided by the probability alone and the rest left to people, so many decisions would be wrong." }
            }
        }
    }
}

/// A plot of points with x from 0 to 1 and y from 0 to `top`.
fn plot(x_name: &str, y_name: &str, points: &[Point], top: f64, diagonal: bool, dots: bool) -> Markup {
    let x = |value: f64| MARGIN + value * (WIDTH - MARGIN - 18.0);
    let y = |value: f64| HEIGHT - MARGIN - value / top * (HEIGHT - MARGIN - 10.0);
    let line: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.x), y(p.y))).collect();
    let decimals = if top < 0.1 { 3 } else { 1 };
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{y_name} over {x_name}")) font-size="12" fill="#566070" {
            @for step in 0..=4_u8 {
                @let share = f64::from(step) / 4.0;
                line x1=(x(0.0)) x2=(x(1.0)) y1=(y(share * top)) y2=(y(share * top)) stroke="#e3e7ec" {}
                text x=(x(0.0) - 6.0) y=(y(share * top) + 4.0) text-anchor="end" { (format!("{:.*}", decimals + 1, share * top)) }
                text x=(x(share)) y=(y(0.0) + 16.0) text-anchor="middle" { (format!("{share:.2}")) }
            }
            @if diagonal {
                line x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) stroke="#8a94a3" stroke-dasharray="4 4" {}
            }
            polyline points=(line.join(" ")) fill="none" stroke="#2b6cb0" stroke-width="2" {}
            @if dots {
                @for point in points { circle opacity="0.8" cx=(format!("{:.1}", x(point.x))) cy=(format!("{:.1}", y(point.y))) r="4" fill="#2b6cb0" {} }
            }
            text x=(x(0.5)) y=(HEIGHT - 8.0) text-anchor="middle" { (x_name) }
            text x="12" y=(y(top / 2.0)) text-anchor="middle" transform=(format!("rotate(-90 12 {:.1})", y(top / 2.0))) { (y_name) }
        }
    }
}

fn drift(report: &ListingsReport) -> Markup {
    let class = |index: f64| if index >= MOVED { "bar bad" } else { "bar still" };
    let word = |index: f64| match index {
        _ if index >= MOVED => "has moved",
        _ if index >= LOOK => "deserves a look",
        _ => "stable",
    };
    html! {
        table {
            thead { tr { th { "feature" } th.n { "stability index" } th {} th {} } }
            tbody {
                @for (name, index) in report.drift.iter().take(N_SHOWN) {
                    tr {
                        td { (meaning(name)) }
                        td.n { (format!("{index:.3}")) }
                        td { (word(*index)) }
                        td { span class=(class(*index)) style=(format!("width:{:.1}rem", 12.0 * index.min(1.0))) {} }
                    }
                }
            }
        }
    }
}

/// A feature as a person would call it.
fn meaning(name: &str) -> Markup {
    let meaning = FEATURES.iter().find(|feature| feature.name == name).map(|feature| feature.meaning);
    html! { (name.replace('_', " ")) @if let Some(meaning) = meaning { br; span.from { (meaning) } } }
}

fn floors(report: &ListingsReport) -> Markup {
    let area = |name: &str| report.form.metrics.get(name).map(|area| format!("{area:.3}"));
    let rule = report.form.words.get("floor.best_rule").map(String::as_str).unwrap_or_default();
    let rows = [
        ("Touchstone", area("pr_auc")),
        ("the unit price alone", area("floor.unit_price")),
        ("an exactly written brand alone", area("floor.exact_brand")),
        ("the best single reason alone", area("floor.best_rule")),
    ];
    html! {
        table {
            thead { tr { th { "ranked by" } th.n { "area under precision and recall" } } }
            tbody {
                @for (name, area) in rows {
                    @if let Some(area) = area {
                        tr {
                            td { (name) @if name.starts_with("the best") { " (" (rule) ")" } }
                            td.n { (area) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::tests::row;

    #[test]
    fn the_page_stands_alone_and_escapes_what_strangers_wrote() {
        let rows = [
            row(1, "takedown", Some(0.9), true, "<script>alert(1)</script>"),
            row(2, "clear", Some(0.1), false, "reseller"),
        ];
        let report = ListingsReport::new("a<b", "all", &rows, &rows, 0.01);
        let page = html(&report, "engine 0");
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("a&lt;b"));
        assert!(!page.contains("<script") && !page.contains("http"));
        assert!(page.contains("&lt;script&gt;") && page.contains("<polyline"));
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn a_report_of_nothing_is_a_page_too() {
        let page = html(&ListingsReport::new("none", "all", &[], &[], 0.01), "engine 0");
        assert!(!page.contains("NaN") && page.ends_with("</html>"));
    }
}
