//! The pages as a site: the sources for mdbook, and a check of the links in what it makes of them.
//!
//! The list of pages is that of docs/README.md. The pages keep their places in the repository, so that the links
//! between them hold; what they link to besides is copied along.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The page with the list of all others.
const INDEX: &str = "docs/README.md";
/// The page that the site begins with.
const FIRST: &str = "README.md";

/// Makes the folder anew, with `book.toml` and the sources in `src`.
pub fn assemble(root: &Path, out: &Path) -> Result<(), String> {
    if out.exists() {
        fs::remove_dir_all(out).map_err(|why| format!("{}: {why}", out.display()))?;
    }
    let (mut listed, mut summary) = (BTreeSet::new(), String::from("# Summary\n\n"));
    let _ = writeln!(summary, "[mod_oxd]({FIRST})\n[All pages]({INDEX})");
    listed.extend([FIRST.to_owned(), INDEX.to_owned()]);
    for entry in index(&read(&root.join(INDEX))?) {
        let line = match entry {
            Entry::Part(title) => format!("\n# {title}\n\n"),
            Entry::Page { title, target } => {
                let page = beside(INDEX, &target)?;
                let line = format!("- [{title}]({page})\n");
                listed.insert(page);
                line
            }
        };
        summary.push_str(&line);
    }
    copy(&root.join("docs/book.toml"), &out.join("book.toml"))?;
    let mut pages: VecDeque<String> = listed.iter().cloned().collect();
    let mut taken = BTreeSet::new();
    while let Some(page) = pages.pop_front() {
        if !taken.insert(page.clone()) {
            continue;
        }
        let from = root.join(&page);
        if from.is_dir() {
            for file in files(&from)? {
                copy(&file, &out.join("src").join(below(root, &file)))?;
            }
            continue;
        }
        copy(&from, &out.join("src").join(&page))?;
        if !page.ends_with(".md") {
            continue;
        }
        if !listed.contains(&page) {
            return Err(format!("a page links to {page}, which {INDEX} does not list"));
        }
        for target in targets(&read(&from)?) {
            pages.push_back(beside(&page, &target)?);
        }
    }
    let file = out.join("src/SUMMARY.md");
    fs::write(&file, summary).map_err(|why| format!("{}: {why}", file.display()))
}

enum Entry {
    Part(String),
    Page { title: String, target: String },
}

/// The headings of the list, and the links in the first cells of its tables.
fn index(markdown: &str) -> Vec<Entry> {
    let (mut entries, mut text) = (Vec::new(), String::new());
    let (mut first_cell, mut link) = (false, None);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableRow) => first_cell = true,
            Event::End(TagEnd::TableCell) => first_cell = false,
            Event::Start(Tag::Heading { .. }) => text.clear(),
            Event::End(TagEnd::Heading(level)) if level > pulldown_cmark::HeadingLevel::H1 => {
                entries.push(Entry::Part(std::mem::take(&mut text)));
            }
            Event::Start(Tag::Link { dest_url, .. }) if first_cell => {
                text.clear();
                link = Some(dest_url.to_string());
            }
            Event::End(TagEnd::Link) => {
                let page = link.take().map(|target| Entry::Page {
                    title: std::mem::take(&mut text),
                    target,
                });
                entries.extend(page);
            }
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            _ => {}
        }
    }
    entries
}

/// Where a page's links and pictures lead to in the repository, without anchors.
fn targets(markdown: &str) -> BTreeSet<String> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let links = parser.filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    });
    let paths = links.filter(|link| !is_elsewhere(link));
    let paths = paths.map(|link| link.split('#').next().unwrap_or_default().to_owned());
    paths.filter(|path| !path.is_empty()).collect()
}

fn is_elsewhere(link: &str) -> bool {
    link.contains("://")
        || link.starts_with("mailto:")
        || link.starts_with("data:")
        || link.starts_with("javascript:")
}

/// A link's path from the root, as seen from a page.
fn beside(page: &str, target: &str) -> Result<String, String> {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return Err(format!("{page}: {target} leads out of the repository")),
        }
    }
    Ok(path.to_string_lossy().into_owned())
}

