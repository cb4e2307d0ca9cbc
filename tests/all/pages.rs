//! What the pages list is what the code has.

use tencent_desk_webhook::Refusal;

const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");

#[test]
fn troubleshooting_has_every_error_code_and_no_other() {
    let codes: Vec<u32> = Refusal::all().map(|refusal| refusal.code()).collect();
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
