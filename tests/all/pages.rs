//! What the pages list is what the code has.

const REFUSALS: &str = include_str!("../../src/error.rs");
const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");

/// Code and name, of the table at `Refusal`.
fn refusals() -> Vec<(u32, String)> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("/// | ")?.split(" | ");
        let code = cells.next()?.parse().ok()?;
        Some((code, cells.nth(1)?.split('`').nth(1)?.to_owned()))
    };
    let refusals: Vec<_> = REFUSALS.lines().filter_map(row).collect();
    assert!(refusals.len() >= 25, "the table is read");
    refusals
}

#[test]
fn every_refusal_is_named_in_logs_and_metrics_as_the_guide_says() {
    for (code, name) in refusals() {
        let mut small = String::new();
        for (place, letter) in name.char_indices() {
            if letter.is_uppercase() && place > 0 {
                small.push('_');
            }
            small.extend(letter.to_lowercase());
        }
        assert!(
            REFUSALS.contains(&format!("{code}, \"{small}\",")),
            "{code} {name} has another name: {small}"
        );
    }
}

#[test]
fn troubleshooting_has_every_error_code_and_no_other() {
    let codes: Vec<u32> = refusals().into_iter().map(|(code, _)| code).collect();
    let mut explained: Vec<u32> = Vec::new();
    let cells = TROUBLESHOOTING.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    for part in cells.flat_map(|cell| cell.split(", ")) {
        let ends: Vec<u32> = part.split(" – ").filter_map(|end| end.parse().ok()).collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { continue };
        assert!(codes.contains(first) && codes.contains(last), "{part}");
        explained.extend(codes.iter().filter(|code| (first..=last).contains(code)));
    }
    explained.sort_unstable();
    assert_eq!(explained, codes);
}
