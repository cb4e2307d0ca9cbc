//! Where an inbox is, what goes in, and who gets it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tencent_desk_webhook::{Event, EventHandler, HandlerResult, async_trait, inbox::Inbox};

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inbox-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) enum Place {
    File(PathBuf),
    Schema(String, String),
}

impl Place {
    pub(crate) async fn open(self) -> Inbox {
        match self {
            Self::File(path) => Inbox::open(path).await.unwrap(),
            Self::Schema(url, schema) => Inbox::connect_in(&url, &schema).await.unwrap(),
        }
    }
}

pub(crate) fn events() -> impl Fn(u64) -> Event + Clone {
    let body: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
    let mut record = body;
    record["SdkAppid"] = 7.into();
    record["Raw"] = SAMPLE.into();
    let template: Event = serde_json::from_value(record).unwrap();
    move |number| {
        let mut event = template.clone();
        event.session_id = format!("2baf4d84-beb4-4607-a1ea-{:012}", number % 1000);
        event.request_id = Some(format!(
            "{:032x}",
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        ));
        event.time += Duration::from_millis(number % 1_000_000_000_000);
        event
    }
}

#[derive(Clone, Default)]
pub(crate) struct Nothing(pub(crate) Arc<AtomicU64>);

#[async_trait]
impl EventHandler for Nothing {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The documented sample.
pub(crate) const SAMPLE: &str = include_str!("../../tests/fixtures/desk_session_event_cn_doc.json");
