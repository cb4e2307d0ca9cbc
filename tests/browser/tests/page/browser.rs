//! A real Chromium.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use chromiumoxide::{
    Browser, BrowserConfig, Page,
    cdp::browser_protocol::{
        emulation::{MediaFeature, SetEmulatedMediaParams},
        page::CaptureScreenshotFormat,
    },
    page::ScreenshotParams,
};
use futures_util::StreamExt as _;
use serde_json::Value;

/// Far above whatever the page should need.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tab, and its browser, which ends with it.
pub(crate) struct Tab {
    page: Page,
    // In this order: the browser ends before its profile is deleted.
    _browser: Browser,
    _profile: Profile,
}

struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `None` where Chromium is not installed; with `CI=true` that is a failure.
pub(crate) async fn open(url: &str) -> Option<Tab> {
    let Some(program) =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].iter().find(|path| Path::new(path).exists())
    else {
        assert!(std::env::var_os("CI").is_none(), "Chromium is missing (Debian: chromium)");
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED, AND NOTHING TESTED: Chromium is missing (Debian: chromium)"
        );
        return None;
    };
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("desk-chromium-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let profile = Profile(Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique));
    let config = BrowserConfig::builder()
        .chrome_executable(program)
        .no_sandbox() // root has none
        .user_data_dir(&profile.0)
        .window_size(1280, 800)
        .viewport(None)
        .args(["--lang=en-US", "--disable-gpu", "--disable-dev-shm-usage"])
        .build()
        .unwrap();
    let (browser, mut handler) = Browser::launch(config).await.unwrap();
    tokio::spawn(async move { while handler.next().await.is_some() {} });
    let page = browser.new_page("about:blank").await.unwrap();
    let watch = "let before = performance.now(); window.longest = 0;
        setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - before - 20); before = now; }, 20);";
    page.evaluate_on_new_document(watch).await.unwrap();
    page.goto(url).await.unwrap();
    Some(Tab { page, _browser: browser, _profile: profile })
}

impl Tab {
    pub(crate) async fn eval(&self, script: &str) -> Value {
        let result = self.page.evaluate(script).await.unwrap_or_else(|error| panic!("{script}: {error}"));
        result.value().cloned().unwrap_or_default()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, condition: &str) {
        let began = Instant::now();
        while self.eval(&format!("Boolean({condition})")).await != true {
            if began.elapsed() > PATIENCE {
                let body = self.eval("document.body.innerText").await;
                panic!("{condition}: not in time: {body}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// With the mouse, as soon as it is there: the page may be drawing it just now.
    pub(crate) async fn click(&self, selector: &str) {
        let began = Instant::now();
        loop {
            let clicked = async { self.page.find_element(selector).await?.click().await.map(|_| ()) };
            match clicked.await {
                Ok(()) => return,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{selector}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.click(selector).await;
        self.page.find_element(selector).await.unwrap().type_str(text).await.unwrap();
    }

    pub(crate) async fn scheme(&self, name: &str) {
        let feature = MediaFeature::new("prefers-color-scheme", name);
        self.page.execute(SetEmulatedMediaParams::builder().features([feature]).build()).await.unwrap();
    }

    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let format = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
        self.page.screenshot(format).await.unwrap()
    }
}
