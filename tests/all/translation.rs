//! What the English pages say, the Chinese one says as well.

const ENGLISH: &str = include_str!("../../README.md");
const CHINESE: &str = include_str!("../../README.zh-CN.md");
const REFUSALS: &str = include_str!("../../src/error.rs");

fn code_blocks(page: &str) -> Vec<&str> {
    page.split("\n```").skip(1).step_by(2).collect()
}

/// The cells of the tables' rows.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let cells = |line: &str| line.trim().trim_start_matches("/// ").starts_with("| ");
    page.lines().filter(move |line| cells(line)).map(|line| line.split('|').skip(1).map(str::trim).collect())
}

/// What is code in a cell: names of features, events, methods and files are the same in every language.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_test_that_the_readme_shows_is_one_of_these() {
    assert!(ENGLISH.contains(include_str!("readme.rs")));
}

#[test]
fn both_have_the_same_code() {
    let english = code_blocks(ENGLISH);
    assert!(english.len() >= 10, "the blocks are found");
    assert_eq!(english, code_blocks(CHINESE));
}

#[test]
fn the_tables_list_the_same() {
    let names =
        |page| rows(page).map(|cells| code(cells[0])).filter(|names| !names.is_empty()).collect::<Vec<_>>();
    assert!(names(ENGLISH).len() >= 15, "the tables are read");
    assert_eq!(names(ENGLISH), names(CHINESE));
    let setters = |page| {
        let limits = rows(page).filter(|cells| cells.len() == 4 && cells[0] != "feature");
        limits.map(|cells| code(cells[2])).filter(|names| !names.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(setters(ENGLISH), setters(CHINESE));
}

#[test]
fn every_error_code_is_explained_in_chinese() {
    let listed = |page: &'static str| {
        let of_codes = rows(page).filter(|cells| cells[0].parse::<u32>().is_ok());
        // The reason's name stands at the beginning of its cell, as code or as a link.
        let name = |cell: &'static str| code(cell)[0];
        of_codes.map(|cells| (cells[0], cells[1], name(cells[2]))).collect::<Vec<_>>()
    };
    assert!(listed(REFUSALS).len() >= 25, "the table is read");
    assert_eq!(listed(REFUSALS), listed(CHINESE));
}
