//! A disk that fails to sync the write-ahead log.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    places::{Folder, until},
    process::{Process, example, free_port, send},
};

/// After a sync that failed, a later one that succeeds says nothing of what was written before. So all of the log has to be in
/// the database before anything is acknowledged again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_sync_of_the_log_has_failed_nothing_is_acknowledged_before_a_checkpoint() {
    let folder = Folder::new();
    let (port, trace) = (free_port(), folder.join("trace"));
    let path = folder.join("desk.db");
    let process = Process::start(example(&path.display().to_string(), port, &folder.join("log"))).await;
    let mut client = None;
    for number in 0..3 {
        assert!(send(&mut client, port, "s", number).await);
    }
    let Some(mut strace) = fail_one_sync(process.id(), &path, &trace) else { return };
    let lines = || fs::read_to_string(&trace).unwrap_or_default();
    until("a sync fails", async || {
        let _ = send(&mut client, port, "s", 3).await;
        lines().contains("EIO")
    })
    .await;
    until("it is acknowledged", async || send(&mut client, port, "s", 4).await).await;
    let trace = lines();
    let _ = Command::new("kill").arg(strace.id().to_string()).status();
    let _ = strace.wait();
    process.stop().await;

    let after = &trace[trace.find("EIO").unwrap()..];
    let synced = after.find("desk.db>) = 0").expect("the database was not synced");
    let emptied = after.find("desk.db-wal>, 0) = 0").expect("the log was not emptied");
    assert!(synced < emptied, "{trace}");
}

/// `None` where strace cannot attach to the process; with `CI=true` that is a failure.
fn fail_one_sync(process: u32, path: &Path, trace: &Path) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,ftruncate"]);
    strace.args(["-e", "inject=fsync,fdatasync:error=EIO:when=1", "-p", &process.to_string()]);
    strace.arg("-P").arg(path).arg("-P").arg(format!("{}-wal", path.display())).arg("-o").arg(trace);
    let mut child = strace.stderr(Stdio::null()).spawn().ok()?;
    for _ in 0..500 {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        if !status.contains("TracerPid:\t0") {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(std::env::var("CI").is_err(), "strace cannot attach: run as root");
    None
}
