//! PgBouncer between the inbox and its PostgreSQL.

use std::{fs, io::Write as _, path::Path, process::Child, time::Duration};

use tencent_desk_webhook::{inbox::Inbox, testing::Recorder};
use tokio::{net::TcpStream, time::sleep};

use crate::{
    places::{accept, deliver, idle, message, until},
    process::free_port,
    server::{Server, give_away},
};

struct Pooler {
    process: Child,
    port: u16,
}

impl Pooler {
    async fn start(server: &Server, mode: &str) -> Option<Self> {
        if !Path::new("/usr/sbin/pgbouncer").exists() {
            assert!(std::env::var("CI").is_err(), "PgBouncer is missing (Debian: pgbouncer)");
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED, AND NOTHING TESTED: PgBouncer is missing (Debian: pgbouncer)"
            );
            return None;
        }
        let port = free_port();
        let settings = server.data().join(format!("pgbouncer-{mode}.ini"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n\
             unix_socket_dir=\nauth_type=any\npool_mode={mode}\nignore_startup_parameters=extra_float_digits\n",
            server.port
        )
        .replace("* = host=127.0.0.1", "* = user=postgres host=127.0.0.1");
        fs::write(&settings, text).unwrap();
        give_away(&settings);
        let process = server.command("/usr/sbin/pgbouncer").arg("-q").arg(&settings).spawn().unwrap();
        let pooler = Self { process, port };
        until("the pooler listens", async || {
            sleep(Duration::from_millis(10)).await;
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Some(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_shares_transactions_is_refused() {
    let Some(server) = Server::start("") else { return };
    let Some(pooler) = Pooler::start(&server, "transaction").await else { return };
    let error = Inbox::connect(&server.url_at(pooler.port)).await.unwrap_err().to_string();
    assert!(error.contains("pooler") && error.contains("pool_mode = session"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_shares_sessions_may_be_used() {
    let Some(server) = Server::start("") else { return };
    let Some(pooler) = Pooler::start(&server, "session").await else { return };
    let inbox = Inbox::connect(&server.url_at(pooler.port)).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 1);
    let _ = workers.drain().await;
}