/// Looks at every link of the site's pages; the number of links, or what is wrong.
pub fn check(site: &Path) -> Result<usize, String> {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in files(site)? {
        // The page for addresses that are not there has links for a server's root.
        if page.extension().is_none_or(|ending| ending != "html") || page.ends_with("404.html") {
            continue;
        }
        let name = below(site, &page).to_string_lossy().into_owned();
        let html = read(&page)?;
        for link in values(&html, &["href", "src"]).filter(|link| !is_elsewhere(link)) {
            seen += 1;
            let (path, anchor) = link
                .split_once('#')
                .map_or((link, ""), |(path, anchor)| (path, anchor));
            let path = path.split('?').next().unwrap_or_default();
            let to = if path.is_empty() {
                name.clone()
            } else {
                beside(&name, path)?
            };
            let file = site.join(&to);
            if !file.exists() {
                wrong.push(format!("{name}: {link}: there is no {to}"));
            } else if !anchor.is_empty()
                && to.ends_with(".html")
                && !values(&read(&file)?, &["id"]).any(|id| id == anchor)
            {
                wrong.push(format!("{name}: {link}: nothing in {to} has this name"));
            }
        }
    }
    if wrong.is_empty() {
        Ok(seen)
    } else {
        Err(wrong.join("\n"))
    }
}

/// The values of these attributes.
fn values<'h>(html: &'h str, names: &'h [&str]) -> impl Iterator<Item = &'h str> {
    let tags = html.split('<').skip(1).filter_map(|rest| rest.split('>').next());
    tags.flat_map(move |tag| {
        let of = |name: &&'h str| {
            let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
            rest.split('"').next()
        };
        names.iter().filter_map(of)
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let fault = |why: std::io::Error| format!("{}: {why}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn below<'p>(root: &Path, path: &'p Path) -> &'p Path {
    path.strip_prefix(root).unwrap_or(path)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let copied = fs::copy(from, to).map_err(|why| format!("{}: {why}", from.display()));
    copied.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()))
    }

    #[test]
    fn every_page_of_the_list_is_in_the_summary() {
        let out = folder("book");
        assemble(crate::root(), &out).unwrap();
        let summary = read(&out.join("src/SUMMARY.md")).unwrap();
        for entry in index(&read(&crate::root().join(INDEX)).unwrap()) {
            let (what, wanted) = match entry {
                Entry::Part(title) => (title.clone(), format!("\n# {title}\n")),
                Entry::Page { title, target } => {
                    let page = beside(INDEX, &target).unwrap();
                    assert!(out.join("src").join(&page).is_file(), "{page}");
                    (title.clone(), format!("- [{title}]({page})\n"))
                }
            };
            assert!(summary.contains(&wanted), "{what}: {summary}");
        }
        assert!(summary.lines().count() > 25, "{summary}");
        assert!(out.join("src/docs/images/signed-in.png").is_file());
        fs::remove_dir_all(out).unwrap();
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let site = folder("site");
        fs::create_dir_all(site.join("docs")).unwrap();
        let page = |name: &str, html: &str| fs::write(site.join(name), html).unwrap();
        page("docs/a.html", r#"<h1 id="top">A</h1><p id="b-c">x</p>"#);
        page(
            "index.html",
            r##"<a href="docs/a.html#b-c"></a><a href="https://x.test/y"></a><a href="#z"></a><p id="z"><img src="docs/a.html">"##,
        );
        assert_eq!(check(&site), Ok(3));
        for (link, complaint) in [
            ("docs/b.html", "there is no docs/b.html"),
            ("docs/a.html#none", "nothing in docs/a.html has this name"),
            ("#none", "nothing in index.html has this name"),
            ("../x.html", "leads out"),
        ] {
            page("index.html", &format!("<a href=\"{link}\"></a>"));
            let said = check(&site).unwrap_err();
            assert!(said.contains(complaint), "{link}: {said}");
        }
        fs::remove_dir_all(site).unwrap();
    }
}
