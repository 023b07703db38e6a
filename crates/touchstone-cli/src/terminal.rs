//! What a person sees: colours on a terminal alone, tables, a progress bar when something takes long.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use touchstone_types::Decision;

/// A bar appears after this time, so that quick commands stay quiet.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes one line of talk to stderr. Nobody can be told when stderr is gone, so a failure is passed over.
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", line.as_ref());
}

/// Writes one line of data to stdout.
///
/// # Errors
/// When stdout is gone, for example a closed pipe.
pub(crate) fn print(line: impl AsRef<str>) -> io::Result<()> {
    writeln!(anstream::stdout(), "{}", line.as_ref())
}

/// The text in a style, for [`say`] and [`print()`], which leave the colours out where there is no terminal.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The text with its control characters and its marks of writing direction escaped, as `\u{202e}`. Titles and the like are
/// written by strangers: shown as they are, they could move the cursor, or make a line read other than it is.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(c.escape_unicode());
            }
            c if c.is_control() => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Bold.
pub(crate) const HEADING: Style = Style::new().bold();

/// Faint.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The colour of a decision.
pub(crate) fn decision_style(decision: Decision) -> Style {
    let colour = match decision {
        Decision::Takedown => AnsiColor::Red,
        Decision::Review => AnsiColor::Yellow,
        Decision::Clear => AnsiColor::Green,
        Decision::Abstain | Decision::Retract => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

/// A line under the head, and nothing else that distracts.
const TABLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with this head; columns from `first_number` on are aligned to the right.
pub(crate) fn table(head: &[&str], first_number: usize) -> Table {
    let mut table = Table::new();
    table.load_style(TABLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    if !io::stderr().is_terminal() {
        table.set_width(110);
    }
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A progress bar on stderr that shows itself only on a terminal and only after a while.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// Counts up to `total`, or just counts where that is not known. `unit` names what is counted.
    pub(crate) fn new(total: Option<u64>, unit: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => format!("{{bar:30}} {{human_pos}} of {{human_len}} {unit}  {{per_sec}}  {{eta}} left"),
            None => format!("{{spinner}} {{human_pos}} {unit}  {{per_sec}}"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now(), shown: false }
    }

    /// `n` more are done.
    pub(crate) fn add(&mut self, n: u64) {
        if !self.shown && self.started.elapsed() > PATIENCE && io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        self.bar.inc(n);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_the_writing_is_shown_as_it_is() {
        assert_eq!(plain("Lumora 20, São Paulo 墨盒 قلم"), "Lumora 20, São Paulo 墨盒 قلم");
        assert_eq!(plain("a\u{202e}b\u{2069}c\u{200f}"), "a\\u{202e}b\\u{2069}c\\u{200f}");
        assert_eq!(plain("\u{1b}[2J\r\n\u{9b}"), "\\u{1b}[2J\\u{d}\\u{a}\\u{9b}");
    }
}
