//! The Chinese README has the same code, tables and ErrorCodes as the English one.

use tencent_desk_webhook::Refusal;

const ENGLISH: &str = include_str!("../../README.md");
const CHINESE: &str = include_str!("../../README.zh-CN.md");

fn code_blocks(page: &str) -> Vec<&str> {
    page.split("\n```").skip(1).step_by(2).collect()
}

/// The cells of the tables' rows.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let cells = |line: &str| line.trim().trim_start_matches("/// ").starts_with("| ");
    page.lines().filter(move |line| cells(line)).map(|line| line.split('|').skip(1).map(str::trim).collect())
}

/// The code in a cell: names of features, events, methods and files are the same in both languages.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_test_in_the_readme_is_part_of_this_suite() {
    assert!(ENGLISH.contains(include_str!("readme.rs")));
}

#[test]
fn both_have_the_same_code() {
    let english = code_blocks(ENGLISH);
    assert!(english.len() >= 10, "the blocks are found");
    assert_eq!(english, code_blocks(CHINESE));
}

#[test]
fn the_tables_have_the_same_code() {
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
    let rows = rows(CHINESE).filter(|cells| cells[0].parse::<u32>().is_ok());
    // The cell begins with the name of the reason, as code.
    let explained: Vec<_> =
        rows.map(|cells| format!("{} {} {}", cells[0], cells[1], code(cells[2])[0])).collect();
    let name = |refusal: &Refusal| format!("{refusal:?}").split(' ').next().unwrap().to_owned();
    let all: Vec<_> = Refusal::all()
        .map(|refusal| format!("{} {} {}", refusal.code(), refusal.status().as_u16(), name(&refusal)))
        .collect();
    assert_eq!(explained, all);
}
