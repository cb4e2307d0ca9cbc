#![doc = include_str!("../../docs/watching.md")]
