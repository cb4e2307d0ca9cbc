//! The Chinese guide has the same code, tables and ErrorCodes as the English one, and its links work.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGES: &[&str] =
    &["console", "callbacks", "desk", "production", "proxies", "troubleshooting", "capturing"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chinese_path(page: &str) -> PathBuf {
    root().join(format!("docs/zh-CN/{page}.md"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn english(page: &str) -> String {
    read(&root().join(format!("docs/{page}.md")))
}

fn chinese(page: &str) -> String {
    read(&chinese_path(page))
}

/// The code of a line, without a comment and the space before it.
fn without_comment<'a>(language: &str, line: &'a str) -> &'a str {
    let marker = match language.split(',').next() {
        Some("rust") => "//",
        Some("sh" | "toml" | "nginx" | "ini") => "#",
        Some("sql") => "--",
        _ => return line.trim_end(),
    };
    // A marker inside a word does not start a comment: `postgres://`.
    let mut before_markers = line.match_indices(marker).map(|(at, _)| &line[..at]);
    before_markers.find(|code| code.is_empty() || code.ends_with(' ')).unwrap_or(line).trim_end()
}

/// The lines of the code blocks, without comments and empty lines; each block begins with its language.
fn code(page: &str) -> Vec<String> {
    let (mut code, mut block) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => {
                block = Some(language);
                code.push(line.to_owned());
            }
            (Some(_), Some(_)) => block = None,
            (None, Some(language)) => code.push(without_comment(language, line).to_owned()),
            (None, None) => {}
        }
    }
    code.retain(|line| !line.is_empty());
    code
}

/// The lines outside of code blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut lines: Vec<_> = page.lines().collect();
    lines.retain(|line| {
        let fence = line.starts_with("```");
        in_block ^= fence;
        !fence && !in_block
    });
    lines
}

/// The code in the first cell of each row, or the whole cell if it is a number, a range or a list of numbers.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let first_cells = prose(page).into_iter().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    first_cells
        .map(|cell| match cell.chars().next() {
            Some('0'..='9') => vec![cell],
            _ => cell.split('`').skip(1).step_by(2).collect(),
        })
        .collect()
}

/// The numbers of five digits and more: ErrorCodes and the vendor's documents.
fn numbers(page: &str) -> BTreeSet<&str> {
    page.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() >= 5).collect()
}

/// The targets of links within the repository.
fn links(page: &str) -> Vec<&str> {
    let lines = prose(page);
    let inline =
        lines.iter().flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    let defined =
        lines.iter().filter(|line| line.starts_with('[')).filter_map(|line| Some(line.split_once("]: ")?.1));
    inline.chain(defined).filter(|target| !target.contains("://")).collect()
}

/// The anchors of the headings.
fn anchors(page: &str) -> Vec<String> {
    let headings = prose(page).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_guide_in_both_languages_has_the_same_code() {
    for page in PAGES {
        assert_eq!(code(&chinese(page)), code(&english(page)), "{page}");
    }
}

#[test]
fn the_guide_in_both_languages_has_the_same_tables() {
    for page in PAGES {
        assert_eq!(rows(&chinese(page)), rows(&english(page)), "{page}");
    }
}

#[test]
fn the_guide_in_both_languages_has_the_same_error_codes() {
    for page in PAGES {
        assert_eq!(numbers(&chinese(page)), numbers(&english(page)), "{page}");
    }
}

#[test]
fn links_of_the_chinese_pages_lead_to_files_and_headings() {
    for page in PAGES.iter().map(|page| chinese_path(page)).chain([root().join("README.zh-CN.md")]) {
        for link in links(&read(&page)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                assert!(
                    anchors(&read(&target)).iter().any(|known| known == anchor),
                    "{}: {link}",
                    page.display()
                );
            }
        }
    }
}

#[test]
fn the_chinese_readme_links_every_page_of_the_chinese_guide() {
    let readme = read(&root().join("README.zh-CN.md"));
    for page in PAGES {
        assert!(readme.contains(&format!("](docs/zh-CN/{page}.md)")), "{page}");
    }
}

/// A line break between two Chinese characters renders as a space.
#[test]
fn each_paragraph_of_the_chinese_guide_is_one_line() {
    let is_text = |line: &str| !line.is_empty() && !line.starts_with(['#', '|', '[', '<']);
    let starts_item = |line: &str| {
        line.starts_with("* ") || line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok())
    };
    for page in PAGES {
        let text = chinese(page);
        for pair in text.split("```").step_by(2).flat_map(|part| part.lines().zip(part.lines().skip(1))) {
            assert!(!is_text(pair.0) || !is_text(pair.1) || starts_item(pair.1), "{page}: {}", pair.1);
        }
    }
}
