//! Turns the Markdown of the table of directives into lines for `man`.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, italic, roman};

/// Adds paragraphs, lists and tables to a page.
pub fn add(page: &mut Roff, markdown: &str) {
    let mut text = Text::default();
    let mut rows: Vec<Vec<Vec<Inline>>> = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::End(TagEnd::TableCell) => {
                rows.last_mut().into_iter().for_each(|row| row.push(text.take()))
            }
            Event::End(TagEnd::Table) => add_table(page, std::mem::take(&mut rows)),
            Event::End(TagEnd::Paragraph) => {
                page.control("PP", []).text(text.take());
            }
            Event::End(TagEnd::Item) => {
                page.control("IP", [r"\(bu", "2"]).text(text.take());
            }
            event => text.take_in(&event),
        }
    }
}

/// A run of text without paragraphs.
pub fn inline(markdown: &str) -> Vec<Inline> {
    let mut text = Text::default();
    for event in Parser::new(markdown) {
        text.take_in(&event);
    }
    text.take()
}

/// The parsed part of a paragraph.
#[derive(Default)]
struct Text {
    done: Vec<Inline>,
    bold: bool,
    italic: bool,
    /// The target of the link around the text, if it makes sense on paper.
    link: Option<String>,
}

impl Text {
    fn take_in(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::Strong) => self.bold = true,
            Event::End(TagEnd::Strong) => self.bold = false,
            Event::Start(Tag::Emphasis) => self.italic = true,
            Event::End(TagEnd::Emphasis) => self.italic = false,
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.link = dest_url.starts_with("http").then(|| dest_url.to_string());
            }
            Event::End(TagEnd::Link) => {
                let link = self.link.take().map(|url| roman(format!(" <{url}>")));
                self.done.extend(link);
            }
            Event::Code(text) => self.done.push(bold(text.to_string())),
            Event::Text(text) if self.bold => self.done.push(bold(text.to_string())),
            Event::Text(text) if self.italic => self.done.push(italic(text.to_string())),
            Event::Text(text) => self.done.push(roman(text.to_string())),
            Event::SoftBreak | Event::HardBreak => self.done.push(roman(" ")),
            _ => {}
        }
    }

    fn take(&mut self) -> Vec<Inline> {
        std::mem::take(&mut self.done)
    }
}

/// The characters of a name that a column of `tbl` still holds, beside one with sentences.
const WIDEST: usize = 30;

/// A table for `tbl`: the first column as wide as its content, the last one takes the rest. Where the first one has
/// something that fits into no column and cannot be broken, it is a list of terms, as manual pages have them.
fn add_table(page: &mut Roff, rows: Vec<Vec<Vec<Inline>>>) {
    let is_pairs = rows.iter().all(|row| row.len() == 2);
    if is_pairs && rows.iter().any(|row| longest_word(&row[0]) > WIDEST) {
        for mut row in rows.into_iter().skip(1) {
            let what = row.pop().unwrap_or_default();
            page.control("TP", []);
            for text in row.into_iter().chain([what]) {
                page.text(text);
            }
        }
        return;
    }
    let between = rows.first().map_or(0, Vec::len).saturating_sub(2);
    let columns = format!("l{} lx.", " lw(14n)".repeat(between));
    page.control("PP", []).control("TS", []).text([roman(columns)]);
    for row in rows {
        for (column, cell) in row.into_iter().enumerate() {
            let before = if column == 0 { "T{" } else { "T}\tT{" };
            page.text([roman(before)]).text(cell);
        }
        page.text([roman("T}")]);
    }
    page.control("TE", []);
}

/// In characters.
fn longest_word(cell: &[Inline]) -> usize {
    let words = cell.iter().flat_map(|inline| match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.split(' '),
        Inline::LineBreak => "".split(' '),
    });
    words.map(|word| word.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(markdown: &str) -> String {
        let mut page = Roff::new();
        add(&mut page, markdown);
        page.to_roff()
    }

    #[test]
    fn words_are_marked_and_links_that_lead_somewhere_are_spelled_out() {
        let text = "A *b*, **c** and `d-e`; [f](https://example.org/) and [g](#g).\n\n'h' is no request.\n";
        assert_eq!(
            rendered(text),
            ".PP\nA \\fIb\\fR, \\fBc\\fR and \\fBd\\-e\\fR; f <https://example.org/> and g.\n\
             .PP\n\\&'h' is no request.\n"
        );
    }

    #[test]
    fn a_table_is_set_by_tbl() {
        let text = "| a | b | c |\n|---|---|---|\n| `1` | 2 \\| 3 | 4 |\n";
        assert_eq!(
            rendered(text),
            ".PP\n.TS\nl lw(14n) lx.\nT{\na\nT}\tT{\nb\nT}\tT{\nc\nT}\n\
             T{\n\\fB1\\fR\nT}\tT{\n2 | 3\nT}\tT{\n4\nT}\n.TE\n"
        );
    }

    /// `tbl` would run it into the next column, and troff warn of it.
    #[test]
    fn a_name_that_fits_into_no_column_is_a_term() {
        let text =
            "| URL | servers |\n|---|---|\n| `redis+sentinel://HOST[:PORT][,...]/SERVICE` | several |\n";
        assert_eq!(
            rendered(text),
            ".TP\n\\fBredis+sentinel://HOST[:PORT][,...]/SERVICE\\fR\nseveral\n"
        );
    }

    #[test]
    fn a_list_keeps_its_items_apart() {
        assert_eq!(rendered("- a\n- b\n"), ".IP \\(bu 2\na\n.IP \\(bu 2\nb\n");
    }
}
